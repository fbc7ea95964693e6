"""An embedding is what the classifier's last layer is given; weights are never a pickle."""

from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from timm.data import create_transform, resolve_model_data_config
from torch import nn

from synset_factory.errors import InputError
from synset_factory.models import classifier
from synset_factory.models.penultimate import Penultimate
from synset_factory.shards.reader import JpegDataset, read_index
from tests.small_sets import write_small_set

OVERLAY = {"input_size": (3, 32, 32), "crop_pct": 1.0, "num_classes": 3, "mean": (0.1, 0.2, 0.3)}


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> nn.Module:
    """A classifier with random weights, of which `model/` is the folder."""
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    made: nn.Module = timm.create_model(
        "test_resnet", num_classes=3, pretrained_cfg_overlay=OVERLAY, channels=[16, 16, 24, 32]
    )
    classifier.save(made.eval(), Path("model"))
    return made


def embed(batch_size: int) -> np.ndarray:
    loaded = Penultimate(Path("model"), "cpu")
    dataset = JpegDataset("natural", read_index("natural"), loaded.preprocess)
    return np.concatenate(list(loaded.embed_images(dataset, batch_size, 0, "natural")))


def test_the_last_layer_makes_of_the_embeddings_the_classifiers_logits(model: nn.Module) -> None:
    write_small_set("natural")
    found = embed(50)
    pictures = JpegDataset(
        "natural", read_index("natural"), create_transform(**resolve_model_data_config(model))
    )
    with torch.inference_mode():
        logits = model(torch.stack([pictures[i][0] for i in range(len(pictures))]))
        again = model.get_submodule("fc")(torch.from_numpy(found))
    assert found.shape == (84, 32) and found.dtype == np.float32
    assert torch.allclose(again, logits, atol=1e-5)
    assert logits.std(dim=0).min() > 1e-4  # pictures differ
    assert np.allclose(embed(7), found, atol=1e-5)


@pytest.mark.parametrize("pickle", ["pytorch_model.bin", "model.pth"])
def test_weights_in_a_pickle_are_refused_unread(model: nn.Module, pickle: str) -> None:
    Path("model/model.safetensors").unlink()
    torch.save(model.state_dict(), Path("model") / pickle)
    with pytest.raises(InputError, match=r"model/model\.safetensors is missing"):
        Penultimate(Path("model"), "cpu")


def test_a_pickle_under_the_name_of_safetensors_is_refused(model: nn.Module) -> None:
    torch.save(model.state_dict(), "model/model.safetensors")
    with pytest.raises(InputError, match=r"model holds no classifier .* name another folder"):
        Penultimate(Path("model"), "cpu")


def test_a_broken_model_embeds_nothing(model: nn.Module) -> None:
    with torch.no_grad():
        next(model.parameters()).fill_(float("nan"))
    classifier.save(model, Path("model"))
    write_small_set("natural")
    with pytest.raises(InputError, match="natural: the classifier gives NaN"):
        embed(50)
