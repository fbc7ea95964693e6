"""One class of ImageNet as a class tar: written unless it is there, and what was found in it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from hashlib import sha256
from pathlib import Path
from typing import Any

from synset_factory import layout
from synset_factory.config import NATURAL
from synset_factory.errors import InputError
from synset_factory.records import image_key
from synset_factory.shards.writer import Sample, is_complete, read_told, write_class_tar
from synset_factory.worlds.imagenet.layouts import Listing, StoredFile
from synset_factory.worlds.imagenet.pictures import (
    GREY_MODES,
    UPRIGHT,
    BrokenPictureError,
    PictureFacts,
    examine,
)

SECOND = "a second file of this name"
TOLD = {each.name for each in fields(PictureFacts)} | {
    *("wnid", "split", "number", "source", "digest", "sha256")
}
# An index row and the .json of each picture of a tar.
Stored = list[tuple[dict[str, Any], dict[str, Any]]]


@dataclass(frozen=True, kw_only=True)
class ClassTar:
    """A tar that is to be: one class of one split."""

    wnid: str
    split: str
    class_index: int  # ImageNet's label, 0 ... 999

    @property
    def path(self) -> Path:
        return layout.shard(NATURAL, self.split, self.wnid)


@dataclass(frozen=True, kw_only=True)
class ClassFound:
    """What a class brought."""

    tar: ClassTar
    rows: list[dict[str, Any]]  # of the index, with the column `source`
    counts: Counter[str]  # pictures by what is odd about them; each is kept as it is
    named: dict[str, list[str]]  # names of the rarest of those, by what is odd about them
    left_out: dict[str, str]  # why, by name
    other_files: int  # that are no pictures by their name


@dataclass(frozen=True, kw_only=True)
class ClassJob:
    """A class whose files lie where they can be read one by one."""

    tar: ClassTar
    listing: Listing
    images: int  # the first by name; 0 for all


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    files: list[StoredFile]  # sorted by name; a picture's number is its place
    left_out: dict[str, str]
    other_files: int


def ingest_class(job: ClassJob) -> ClassFound:
    """Write the class's tar unless it is whole and holds what the source has, and describe it.

    Whether a picture in the tar is still the one in the source is told by its name and size.
    """
    wanted = _wanted(job)
    stored = read_stored(job.tar.path)
    broken: dict[str, str] = {}
    lacking = numbers_lacking(stored, [(file.name, file.size) for file in wanted.files])
    # A tar lacks what could not be read. Where it can by now, the tar is written anew.
    if lacking is None or list(_samples(job.tar, wanted.files, lacking, broken)):
        broken.clear()
        everything = range(len(wanted.files))
        write_class_tar(job.tar.path, _samples(job.tar, wanted.files, everything, broken))
        stored = read_told(job.tar.path)
    return found_in(job.tar, stored, wanted.left_out | broken, wanted.other_files)


def _wanted(job: ClassJob) -> _Wanted:
    files = job.listing()
    pictures = sorted((each for each in files if each.is_picture), key=lambda each: each.name)
    first = {each.name: each for each in reversed(pictures)}
    seconds = [name for name, times in Counter(each.name for each in pictures).items() if times > 1]
    return _Wanted(
        files=[first[name] for name in sorted(first)][: job.images or None],
        left_out=dict.fromkeys(seconds, SECOND),
        other_files=len(files) - len(pictures),
    )


def _samples(
    tar: ClassTar, files: Sequence[StoredFile], numbers: Sequence[int], broken: dict[str, str]
) -> Iterator[Sample]:
    """Yield the pictures of these numbers; of those that are broken, put down why."""
    for number in numbers:
        content = files[number].read()
        try:
            yield picture_sample(tar, number, files[number].name, content, examine(content))
        except BrokenPictureError as error:
            broken[files[number].name] = str(error)


def picture_sample(
    tar: ClassTar, number: int, name: str, content: bytes, facts: PictureFacts
) -> Sample:
    """Return a picture as it is stored: its bytes as they are, its .json the same in any layout."""
    return Sample(
        key=image_key(tar.wnid, tar.split, number),
        jpg=content,
        cls=tar.class_index,
        txt="",
        json={
            "wnid": tar.wnid,
            "split": tar.split,
            "number": number,
            "source": name,
            **asdict(facts),
            "digest": sha256(content).hexdigest(),
        },
    )


def read_stored(path: Path) -> Stored:
    """Return what a class tar holds, nothing if it is missing or damaged."""
    try:
        return read_told(path) if path.exists() and is_complete(path) else []
    except InputError:
        return []


def numbers_lacking(stored: Stored, wanted: Sequence[tuple[str, int]]) -> list[int] | None:
    """Return which of the wanted pictures a tar lacks, or None if it must be written anew.

    `wanted` are their names and sizes in bytes, by number.
    """
    numbers: list[int] = []
    for row, told in stored:
        if told.keys() != TOLD or told["number"] not in range(len(wanted)):
            return None
        number = int(told["number"])
        if (told["source"], row["size"]) != wanted[number]:
            return None
        numbers.append(number)
    if not numbers or numbers != sorted(set(numbers)):
        return None
    return sorted(set(range(len(wanted))) - set(numbers))


def found_in(
    tar: ClassTar, stored: Stored, left_out: dict[str, str], other_files: int
) -> ClassFound:
    """Describe a class by its tar and what was left out of it.

    Raises InputError if no picture of it can be read.
    """
    if not stored:
        raise InputError(
            f"class {tar.wnid} of the {tar.split} split has no picture that can be read: get it "
            "again, or take the class out of wnids."
        )
    counts: Counter[str] = Counter()
    named: dict[str, list[str]] = {}
    place = {"split": tar.split, "wnid": tar.wnid, "tar": f"{tar.split}/{tar.wnid}.tar"}
    rows = []
    for row, told in stored:
        rows.append({**row, **place, "source": told["source"]})
        for kind in oddities(told):
            counts[kind] += 1
            if kind in NAMED:
                named.setdefault(kind, []).append(told["source"])
    return ClassFound(
        tar=tar,
        rows=rows,
        counts=counts,
        named=named,
        left_out=left_out,
        other_files=other_files,
    )


NAMED = ("cmyk", "other_mode", "png")


def oddities(told: dict[str, Any]) -> Iterator[str]:
    """Yield what is odd about a picture, by what its .json tells."""
    mode = told["mode"]
    if mode != "RGB":
        yield "greyscale" if mode in GREY_MODES else "cmyk" if mode == "CMYK" else "other_mode"
    if told["format"] == "PNG":
        yield "png"
    if told["exif_orientation"] not in UPRIGHT:
        yield "exif_rotated"
