"""A classifier is determined by images, settings and seed, and is plain timm's on the disk."""

import resource
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from timm.data import create_transform, resolve_model_data_config
from torch import nn

from synset_factory.errors import InputError
from synset_factory.models import classifier
from tests.small_trainings import NAMES, noisy_bars, trained

pytestmark = pytest.mark.usefixtures("one_thread")


def test_a_classifier_for_which_there_is_no_room_is_told_in_a_sentence(tmp_path: Path) -> None:
    model = timm.create_model("test_resnet", num_classes=3)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 12, before[1]))  # bytes a file may have
    try:
        with pytest.raises(InputError, match=r"kept cannot be written \(.*\): make room there"):
            classifier.save(model, tmp_path / "kept")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not (tmp_path / "kept").exists()


def _predict(model: nn.Module, images: list[tuple[Image.Image, int]], batch: int) -> np.ndarray:
    return classifier.predict(model, images, batch, device="cpu", workers=0, label="evaluate")


@pytest.fixture(scope="module")
def model() -> nn.Module:
    return trained()


@pytest.fixture(scope="module")
def folder(model: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("classifiers") / "seed0"
    classifier.save(model, path)
    return path


def test_folder_holds_what_timm_reads_and_nothing_else(folder: Path) -> None:
    assert sorted(path.name for path in folder.parent.iterdir()) == ["seed0"]
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]


def test_plain_timm_predicts_the_same(model: nn.Module, folder: Path) -> None:
    plain = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    config = plain.pretrained_cfg
    assert tuple(config["label_names"]) == NAMES
    assert config["crop_pct"] == 1.0
    transform = create_transform(**resolve_model_data_config(plain))
    images = noisy_bars(60, seed=3)
    with torch.inference_mode():
        logits = plain(torch.stack([transform(image) for image, _ in images]))
    expected = logits.argmax(dim=1).numpy()
    assert (_predict(model, images, 32) == expected).all()
    assert (_predict(classifier.load(folder), images, 32) == expected).all()
    assert len(set(expected)) > 1


def test_predictions_do_not_depend_on_the_batch(model: nn.Module) -> None:
    images = noisy_bars(61, seed=4)
    predicted = _predict(model, images, 61)
    assert predicted.shape == (61,)
    assert predicted.dtype == np.int64
    assert (_predict(model, images, 7) == predicted).all()


def test_saving_replaces_an_older_classifier(model: nn.Module, tmp_path: Path) -> None:
    old = tmp_path / "seed0"
    old.mkdir()
    (old / "leftover").touch()
    (tmp_path / "seed0.tmp").mkdir()
    classifier.save(model, old)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["seed0"]
    assert not (old / "leftover").exists()


def test_a_broken_model_predicts_nothing(folder: Path) -> None:
    broken = classifier.load(folder)
    with torch.no_grad():
        broken.get_parameter("fc.bias").fill_(float("nan"))
    with pytest.raises(InputError, match="NaN"):
        _predict(broken, noisy_bars(3, seed=5), 3)


def test_a_missing_classifier_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"seed7/config\.json is missing"):
        classifier.load(tmp_path / "seed7")
