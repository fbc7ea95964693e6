"""Image classifiers of timm: made, kept and asked the same way at 32 px on a CPU and at work.

How they are trained is in training.py.

A trained model carries in `pretrained_cfg` what its pictures must look like (size, crop, mean,
deviation, names of the classes), so that a fresh one and one read from its folder are the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import timm
import torch
from PIL import Image
from safetensors import SafetensorError
from timm.data import create_transform, resolve_model_data_config
from timm.models import save_for_hf
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from synset_factory.errors import InputError
from synset_factory.whole_files import whole_folder

WEIGHTS = "model.safetensors"


@dataclass(frozen=True, kw_only=True)
class ClassifierSettings:
    """What determines a classifier, beside its images and its seed."""

    model: str  # timm's name of the architecture
    model_args: dict[str, Any]  # what timm.create_model is given besides; kept with the weights
    image_size: int  # pixels a side that the model sees
    epochs: int  # passes through the images
    batch_size: int  # images a step; what does not fill a batch waits for the next epoch
    micro_batch_size: int  # images through the model at once: batch norm's means are of these
    amp: str  # type of most products, with weights in float32: bfloat16, float16; empty for float32
    optimizer: str  # timm's name
    learning_rate: float  # at its highest
    weight_decay: float  # of the weights; biases and norms have none
    schedule: str  # timm's name, of the learning rate from its highest to zero
    warmup_epochs: int  # over which the learning rate first rises from zero
    ema_decay: float  # 0 to 1: of the running mean of the weights that is kept; 0 for the last ones
    label_smoothing: float  # 0 to 1: share of the target spread evenly over all classes
    crop_scale_min: float  # 0 to 1: smallest share of a picture's area that a training crop keeps
    horizontal_flip: float  # 0 to 1: probability
    color_jitter: float  # brightness, contrast and saturation change by up to this share
    rand_augment: str  # timm's RandAugment, such as rand-m9-n2-mstd0.5; empty for none
    eval_crop: float  # 0 to 1: share of a side that the central crop of evaluation keeps
    interpolation: str  # of resizing: bilinear or bicubic


class LabelledImages(Protocol):
    """A map-style dataset, or a list, of (PIL image in RGB, label 0 to C-1)."""

    def __len__(self) -> int: ...

    def __getitem__(self, i: int, /) -> tuple[Image.Image, int]: ...


@torch.inference_mode()
def predict(
    model: nn.Module,
    dataset: LabelledImages,
    batch_size: int,
    *,
    device: str,
    workers: int,
    label: str,
) -> np.ndarray:
    """Return the predicted labels [N], int64, with timm's transforms of evaluation.

    Raises InputError if the model gives something that is not a finite number.
    """
    model = model.to(device).to(memory_format=torch.channels_last).eval()
    transform = create_transform(**resolve_model_data_config(model), normalize=False)
    normalise = Normalise(model, device)
    loader = DataLoader(
        _Transformed(dataset, transform),
        batch_size=batch_size,
        num_workers=workers,
        pin_memory=device.startswith("cuda"),
    )
    # Nothing is asked of the device before the end: to answer, it would have to stand still.
    parts, finite = [], torch.ones((), dtype=torch.bool, device=device)
    for images, _ in tqdm(loader, desc=label, unit="batch"):
        logits = model(normalise(images))
        finite &= logits.isfinite().all()
        parts.append(logits.argmax(dim=1))
    if not finite:
        raise InputError(f"{label}: the classifier gives NaN or infinity; train it again.")
    return torch.cat(parts).cpu().numpy()


def save(model: nn.Module, folder: Path) -> None:
    """Write `model.safetensors` and `config.json`; timm.create_model("local-dir:...") reads them.

    The folder is written under a temporary name and moved once it is complete. Raises InputError
    if there is no room for it.
    """
    # safetensors takes no tensor in the order that convolutions prefer.
    model = model.to(memory_format=torch.contiguous_format)
    with whole_folder(folder) as partial:
        try:
            save_for_hf(model, partial, safe_serialization=True)
        except SafetensorError as error:  # which has no number of the system's error
            raise InputError(f"{folder} cannot be written ({error}): make room there.") from None


def load(folder: Path) -> nn.Module:
    """Return the classifier that `save` wrote, ready to predict, on the CPU.

    Raises InputError if the folder holds none, or a damaged one.
    """
    return read(folder, "train the classifier with `dvc repro`").eval()


def read(folder: Path, remedy: str, **changes: Any) -> nn.Module:
    """Return the classifier in `folder`, as timm saves one, on the CPU.

    Weights are read as safetensors, never as a pickle, and no code comes with them. `changes` are
    what timm.create_model is given besides. Raises InputError, which ends in `remedy`, if there is
    none or it is damaged.
    """
    for name in ("config.json", WEIGHTS):
        if not (folder / name).exists():
            raise InputError(f"{folder / name} is missing: {remedy}.")
    try:
        model: nn.Module = timm.create_model(f"local-dir:{folder}", pretrained=True, **changes)
    except (KeyError, OSError, RuntimeError, ValueError, SafetensorError) as error:
        raise InputError(
            f"{folder} holds no classifier of timm that can be read ({error}): {remedy}."
        ) from None
    return model


def class_names(model: nn.Module) -> list[str]:
    """Return the names of labels 0 to C-1 that the model was trained with."""
    expected: Any = model.pretrained_cfg
    return list(expected["label_names"])


def create(settings: ClassifierSettings, class_names: Sequence[str]) -> nn.Module:
    """Return an untrained model for labels 0 to C-1, of those names.

    What timm notes about weights of its own is removed: these are ours.
    """
    ours: dict[str, Any] = {
        "input_size": (3, settings.image_size, settings.image_size),
        "crop_pct": settings.eval_crop,
        "interpolation": settings.interpolation,
        "num_classes": len(class_names),
        "label_names": tuple(class_names),
    }
    of_other_weights = (
        *("url", "hf_hub_id", "tag", "license", "description", "origin_url", "notes"),
        *("label_descriptions", "test_input_size", "test_crop_pct"),
    )
    model: nn.Module = timm.create_model(
        settings.model,
        num_classes=len(class_names),
        pretrained_cfg_overlay=ours | dict.fromkeys(of_other_weights),
        **settings.model_args,
    )
    return model


class _Transformed(Dataset[tuple[Tensor, int]]):
    """Images of a dataset through the transforms of evaluation."""

    def __init__(self, dataset: LabelledImages, transform: Any) -> None:
        self.dataset = dataset
        self.transform = transform

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, i: int) -> tuple[Tensor, int]:
        image, label = self.dataset[i]
        return self.transform(image), label


class Normalise:
    """Bytes [B, 3, H, W] to what the model expects, on its device.

    A quarter of the data travels, and a batch at once is cheaper than image by image.
    """

    def __init__(self, model: nn.Module, device: str) -> None:
        expected = resolve_model_data_config(model)
        self.device = device
        self.mean = torch.tensor(expected["mean"], device=device)[:, None, None]
        self.std = torch.tensor(expected["std"], device=device)[:, None, None]

    def __call__(self, images: Tensor) -> Tensor:
        moved = images.to(self.device, non_blocking=True, memory_format=torch.channels_last)
        return (moved.float() / 255 - self.mean) / self.std
