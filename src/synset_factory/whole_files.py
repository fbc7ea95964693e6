"""Outputs get their names only when they are whole, so that a killed run leaves no half of one."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from synset_factory import layout
from synset_factory.errors import InputError


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a temporary name to write to; at the end, without an error, it becomes `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    yield layout.partial(path)
    layout.partial(path).replace(path)


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """Give the name of a new folder to fill; at the end it takes the place of `folder`."""
    partial = layout.partial(folder)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    yield partial
    shutil.rmtree(folder, ignore_errors=True)
    partial.replace(folder)


def write_text(path: Path, text: str) -> None:
    """Write a text whole, in UTF-8."""
    with whole_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


@contextmanager
def sole_writer(folder: Path, lock: Path) -> Iterator[None]:
    """Hold the lock of a folder while it is written.

    Raises InputError if another run holds it, or the disk gets full.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(lock).acquire(timeout=0):
            yield
    except Timeout:
        raise InputError(
            f"{folder} is being written by another run (DVC killed leaves its stage "
            "running): wait for it, or end that process, and try again."
        ) from None
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise InputError(
            f"The disk is full: make room for {folder}, and run `dvc repro` again; "
            "what is written already is kept."
        ) from None
