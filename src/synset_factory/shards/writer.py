"""Writing an image set: one tar a class, and the index of them all.

Equal inputs give equal bytes: times, owners and the order of members are fixed.
"""

import json
import os
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import pandas as pd
from PIL import Image

from synset_factory import layout
from synset_factory.errors import InputError
from synset_factory.records import SPLITS
from synset_factory.shards.set_card import (
    CARD,
    CROISSANT,
    INDEX,
    INDEX_FIELDS,
    INFO,
    SIZES,
    croissant,
    set_card,
    splits_of,
    write_beside,
)
from synset_factory.whole_files import whole_file, write_text

OWNER = "synset-factory"
# What lies beside a set's tars.
BESIDE = (CARD, CROISSANT, INDEX, INFO, *(f"{split}/{SIZES}" for split in SPLITS))
MEMBERS = ("cls", "jpg", "json", "txt")  # of each image, in the order in which they lie in a tar
COLUMNS_OF_TAR = ("key", "cls", "offset", "size", "digest", "sha256")
DAMAGED = (tarfile.TarError, ValueError, KeyError, EOFError)


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One image as it is stored. No member names the set: sets share equal classes."""

    key: str  # <wnid>_<split>_<number>
    jpg: bytes
    cls: int  # ImageNet's label, 0 ... 999
    txt: str  # the prompt
    # Must hold "digest", of all that determined the image; the writer adds "sha256", of the JPEG.
    json: dict[str, Any] = field(default_factory=dict)


def encode_jpeg(image: Image.Image, quality: int, xmp: bytes = b"") -> bytes:
    """Return an RGB picture as JPEG, with an XMP packet in it if one is given.

    Colour is stored at full resolution (4:4:4).
    """
    buffer = BytesIO()
    image.convert("RGB").save(buffer, "JPEG", quality=quality, subsampling=0, xmp=xmp)
    return buffer.getvalue()


def write_class_tar(path: Path, samples: Iterable[Sample]) -> None:
    """Write one class of one split. The tar gets its name only when it is whole."""
    with whole_file(path) as partial, partial.open("wb") as stream:
        for sample in samples:
            stream.write(sample_bytes(sample))
        _write_end(stream)


def sample_bytes(sample: Sample) -> bytes:
    """Return what one image takes up in a class tar: a tar is these one after the other."""
    about = sample.json | {"sha256": sha256(sample.jpg).hexdigest()}
    contents = {
        "cls": str(sample.cls).encode(),
        "jpg": sample.jpg,
        "json": json.dumps(about, sort_keys=True).encode(),
        "txt": sample.txt.encode(),
    }
    parts = []
    for extension in MEMBERS:
        content = contents[extension]
        member = tarfile.TarInfo(f"{sample.key}.{extension}")
        member.size = len(content)
        member.uname = member.gname = OWNER  # owner and time are the same for ever
        parts += [member.tobuf(), content, bytes(-len(content) % tarfile.BLOCKSIZE)]
    return b"".join(parts)


def tar_size(samples_end: int) -> int:
    """Return the size in bytes of a whole tar whose last image ends at `samples_end`."""
    return -(-(samples_end + 2 * tarfile.BLOCKSIZE) // tarfile.RECORDSIZE) * tarfile.RECORDSIZE


@dataclass(frozen=True, kw_only=True)
class GrowingTar:
    """A class tar under way."""

    done: int  # how many of the wanted images it holds: it began with them
    stream: BinaryIO

    def add(self, samples: Iterable[Sample]) -> None:
        """Append the next images. No kill of this process loses them once this has returned."""
        for sample in samples:
            self.stream.write(sample_bytes(sample))
        self.stream.flush()


@contextmanager
def class_tar(path: Path, wanted: Sequence[tuple[str, str]]) -> Iterator[GrowingTar]:
    """Write one class of one split step by step, and go on where a killed run was cut off.

    `wanted` are the key and the digest of each image that the tar is to hold, in order. It is
    written to `<wnid>.tar.tmp`, and gets its name at the end, if there was no error. The bytes
    are those of `write_class_tar`, however often the writing was cut off.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = layout.partial(path)
    partial.touch()
    done, end = beginning(partial, wanted)
    with partial.open("r+b") as stream:
        stream.truncate(end)
        stream.seek(end)
        # Not webdataset's TarWriter: it holds back the last 10 kB, and cannot go on with a tar.
        yield GrowingTar(done=done, stream=stream)
        _write_end(stream)
    partial.replace(path)


def _write_end(stream: BinaryIO) -> None:
    samples_end = stream.tell()
    stream.write(bytes(tar_size(samples_end) - samples_end))


def beginning(path: Path, wanted: Sequence[tuple[str, str]]) -> tuple[int, int]:
    """Return how many of the wanted images a tar under way begins with, and where the last ends.

    `wanted` are keys and digests. Of a file that is not there, or that was cut off in its first
    image, it is (0, 0).
    """
    done = end = 0
    try:
        for row in _samples(path):
            if done == len(wanted) or (row["key"], row["digest"]) != wanted[done]:
                break
            done, end = done + 1, row["end"]
    except (*DAMAGED, FileNotFoundError):
        pass  # this is where the run was killed
    return done, end


def is_complete(path: Path) -> bool:
    """Tell whether a tar ends as tars end. One that was cut off does not, in all likelihood."""
    size = path.stat().st_size
    if size == 0 or size % tarfile.RECORDSIZE:
        return False
    with path.open("rb") as stream:
        stream.seek(-2 * tarfile.BLOCKSIZE, os.SEEK_END)
        return not any(stream.read())


