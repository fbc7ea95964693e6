"""The fingerprint changes with the code that a stage runs, and with nothing else."""

from pathlib import Path

import pytest

from synset_factory.stages import code


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package in which stages.draw imports models.pen, and stages.other imports nothing."""
    for folder in ("stages", "models"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "__init__.py").write_text("")
    (tmp_path / "__init__.py").write_text('"""The package."""\n')
    (tmp_path / "stages/draw.py").write_text("from synset_factory.models import pen\n")
    (tmp_path / "stages/other.py").write_text("import json\n")
    (tmp_path / "models/pen.py").write_text('def draw():\n    """Draw."""\n    return 1\n')
    monkeypatch.setattr(code, "ROOT", tmp_path)
    return tmp_path


def fingerprints() -> dict[str, str]:
    return {name: code.fingerprint(f"synset_factory.stages.{name}") for name in ("draw", "other")}


def test_comments_docstrings_and_layout_change_nothing(package: Path) -> None:
    before = fingerprints()
    (package / "models/pen.py").write_text(
        '"""A module."""\n\ndef draw():\n    # a comment\n    """Draw well."""\n\n    return (1)\n'
    )
    assert fingerprints() == before


def test_a_change_of_an_imported_module_changes_its_importer_alone(package: Path) -> None:
    before = fingerprints()
    (package / "models/pen.py").write_text("def draw():\n    return 2\n")
    after = fingerprints()
    assert after["draw"] != before["draw"]
    assert after["other"] == before["other"]


def test_a_package_runs_its_init(package: Path) -> None:
    before = fingerprints()
    (package / "models/__init__.py").write_text("LOADED = True\n")
    assert fingerprints()["draw"] != before["draw"]


def test_every_stage_is_fingerprinted_with_what_it_imports_in_functions_too(
    package: Path,
) -> None:
    (package / "stages/other.py").write_text(
        "def main():\n    from synset_factory.models.pen import draw\n    draw()\n"
    )
    assert "synset_factory.models.pen" in code.code_of("synset_factory.stages.other")
