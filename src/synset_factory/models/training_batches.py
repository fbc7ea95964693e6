"""What a classifier is trained on: every epoch all images in one true shuffle, each augmented."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from timm.data import create_transform, resolve_model_data_config
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Sampler

from synset_factory.models.classifier import ClassifierSettings, LabelledImages
from synset_factory.seeds import derive_seed


@dataclass(frozen=True, kw_only=True)
class Share:
    """Which of the processes that train one classifier together this one is."""

    rank: int  # 0 to processes - 1
    processes: int


def training_batches(
    dataset: LabelledImages,
    model: nn.Module,
    settings: ClassifierSettings,
    seed: int,
    *,
    share: Share,
    first_epoch: int,
    pinned: bool,
    workers: int,
) -> DataLoader[Any]:
    """Return the micro-batches of one process, (uint8 [B, 3, H, W], labels [B]), epoch by epoch.

    Epochs follow one another without a break, so that worker processes never stand still between
    two. `pinned`: in memory that a device reads without the processor's help.
    """
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
        batch_sampler=GlobalShuffle(len(dataset), settings, seed, share, first_epoch),
        num_workers=workers,
        pin_memory=pinned,
    )


class GlobalShuffle(Sampler[list[tuple[int, int]]]):
    """Micro-batches of (epoch, index), each epoch in an order of its own, over all images.

    A step is `batch_size` images in that order, however many processes share them: each takes
    neighbouring micro-batches. What fills no step waits for the next epoch.
    """

    def __init__(
        self, images: int, settings: ClassifierSettings, seed: int, share: Share, first_epoch: int
    ) -> None:
        self.images = images
        self.epochs = range(first_epoch, settings.epochs)
        self.batch_size = settings.batch_size
        self.micro_batch_size = settings.micro_batch_size
        self.seed = seed
        self.own = settings.batch_size // share.processes  # images of a step
        self.skipped = share.rank * self.own  # images of a step that come before

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        for epoch in self.epochs:
            generator = torch.Generator().manual_seed(derive_seed(self.seed, "order", epoch))
            order = torch.randperm(self.images, generator=generator).tolist()
            for step in range(self.images // self.batch_size):
                begin = step * self.batch_size + self.skipped
                for start in range(begin, begin + self.own, self.micro_batch_size):
                    yield [(epoch, i) for i in order[start : start + self.micro_batch_size]]


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