def read_members(path: Path) -> list[dict[str, Any]]:
    """Return for each image of a tar its key, label, digests, and where its JPEG lies.

    Raises InputError if the tar is damaged or holds something else than images of ours.
    """
    return [row for row, _ in read_told(path)]


def read_told(path: Path) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return the row that `read_members` has of each image of a tar, and what its .json tells.

    Raises InputError if the tar is damaged or holds something else than images of ours.
    """
    try:
        return [
            ({name: row[name] for name in COLUMNS_OF_TAR}, row["told"]) for row in _samples(path)
        ]
    except DAMAGED:
        raise InputError(f"{path} is damaged; delete it and run `dvc repro` again.") from None


def _samples(path: Path) -> Iterator[dict[str, Any]]:
    """Yield of each image of a tar COLUMNS_OF_TAR, `told`, its .json, and `end`, where it ends.

    Raises one of DAMAGED at the first that is not whole.
    """
    size = path.stat().st_size
    row: dict[str, Any] = {}
    jpeg = b""
    with tarfile.open(path) as tar:
        for member in tar:
            key, _, extension = member.name.rpartition(".")
            if extension not in MEMBERS or row.setdefault("key", key) != key:
                raise ValueError(member.name)
            if extension == "jpg":
                jpeg = _content(tar, member)
                row |= {"offset": member.offset_data, "size": member.size}
            elif extension == "cls":
                row["cls"] = int(_content(tar, member))
            elif extension == "json":
                about = json.loads(_content(tar, member))
                if about["sha256"] != sha256(jpeg).hexdigest():
                    raise ValueError(member.name)
                row |= {"digest": about["digest"], "sha256": about["sha256"], "told": about}
            else:  # the last of an image's members
                blocks = -(-member.size // tarfile.BLOCKSIZE)
                row["end"] = member.offset_data + blocks * tarfile.BLOCKSIZE
                if row["end"] > size or len(row) != len(COLUMNS_OF_TAR) + 2:
                    raise ValueError(member.name)
                yield row
                row = {}
    if row:
        raise ValueError(row["key"])


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = tar.extractfile(member)
    if stream is None:
        raise ValueError(member.name)
    return stream.read()


def indexed_rows(tar: Path) -> pd.DataFrame | None:
    """Return COLUMNS_OF_TAR of a finished tar by its set's index; None where that does not vouch.

    An index vouches for the tars that it names and that were not touched since it was written:
    neither their bytes nor, as by a copy that keeps the time of its source, their names.
    """
    index = tar.parents[1] / INDEX
    touched = max(tar.stat().st_mtime_ns, tar.stat().st_ctime_ns)
    if not index.exists() or touched > index.stat().st_mtime_ns:
        return None
    by_tar = _index_by_tar(index, index.stat().st_mtime_ns)
    return by_tar.get(f"{tar.parent.name}/{tar.name}")


@cache
def _index_by_tar(index: Path, changed: int) -> dict[str, pd.DataFrame]:
    try:
        rows = pd.read_parquet(index, columns=["tar", *COLUMNS_OF_TAR])
    except (OSError, ValueError):
        return {}  # damaged, or an earlier version wrote it, without the hashes of the JPEGs
    return {str(tar): of_tar[[*COLUMNS_OF_TAR]] for tar, of_tar in rows.groupby("tar", sort=False)}


def prune(root: Path, wnids: Iterable[str]) -> None:
    """Delete every file of a set that is neither a tar of one of its classes nor written beside."""
    tars = {f"{split}/{wnid}.tar" for split in SPLITS for wnid in wnids}
    belongs = {*tars, *BESIDE}
    for path in sorted(root.rglob("*")):
        if path.is_file() and path.relative_to(root).as_posix() not in belongs:
            path.unlink()


def write_index(
    root: Path, name: str, wnids: Iterable[str], description: str, source_type: str | None = None
) -> pd.DataFrame:
    """Write what lies beside a set's tars, and return the index.

    A tar is read unless the index that is there vouches for it, so that a changed class costs no
    more than itself in a set of many.

    index.parquet has one row an image: key, split, wnid, cls, tar, offset, size, digest, sha256.
    `source_type` is the digital source type that every JPEG names, if it does.
    """
    tables = [
        _rows_for_index(root / split / f"{wnid}.tar").assign(
            split=split, wnid=wnid, tar=f"{split}/{wnid}.tar"
        )
        for split in SPLITS
        for wnid in wnids
    ]
    index = pd.concat(tables, ignore_index=True)[list(INDEX_FIELDS)]
    write_index_of(root, name, index, description, source_type)
    return index


def write_index_of(
    root: Path, name: str, index: pd.DataFrame, description: str, source_type: str | None = None
) -> None:
    """Write what lies beside a set's tars, of which the index is known.

    It has the columns of INDEX_FIELDS, and SOURCE_FIELDS where each image was a file before.
    """
    splits = splits_of(index, source_type)
    write_beside(root, splits, set_card(name, description, splits))
    with whole_file(root / INDEX) as partial:
        index.to_parquet(partial, index=False)
    about = croissant(name, description, root / INDEX, source_type)
    write_text(root / CROISSANT, json.dumps(about, indent=1) + "\n")


def _rows_for_index(tar: Path) -> pd.DataFrame:
    """Return COLUMNS_OF_TAR of each image of a tar. Raises InputError if it is damaged."""
    rows = indexed_rows(tar) if tar.exists() and is_complete(tar) else None
    return pd.DataFrame(read_members(tar), columns=COLUMNS_OF_TAR) if rows is None else rows
