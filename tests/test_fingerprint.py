"""The fingerprint changes with the code that a stage reaches, and with nothing else."""

import ast
from hashlib import sha256
from pathlib import Path

import pytest

from synset_factory import fingerprint

DUMP = "23e393cc4e232840303964811cb9a07c35184d390511de07ec351a8bda305887"
DRAW = "from synset_factory.models import pen\n\ndef main():\n    pen.draw()\n"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package in which stages.draw imports models.pen, and stages.other imports nothing."""
    for folder in ("stages", "models"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "__init__.py").write_text("")
    (tmp_path / "__init__.py").write_text('"""The package."""\n')
    (tmp_path / "stages/draw.py").write_text(DRAW)
    (tmp_path / "stages/other.py").write_text(
        "import json\n\nfrom synset_factory.models.pen import draw\n"
    )
    (tmp_path / "models/pen.py").write_text('def draw():\n    """Draw."""\n    return 1\n')
    monkeypatch.setattr(fingerprint, "ROOT", tmp_path)
    return tmp_path


def fingerprints() -> dict[str, str]:
    stages = ("draw", "other")
    return {name: fingerprint.fingerprint(f"synset_factory.stages.{name}") for name in stages}


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
    assert "synset_factory.models.pen" in fingerprint.reached_code("synset_factory.stages.other")


def test_what_is_not_named_counts_nowhere(package: Path) -> None:
    pen = package / "models/pen.py"
    pen.write_text("WIDTH = 1\n\ndef draw():\n    return WIDTH\n\ndef erase():\n    return 0\n")
    before = fingerprints()
    pen.write_text("WIDTH = 1\nLENGTH = 2\n\ndef draw():\n    return WIDTH\n")
    assert fingerprints() == before
    pen.write_text("WIDTH = 2\n\ndef draw():\n    return WIDTH\n")
    assert fingerprints()["draw"] != before["draw"]


@pytest.mark.parametrize(
    "source",
    [
        "from synset_factory.models.pen import draw as sketch\n\ndef main():\n    sketch()\n",
        "import synset_factory.models.pen as pencil\n\ndef main():\n    pencil.draw()\n",
        "from synset_factory.models import pen\n\nTOOLS = [pen]\n",
        "from synset_factory.models import pen\n\ndef main(name):\n    getattr(pen, name)()\n",
        "def main():\n    from synset_factory.models import pen\n    pen.draw()\n",
        "from synset_factory.models.pen import draw\n\nclass Artist:\n    tool = draw\n",
        "from synset_factory.stages.other import draw\n\nTOOLS = [draw]\n",  # handed on
    ],
)
def test_a_definition_counts_however_it_is_reached(package: Path, source: str) -> None:
    (package / "stages/draw.py").write_text(source)
    before = fingerprints()
    (package / "models/pen.py").write_text("def draw():\n    return 2\n")
    assert fingerprints()["draw"] != before["draw"]


def test_what_an_import_runs_counts_but_not_what_a_script_would(package: Path) -> None:
    pen = "def draw():\n    return 1\n"
    before = fingerprints()
    (package / "models/pen.py").write_text(pen + 'if __name__ == "__main__":\n    draw()\n')
    assert fingerprints() == before
    (package / "models/pen.py").write_text(pen + "print()\n")
    assert fingerprints()["draw"] != before["draw"]


def test_an_import_counts_by_what_it_brings(package: Path) -> None:
    before = fingerprints()
    (package / "models/brush.py").write_text((package / "models/pen.py").read_text())
    (package / "stages/draw.py").write_text(DRAW.replace("import pen", "import brush as pen"))
    assert fingerprints()["draw"] != before["draw"]


@pytest.mark.parametrize(
    "source",
    ["from . import other\n", "from json import *\n", "import synset_factory.models.pen\n"],
)
def test_an_import_that_is_not_followed_is_refused(package: Path, source: str) -> None:
    (package / "stages/draw.py").write_text(source)
    with pytest.raises(ValueError, match="instead of"):
        fingerprints()


def test_the_fingerprint_is_that_of_any_python() -> None:
    # `ast.unparse` writes this in another way since Python 3.12, `ast.dump` since 3.13.
    tree = ast.parse("""def f(a): return f"{' '.join(a)}" """)
    assert sha256(fingerprint._dump(tree).encode()).hexdigest() == DUMP
