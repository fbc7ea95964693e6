"""What an image is made from: its row, its key and its digest. Pure."""

import json
from dataclasses import asdict, dataclass
from functools import cache
from hashlib import sha256
from typing import Any

TRAIN = "train"
VALIDATION = "validation"
SPLITS = (TRAIN, VALIDATION)


@dataclass(frozen=True, kw_only=True)
class ImageRow:
    """One image to be made: which one it is, what is asked for, and its noise."""

    wnid: str
    split: str
    number: int  # 0 ... within (wnid, split)
    prompt: str
    seed: int  # of the initial noise

    @property
    def key(self) -> str:
        return image_key(self.wnid, self.split, self.number)


def image_key(wnid: str, split: str, number: int) -> str:
    """Return the name of an image inside a set. No dot: readers of tars split names at dots."""
    return f"{wnid}_{split}_{number:06d}"


@dataclass(frozen=True, kw_only=True)
class ImageSettings:
    """Everything besides its row that determines a synthetic image's bytes."""

    negative_prompt: str
    guidance_scale: float  # the paper's cgs; 1.0 means no guidance
    steps: int  # of the scheduler
    scheduler: str  # class of diffusers, or of_the_model
    height: int  # pixels
    width: int  # pixels
    dtype: str  # of the weights and the arithmetic
    compile: bool  # whether the networks are compiled: other kernels, other last bits
    safety_checker: bool  # whether the model's own one blackens pictures
    batch_size: int  # images drawn together: bytes depend on the shape of the batch
    jpeg_quality: int  # 1 ... 100
    generator: str  # digest of the text-to-image model's folder
    recipe: int  # drawing.RECIPE: the code's own part


def image_digest(row: ImageRow, settings: ImageSettings) -> str:
    """Return the hex digest of everything that determines an image.

    The row's key is not in it: what is drawn depends on the prompt and the seed only.
    """
    determined_by = {"prompt": row.prompt, "seed": row.seed, **_told_by(settings)}
    text = json.dumps(determined_by, sort_keys=True, ensure_ascii=True)
    return sha256(text.encode()).hexdigest()


@cache
def _told_by(settings: ImageSettings) -> dict[str, Any]:
    """asdict takes four times as long as all the rest of a digest, and sets have many images."""
    return asdict(settings)
