"""Rows of the tables, from stored embeddings and outcomes: what several stages compute alike."""

from collections.abc import Iterable
from dataclasses import asdict
from functools import cache

import numpy as np
import pandas as pd

from synset_factory import layout
from synset_factory.config import NATURAL
from synset_factory.embedding_files import Embeddings, read_embeddings
from synset_factory.errors import InputError
from synset_factory.measures.accuracy import (
    accuracy_percent,
    mean_accuracy,
    per_class_accuracy,
)
from synset_factory.measures.centroids import (
    average_cosine,
    centroid_distance,
    centroid_outcomes,
    class_centroids,
)
from synset_factory.measures.knn import nearest, vote
from synset_factory.tables import ClipSource, Row

NEIGHBOURS = 5


@cache
def read_outcomes(image_set: str) -> pd.DataFrame:
    """Return what the classifiers said: train, evaluation, seed, key, cls, predicted.

    Raises InputError if the set has not been evaluated.
    """
    path = layout.outcomes(image_set)
    if not path.exists():
        raise InputError(f"{path} is missing: make it with `dvc repro`.")
    return pd.read_parquet(path)


def accuracy_row(train: str, evaluation: str) -> Row:
    """Return a row of Table 1 or 2: trained on one set, evaluated on another's validation split.

    Raises InputError if the pair's synthetic set has not been evaluated.
    """
    return asdict(mean_accuracy(*_outcomes(train, evaluation)))


def class_accuracies(train: str, evaluation: str) -> dict[int, float]:
    """Return what `accuracy_row` averages: percent by class, by ImageNet's label."""
    percent, classes = per_class_accuracy(*_outcomes(train, evaluation))
    return dict(zip(classes.tolist(), percent.tolist(), strict=True))


def _outcomes(train: str, evaluation: str) -> tuple[np.ndarray, np.ndarray]:
    """Return which images each classifier of a pair has right, bool [S, N], and labels [N]."""
    # A pair's outcomes lie with its synthetic set.
    outcomes = read_outcomes(evaluation if train == NATURAL else train)
    pair = outcomes[(outcomes["train"] == train) & (outcomes["evaluation"] == evaluation)]
    right = pair.assign(right=pair["predicted"] == pair["cls"]).pivot(
        index=["cls", "key"], columns="seed", values="right"
    )
    return right.to_numpy(dtype=bool).T, right.index.get_level_values("cls").to_numpy()


def read_clip_outcomes() -> pd.DataFrame:
    """Return what became of each query of Table 6: experiment, key, cls, and the accuracies.

    Raises InputError if it has not been made.
    """
    if not layout.CLIP_OUTCOMES.exists():
        raise InputError(f"{layout.CLIP_OUTCOMES} is missing: make it with `dvc repro`.")
    return pd.read_parquet(layout.CLIP_OUTCOMES)


def read_source(source: ClipSource, split: str) -> Embeddings:
    """Read the embeddings that Table 6 compares. Raises InputError if they are not there."""
    return read_embeddings(source.image_set, source.modality, split)


def clip_row(
    references: Embeddings, queries: Embeddings, rng: np.random.Generator, *, knn: bool
) -> tuple[Row, dict[str, np.ndarray]]:
    """Return a row of Table 6, and what became of each query: bool [Q] for each accuracy.

    `rng` draws among equally near centroids. Without `knn` the two k-nn accuracies are absent, as
    the paper has it for queries that are one prompt a class.
    """
    centroids, classes = class_centroids(references.vectors, references.labels)
    outcomes = {
        "centroid_accuracy": centroid_outcomes(
            queries.vectors, queries.labels, centroids, classes, rng
        )
    }
    if knn:
        neighbours = references.labels[nearest(queries.vectors, references.vectors, NEIGHBOURS)]
        outcomes["knn1_accuracy"] = neighbours[:, 0] == queries.labels
        outcomes["knn5_accuracy"] = vote(neighbours) == queries.labels
    row: Row = {name: accuracy_percent(right) for name, right in outcomes.items()}
    row["avg_cosine_similarity"] = average_cosine(
        queries.vectors, queries.labels, centroids, classes
    )
    return row, outcomes


def fewest_images(sets: Iterable[Embeddings]) -> int:
    """Return the number of images of the smallest class in any of the sets."""
    return min(int(np.unique(each.labels, return_counts=True)[1].min()) for each in sets)


def first_of_each_class(embeddings: Embeddings, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return vectors and labels of the first `count` images of each class, in stored order."""
    rank = pd.Series(embeddings.labels).groupby(embeddings.labels).cumcount().to_numpy()
    return embeddings.vectors[rank < count], embeddings.labels[rank < count]


def distance_row(embeddings: Embeddings, count: int) -> Row:
    """Return a set's Centroid Distance (Figure 5) from the first `count` images of each class."""
    distance, per_class = centroid_distance(*first_of_each_class(embeddings, count))
    return {
        "centroid_distance": distance,
        "classes": len(per_class),
        "images_per_class": count,
    }
