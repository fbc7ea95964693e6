"""`synset-factory check`: one sentence and a non-zero exit for each fault, before any work."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from synset_factory.commands.check import check as command
from synset_factory.errors import InputError

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture
def check(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """A function that changes params.yaml and runs the command on it."""
    shutil.copytree(REPOSITORY / "prompts", tmp_path / "prompts")

    def run(**changes: Any) -> subprocess.CompletedProcess[str]:
        params = yaml.safe_load((REPOSITORY / "params.yaml").read_text())
        for dotted, value in changes.items():
            *parents, last = dotted.split("__")
            place = params
            for parent in parents:
                place = place[parent]
            place[last] = value
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
        command = [str(Path(sys.executable).with_name("synset-factory")), "check"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    return run


def test_what_is_committed_fits(check: Callable[..., Any]) -> None:
    done = check()
    assert done.returncode == 0, done.stderr
    assert "world miniature" in done.stdout


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"generate__colour": "red"}, "unknown key 'generate.colour'"),
        ({"text_to_image__vae__steps": "many"}, "'text_to_image.vae.steps' must be of type int"),
        ({"world": "mars"}, "there is no world 'mars'"),
        (
            {"world_stages__imagenet": ["imagenet"]},
            "for the world 'miniature' write world_stages: {imagenet: [], miniature: [miniature]}",
        ),
        ({"world_stages__miniature": []}, "write world_stages: {imagenet: [], miniature: [mini"),
        ({"renderer": {"colours": 3}}, "'renderer' has no settings; remove the section"),
        ({"sets__a.b": {"prompts": "synset", "guidance_scale": 1.0}}, "the set name 'a.b'"),
    ],
)
def test_a_fault_is_one_sentence(
    check: Callable[..., Any], changes: dict[str, Any], sentence: str
) -> None:
    done = check(**changes)
    assert done.returncode == 1
    assert done.stderr.startswith("error: params.yaml: ")
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_images_that_this_world_cannot_have_are_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(REPOSITORY / "prompts", "prompts")
    params = yaml.safe_load((REPOSITORY / "params.yaml").read_text())
    params["queries"]["appendix_b"]["wnid"] = "n01440764"
    Path("params.yaml").write_text(yaml.safe_dump(params))
    with pytest.raises(InputError, match="n01440764, which is no class of this world"):
        command()
