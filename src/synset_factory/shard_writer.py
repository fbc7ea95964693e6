"""Writing an image set: one tar a class, and beside them what readers want to know.

Equal inputs give equal bytes: times, owners and the order of members are fixed.
"""

import json
import os
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import pandas as pd
from PIL import Image

from synset_factory import layout
from synset_factory.errors import InputError
from synset_factory.records import SPLITS
from synset_factory.whole_files import whole_file, write_text

OWNER = "synset-factory"
MEMBERS = ("cls", "jpg", "json", "txt")  # of each image, in the order in which they lie in a tar
COLUMNS_OF_TAR = ("key", "cls", "offset", "size", "digest")
DAMAGED = (tarfile.TarError, ValueError, KeyError, EOFError)


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One image as it is stored. No member names the set: sets share equal classes."""

    key: str  # <wnid>_<split>_<number>
    jpg: bytes
    cls: int  # ImageNet's label, 0 ... 999
    txt: str  # the prompt
    json: dict[str, Any] = field(default_factory=dict)  # must hold "digest"


def encode_jpeg(image: Image.Image, quality: int) -> bytes:
    """Return an RGB picture as JPEG. Colour is stored at full resolution (4:4:4)."""
    buffer = BytesIO()
    image.convert("RGB").save(buffer, "JPEG", quality=quality, subsampling=0)
    return buffer.getvalue()


def write_class_tar(path: Path, samples: Iterable[Sample]) -> None:
    """Write one class of one split. The tar gets its name only when it is whole."""
    with whole_file(path) as partial, tarfile.open(partial, "w") as tar:
        for sample in samples:
            _add(tar, sample)


@dataclass(frozen=True, kw_only=True)
class GrowingTar:
    """A class tar under way."""

    done: int  # how many of the wanted images it holds: it began with them
    tar: tarfile.TarFile
    stream: BinaryIO

    def add(self, samples: Iterable[Sample]) -> None:
        """Append the next images. No kill of this process loses them once this has returned."""
        for sample in samples:
            _add(self.tar, sample)
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
        with tarfile.open(fileobj=stream, mode="w") as tar:
            yield GrowingTar(done=done, tar=tar, stream=stream)
    partial.replace(path)


def _add(tar: tarfile.TarFile, sample: Sample) -> None:
    contents = {
        "cls": str(sample.cls).encode(),
        "jpg": sample.jpg,
        "json": json.dumps(sample.json, sort_keys=True).encode(),
        "txt": sample.txt.encode(),
    }
    for extension in MEMBERS:
        member = tarfile.TarInfo(f"{sample.key}.{extension}")
        member.size = len(contents[extension])
        member.uname = member.gname = OWNER  # owner and time are the same for ever
        tar.addfile(member, BytesIO(contents[extension]))


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
    """Return for each image of a tar its key, label, digest, and where its JPEG lies.

    Raises InputError if the tar is damaged or holds something else than images of ours.
    """
    try:
        return [
            {name: value for name, value in row.items() if name != "end"} for row in _samples(path)
        ]
    except DAMAGED:
        raise InputError(f"{path} is damaged; delete it and run `dvc repro` again.") from None


def _samples(path: Path) -> Iterator[dict[str, Any]]:
    """Yield each image of a tar: key, cls, offset, size, digest, and `end`, where its last member
    ends. Raises one of DAMAGED at the first that is not whole.
    """
    size = path.stat().st_size
    row: dict[str, Any] = {}
    with tarfile.open(path) as tar:
        for member in tar:
            key, _, extension = member.name.rpartition(".")
            if extension not in MEMBERS or row.setdefault("key", key) != key:
                raise ValueError(member.name)
            if extension == "jpg":
                row |= {"offset": member.offset_data, "size": member.size}
            elif extension == "cls":
                row["cls"] = int(_content(tar, member))
            elif extension == "json":
                row["digest"] = json.loads(_content(tar, member))["digest"]
            else:  # the last of an image's members
                blocks = -(-member.size // tarfile.BLOCKSIZE)
                row["end"] = member.offset_data + blocks * tarfile.BLOCKSIZE
                if row["end"] > size or len(row) != len(COLUMNS_OF_TAR) + 1:
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


def prune(root: Path, wnids: Iterable[str]) -> None:
    """Delete whatever lies in a set's splits that is not a tar of one of its classes."""
    belongs = {f"{wnid}.tar" for wnid in wnids}
    for split in SPLITS:
        for path in sorted((root / split).glob("*")):
            if path.name not in belongs:
                path.unlink()


def write_index(root: Path, name: str, wnids: Iterable[str], description: str) -> pd.DataFrame:
    """Write what lies beside a set's tars, and return the index.

    index.parquet has one row an image: key, split, wnid, cls, tar, offset, size, digest.
    `_info.json` is read by timm, `sizes.json` by open_clip, the README by datasets and people.
    """
    rows = [
        {**member, "split": split, "wnid": wnid, "tar": f"{split}/{wnid}.tar"}
        for split in SPLITS
        for wnid in wnids
        for member in read_members(root / split / f"{wnid}.tar")
    ]
    columns = ["key", "split", "wnid", "cls", "tar", "offset", "size", "digest"]
    index = pd.DataFrame(rows)[columns]
    sizes = {str(tar): int(n) for tar, n in index.groupby("tar", sort=False).size().items()}
    write_text(root / "_info.json", json.dumps(_timm_info(index, sizes), indent=1) + "\n")
    write_text(root / "sizes.json", json.dumps(sizes, indent=1) + "\n")
    write_text(root / "README.md", _card(name, description, index))
    with whole_file(root / "index.parquet") as partial:
        index.to_parquet(partial, index=False)
    return index


def _timm_info(index: pd.DataFrame, sizes: dict[str, int]) -> dict[str, Any]:
    splits = {}
    for split in SPLITS:
        tars = [tar for tar in sizes if tar.startswith(f"{split}/")]
        splits[split] = {
            "name": split,
            "num_samples": int((index["split"] == split).sum()),
            "filenames": tars,
            "shard_lengths": [sizes[tar] for tar in tars],
        }
    return {"splits": splits}


def _card(name: str, description: str, index: pd.DataFrame) -> str:
    files = "".join(f"  - split: {split}\n    path: {split}/*.tar\n" for split in SPLITS)
    counts = ", ".join(f"{(index['split'] == split).sum():,} {split}" for split in SPLITS)
    return (
        f"---\nconfigs:\n- config_name: default\n  data_files:\n{files}---\n"
        f"# Image set `{name}`\n\n{description}\n\n"
        f"{counts} images of {index['wnid'].nunique():,} ImageNet classes; one WebDataset tar a\n"
        "class. `.cls` is ImageNet's label (0 to 999), `.txt` the prompt, `.json` everything\n"
        "that determined the image.\n"
    )
