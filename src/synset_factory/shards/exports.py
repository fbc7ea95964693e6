"""An image set copied for other trainers.

Most trainers read tars from front to back and shuffle a few thousand images at a time: from tars
of one class each they would learn class after class. An export has the same images in tars of
mixed classes. Equal inputs give equal bytes.
"""

import math
import os
import re
import shutil
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm
from webdataset import TarWriter

from synset_factory import layout
from synset_factory.errors import InputError
from synset_factory.records import SPLITS
from synset_factory.seeds import derive_seed
from synset_factory.shards.set_card import CARD, INFO, SIZES, card, read_split, write_beside
from synset_factory.shards.writer import OWNER
from synset_factory.whole_files import whole_folder

BESIDE = {CARD, *SPLITS, *(f"{split}/{SIZES}" for split in SPLITS)}

RowsByTar = dict[str, pd.DataFrame]  # by the tar's name: rows of the index, in their new order


def replaceable(folder: Path, is_own_tar: Callable[[Path], bool]) -> Path:
    """Return the folder without detours, if nothing that others have made is lost by writing it.

    Raises InputError unless it, and the one that becomes it at the end, are missing, are empty, or
    hold an earlier output and nothing else; and for a folder in data/ or around this repository.
    """
    folder = Path(os.path.normpath(folder))
    place, here = Path(os.path.abspath(folder)), Path.cwd()
    if place in (here, *here.parents) or layout.DATA.absolute() in (place, *place.parents):
        raise InputError(f"{folder} is no place for it: name another folder, such as exports/new.")
    try:
        _check_replaceable(folder, is_own_tar)
    except OSError as error:
        raise InputError(f"{folder} cannot be used ({error}): name another folder.") from None
    return folder


def _check_replaceable(folder: Path, is_own_tar: Callable[[Path], bool]) -> None:
    for place in (folder, layout.partial(folder)):
        if place.is_symlink() or (place.exists() and not place.is_dir()):
            raise InputError(f"{place} is there already, and is no folder: name another one.")
        strange = _strange(place, is_own_tar)
        if strange:
            raise InputError(
                f"{place} cannot be replaced: {strange.relative_to(place)} in it is not from an "
                "earlier run of this command. Move it away, or name another folder."
            )


def _strange(place: Path, is_own_tar: Callable[[Path], bool]) -> Path | None:
    """Return something in a folder that is none of ours. Ours has _info.json before all else."""
    is_ours = (place / INFO).is_file()
    for path in place.rglob("*"):
        name = path.relative_to(place).as_posix().removesuffix(".tmp")
        if name != INFO and not (is_ours and (name in BESIDE or is_own_tar(path))):
            return path
    return None


def is_tar_of_export(image_set: str) -> Callable[[Path], bool]:
    """Return the predicate that knows the tars of a set's export by their names."""
    name = re.compile(rf"({'|'.join(SPLITS)})/{image_set}-\1-\d{{6}}\.tar")
    return lambda path: bool(name.fullmatch(f"{path.parent.name}/{path.name}"))


def deal(
    image_set: str, index: pd.DataFrame, images_per_tar: int, seed: int
) -> dict[str, RowsByTar]:
    """Deal a set's images out to tars, by split. Tars of a split differ by one image at most.

    The order is one permutation of the whole split: that of a hash of each image's key, so that it
    is the same with any version of any library.
    """
    hashes = [derive_seed(seed, "export", image_set, key) for key in index["key"]]
    shuffled = index.iloc[np.argsort(hashes)]
    tars: dict[str, RowsByTar] = {}
    for split in SPLITS:
        rows = shuffled[shuffled["split"] == split]
        count = math.ceil(len(rows) / images_per_tar)
        parts = np.array_split(np.arange(len(rows)), count) if count else []
        names = [f"{image_set}-{split}-{number:06d}.tar" for number in range(count)]
        tars[split] = {name: rows.iloc[part] for name, part in zip(names, parts, strict=True)}
    return {split: by_tar for split, by_tar in tars.items() if by_tar}


