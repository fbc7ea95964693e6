"""The penultimate layer of one of timm's classifiers as an embedding of images.

It stands beside classifier.py because what a training runs is all of that module.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from timm.data import create_transform, resolve_model_data_config
from torch.utils.data import DataLoader
from tqdm import tqdm

from synset_factory.errors import InputError
from synset_factory.models import classifier
from synset_factory.shards.reader import JpegDataset

REMEDY = (
    "`dvc repro` makes or fetches the classifiers that params.yaml names; or name another folder "
    "in classifier_embed.model"
)


class Penultimate:
    """Embeds images as a trained classifier sees them just before it tells classes apart."""

    def __init__(self, folder: Path, device: str) -> None:
        """Load the classifier in `folder`, as timm saves one.

        Raises InputError if there is none, or none whose weights are safetensors.
        """
        model = classifier.read(folder, REMEDY, num_classes=0)
        # timm's own way with pictures for this model.
        self.preprocess = create_transform(**resolve_model_data_config(model))
        self.model = model.to(device).to(memory_format=torch.channels_last).eval()
        self.device = device

    @torch.inference_mode()
    def embed_images(
        self, dataset: JpegDataset, batch_size: int, workers: int, label: str
    ) -> Iterator[np.ndarray]:
        """Yield, batch by batch, [B, D] float32 of a dataset whose transform is `preprocess`.

        Raises InputError if the model gives something that is not a finite number.
        """
        loader = DataLoader(dataset, batch_size=batch_size, num_workers=workers)
        for images, _ in tqdm(loader, desc=label, unit="batch"):
            moved = images.to(self.device, memory_format=torch.channels_last)
            features = self.model(moved).float()
            if not features.isfinite().all():
                raise InputError(f"{label}: the classifier gives NaN or infinity; name another.")
            yield features.cpu().numpy()
