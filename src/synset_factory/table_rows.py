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
from synset_factory.measures.accuracy import accuracy_percent, mean_accuracy
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
    # A pair's outcomes lie with its synthetic set.
    outcomes = read_outcomes(evaluation if train == NATURAL else train)
    pair = outcomes[(outcomes["train"] == train) & (outcomes["evaluation"] == evaluation)]
    right = pair.assign(right=pair["predicted"] == pair["cls"]).pivot(
        index=["cls", "key"], columns="seed", values="right"
    )
    labels = right.index.get_level_values("cls").to_numpy()
    return asdict(mean_accuracy(right.to_numpy(dtype=bool).T, labels))


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
