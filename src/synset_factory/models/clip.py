"""A CLIP of open_clip, read from a folder: images and texts into one space."""

from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import open_clip
import torch
from PIL import Image
from torch import Tensor

from synset_factory.errors import InputError

Batch = Sequence[bytes | str]  # B JPEGs, or B texts
Encode = Callable[[Tensor], Tensor]


class Clip:
    """Embeds batches of images and of texts: a Worker.

    Embeddings are as the model gives them, not unit vectors.
    """

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

    def prepare(self, batch: Batch) -> tuple[Encode, Tensor]:
        """Return what the model takes, [B, 3, height, width] or [B, tokens], and what takes it."""
        texts = [each for each in batch if isinstance(each, str)]
        if texts:
            return self.model.encode_text, self.tokenizer(texts)
        pictures = [Image.open(BytesIO(each)) for each in batch if isinstance(each, bytes)]
        return self.model.encode_image, torch.stack(
            [self.preprocess(picture.convert("RGB")) for picture in pictures]
        )

    @torch.inference_mode()
    def compute(self, prepared: tuple[Encode, Tensor]) -> Tensor:
        """Return the embeddings [B, D], which the device may be still at work on."""
        encode, batch = prepared
        return encode(batch.to(self.device, non_blocking=True)).float()

    def finish(self, computed: Tensor) -> np.ndarray:
        """Return the embeddings [B, D], float32."""
        return computed.cpu().numpy()
