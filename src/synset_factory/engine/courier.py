"""A model's folder, brought to other machines: they need no disk in common with this one."""

import socket
from pathlib import Path
from typing import Any

from filelock import FileLock

from synset_factory.engine.ray_cluster import import_ray
from synset_factory.errors import InputError
from synset_factory.folder_digest import folder_digest
from synset_factory.whole_files import whole_folder

PART = 64 * 2**20  # bytes that travel at once


class Courier:
    """Hands out a folder in parts; an actor of Ray, on the machine where the folder is."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.digest = ""

    def contents(self) -> tuple[str, dict[str, int]]:
        """Return the folder's digest, and the size of each of its files."""
        self.digest = self.digest or folder_digest(self.folder)
        files = sorted(path for path in self.folder.rglob("*") if path.is_file())
        sizes = {path.relative_to(self.folder).as_posix(): path.stat().st_size for path in files}
        return self.digest, sizes

    def part(self, name: str, offset: int) -> bytes:
        """Return at most PART bytes of a file from `offset` on."""
        with (self.folder / name).open("rb") as stream:
            stream.seek(offset)
            return stream.read(PART)


def copy_here(courier: Any) -> Path:
    """Return a copy of the courier's folder on this machine's disk, which is made if need be.

    One copy serves all that work on this machine, now and in later runs: it lies in the cache of
    the user, under the digest of its contents.

    Raises InputError if it cannot be written there, or comes as other bytes.
    """
    ray = import_ray()
    digest, sizes = ray.get(courier.contents.remote())
    copy = Path.home() / ".cache" / "synset_factory" / digest
    try:
        copy.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(copy.with_suffix(".lock")):
            if not copy.exists():
                _copy(courier, digest, sizes, copy)
    except ray.exceptions.RayError:  # some are OSErrors too, of the machine of the run
        raise
    except OSError as error:
        raise InputError(
            f"{socket.gethostname()}: the model cannot be written to {copy} ({error}); make room "
            "there."
        ) from None
    return copy


def _copy(courier: Any, digest: str, sizes: dict[str, int], copy: Path) -> None:
    """Write a copy of the courier's folder, part by part."""
    ray = import_ray()
    with whole_folder(copy) as partial:
        for name, size in sizes.items():
            (partial / name).parent.mkdir(parents=True, exist_ok=True)
            with (partial / name).open("wb") as stream:
                for offset in range(0, size, PART):
                    stream.write(ray.get(courier.part.remote(name, offset)))
        if folder_digest(partial) != digest:
            raise InputError(
                f"The model of digest {digest} came to {copy} as other bytes: leave its folder "
                "alone while a run is on, and run it again."
            )
