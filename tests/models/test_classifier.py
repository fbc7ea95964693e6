"""A classifier is determined by images, settings and seed, and is plain timm's on the disk."""

from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
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
from synset_factory.models.classifier import ClassifierSettings

SIZE = 32
NAMES = ("n02012849", "n03126707", "n03481172")
SETTINGS = ClassifierSettings(
    model="test_resnet",
    # Small, and with drop-out, so that every kind of draw is in play.
    model_args={"channels": [16, 16, 24, 32], "stem_width": 8, "drop_rate": 0.2},
    image_size=SIZE,
    epochs=4,
    batch_size=16,
    optimizer="muon",
    learning_rate=0.02,
    weight_decay=0.05,
    schedule="cosine",
    warmup_epochs=1,
    label_smoothing=0.1,
    crop_scale_min=0.6,
    horizontal_flip=0.5,
    color_jitter=0.2,
    rand_augment="rand-m5-n1-mstd0.5",
    eval_crop=1.0,
    interpolation="bilinear",
)


def _images(count: int, seed: int) -> list[tuple[Image.Image, int]]:
    """`count` noisy pictures of a bar: flat, upright, or both (a cross)."""
    rng = np.random.default_rng(seed)
    images = []
    for i in range(count):
        pixels = rng.normal(110, 40, (SIZE, SIZE, 3))
        x, y = rng.integers(8, SIZE - 10, 2)
        colour = rng.integers(180, 255, 3)
        if i % 3 != 1:
            pixels[y : y + 3, x - 8 : x + 10] = colour
        if i % 3 != 0:
            pixels[y - 8 : y + 10, x : x + 3] = colour
        images.append((Image.fromarray(pixels.clip(0, 255).astype(np.uint8)), i % 3))
    return images


def _train(settings: ClassifierSettings = SETTINGS, seed: int = 0, workers: int = 0) -> nn.Module:
    return classifier.train(
        _images(96, seed=1), NAMES, settings, seed, device="cpu", workers=workers, label="train"
    )


def _predict(model: nn.Module, images: list[tuple[Image.Image, int]], batch: int) -> np.ndarray:
    return classifier.predict(model, images, batch, device="cpu", workers=0, label="evaluate")


def _digests(model: nn.Module, folder: Path) -> list[str]:
    classifier.save(model, folder)
    return [sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())]


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def model() -> nn.Module:
    return _train()


@pytest.fixture(scope="module")
def folder(model: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("classifiers") / "seed0"
    classifier.save(model, path)
    return path


def test_same_seed_same_bytes_whatever_the_workers(model: nn.Module, tmp_path: Path) -> None:
    torch.manual_seed(99)  # nothing comes from the state that a caller left
    digests = _digests(model, tmp_path / "a")
    assert _digests(_train(workers=2), tmp_path / "b") == digests
    assert _digests(_train(workers=0), tmp_path / "c") == digests


def test_another_seed_gives_other_weights(model: nn.Module) -> None:
    one_epoch = replace(SETTINGS, epochs=1)
    first, second = (_train(one_epoch, seed).state_dict() for seed in (0, 1))
    assert any(not torch.equal(first[name], second[name]) for name in first)


def test_learns_what_can_be_learnt() -> None:
    model = _train(replace(SETTINGS, epochs=20))
    unseen = _images(90, seed=2)
    accuracy = np.mean(_predict(model, unseen, 32) == [label for _, label in unseen])
    assert accuracy > 0.8


def test_folder_holds_what_timm_reads_and_nothing_else(folder: Path) -> None:
    assert sorted(path.name for path in folder.parent.iterdir()) == ["seed0"]
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]


def test_plain_timm_predicts_the_same(model: nn.Module, folder: Path) -> None:
    plain = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    config = plain.pretrained_cfg
    assert tuple(config["label_names"]) == NAMES
    assert config["crop_pct"] == 1.0
    transform = create_transform(**resolve_model_data_config(plain))
    images = _images(60, seed=3)
    with torch.inference_mode():
        logits = plain(torch.stack([transform(image) for image, _ in images]))
    expected = logits.argmax(dim=1).numpy()
    assert (_predict(model, images, 32) == expected).all()
    assert (_predict(classifier.load(folder), images, 32) == expected).all()
    assert len(set(expected)) > 1


def test_predictions_do_not_depend_on_the_batch(model: nn.Module) -> None:
    images = _images(61, seed=4)
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


def test_a_diverging_loss_stops_with_a_sentence() -> None:
    with pytest.raises(InputError, match=r"the loss is (nan|inf) in epoch \d/4"):
        _train(replace(SETTINGS, optimizer="sgd", learning_rate=1e30))


def test_a_broken_model_predicts_nothing(folder: Path) -> None:
    broken = classifier.load(folder)
    with torch.no_grad():
        broken.get_parameter("fc.bias").fill_(float("nan"))
    with pytest.raises(InputError, match="NaN"):
        _predict(broken, _images(3, seed=5), 3)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"model": "resnet_of_nobody"}, "timm has no model 'resnet_of_nobody'"),
        ({"optimizer": "hope"}, "timm has no optimizer 'hope'"),
        ({"schedule": "none"}, "timm has no schedule 'none'"),
        ({"batch_size": 97}, "96 training images do not fill a batch of 97"),
    ],
)
def test_settings_that_cannot_work(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        _train(replace(SETTINGS, **change))


def test_a_missing_classifier_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"seed7/config\.json is missing"):
        classifier.load(tmp_path / "seed7")
