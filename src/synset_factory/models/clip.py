"""A CLIP of open_clip, read from a folder: images and texts into one space."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import open_clip
import torch
from torch.utils.data import DataLoader
from tqdm import tqdm

from synset_factory.errors import InputError
from synset_factory.shard_reader import JpegDataset


class Clip:
    """Embeds images and texts. Embeddings are as the model gives them, not unit vectors."""

    def __init__(self, folder: Path, device: str) -> None:
        """Load `folder` (open_clip_config.json, open_clip_model.safetensors).

        Raises InputError if the folder is not there.
        """
        if not (folder / "open_clip_config.json").exists():
            raise InputError(f"{folder} holds no CLIP: make it with `dvc repro`.")
        name = f"local-dir:{folder}"
        model, _, self.preprocess = open_clip.create_model_and_transforms(name, device=device)
        self.model = model.eval()
        self.tokenizer = open_clip.get_tokenizer(name)
        self.device = device

    @torch.inference_mode()
    def embed_images(
        self, dataset: JpegDataset, batch_size: int, workers: int, label: str
    ) -> np.ndarray:
        """Return the embeddings [N, D], float32, of a dataset whose transform is `preprocess`."""
        loader = DataLoader(dataset, batch_size=batch_size, num_workers=workers)
        parts = [
            self.model.encode_image(images.to(self.device)).float().cpu().numpy()
            for images, _ in tqdm(loader, desc=label, unit="batch")
        ]
        return np.concatenate(parts)

    @torch.inference_mode()
    def embed_texts(self, texts: Sequence[str], batch_size: int, label: str) -> np.ndarray:
        """Return the embeddings [N, D], float32, of the texts."""
        parts = []
        for start in tqdm(range(0, len(texts), batch_size), desc=label, unit="batch"):
            tokens = self.tokenizer(list(texts[start : start + batch_size])).to(self.device)
            parts.append(self.model.encode_text(tokens).float().cpu().numpy())
        return np.concatenate(parts)
