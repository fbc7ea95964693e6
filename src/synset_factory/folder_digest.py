"""One name for the contents of a folder."""

from hashlib import sha256
from pathlib import Path

from synset_factory.errors import InputError


def folder_digest(folder: Path) -> str:
    """Return one hex digest of all files of a folder: their names and their contents.

    Raises InputError if the folder is not there.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is missing: make it with `dvc repro`.")
    digest = sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        with path.open("rb") as stream:
            content = sha256()
            while block := stream.read(1 << 20):
                content.update(block)
        digest.update(f"{path.relative_to(folder).as_posix()} {content.hexdigest()}\n".encode())
    return digest.hexdigest()
