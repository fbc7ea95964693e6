"""CLIP space on a plane: what Figures 6 and 7 of the paper sketch, from the stored embeddings."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synset_factory.config import NATURAL
from synset_factory.embedding_files import IMAGE, PROMPT, Embeddings, read_embeddings
from synset_factory.errors import InputError
from synset_factory.measures.vectors import Floats, UndefinedMeasure, unit_vectors
from synset_factory.prompts.files import Synset
from synset_factory.records import VALIDATION
from synset_factory.site.config import ReportConfig
from synset_factory.tables import Undefined

SYNTHETIC = "disamb25"
# What Figure 7 shows on its right: the smaller of the two splits suffices for a picture.
SOURCES = (
    (NATURAL, IMAGE),
    (SYNTHETIC, IMAGE),
    (SYNTHETIC, PROMPT),
    ("promptaug", PROMPT),
)


@dataclass(frozen=True, kw_only=True)
class Plane:
    """Points of a plane, and how much of the variance it holds."""

    points: pd.DataFrame  # x, y, kind, name and wnid of the class
    shares: tuple[float, float]  # of the variance along x and y, percent


def principal_plane(vectors: Floats) -> tuple[NDArray[np.float64], Floats, tuple[float, float]]:
    """Return the mean [D], the two principal directions [D, 2] and their shares of the variance.

    vectors: [N, D]. Each direction's largest entry is positive, so that equal input gives equal
    pictures. Raises UndefinedMeasure for fewer than three vectors, or all of them equal.
    """
    if len(vectors) < 3:
        raise UndefinedMeasure("a plane takes three embeddings at least")
    mean = vectors.mean(axis=0)
    _, lengths, directions = np.linalg.svd(vectors - mean, full_matrices=False)
    variance = lengths**2
    if variance.sum() < 1e-12 * len(vectors):
        raise UndefinedMeasure("all embeddings are equal: they span no plane")
    first_two = directions[:2]
    largest = np.abs(first_two).argmax(axis=1)
    first_two = first_two * np.sign(first_two[[0, 1], largest])[:, None]
    shares = 100.0 * variance[:2] / variance.sum()
    return mean, first_two.T, (float(shares[0]), float(shares[1]))


def joint_space(classes: Sequence[Synset], config: ReportConfig) -> Plane | Undefined:
    """Return prompts and images in one plane (Figure 7, right): some of the validation split."""

    def compute() -> Plane:
        parts = [_read(source, config.projected) for source in SOURCES]
        vectors = np.concatenate([unit_vectors(part.vectors) for part in parts])
        mean, directions, shares = principal_plane(vectors)
        kinds = [kind_of(*source, config) for source in SOURCES]
        repeated = np.repeat(kinds, [len(part.labels) for part in parts])
        labels = np.concatenate([part.labels for part in parts])
        return Plane(
            points=_points((vectors - mean) @ directions, repeated, labels, classes), shares=shares
        )

    return _or_why("The joint space", compute)


def clusters(classes: Sequence[Synset], config: ReportConfig) -> Plane | Undefined:
    """Return a few classes' synthetic images, centroids and prompts in one plane (Figure 7, left).

    The plane is that of the images. Prompts lie elsewhere altogether, so they are moved by what
    parts the mean prompt of all classes from the mean image.
    """

    def compute() -> Plane:
        chosen = [each.class_index for each in classes if each.wnid in config.figure7_classes]
        images, prompts = _read((SYNTHETIC, IMAGE)), _read((SYNTHETIC, PROMPT))
        image_units, prompt_units = unit_vectors(images.vectors), unit_vectors(prompts.vectors)
        gap = image_units.mean(axis=0) - prompt_units.mean(axis=0)
        of_image, of_prompt = np.isin(images.labels, chosen), np.isin(prompts.labels, chosen)
        image_labels = images.labels[of_image]
        mean, directions, shares = principal_plane(image_units[of_image])
        found = np.unique(image_labels)
        centroids = [image_units[images.labels == label].mean(axis=0) for label in found]
        vectors = np.concatenate([image_units[of_image], centroids, prompt_units[of_prompt] + gap])
        kinds = np.repeat(
            ["image", "centroid of the images", "prompt"],
            [len(image_labels), len(found), int(of_prompt.sum())],
        )
        labels = np.concatenate([image_labels, found, prompts.labels[of_prompt]])
        return Plane(
            points=_points((vectors - mean) @ directions, kinds, labels, classes), shares=shares
        )

    return _or_why("The classes of Figure 7", compute)


def kind_of(image_set: str, modality: str, config: ReportConfig) -> str:
    """Return what a point of the joint space is called."""
    return f"{config.label(image_set)} {'images' if modality == IMAGE else 'prompts'}"


def _read(source: tuple[str, str], at_most: int | None = None) -> Embeddings:
    """Read a modality of a set; of more than `at_most` every so-many-th."""
    found = read_embeddings(*source, VALIDATION)
    if at_most is None or len(found.labels) <= at_most:
        return found
    rows = np.linspace(0, len(found.labels) - 1, at_most).round().astype(int)
    return Embeddings(vectors=found.vectors[rows], labels=found.labels[rows], keys=found.keys[rows])


def _points(
    places: Floats, kinds: NDArray[np.str_], labels: NDArray[np.int_], classes: Sequence[Synset]
) -> pd.DataFrame:
    by_label = {each.class_index: each for each in classes}
    found = [by_label.get(int(label)) for label in labels]
    return pd.DataFrame(
        {
            "x": places[:, 0].round(4),
            "y": places[:, 1].round(4),
            "kind": kinds,
            "name": [each.lemmas[0] if each else "" for each in found],
            "wnid": [each.wnid if each else "" for each in found],
        }
    )


def _or_why(what: str, compute: Callable[[], Plane]) -> Plane | Undefined:
    try:
        return compute()
    except InputError as error:
        return Undefined(f"{what}: {error}")
    except UndefinedMeasure as error:
        return Undefined(f"{what}: {error}.")