def bytes_of(image_set: str, index: pd.DataFrame) -> int:
    """Return the size of a set's tars in bytes: that of its export, but for the tars' ends.

    Raises InputError if one is missing.
    """
    paths = [layout.shards(image_set) / tar for tar in index["tar"].unique()]
    for path in paths:
        if not path.exists():
            raise InputError(_not_what_the_index_says(path, image_set))
    return sum(path.stat().st_size for path in paths)


@contextmanager
def output_folder(folder: Path) -> Iterator[Path]:
    """Do as `whole_folder` does, but raise InputError if the disk refuses something."""
    try:
        with whole_folder(folder) as partial:
            yield partial
    except OSError as error:
        raise InputError(f"{folder} cannot be written ({error}): name another folder.") from None


def check_space(folder: Path, needed: int) -> None:
    """Raise InputError if the disk that `folder` is to lie on has no room for `needed` bytes."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(there).free
    if free < needed:
        raise InputError(
            f"{folder} needs {tqdm.format_sizeof(needed, 'B')}, but its disk has "
            f"{tqdm.format_sizeof(free, 'B')} free: make room, or name a folder on another disk."
        )


def write_export(image_set: str, tars: dict[str, RowsByTar], folder: Path) -> None:
    """Write an export in the place of an earlier one. It gets its name only when it is whole.

    Raises InputError if a source tar is not what the index says, or `folder` cannot be written.
    """
    splits = {
        split: replace(
            read_split(layout.shards(image_set), split),
            lengths={name: len(rows) for name, rows in by_tar.items()},
        )
        for split, by_tar in tars.items()
    }
    text = "The images of each split are in one shuffled order, so every tar mixes the classes."
    about = card(f"Image set {image_set}, exported", text, splits)
    total = sum(split.images for split in splits.values())
    bar = tqdm(total=total, desc=f"export {image_set}", unit="image")
    with output_folder(folder) as partial, bar:
        write_beside(partial, splits, about)
        for split, by_tar in tars.items():
            for name, rows in by_tar.items():
                _write_tar(partial / split / name, image_set, rows, bar)


def _write_tar(path: Path, image_set: str, rows: pd.DataFrame, bar: "tqdm[Any]") -> None:
    fixed = {"user": OWNER, "group": OWNER, "mtime": 0}
    with path.open("wb") as stream, TarWriter(stream, encoder=False, **fixed) as tar:
        for row in rows.itertuples():
            members = _read_members(image_set, row)
            # The set's name makes keys unique among all exports, which people mix.
            tar.write({"__key__": f"{image_set}_{row.key}", **members})
            bar.update()


def _read_members(image_set: str, row: Any) -> dict[str, bytes]:
    """Return an image's members as they lie in its tar, by extension. `row` is of the index."""
    path = layout.shards(image_set) / row.tar
    try:
        # A file is opened for each image: a thousand tars at once pass the usual limit.
        with path.open("rb") as stream:
            stream.seek(row.offset - tarfile.BLOCKSIZE)  # where the header of the JPEG is
            with tarfile.open(fileobj=stream, mode="r:") as tar:
                found = {m.name: _content(tar, m) for m in islice(tar, 3)}
        members = {name: found[f"{row.key}.{name}"] for name in ("jpg", "json", "txt")}
    except (tarfile.TarError, OSError, KeyError, ValueError):
        raise InputError(_not_what_the_index_says(path, image_set)) from None
    if sha256(members["jpg"]).hexdigest() != row.sha256:
        raise InputError(_not_what_the_index_says(path, image_set))
    return {"cls": str(row.cls).encode(), **members}


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = tar.extractfile(member)
    return stream.read() if stream else b""


def _not_what_the_index_says(path: Path, image_set: str) -> str:
    return (
        f"{path} is not what the set's index says: `synset-factory validate {image_set}` tells "
        "what is wrong with it."
    )
