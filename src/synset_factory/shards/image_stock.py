"""The synthetic images that are on disk already, by the digest of all that determined them.

An image's seed comes from its class, split and number, so an image can lie nowhere but in the tars
of its own class and split: in this set's as it was, or in another set's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pandas as pd

from synset_factory import layout
from synset_factory.errors import InputError
from synset_factory.shards.reader import read_range
from synset_factory.shards.writer import (
    COLUMNS_OF_TAR,
    indexed_rows,
    is_complete,
    read_members,
)


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a JPEG lies."""

    image_set: str
    tar: Path
    offset: int  # bytes
    size: int  # bytes
    sha256: str  # of the JPEG

    def read(self) -> bytes | None:
        """Return the JPEG, or None if other bytes lie there: damage is not handed on."""
        jpeg = read_range(self.tar, self.offset, self.size)
        return jpeg if sha256(jpeg).hexdigest() == self.sha256 else None


class ImageStock:
    """All sets on disk, looked into from one of them."""

    def __init__(self, image_set: str | None, promised: Mapping[str, str] | None = None) -> None:
        """`image_set` is the one for which images are wanted, if any: its own are taken first.

        For a plan, `promised` are images that will be there by then: digest to image set.
        """
        self.promised = promised or {}
        others = sorted(path.name for path in layout.SHARDS.glob("*") if path.is_dir())
        own = [] if image_set is None else [image_set]
        self.sets = [*own, *(name for name in others if name not in own)]

    def find(self, split: str, wnid: str, digests: set[str]) -> dict[str, Place]:
        """Return where images of a class and split lie, for as many of the digests as there are."""
        found: dict[str, Place] = {}
        for image_set in self.sets:
            if len(found) == len(digests):
                break
            rows = _rows_of_tar(image_set, split, wnid)
            if rows is not None:
                places = places_of(rows, layout.shard(image_set, split, wnid), image_set)
                found = {digest: places[digest] for digest in digests & places.keys()} | found
        for digest in digests - set(found):
            if digest in self.promised:
                image_set = self.promised[digest]
                tar = layout.shard(image_set, split, wnid)
                found[digest] = Place(image_set=image_set, tar=tar, offset=0, size=0, sha256="")
        return found


def places_of(rows: pd.DataFrame, tar: Path, image_set: str) -> dict[str, Place]:
    """Return where the images of a tar lie by their digests; `rows` are COLUMNS_OF_TAR of each."""
    columns = (rows[name] for name in ("digest", "offset", "size", "sha256"))
    return {
        digest: Place(image_set=image_set, tar=tar, offset=int(offset), size=int(size), sha256=jpeg)
        for digest, offset, size, jpeg in zip(*columns, strict=True)
    }


def images_in(image_set: str, split: str, wnid: str) -> list[tuple[str, str]] | None:
    """Return the key and the digest of each image of a finished tar, or None if there is no such.

    A tar that was cut off counts as none.
    """
    rows = _rows_of_tar(image_set, split, wnid)
    return None if rows is None else list(zip(rows["key"], rows["digest"], strict=True))


def _rows_of_tar(image_set: str, split: str, wnid: str) -> pd.DataFrame | None:
    """Return the rows of a tar: those of the set's index, if it vouches for the tar.

    A killed run leaves tars that are newer than the index; these are read themselves.
    """
    tar = layout.shard(image_set, split, wnid)
    if not tar.exists() or not is_complete(tar):
        return None
    rows = indexed_rows(tar)
    return rows_of_tar(tar) if rows is None else rows


def rows_of_tar(tar: Path) -> pd.DataFrame | None:
    """Return COLUMNS_OF_TAR of each image of a finished tar; None of one cut off or damaged."""
    if not tar.exists() or not is_complete(tar):
        return None
    try:
        return pd.DataFrame(read_members(tar), columns=COLUMNS_OF_TAR)
    except InputError:
        return None
