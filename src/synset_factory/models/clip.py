"""A CLIP of open_clip, read from a folder: images and texts into one space."""

from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import open_clip
import torch
from PIL import Image
from safetensors import SafetensorError
from torch import Tensor

from synset_factory.errors import InputError

CONFIG, WEIGHTS = "open_clip_config.json", "open_clip_model.safetensors"
Batch = Sequence[bytes | str]  # B JPEGs, or B texts
Encode = Callable[[Tensor], Tensor]


class Clip:
    """Embeds batches of images and of texts: a Worker.

    Embeddings are as the model gives them, not unit vectors.
    """

    def __init__(self, folder: Path, device: str) -> None:
        """Load `folder` (open_clip_config.json, open_clip_model.safetensors).

        Raises InputError if one of them is missing or damaged.
        """
        # Without weights open_clip would take random ones.
        if not all((folder / name).exists() for name in (CONFIG, WEIGHTS)):
            raise InputError(f"{folder} holds no CLIP: make it with `dvc repro`.")
        name = f"local-dir:{folder}"
        try:
            model, _, self.preprocess = open_clip.create_model_and_transforms(name, device="cpu")
            self.tokenizer = open_clip.get_tokenizer(name)
        except (OSError, ValueError, RuntimeError, SafetensorError) as error:
            raise InputError(
                f"{folder} cannot be loaded by open_clip: {error}. Delete the folder and make it "
                "again with `dvc repro`."
            ) from None
        self.model = model.to(device).eval()
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
