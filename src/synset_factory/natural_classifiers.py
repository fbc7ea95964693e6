"""Whose the classifiers of natural images are: trained here as the others are, or elsewhere."""

from pathlib import Path

from synset_factory import layout
from synset_factory.config import NATURAL, load_params
from synset_factory.records import TRAIN


def pretrained_folder(natural_from: str) -> Path | None:
    """Return the folder of the classifier that others have trained, or None: it is trained here.

    `natural_from` is that of the section `train`.
    """
    folder = Path(natural_from)
    return None if folder == layout.shards(NATURAL) / TRAIN else folder


def recipe_note() -> str:
    """Return what a reader must know of the rows trained on natural images; mostly nothing."""
    folder = pretrained_folder(load_params()["train"]["natural_from"])
    return (
        f"The rows trained on natural images are of one classifier that others have trained "
        f"({folder.name}): another recipe than that of the other rows."
        if folder
        else ""
    )
