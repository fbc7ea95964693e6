"""Trainings of a fraction of a second, with every kind of draw in play."""

from hashlib import sha256
from pathlib import Path

import numpy as np
from PIL import Image
from torch import nn

from synset_factory.checkpoints import Checkpoints
from synset_factory.models import classifier
from synset_factory.models.classifier import ClassifierSettings
from synset_factory.models.training import ALONE, train
from synset_factory.models.training_batches import Share

SIZE = 32
NAMES = ("n02012849", "n03126707", "n03481172")
SETTINGS = ClassifierSettings(
    model="test_resnet",
    # Small, and with drop-out, so that every kind of draw is in play.
    model_args={"channels": [16, 16, 24, 32], "stem_width": 8, "drop_rate": 0.2},
    image_size=SIZE,
    epochs=4,
    batch_size=16,
    micro_batch_size=16,
    amp="",
    optimizer="muon",
    learning_rate=0.02,
    weight_decay=0.05,
    schedule="cosine",
    warmup_epochs=1,
    ema_decay=0.0,
    label_smoothing=0.1,
    crop_scale_min=0.6,
    horizontal_flip=0.5,
    color_jitter=0.2,
    rand_augment="rand-m5-n1-mstd0.5",
    eval_crop=1.0,
    interpolation="bilinear",
)


def noisy_bars(count: int, seed: int) -> list[tuple[Image.Image, int]]:
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


def trained(
    settings: ClassifierSettings = SETTINGS,
    seed: int = 0,
    workers: int = 0,
    checkpoints: Checkpoints | None = None,
    device: str = "cpu",
    share: Share = ALONE,
) -> nn.Module:
    """Train on 96 images: six batches an epoch."""
    return train(
        noisy_bars(96, seed=1),
        NAMES,
        settings,
        seed,
        device=device,
        workers=workers,
        label="train",
        checkpoints=checkpoints,
        share=share,
    )


def digests(model: nn.Module, folder: Path) -> list[str]:
    """Save a model and return the digest of each file."""
    classifier.save(model, folder)
    return [sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())]
