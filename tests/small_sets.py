"""Small real image sets on disk, for tests that read them as others do."""

import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from synset_factory import layout
from synset_factory.config import NATURAL
from synset_factory.records import image_key
from synset_factory.seeds import derive_seed
from synset_factory.shards.reader import read_index
from synset_factory.shards.writer import Sample, encode_jpeg, write_class_tar, write_index

REPOSITORY = Path(__file__).parents[1]
LABELS = {"n02895154": 461, "n01580077": 17, "n01847000": 97}  # not in the order of labels
IMAGES = {"train": 20, "validation": 8}  # a class


def sample(image_set: str, wnid: str, label: int, split: str, number: int) -> Sample:
    """An image of noise. As in real sets, .json has other fields in natural ones, .txt is empty."""
    seed = derive_seed(image_set, wnid, split, number)
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    prompt = f"{wnid} é {number}, {image_set}"
    told = {"concept": "jay", "size": 8} if image_set == NATURAL else {"prompt": prompt, "cgs": 2.5}
    return Sample(
        key=image_key(wnid, split, number),
        jpg=encode_jpeg(Image.fromarray(pixels), 90),
        cls=label,
        txt="" if image_set == NATURAL else prompt,
        json={**told, "digest": f"{seed:x}", "number": number},
    )


def write_small_set(image_set: str, labels: Mapping[str, int] = LABELS) -> None:
    """Write a set of 20 training and 8 validation images a class to data/shards, with its index."""
    for wnid, label in labels.items():
        for split, count in IMAGES.items():
            samples = [sample(image_set, wnid, label, split, number) for number in range(count)]
            write_class_tar(layout.shard(image_set, split, wnid), samples)
    write_index(layout.shards(image_set), image_set, labels, "A set for tests.")


def write_params() -> None:
    """Put the committed params.yaml, which names the sets, where commands look for it."""
    shutil.copy(REPOSITORY / layout.PARAMS, layout.PARAMS)


def jpegs(image_set: str, index: pd.DataFrame) -> list[bytes]:
    """Return the JPEG of each row of a set's index."""
    found = []
    for row in index.itertuples():
        content = (layout.shards(image_set) / row.tar).read_bytes()
        found.append(content[row.offset : row.offset + row.size])
    return found


def contents(image_set: str, split: str) -> "Counter[tuple[str, int, bytes]]":
    """Count what a split holds by its index: key, label and JPEG."""
    index = read_index(image_set, split)
    return Counter(zip(index["key"], index["cls"], jpegs(image_set, index), strict=True))
