"""`synset-factory check`: one sentence and a non-zero exit for each fault, before any work."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from synset_factory.commands.check import check as command
from synset_factory.commands.check import check_batches
from synset_factory.errors import InputError
from synset_factory.models.classifier import ClassifierSettings
from synset_factory.models.training import train
from synset_factory.models.training_batches import Share

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
        ({"splits__train": 2}, "the 44 training images of a set (classes x splits.train) do not"),
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


def training_settings(batch_size: int, micro_batch_size: int) -> ClassifierSettings:
    params = yaml.safe_load((REPOSITORY / "params.yaml").read_text())["train"]["classifier"]
    sizes = {"batch_size": batch_size, "micro_batch_size": micro_batch_size}
    return ClassifierSettings(**params | sizes | {"epochs": 1, "warmup_epochs": 0})


@pytest.mark.parametrize(
    ("batch_size", "micro_batch_size", "images", "replicas", "sentence"),
    [
        (1024, 256, 500, 1, "the 500 training images of a set .* do not fill a batch of 1,024"),
        (1024, 256, 1023, 1, "the 1,023 training images"),
        (1024, 256, 1024, 3, "3 copies .* cannot share the 4 micro-batches of a step evenly"),
        (1024, 256, 1024, 8, "8 copies .* cannot share the 4 micro-batches of a step evenly"),
        (1024, 300, 9999, 1, "micro_batch_size 300 does not divide batch_size 1024"),
        (1024, 2048, 9999, 1, "micro_batch_size 2048 does not divide batch_size 1024"),
        (64, 0, 9999, 1, "micro_batch_size 0 does not divide"),
        (0, 64, 9999, 1, "micro_batch_size 64 does not divide batch_size 0"),
    ],
)
def test_a_training_that_cannot_begin_is_a_fault_before_an_image_is_drawn(
    batch_size: int, micro_batch_size: int, images: int, replicas: int, sentence: str
) -> None:
    with pytest.raises(InputError, match=f"params.yaml: train.classifier: {sentence}"):
        check_batches(training_settings(batch_size, micro_batch_size), images, replicas)


@pytest.mark.parametrize("images", [7, 8, 9])
@pytest.mark.parametrize("micro_batch_size", [2, 3, 4, 8, 16])
@pytest.mark.parametrize("replicas", [1, 2, 3, 4])
def test_check_and_training_refuse_the_same(
    images: int, micro_batch_size: int, replicas: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for later in ("_check_together", "_run_epochs"):  # needs the other processes
        monkeypatch.setattr(f"synset_factory.models.training.{later}", lambda *_: None)
    settings = training_settings(8, micro_batch_size)
    dataset = [(Image.new("RGB", (32, 32)), 0)] * images

    def begin() -> None:
        share = Share(rank=0, processes=replicas)
        train(dataset, ["one"], settings, 0, device="cpu", workers=0, label="test", share=share)

    refused = []
    for attempt in (begin, lambda: check_batches(settings, images, replicas)):
        try:
            attempt()
            refused.append(False)
        except InputError:
            refused.append(True)
    assert refused[0] == refused[1]
