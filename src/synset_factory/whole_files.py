"""Outputs get their names only when they are whole, so that a killed run leaves no half of one."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from synset_factory import layout


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
