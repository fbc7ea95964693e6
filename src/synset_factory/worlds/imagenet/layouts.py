"""The forms in which people have ImageNet on disk, but for the hub's Parquet.

Each is looked into without unpacking anything: a file of it is a range of bytes of a file on disk.
"""

import os
import re
import tarfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from synset_factory.errors import InputError

PICTURES = (".jpeg", ".jpg", ".png")  # ends of the names of pictures
VALIDATION_NAME = re.compile(r"ILSVRC2012_val_(\d{8})\.JPEG")
# The hub appends the class to ImageNet's own name of the file.
HUB_NAME = re.compile(r"(.+)_n\d{8}(\.\w+)")


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredFile:
    """One file of ImageNet's, and where its bytes lie."""

    name: str  # ImageNet's own, without folders
    path: str  # of a file on disk
    offset: int  # bytes
    size: int  # bytes

    @property
    def is_picture(self) -> bool:
        return is_picture(self.name)

    def read(self) -> bytes:
        """Return its bytes. Raises InputError if the disk gives fewer."""
        try:
            with open(self.path, "rb", buffering=0) as stream:
                content = os.pread(stream.fileno(), self.size, self.offset)
        except OSError as error:
            raise InputError(f"{self.path} cannot be read ({error}): mend the disk.") from None
        if len(content) != self.size:
            raise InputError(f"{self.path} got shorter while it was read: run this again.")
        return content


# The files of one class, found when they are wanted: ImageNet has more than a million.
Listing = Callable[[], list[StoredFile]]


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What one split's folder or tar holds."""

    classes: dict[str, Listing]  # by the names of folders or tars, or by wnid
    other_files: int  # that lie in no class


def is_picture(name: str) -> bool:
    """Tell by its name whether a file is a picture: not a hidden one, as macOS leaves them."""
    return name.lower().endswith(PICTURES) and not name.startswith(".")


def imagenet_name(path: str) -> str:
    """Return ImageNet's own name of a file, without folders and what the hub appends."""
    name = path.rpartition("/")[2]
    found = HUB_NAME.fullmatch(name)
    return found[1] + found[2] if found else name


def class_folders(path: Path) -> Contents:
    """Find `<wnid>/<files>`: the classes' folders, by name.

    Raises InputError for no folder, and one that cannot be read.
    """
    if not path.is_dir():
        raise InputError(f"{path} is no folder of class folders: correct the path or the layout.")
    with _readable(path), os.scandir(path) as entries:
        is_folder = {entry.path: entry.is_dir() for entry in entries}
    folders = sorted(each for each in is_folder if is_folder[each])
    return Contents(
        classes={os.path.basename(each): partial(_files_of_folder, each) for each in folders},
        other_files=len(is_folder) - len(folders),
    )


@contextmanager
def _readable(folder: str | Path) -> Iterator[None]:
    """Turn what the disk gives rise to into one sentence."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{folder} cannot be read ({error}): correct its rights.") from None


def _files_of_folder(folder: str) -> list[StoredFile]:
    with _readable(folder), os.scandir(folder) as entries:
        return [
            StoredFile(
                name=imagenet_name(each.name),
                path=each.path,
                offset=0,
                size=each.stat().st_size,
            )
            for each in entries
            if each.is_file()
        ]


def tar_of_tars(path: Path) -> Contents:
    """Find the classes of a tar of `<wnid>.tar`, such as ILSVRC2012_img_train.tar.

    Raises InputError if it is none, or was cut off.
    """
    files = _files_of_tar(path)
    tars = {each.name.removesuffix(".tar"): each for each in files if each.name.endswith(".tar")}
    if not tars:
        raise InputError(f"{path} holds no <wnid>.tar: correct the path or the layout.")
    return Contents(
        classes={
            name: partial(_files_of_tar, path, each.offset, each.size)
            for name, each in tars.items()
        },
        other_files=sum(not each.name.endswith(".tar") for each in files),
    )


def flat(path: Path, wnids: Sequence[str]) -> Contents:
    """Find the validation pictures that lie in no class: in one folder, or ILSVRC2012_img_val.tar.

    `wnids` are their classes, in the order of their numbers. Raises InputError if there are none,
    or if one has a number beyond those.
    """
    by_class: defaultdict[str, list[StoredFile]] = defaultdict(list)
    files = _files_of_folder(str(path)) if path.is_dir() else _files_of_tar(path)
    other_files = 0
    for each in files:
        found = VALIDATION_NAME.fullmatch(each.name)
        if not found:
            other_files += 1
            continue
        number = int(found[1])
        # Passed over, it would be missed by nobody: the ground truth was cut off, more likely.
        if not 1 <= number <= len(wnids):
            raise InputError(
                f"{path} holds {each.name}, but the devkit's ground truth tells the classes of "
                f"1 to {len(wnids):,}: get the devkit again, or take the file away."
            )
        by_class[wnids[number - 1]].append(each)
    if not by_class:
        raise InputError(
            f"{path} holds no ILSVRC2012_val_<number>.JPEG: correct the path or the layout."
        )
    return Contents(
        classes={wnid: partial(list, pictures) for wnid, pictures in by_class.items()},
        other_files=other_files,
    )


def _files_of_tar(path: Path, start: int = 0, size: int | None = None) -> list[StoredFile]:
    """Return the files of a tar on disk, or of a tar that lies in it from `start` on.

    Raises InputError if it is no plain tar, is damaged, or was cut off.
    """
    try:
        end = path.stat().st_size if size is None else start + size
        files = list(_members(path, start, end))
    except (tarfile.TarError, OSError) as error:
        raise InputError(
            f"{path} cannot be read as a plain tar ({error}): correct the path or the layout, "
            "unpack it if it is compressed, or get it again."
        ) from None
    if files and files[-1].offset + files[-1].size > end:
        raise InputError(f"{path} was cut off in {files[-1].name}: get it again.")
    return files


def _members(path: Path, start: int, end: int) -> Iterator[StoredFile]:
    with path.open("rb") as stream:
        stream.seek(start)
        with tarfile.open(fileobj=stream, mode="r:") as tar:
            for member in tar:
                if member.offset >= end:  # a tar in a tar, that does not end as tars do
                    return
                if member.isreg():
                    yield StoredFile(
                        name=imagenet_name(member.name),
                        path=str(path),
                        offset=member.offset_data,
                        size=member.size,
                    )
            # tarfile takes a header that is damaged for the end, which is two blocks of zeros.
            stream.seek(tar.offset)
            if any(stream.read(max(0, min(2 * tarfile.BLOCKSIZE, end - tar.offset)))):
                raise InputError(f"{path} is damaged at byte {tar.offset:,}: get it again.")
