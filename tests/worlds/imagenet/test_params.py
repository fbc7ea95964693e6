"""worlds/imagenet.yaml is a whole params.yaml, and dvc.yaml serves both worlds."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from timm.data.auto_augment import rand_augment_transform

from synset_factory import layout
from synset_factory.commands.check import check
from synset_factory.config import load_common, load_params
from synset_factory.errors import InputError
from tests.small_pipeline import REPOSITORY, run

IMAGENET = Path("worlds/imagenet.yaml")
OF_A_WORLD = {"web", "natural", "clip", "text_to_image", "ingest", "fetch_models"}
NAMED_BY_THE_USER = {"sets", "world_stages", "model_args", "labels"}


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty repository with the ImageNet world's params, which has neither data nor dvc.lock."""
    for name in ("prompts", "worlds"):
        shutil.copytree(REPOSITORY / name, tmp_path / name)
    shutil.copy(REPOSITORY / "dvc.yaml", tmp_path)
    shutil.copy(REPOSITORY / IMAGENET, tmp_path / layout.PARAMS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def keys(params: dict[str, Any], above: str = "") -> Iterator[str]:
    """Yield every key, but not what users name as they like."""
    for key, value in params.items():
        if not above and key in OF_A_WORLD:
            continue
        yield f"{above}{key}"
        if isinstance(value, dict) and key not in NAMED_BY_THE_USER:
            yield from keys(value, f"{above}{key}.")


@pytest.mark.usefixtures("clone")
def test_it_fits_the_code_and_the_prompts(capsys: pytest.CaptureFixture[str]) -> None:
    check()
    assert "world imagenet, 1000 classes, 5 synthetic sets" in capsys.readouterr().out


def test_no_magnitude_of_its_rand_augment_is_cut() -> None:
    told = load_params(REPOSITORY / IMAGENET)["train"]["classifier"]["rand_augment"]
    for operation in rand_augment_transform(told, {}).ops:
        assert operation.magnitude == 15 <= operation.magnitude_max


@pytest.mark.usefixtures("clone")
def test_the_small_run_of_the_guide_fits(capsys: pytest.CaptureFixture[str]) -> None:
    guide = (REPOSITORY / "docs/imagenet.md").read_text().partition("### Try it small first")[2]
    small = yaml.safe_load(guide.partition("```yaml\n")[2].partition("```")[0])
    assert len(small["wnids"]) == 10
    merged = merge(load_params(), small)
    layout.PARAMS.write_text(yaml.safe_dump(merged))
    check()
    assert "world imagenet, 10 classes, 5 synthetic sets" in capsys.readouterr().out
    usual, now = (
        each["train"]["classifier"] for each in (load_params(REPOSITORY / IMAGENET), merged)
    )
    rates = [each["learning_rate"] / each["batch_size"] for each in (usual, now)]
    assert rates[0] == pytest.approx(rates[1])


def merge(params: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return params with some values changed; there must be such keys."""
    assert set(changes) <= set(params)
    return params | {
        key: merge(params[key], value) if isinstance(value, dict) else value
        for key, value in changes.items()
    }


@pytest.mark.parametrize("key", ["train.natural_from", "classifier_embed.model"])
@pytest.mark.usefixtures("clone")
def test_a_classifier_that_is_not_fetched_is_a_fault_before_an_image_is_drawn(key: str) -> None:
    section, name = key.split(".")
    for folder, fits in (("resnetrs152", True), ("resnet50", False)):
        named = {name: f"data/models/pretrained/{folder}"}
        layout.PARAMS.write_text(yaml.safe_dump(merge(load_params(), {section: named})))
        if fits:
            check()
            continue
        with pytest.raises(
            InputError,
            match=f"^params.yaml: {key} is data/models/pretrained/resnet50, which no stage "
            "fetches: name 'resnet50' under fetch_models.pretrained, or change the folder.$",
        ):
            check()


def test_it_has_the_keys_of_the_miniature_but_for_what_a_world_brings() -> None:
    miniature, imagenet = (
        load_params(REPOSITORY / layout.PARAMS),
        load_params(REPOSITORY / IMAGENET),
    )
    assert set(keys(imagenet)) == set(keys(miniature))
    assert set(imagenet["sets"]) == set(miniature["sets"])
    assert OF_A_WORLD & set(imagenet) == {"ingest", "fetch_models"}


def test_it_has_the_papers_numbers() -> None:
    common = load_common(REPOSITORY / IMAGENET)
    assert (common.splits.train, common.splits.validation, common.wnids) == (1200, 50, "all")
    scales = {name: image_set.guidance_scale for name, image_set in common.sets.items()}
    assert (scales["synset"], scales["disamb25"], scales["disamb10"]) == (7.5, 2.5, 1.0)
    params = load_params(REPOSITORY / IMAGENET)
    assert params["queries"]["appendix_b"]["images"] == 1200
    assert params["train"]["classifier"]["model"] == "resnetrs152"


def test_dvc_lists_the_stages_of_one_world(clone: Path) -> None:
    run(clone, "git", "init", "-q")
    run(clone, "dvc", "init", "-q")
    listed = [line.split()[0] for line in run(clone, "dvc", "stage", "list").splitlines()]
    assert {"ingest@imagenet", "fetch_models@imagenet", "generate@promptaug"} <= set(listed)
    assert not {f"{name}@miniature" for name in OF_A_WORLD} & set(listed)
    shutil.copy(REPOSITORY / layout.PARAMS, clone / layout.PARAMS)
    listed = [line.split()[0] for line in run(clone, "dvc", "stage", "list").splitlines()]
    assert {"web@miniature", "clip@miniature", "generate@promptaug"} <= set(listed)
    assert "ingest@imagenet" not in listed
