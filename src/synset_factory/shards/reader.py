"""Reading an image set by its index: any image at once, so that one true shuffle is possible."""

import os
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image
from torch.utils.data import Dataset

from synset_factory import layout
from synset_factory.errors import InputError
from synset_factory.shards.set_card import INDEX_FIELDS


def read_index(image_set: str, split: str | None = None) -> pd.DataFrame:
    """Return the rows of a set's index, of one split or of all, in the order of the tars.

    Raises InputError if the set has not been made, or not by this version, or is damaged.
    """
    path = layout.index(image_set)
    try:
        index = pd.read_parquet(path, columns=list(INDEX_FIELDS))
    except FileNotFoundError:
        raise InputError(
            f"{path} is missing: make the set '{image_set}' with `dvc repro`."
        ) from None
    except (OSError, ValueError):
        raise InputError(
            f"{path} is damaged, or was written by an earlier version of this program: delete it, "
            "and run `dvc repro`."
        ) from None
    if split is not None:
        index = index[index["split"] == split].reset_index(drop=True)
    return index


def read_range(path: str | Path, offset: int, size: int) -> bytes:
    """Return `size` bytes of a file from `offset` on, or fewer where it ends before.

    It is opened for each image: a thousand tars at once pass the usual limit.
    """
    with open(path, "rb", buffering=0) as stream:
        return os.pread(stream.fileno(), size, offset)


class JpegDataset(Dataset[tuple[Any, int]]):
    """The images of an index in its order: (image, label).

    A label is the rank of the image's class among the classes of the index, 0 to C-1, in the
    order of ImageNet's labels. `transform` takes a PIL image in RGB. `root` is the folder of the
    tars, if they are not where the layout says.
    """

    def __init__(
        self,
        image_set: str,
        index: pd.DataFrame,
        transform: Callable[[Image.Image], Any] | None = None,
        root: Path | None = None,
    ) -> None:
        # Arrays, not lists: worker processes would copy every page of a list that they look at.
        self.tars, names = pd.factorize(index["tar"])
        self.paths = [str((root or layout.shards(image_set)) / name) for name in names]
        self.offsets = index["offset"].to_numpy()
        self.sizes = index["size"].to_numpy()
        self.class_indices = sorted(int(i) for i in index["cls"].unique())  # ImageNet's, C of them
        self.labels = np.searchsorted(self.class_indices, index["cls"])
        self.transform = transform

    def __len__(self) -> int:
        return len(self.tars)

    def __getitem__(self, i: int) -> tuple[Any, int]:
        path = self.paths[self.tars[i]]
        jpeg = read_range(path, int(self.offsets[i]), int(self.sizes[i]))
        image = Image.open(BytesIO(jpeg)).convert("RGB")
        return (self.transform(image) if self.transform else image), int(self.labels[i])
