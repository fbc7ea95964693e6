"""Everything about an image set on disk that can be wrong, one finding each.

Tars are read as untrusted: member by member, nothing is unpacked to a file, decoded by name or
executed.
"""

import json
import tarfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, fields
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image, UnidentifiedImageError

from synset_factory import layout
from synset_factory.config import NATURAL
from synset_factory.errors import InputError
from synset_factory.prompts.files import Synset
from synset_factory.provenance import TRAINED_MODEL, has_source_type
from synset_factory.records import SPLITS, ImageRow, ImageSettings, image_digest, image_key
from synset_factory.shards.reader import read_index
from synset_factory.shards.set_card import CARD, CROISSANT, INDEX, INFO, SIZES, read_split
from synset_factory.shards.writer import BESIDE, MEMBERS, is_complete

FORMATS = ("JPEG", "PNG")  # of pictures: all that are drawn are JPEGs, some photographs PNGs
LARGEST_MEMBER = 1 << 28  # bytes; a header may claim anything


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with a file of a set."""

    path: Path
    what: str

    def __str__(self) -> str:
        return f"{self.path}: {self.what}."


class SetValidator:
    """Holds one set against its index, its classes, and what readers need."""

    def __init__(self, image_set: str, classes: list[Synset]) -> None:
        """Raises InputError if the set has no index."""
        self.root = layout.shards(image_set)
        self.synthetic = image_set != NATURAL
        self.labels = {synset.wnid: synset.class_index for synset in classes}
        self.index = read_index(image_set)
        self.pictures: defaultdict[str, list[str]] = defaultdict(list)

    def tars(self) -> list[str]:
        """The tars that the set is to have."""
        return [f"{split}/{wnid}.tar" for split in SPLITS for wnid in self.labels]

    def check_folder(self) -> Iterator[Fault]:
        """Find what lies where it does not belong, and what is missing."""
        expected = {*BESIDE, *SPLITS, *self.tars()}
        for path in sorted(self.root.rglob("*")):
            if path.relative_to(self.root).as_posix() not in expected:
                yield Fault(path, "it does not belong to the set; delete it")
        for name in sorted(expected):
            if not (self.root / name).exists():
                yield Fault(self.root / name, "it is missing; make it with `dvc repro`")

    def check_beside(self) -> Iterator[Fault]:
        """Hold the files that other readers count by against the index."""
        counted = {str(tar): n for tar, n in self.index["tar"].value_counts().items()}
        for split in SPLITS:
            sizes = self.root / split / SIZES
            found = {f"{split}/{tar}": count for tar, count in _json(sizes).items()}
            if sizes.exists() and found != {
                tar: n for tar, n in counted.items() if tar.startswith(f"{split}/")
            }:
                yield Fault(sizes, "its counts are not those of the index: open_clip reads by them")
        info = self.root / INFO
        if info.is_file() and self._counts_of(info) != counted:
            yield Fault(info, "its counts are not those of the index: timm reads by them")
        card = self.root / CARD
        if card.is_file() and b"data_files:" not in card.read_bytes():
            yield Fault(card, "it does not name the tars: datasets would read index.parquet")
        index, about = self.root / INDEX, self.root / CROISSANT
        told = sha256(index.read_bytes()).hexdigest().encode()
        if about.is_file() and told not in about.read_bytes():
            yield Fault(about, "it has not the SHA-256 of index.parquet: readers refuse that")
        if not self.index["key"].is_unique:
            yield Fault(index, "a key occurs twice in it")

    def _counts_of(self, info: Path) -> dict[str, int] | None:
        try:
            splits = [(name, read_split(self.root, name)) for name in _json(info)["splits"]]
        except (InputError, KeyError, TypeError):
            return None
        return {f"{name}/{tar}": n for name, split in splits for tar, n in split.lengths.items()}

    def check_tar(self, name: str) -> Iterator[Fault]:
        """Read one tar, all of it."""
        path = self.root / name
        if not path.exists():
            return  # check_folder says so
        if not is_complete(path):
            yield Fault(path, "it was cut off; delete it and run `dvc repro`")
            return
        rows = self.index[self.index["tar"] == name].reset_index(drop=True)
        seen, others = 0, []
        try:
            for key, members, offset in _samples(path):
                for what in self._faults_of_image(name, key, members):
                    yield Fault(path, f"{key}: {what}")
                if seen >= len(rows) or not _agrees(rows.iloc[seen], key, members, offset):
                    others.append(key)
                seen += 1
        except (tarfile.TarError, ValueError, EOFError, OSError) as error:
            yield Fault(path, f"it cannot be read on ({error}); delete it and run `dvc repro`")
            return
        if others:
            what = f"the index says something else of {len(others)} of its images, from {others[0]}"
            yield Fault(path, f"{what} on; delete the tar and run `dvc repro`")
        if seen < len(rows):
            yield Fault(path, f"it holds {seen} images, but the index has {len(rows)} of it")

    def repeated(self) -> Iterator[Fault]:
        """Find pictures that the set has more than once; asks for `check_tar` of all tars first."""
        for places in self.pictures.values():
            if len(places) > 1:
                what = f"the same picture {len(places)} times: {', '.join(places[:3])}"
                yield Fault(self.root, what + (" and others" if len(places) > 3 else ""))

    def _faults_of_image(self, tar: str, key: str, members: dict[str, bytes]) -> Iterator[str]:
        split, _, file = tar.partition("/")
        wnid = file.removesuffix(".tar")
        if tuple(members) != MEMBERS:
            yield f"its members are {', '.join(members)}, not {', '.join(MEMBERS)}"
            return
        number = key.rpartition("_")[2]
        if not number.isdecimal() or key != image_key(wnid, split, int(number)):
            yield f"its key is not one of class {wnid} and split {split}"
        if members["cls"] != str(self.labels[wnid]).encode():
            yield f"its label is {members['cls'][:20]!r}, but {wnid} is {self.labels[wnid]}"
        yield from self._faults_of_origin(members)
        jpeg_hash = sha256(members["jpg"]).hexdigest()
        if jpeg_hash != _told(members["json"]).get("sha256"):
            yield (
                "its JPEG is not the one of which its .json has the SHA-256 (a byte has changed): "
                "delete the tar and run `dvc repro`"
            )
        told = _told(members["json"])
        if self.synthetic or "source" not in told:
            self.pictures[jpeg_hash].append(f"{tar} {key}")
            yield from _faults_of_picture(members["jpg"], "JPEG")
        else:
            # A photograph is as ImageNet has it: twice, or a PNG, if its .json tells of it.
            yield from _faults_of_picture(members["jpg"], str(told.get("format")))

    def _faults_of_origin(self, members: dict[str, bytes]) -> Iterator[str]:
        """Hold a synthetic image's own account of where it comes from against itself."""
        told = _told(members["json"])
        if "digest" not in told:
            yield "its .json is none, or has no digest"
            return
        names = {each.name for kind in (ImageRow, ImageSettings) for each in fields(kind)}
        if not self.synthetic:
            return
        if not names <= set(told):
            yield f"its .json does not tell {', '.join(sorted(names - set(told)))}"
            return
        row = ImageRow(**{each.name: told[each.name] for each in fields(ImageRow)})
        settings = ImageSettings(**{each.name: told[each.name] for each in fields(ImageSettings)})
        if image_digest(row, settings) != told["digest"]:
            yield "its digest is not that of what its .json tells"
        if members["txt"] != str(told["prompt"]).encode():
            yield "its .txt is not the prompt of its .json"
        if not _is_marked(members["jpg"]):
            yield f"its JPEG does not say that it is {TRAINED_MODEL}"


