"""Writing an image set: one tar a class, and beside them what readers want to know.

Equal inputs give equal bytes: times, owners and the order of members are fixed.
"""

import json
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image
from webdataset import TarWriter

from synset_factory.errors import InputError
from synset_factory.records import SPLITS
from synset_factory.whole_files import whole_file, write_text

OWNER = "synset-factory"


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
    with (
        whole_file(path) as partial,
        partial.open("wb") as stream,
        TarWriter(stream, user=OWNER, group=OWNER, mode=0o644, encoder=False, mtime=0) as tar,
    ):
        for sample in samples:
            tar.write(
                {
                    "__key__": sample.key,
                    "cls": str(sample.cls).encode(),
                    "jpg": sample.jpg,
                    "json": json.dumps(sample.json, sort_keys=True).encode(),
                    "txt": sample.txt.encode(),
                }
            )


def read_members(path: Path) -> list[dict[str, Any]]:
    """Return for each image of a tar its key, label, digest, and where its JPEG lies.

    Raises InputError if the tar is damaged or holds something else than images of ours.
    """
    rows: dict[str, dict[str, Any]] = {}
    try:
        with tarfile.open(path) as tar:
            for member in tar:
                key, _, extension = member.name.rpartition(".")
                row = rows.setdefault(key, {"key": key})
                if extension == "jpg":
                    row |= {"offset": member.offset_data, "size": member.size}
                elif extension == "cls":
                    row["cls"] = int(_content(tar, member))
                elif extension == "json":
                    row["digest"] = json.loads(_content(tar, member))["digest"]
    except (tarfile.TarError, ValueError, KeyError, EOFError):
        raise InputError(f"{path} is damaged; delete it and run `dvc repro` again.") from None
    return list(rows.values())


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
