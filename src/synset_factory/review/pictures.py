"""Stored pictures as they lie in the tars of an image set."""

from functools import lru_cache
from typing import Any

import pandas as pd

from synset_factory import layout
from synset_factory.records import TRAIN, image_key
from synset_factory.shards.image_stock import Place
from synset_factory.shards.reader import read_index


def count_pictures(image_set: str, wnid: str) -> int:
    """Return how many training images of a class a set has; 0 if the set is not there."""
    if not layout.index(image_set).exists():
        return 0
    return int((_index(image_set)["wnid"] == wnid).sum())


def read_picture(image_set: str, wnid: str, number: int) -> bytes:
    """Return the JPEG of a training image. Raises KeyError if the set has no such image."""
    key = image_key(wnid, TRAIN, number)
    row: Any = _index(image_set).loc[key]
    place = {name: row[name] for name in ("offset", "size", "sha256")}
    jpeg = Place(image_set=image_set, tar=layout.shards(image_set) / row["tar"], **place).read()
    if jpeg is None:
        raise KeyError(key)
    return jpeg


def _index(image_set: str) -> pd.DataFrame:
    # The set may be made anew while the page is open.
    changed = layout.index(image_set).stat().st_mtime_ns
    return _read_index(image_set, changed)


@lru_cache(maxsize=8)
def _read_index(image_set: str, changed: int) -> pd.DataFrame:
    return read_index(image_set, TRAIN).set_index("key")