def _samples(path: Path) -> Iterator[tuple[str, dict[str, bytes], int]]:
    """Yield key, members by extension, and the offset of the JPEG of each image of a tar.

    Raises ValueError for a member that has no place in a tar of ours.
    """
    key, offset = "", 0
    members: dict[str, bytes] = {}
    with tarfile.open(path) as tar:
        for member in tar:
            stem, _, extension = member.name.rpartition(".")
            if not member.isreg() or extension not in MEMBERS or not _is_plain(stem):
                raise ValueError(f"the member {member.name[:80]!a} has no place in it")
            if member.size > LARGEST_MEMBER:
                raise ValueError(f"the member {member.name[:80]!a} claims {member.size:,} bytes")
            if stem != key and members:
                yield key, members, offset
                members = {}
            stream = tar.extractfile(member)
            key, members[extension] = stem, stream.read() if stream else b""
            if extension == "jpg":
                offset = member.offset_data
    if members:
        yield key, members, offset


def _is_plain(stem: str) -> bool:
    """Tell whether readers take a key for one: a dot ends it, a slash is a path."""
    return stem.isascii() and stem.replace("_", "").isalnum()


def _agrees(row: "pd.Series[Any]", key: str, members: dict[str, bytes], offset: int) -> bool:
    if tuple(members) != MEMBERS:
        return row["key"] == key
    told = _told(members["json"])
    found = (key, len(members["jpg"]), offset, told.get("digest"), told.get("sha256"))
    columns = ("key", "size", "offset", "digest", "sha256")
    label = str(row["cls"]).encode()
    return found == tuple(row.get(name) for name in columns) and members["cls"] == label


def _told(content: bytes) -> dict[str, Any]:
    """Return what a .json tells, nothing if it is none or no mapping."""
    try:
        told = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _is_marked(jpeg: bytes) -> bool:
    try:
        with Image.open(BytesIO(jpeg), formats=["JPEG"]) as image:
            return has_source_type(image.info.get("xmp", b""), TRAINED_MODEL)
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError):
        return True  # it cannot be read, which is said already


def _faults_of_picture(content: bytes, form: str) -> Iterator[str]:
    if form not in FORMATS:
        yield f"its .json tells of the format {form[:20]!a}, not of one of {', '.join(FORMATS)}"
        return
    try:
        with Image.open(BytesIO(content), formats=[form]) as image:
            pixels = np.asarray(image.convert("RGB"))  # [H, W, 3]
    except UnidentifiedImageError:
        yield f"its {form} cannot be read (it is none)"
        return
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        yield f"its {form} cannot be read ({error})"
        return
    if (pixels == pixels[0, 0]).all():
        yield "its picture is blank"


def _json(path: Path) -> dict[str, Any]:
    """Return what a file of JSON tells, nothing if it is none or missing."""
    return _told(path.read_bytes()) if path.is_file() else {}
