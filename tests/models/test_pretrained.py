"""A classifier that others have trained answers as it did, among the classes it is asked for."""

import shutil
from pathlib import Path

import pytest
import timm
import torch
from PIL import Image

from synset_factory.errors import InputError
from synset_factory.models import classifier
from synset_factory.models.pretrained import pretrained_classifier

CHOSEN, NAMES = [17, 97, 461], ["n01580077", "n01847000", "n02895154"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier of 1,000 classes, as timm saves one."""
    torch.manual_seed(0)
    model = timm.create_model("test_resnet", num_classes=1000)
    made = tmp_path_factory.mktemp("pretrained") / "model"
    timm.models.save_for_hf(model, made, safe_serialization=True)
    return made


def images() -> list[tuple[Image.Image, int]]:
    colours = [(7 * i % 256, 31 * i % 256, 97 * i % 256) for i in range(64)]
    return [(Image.new("RGB", (200, 160), colour), 0) for colour in colours]


def test_it_gives_the_best_of_the_chosen_classes_after_it_is_saved_too(
    folder: Path, tmp_path: Path
) -> None:
    plain = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    model = pretrained_classifier(folder, CHOSEN, NAMES)
    pixels = torch.randn(32, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        assert torch.allclose(model(pixels), plain(pixels)[:, CHOSEN], atol=1e-6)
    classifier.save(model, tmp_path / "saved")
    loaded = classifier.load(tmp_path / "saved")
    assert classifier.class_names(loaded) == NAMES
    found = [
        classifier.predict(each, images(), 16, device="cpu", workers=0, label="test")
        for each in (model, loaded)
    ]
    assert (found[0] == found[1]).all()
    assert loaded.pretrained_cfg["input_size"] == plain.pretrained_cfg["input_size"]


def test_all_classes_in_their_order_are_the_classifier_itself(folder: Path) -> None:
    plain = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    model = pretrained_classifier(folder, range(1000), [str(i) for i in range(1000)])
    assert torch.equal(model.get_classifier().weight, plain.get_classifier().weight)


def test_a_classifier_of_other_classes_is_refused(tmp_path: Path) -> None:
    model = timm.create_model("test_resnet", num_classes=10)
    timm.models.save_for_hf(model, tmp_path, safe_serialization=True)
    with pytest.raises(InputError, match=r"is no classifier of ImageNet's 1,000 classes"):
        pretrained_classifier(tmp_path, CHOSEN, NAMES)


@pytest.mark.parametrize(
    ("file", "content"),
    [("model.safetensors", b"\x08"), ("config.json", b"{"), ("config.json", b"{}")],
)
def test_a_damaged_one_is_told_in_a_sentence(
    file: str, content: bytes, folder: Path, tmp_path: Path
) -> None:
    damaged = tmp_path / "model"
    shutil.copytree(folder, damaged)
    (damaged / file).write_bytes(content)
    with pytest.raises(InputError, match=r"model holds no classifier .*: fetch the classifier"):
        pretrained_classifier(damaged, CHOSEN, NAMES)
    with pytest.raises(InputError, match=r"model holds no classifier .*: train the classifier"):
        classifier.load(damaged)


def test_a_missing_one_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"config\.json is missing: fetch the classifier"):
        pretrained_classifier(tmp_path, CHOSEN, NAMES)
