"""ReaL: the labels of ImageNet's validation pictures looked at anew (Beyer et al. 2020).

A picture has all labels that fit it, or none at all; timm ships the list. Only a natural set whose
index says which validation pictures it holds has them: in its column `source`, which is optional.
"""

import json
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from synset_factory import layout
from synset_factory.config import NATURAL
from synset_factory.records import VALIDATION

SOURCE = "source"  # column of index.parquet: name of the file that a natural picture was
PICTURE = re.compile(r"ILSVRC2012_val_(\d{8})(\.JPEG)?")
TIMMS_FILE = "data/_info/imagenet_real_labels.json"


@cache
def real_labels() -> dict[int, list[int]]:
    """Return the labels of ImageNet's 50,000 validation pictures by their number, 1 to 50,000."""
    spec = find_spec("timm")  # importing timm would bring torch
    assert spec is not None and spec.origin is not None
    text = (Path(spec.origin).parent / TIMMS_FILE).read_text(encoding="utf-8")
    return dict(enumerate(json.loads(text), start=1))


def labels_of_keys() -> dict[str, list[int]]:
    """Return the ReaL labels of the natural validation pictures, by key; some have none.

    It is empty where the natural set does not say, or not of all of them, that its pictures are
    ImageNet's validation pictures.
    """
    path = layout.index(NATURAL)
    if not path.exists() or SOURCE not in pq.read_schema(path).names:
        return {}
    index = pd.read_parquet(path, columns=["key", "split", SOURCE])
    index = index[index["split"] == VALIDATION]
    labels = [real_labels().get(_number(name)) for name in index[SOURCE]]
    if None in labels:
        return {}
    return dict(zip(index["key"], labels, strict=True))


def _number(source: object) -> int:
    """The number in the name of a validation picture's file, 0 for any other name."""
    found = PICTURE.fullmatch(source) if isinstance(source, str) else None
    return int(found[1]) if found else 0
