"""Folders whose training images are of one image set and whose validation images of another.

Table 1 of the paper trains on one set and evaluates on another. A reader that takes one folder
gets such a pair from here: links to the tars that there are, and no second copy of them.
"""

import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from synset_factory import layout
from synset_factory.errors import InputError
from synset_factory.records import TRAIN, VALIDATION
from synset_factory.shards.exports import output_folder
from synset_factory.shards.set_card import INFO, Split, card, read_split, write_beside

# Sets differ in the fields of .json. datasets would take those of the last split for all, and drop
# the others in silence; told the type of each column, it keeps them (`json` is of datasets 4.7).
COLUMNS = {
    "cls": "int64",
    "jpg": "image",
    "json": "json",
    "txt": "string",
    "__key__": "string",
    "__url__": "string",
}
LABELS_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class Source:
    """One split of an image set or of an export."""

    name: str
    folder: Path  # of its tars
    split: Split


def find_source(source: str, split: str, image_sets: Collection[str]) -> Source:
    """Return a split of the set of that name, else of the export in that folder.

    Raises InputError if there is neither, or if a tar is missing.
    """
    is_set = source in image_sets
    name = source if is_set else Path(source).resolve().name
    root = layout.shards(source) if is_set else Path(source)
    if not (root / INFO).exists():
        raise InputError(
            f"{root} is missing: make the set '{source}' with `dvc repro`."
            if is_set
            else f"'{source}' is neither a set of {layout.PARAMS} nor a folder that "
            "`synset-factory export` has written: correct it."
        )
    contents = read_split(root, split)
    # Readers pass over what is missing with a warning at most.
    missing = next((tar for tar in contents.lengths if not (root / split / tar).exists()), None)
    if missing:
        remedy = "get it with `dvc pull` or `dvc repro`" if is_set else "export it again"
        raise InputError(f"{root / split / missing} is missing: {remedy}.")
    return Source(name=name, folder=root / split, split=contents)


def difference(train: Source, validation: Source) -> str | None:
    """Return a sentence on the classes that only one of the two has, or None if there are none."""
    labels = set(train.split.classes), set(validation.split.classes)
    never_learned, never_asked = sorted(labels[1] - labels[0]), sorted(labels[0] - labels[1])
    if not never_learned and not never_asked:
        return None
    return (
        f"the classes differ: {_some(never_learned)} only among the validation images of "
        f"{validation.name}, {_some(never_asked)} only among the training images of {train.name}."
    )


def _some(labels: list[int]) -> str:
    """Return for example `2 (labels 17, 97)`."""
    if not labels:
        return "0"
    shown = ", ".join(map(str, labels[:LABELS_SHOWN]))
    return f"{len(labels):,} (labels {shown}{', ...' if len(labels) > LABELS_SHOWN else ''})"


def is_link_to_tar(path: Path) -> bool:
    """Tell whether a path in a folder may be one of the links that are written here."""
    return path.is_symlink() and path.suffix == ".tar" and path.parent.name in (TRAIN, VALIDATION)


def write_cross_evaluation(train: Source, validation: Source, folder: Path) -> None:
    """Write a folder of links to the tars of both, relative ones, in the place of an earlier one.

    A link for each tar, not for a split's folder: open_clip's `sizes.json` lies among the tars.
    Raises InputError if `folder` cannot be written, or is what the links would lead to.
    """
    sources = {TRAIN: train, VALIDATION: validation}
    if folder.resolve() in [source.folder.parent.resolve() for source in sources.values()]:
        raise InputError(f"{folder} is one of the two that it is to link to: name another folder.")
    title = f"Trained on {train.name}, evaluated on {validation.name}"
    text = (
        "The tars are links: `cp -RL` makes a copy that can be moved elsewhere. datasets opens it\n"
        "from version 4.7."
    )
    splits = {name: source.split for name, source in sources.items()}
    about = card(title, text, splits, columns=COLUMNS)
    with output_folder(folder) as partial:
        write_beside(partial, splits, about)
        for name, source in sources.items():
            # Resolved, since `..` from a folder that is itself a link leads elsewhere.
            place = (partial / name).resolve()
            for tar in source.split.lengths:
                target = (source.folder / tar).resolve()
                (place / tar).symlink_to(os.path.relpath(target, place))
