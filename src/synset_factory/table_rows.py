"""Rows of the tables, from stored embeddings and outcomes: what several stages compute alike."""

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cache

import numpy as np
import pandas as pd

from synset_factory import layout
from synset_factory.config import NATURAL
from synset_factory.embedding_files import Embeddings, read_embeddings
from synset_factory.errors import InputError
from synset_factory.measures.accuracy import (
    accepted_outcomes,
    accuracy_percent,
    mean_accuracy,
)
from synset_factory.measures.centroids import (
    average_cosine,
    centroid_distance,
    centroid_outcomes,
    class_centroids,
)
from synset_factory.measures.knn import block_sizes, nearest, vote
from synset_factory.real_labels import labels_of_keys
from synset_factory.tables import ClipSource, Row

NEIGHBOURS = 5


@dataclass(frozen=True, kw_only=True)
class ClipTablesConfig:
    """How rows of Table 6 are computed, whichever stage has them. No result depends on it."""

    memory: float  # GiB that a search for neighbours may take

    def __post_init__(self) -> None:
        if not self.memory > 0:
            raise InputError(
                f"{layout.PARAMS}: clip_tables.memory is {self.memory}, but must be above 0."
            )


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

    Where the natural set is ImageNet's validation pictures, a row evaluated on it has besides
    `real_accuracy`, percent by ReaL labels, of `real_n` images.

    Raises InputError if the pair's synthetic set has not been evaluated.
    """
    # A pair's outcomes lie with its synthetic set.
    outcomes = read_outcomes(evaluation if train == NATURAL else train)
    pair = outcomes[(outcomes["train"] == train) & (outcomes["evaluation"] == evaluation)]
    right = pair.assign(right=pair["predicted"] == pair["cls"]).pivot(
        index=["cls", "key"], columns="seed", values="right"
    )
    labels = right.index.get_level_values("cls").to_numpy()
    row: Row = asdict(mean_accuracy(right.to_numpy(dtype=bool).T, labels))
    return row | real_figures(pair) if evaluation == NATURAL else row


def real_figures(outcomes: pd.DataFrame) -> Row:
    """Return the accuracy on natural images by ReaL labels, the mean over classifier seeds.

    Pictures that have no ReaL label are left out. Without any label, no figures.
    """
    labels = labels_of_keys()
    judged = outcomes[[bool(labels.get(key)) for key in outcomes["key"]]]
    if judged.empty:
        return {}
    right = accepted_outcomes(judged["predicted"].to_numpy(), [labels[k] for k in judged["key"]])
    return {"real_accuracy": accuracy_percent(right), "real_n": judged["key"].nunique()}


def read_source(source: ClipSource, split: str) -> Embeddings:
    """Read the embeddings that Table 6 compares. Raises InputError if they are not there."""
    return read_embeddings(source.image_set, source.modality, split)


def clip_row(
    references: Embeddings,
    queries: Embeddings,
    rng: np.random.Generator,
    *,
    knn: bool,
    memory: float = math.inf,
) -> tuple[Row, dict[str, np.ndarray]]:
    """Return a row of Table 6, and what became of each query: bool [Q] for each accuracy.

    `rng` draws among equally near centroids. Without `knn` the two k-nn accuracies are absent, as
    the paper has it for queries that are one prompt a class. `memory` GiB bound the search for
    neighbours, and change no result.
    """
    centroids, classes = class_centroids(references.vectors, references.labels)
    outcomes = {
        "centroid_accuracy": centroid_outcomes(
            queries.vectors, queries.labels, centroids, classes, rng
        )
    }
    if knn:
        query_block, reference_block = block_sizes(memory, references.vectors.shape[1])
        found = nearest(
            queries.vectors,
            references.vectors,
            NEIGHBOURS,
            query_block=query_block,
            reference_block=reference_block,
        )
        neighbours = references.labels[found]
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
    # A class at a time: the vectors may be more than memory holds.
    per_class = [
        centroid_distance(*first_of_each_class(_of_class(embeddings, label), count))[0]
        for label in np.unique(embeddings.labels)
    ]
    return {
        "centroid_distance": float(np.mean(per_class)),
        "classes": len(per_class),
        "images_per_class": count,
    }


def _of_class(embeddings: Embeddings, label: int) -> Embeddings:
    chosen = embeddings.labels == label
    return Embeddings(
        vectors=embeddings.vectors[chosen],
        labels=embeddings.labels[chosen],
        keys=embeddings.keys[chosen],
    )
