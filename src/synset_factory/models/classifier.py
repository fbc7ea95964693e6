"""Image classifiers of timm: trained, kept and asked the same way at 32 px on a CPU and at work.

A trained model carries in `pretrained_cfg` what its pictures must look like (size, crop, mean,
deviation, names of the classes), so that a fresh one and one read from its folder are the same.
"""

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import timm
import torch
from PIL import Image
from timm.data import create_transform, resolve_model_data_config
from timm.models import save_for_hf
from timm.optim import create_optimizer_v2, list_optimizers
from timm.scheduler import create_scheduler_v2
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Sampler
from tqdm import tqdm

from synset_factory.errors import InputError
from synset_factory.seeds import derive_seed
from synset_factory.whole_files import whole_folder


@dataclass(frozen=True, kw_only=True)
class ClassifierSettings:
    """What determines a classifier, beside its images and its seed."""

    model: str  # timm's name of the architecture
    model_args: dict[str, Any]  # what timm.create_model is given besides; kept with the weights
    image_size: int  # pixels a side that the model sees
    epochs: int  # passes through the images
    batch_size: int  # images a step; what does not fill a batch waits for the next epoch
    optimizer: str  # timm's name
    learning_rate: float  # at its highest
    weight_decay: float  # of the weights; biases and norms have none
    schedule: str  # timm's name, of the learning rate from its highest to zero
    warmup_epochs: int  # over which the learning rate first rises from zero
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


