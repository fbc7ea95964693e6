"""params.yaml is read strictly: whatever does not fit is named in one sentence."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from synset_factory.config import claim_world, load_common, load_section
from synset_factory.errors import InputError

REPOSITORY = Path(__file__).parents[1]


@dataclass(frozen=True, kw_only=True)
class Section:
    steps: int
    rate: float
    names: tuple[str, ...]


@pytest.fixture
def params(tmp_path: Path) -> Any:
    """A function that writes params.yaml, changed as told, and returns its path."""

    def write(**changes: Any) -> Path:
        content = yaml.safe_load((REPOSITORY / "params.yaml").read_text())
        content |= changes
        path = tmp_path / "params.yaml"
        path.write_text(yaml.safe_dump({k: v for k, v in content.items() if v is not None}))
        return path

    return write


def test_the_committed_params_are_read() -> None:
    common = load_common(REPOSITORY / "params.yaml")
    assert common.world == "miniature"
    assert common.sets["disamb25"].guidance_scale == 2.5


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"colour": "red"}, "unknown key 'colour'"),
        ({"seed": None}, "key 'seed' is missing"),
        ({"seed": "zero"}, "'seed' must be of type int, but is 'zero'"),
        ({"seed": True}, "'seed' must be of type int, but is True"),
        ({"splits": {"train": 4}}, "key 'splits.validation' is missing"),
        ({"splits": {"train": 4, "validation": 2, "test": 1}}, "unknown key 'splits.test'"),
        (
            {"sets": {"disamb2.5": {"prompts": "disamb", "guidance_scale": 2.5}}},
            "the set name 'disamb2.5' may hold only",
        ),
        ({"sets": {"natural": {"prompts": "disamb", "guidance_scale": 1}}}, "world's own set"),
        ({"sets": {"a": {"prompts": "disamb"}}}, "key 'sets.a.guidance_scale' is missing"),
    ],
)
def test_what_does_not_fit_is_named(params: Any, changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError) as error:
        load_common(params(**changes))
    assert sentence in str(error.value)
    assert "params.yaml" in str(error.value)


def test_a_section_is_read_and_an_integer_serves_as_a_float(params: Any) -> None:
    path = params(train={"steps": 3, "rate": 1, "names": ["a", "b"]})
    assert load_section(Section, "train", path) == Section(steps=3, rate=1.0, names=("a", "b"))


@pytest.mark.parametrize(
    ("section", "sentence"),
    [
        ({"steps": 3, "rate": 1, "names": [], "extra": 0}, "unknown key 'train.extra'"),
        ({"steps": 3, "rate": 1}, "key 'train.names' is missing"),
        ({"steps": 3.5, "rate": 1, "names": []}, "'train.steps' must be of type int"),
        ({"steps": 3, "rate": 1, "names": [1]}, "'train.names[0]' must be of type str"),
        (None, "section 'train' is missing"),
        ([], "'train' must be a mapping"),
    ],
)
def test_what_does_not_fit_a_section_is_named(params: Any, section: Any, sentence: str) -> None:
    with pytest.raises(InputError, match=r"params\.yaml") as error:
        load_section(Section, "train", params(train=section))
    assert sentence in str(error.value)


def test_broken_yaml_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("seed: [1")
    with pytest.raises(InputError, match="cannot be read as YAML"):
        load_common(path)


def test_one_clone_holds_one_world(tmp_path: Path) -> None:
    marker = tmp_path / "data" / "world"
    claim_world("miniature", marker)
    claim_world("miniature", marker)
    with pytest.raises(InputError, match=r"holds the world 'miniature'.*asks for 'imagenet'"):
        claim_world("imagenet", marker)