def train(
    dataset: LabelledImages,
    class_names: Sequence[str],
    settings: ClassifierSettings,
    seed: int,
    *,
    device: str,
    workers: int,
    label: str,
) -> nn.Module:
    """Train a classifier from nothing and return it, ready to predict, on `device`.

    `class_names` are the names of labels 0 to C-1. Weights, order and augmentation come from
    `seed` alone, whatever the number of worker processes; on a CPU the bytes of the weights
    depend besides on the machine and on torch.get_num_threads(). The global random generators of
    Python, numpy and torch are reseeded. A small set is best given as a list of decoded images.

    Raises InputError if timm does not know a name in `settings`, if the images do not fill one
    batch, or if the loss is no longer a finite number.
    """
    _check_names(settings)
    steps = len(dataset) // settings.batch_size  # an epoch
    if steps == 0:
        raise InputError(
            f"{label}: {len(dataset)} training images do not fill a batch of "
            f"{settings.batch_size}; lower batch_size or make more images."
        )
    torch.manual_seed(derive_seed(seed, "initialisation"))
    model = _create(settings, class_names).to(device).to(memory_format=torch.channels_last)
    optimizer = create_optimizer_v2(
        model, settings.optimizer, lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    scheduler = _create_scheduler(optimizer, settings, steps)
    loss_function = nn.CrossEntropyLoss(label_smoothing=settings.label_smoothing)
    normalise = _Normalise(model, device)

    model.train()
    batches = tqdm(
        _training_batches(dataset, model, settings, seed, device, workers),
        total=settings.epochs * steps,
        desc=label,
        unit="step",
    )
    for step, (images, labels) in enumerate(batches):
        # Drop-out and the like must not depend on what the transforms have drawn meanwhile.
        torch.manual_seed(derive_seed(seed, "step", step))
        scheduler.step_update(step)
        loss = loss_function(model(normalise(images)), labels.to(device, non_blocking=True))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        epoch = f"{step // steps + 1}/{settings.epochs}"
        batches.set_postfix(epoch=epoch, loss=f"{loss.item():.3f}", refresh=False)
        if not math.isfinite(loss.item()):
            raise InputError(
                f"{label}: the loss is {loss.item()} in epoch {epoch}, so nothing was saved; "
                "lower learning_rate or look for broken images."
            )
    return model.eval()


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
    normalise = _Normalise(model, device)
    loader = DataLoader(
        _Transformed(dataset, transform),
        batch_size=batch_size,
        num_workers=workers,
        pin_memory=device.startswith("cuda"),
    )
    parts = []
    for images, _ in tqdm(loader, desc=label, unit="batch"):
        logits = model(normalise(images))
        if not logits.isfinite().all():
            raise InputError(f"{label}: the classifier gives NaN or infinity; train it again.")
        parts.append(logits.argmax(dim=1).cpu().numpy())
    return np.concatenate(parts)


def save(model: nn.Module, folder: Path) -> None:
    """Write `model.safetensors` and `config.json`; timm.create_model("local-dir:...") reads them.

    The folder is written under a temporary name and moved once it is complete.
    """
    # safetensors takes no tensor in the order that convolutions prefer.
    model = model.to(memory_format=torch.contiguous_format)
    with whole_folder(folder) as partial:
        save_for_hf(model, partial, safe_serialization=True)


def load(folder: Path) -> nn.Module:
    """Return the classifier that `save` wrote, ready to predict, on the CPU.

    Raises InputError if the folder holds none.
    """
    for name in ("config.json", "model.safetensors"):
        if not (folder / name).exists():
            raise InputError(f"{folder / name} is missing: train the classifier with `dvc repro`.")
    model: nn.Module = timm.create_model(f"local-dir:{folder}", pretrained=True)
    return model.eval()


def class_names(model: nn.Module) -> list[str]:
    """Return the names of labels 0 to C-1 that the model was trained with."""
    expected: Any = model.pretrained_cfg
    return list(expected["label_names"])


def _check_names(settings: ClassifierSettings) -> None:
    if not timm.is_model(settings.model):
        raise InputError(f"timm has no model '{settings.model}': correct the name of model.")
    if settings.optimizer not in list_optimizers():
        raise InputError(f"timm has no optimizer '{settings.optimizer}': correct its name.")


def _create(settings: ClassifierSettings, class_names: Sequence[str]) -> nn.Module:
    """An untrained model. What timm notes about weights of its own is removed: these are ours."""
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


def _create_scheduler(
    optimizer: torch.optim.Optimizer, settings: ClassifierSettings, steps: int
) -> Any:
    """Timm's schedule, moved at each of the `steps` of an epoch."""
    scheduler, _ = create_scheduler_v2(
        optimizer,
        settings.schedule,
        num_epochs=settings.epochs,
        warmup_epochs=settings.warmup_epochs,
        warmup_lr=0.0,
        min_lr=0.0,
        step_on_epochs=False,
        updates_per_epoch=steps,
    )
    if scheduler is None:
        raise InputError(f"timm has no schedule '{settings.schedule}': correct its name.")
    return scheduler


def _training_batches(
    dataset: LabelledImages,
    model: nn.Module,
    settings: ClassifierSettings,
    seed: int,
    device: str,
    workers: int,
) -> DataLoader[Any]:
    """Batches of all epochs in a row, so that workers never stand still between two epochs."""
    expected: Mapping[str, Any] = resolve_model_data_config(model)
    transform = create_transform(
        expected["input_size"],
        is_training=True,
        scale=(settings.crop_scale_min, 1.0),
        hflip=settings.horizontal_flip,
        color_jitter=settings.color_jitter or None,
        auto_augment=settings.rand_augment or None,
        interpolation=expected["interpolation"],
        mean=expected["mean"],
        std=expected["std"],
        normalize=False,
    )
    return DataLoader(
        _Augmented(dataset, transform, seed),
        batch_sampler=_GlobalShuffle(len(dataset), settings, seed),
        num_workers=workers,
        pin_memory=device.startswith("cuda"),
    )


class _GlobalShuffle(Sampler[list[tuple[int, int]]]):
    """Batches of (epoch, index), each epoch in an order of its own, over all images."""

    def __init__(self, images: int, settings: ClassifierSettings, seed: int) -> None:
        self.images = images
        self.epochs = settings.epochs
        self.batch_size = settings.batch_size
        self.seed = seed

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        for epoch in range(self.epochs):
            generator = torch.Generator().manual_seed(derive_seed(self.seed, "order", epoch))
            order = torch.randperm(self.images, generator=generator).tolist()
            for start in range(0, self.images - self.batch_size + 1, self.batch_size):
                yield [(epoch, i) for i in order[start : start + self.batch_size]]


class _Augmented(Dataset[tuple[Tensor, int]]):
    """Transformed images by (epoch, index), on which alone, with the seed, the draws depend."""

    def __init__(self, dataset: LabelledImages, transform: Any, seed: int) -> None:
        self.dataset = dataset
        self.transform = transform
        self.seed = seed

    def __getitem__(self, key: tuple[int, int]) -> tuple[Tensor, int]:
        epoch, i = key
        image, label = self.dataset[i]
        # timm's transforms draw from all three. torch.manual_seed would seed every device too,
        # at twenty times the cost.
        drawn = derive_seed(self.seed, "augmentation", epoch, i)
        random.seed(drawn)
        np.random.seed(drawn % 2**32)
        torch.default_generator.manual_seed(drawn)
        return self.transform(image), label


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


class _Normalise:
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
