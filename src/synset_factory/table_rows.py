"""Rows of the tables, from stored embeddings and outcomes: what several stages compute alike."""

from collections.abc import Iterable, Sequence
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
    per_class_accuracy,
)
from synset_factory.measures.centroids import (
    centroid_distance,
    centroid_outcomes,
    class_centroids,
    own_cosines,
    squared_codiffs,
)
from synset_factory.measures.knn import vote
from synset_factory.measures.vectors import UndefinedMeasure
from synset_factory.neighbours.find import find_nearest
from synset_factory.real_labels import labels_of_keys
from synset_factory.tables import ClipSource, Row, Undefined

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


def outcomes_of_pair(train: str, evaluation: str) -> pd.DataFrame:
    """Return what the classifiers of one set said of another's validation split.

    Raises InputError if the pair's synthetic set has not been evaluated.
    """
    # A pair's outcomes lie with its synthetic set.
    outcomes = read_outcomes(evaluation if train == NATURAL else train)
    return outcomes[(outcomes["train"] == train) & (outcomes["evaluation"] == evaluation)]


def right_of_seeds(train: str, evaluation: str) -> pd.DataFrame:
    """Return what the classifiers of one set got right of another's validation split.

    bool; a row an image (cls, key), in the order of both; a column a classifier seed. Raises
    InputError if the pair's synthetic set has not been evaluated.
    """
    pair = outcomes_of_pair(train, evaluation)
    return pair.assign(right=pair["predicted"] == pair["cls"]).pivot(
        index=["cls", "key"], columns="seed", values="right"
    )


def accuracy_row(train: str, evaluation: str) -> Row:
    """Return a row of Table 1 or 2: trained on one set, evaluated on another's validation split.

    Where the natural set is ImageNet's validation pictures, a row evaluated on it has besides
    `real_accuracy`, percent by ReaL labels, of `real_n` images.

    Raises InputError if the pair's synthetic set has not been evaluated.
    """
    row: Row = asdict(mean_accuracy(*_right_and_labels(train, evaluation)))
    if evaluation != NATURAL:
        return row
    return row | real_figures(outcomes_of_pair(train, evaluation))


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


def class_accuracies(train: str, evaluation: str) -> dict[int, float]:
    """Return what `accuracy_row` averages: percent by class, by ImageNet's label."""
    percent, classes = per_class_accuracy(*_right_and_labels(train, evaluation))
    return dict(zip(classes.tolist(), percent.tolist(), strict=True))


def _right_and_labels(train: str, evaluation: str) -> tuple[np.ndarray, np.ndarray]:
    """Return what each classifier of a pair has right, bool [S, N], and the labels [N]."""
    right = right_of_seeds(train, evaluation)
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


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The queries of a row of Table 6."""

    of_what: str  # the row, for the sentence that says why it has no figures
    queries: Embeddings
    rng: np.random.Generator  # draws among equally near centroids
    knn: bool  # without it the two k-nn accuracies are absent, as in the paper's last rows


# What figures of a row are means of: bool [Q] for each accuracy, and `cosine`, float64 [Q].
Outcomes = dict[str, np.ndarray]


def clip_rows(
    references: Embeddings, asked: Sequence[Asked], *, memory: float, device: str, label: str
) -> list[tuple[Row, Outcomes] | Undefined]:
    """Return the rows of Table 6 that have these references, with what they are means of.

    A row that these embeddings have no figures for says why. The references are searched once for
    all rows, on `device`; `memory` GiB bound that search, and change no result. `label` names it.
    """
    try:
        centroids, classes = class_centroids(references.vectors, references.labels)
    except UndefinedMeasure as error:
        return [Undefined(f"{each.of_what}: {error}.") for each in asked]
    of_centroids = [_centroid_outcomes(each, centroids, classes) for each in asked]
    defined = [not isinstance(each, Undefined) for each in of_centroids]
    searched = [each for each, there in zip(asked, defined, strict=True) if each.knn and there]
    found = find_nearest(
        [each.queries.vectors for each in searched],
        references.vectors,
        NEIGHBOURS,
        memory=memory,
        device=device,
        label=label,
    )
    neighbours = iter(found)
    rows: list[tuple[Row, Outcomes] | Undefined] = []
    for each, outcomes in zip(asked, of_centroids, strict=True):
        if isinstance(outcomes, Undefined):
            rows.append(outcomes)
            continue
        if each.knn:
            labels = references.labels[next(neighbours)]
            outcomes["knn1_accuracy"] = labels[:, 0] == each.queries.labels
            outcomes["knn5_accuracy"] = vote(labels) == each.queries.labels
        cosines = outcomes.pop("cosine")
        row: Row = {name: accuracy_percent(right) for name, right in outcomes.items()}
        row["avg_cosine_similarity"] = float(cosines.mean())
        rows.append((row, outcomes | {"cosine": cosines}))
    return rows


def _centroid_outcomes(
    asked: Asked, centroids: np.ndarray, classes: np.ndarray
) -> Outcomes | Undefined:
    vectors, labels = asked.queries.vectors, asked.queries.labels
    try:
        right = centroid_outcomes(vectors, labels, centroids, classes, asked.rng)
        cosines = own_cosines(vectors, labels, centroids, classes)
    except UndefinedMeasure as error:
        return Undefined(f"{asked.of_what}: {error}.")
    return {"centroid_accuracy": right, "cosine": cosines}


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


def distance_values(embeddings: Embeddings, count: int) -> pd.DataFrame:
    """Return what a set's Centroid Distance is the mean of, an image a row: cls, key, value.

    The images are those of `distance_row`.
    """
    parts = []
    for label in np.unique(embeddings.labels):
        of_class = _of_class(embeddings, label)
        vectors, labels = first_of_each_class(of_class, count)
        values = squared_codiffs(vectors, labels)
        parts.append(pd.DataFrame({"cls": labels, "key": of_class.keys[:count], "value": values}))
    return pd.concat(parts, ignore_index=True)


def _of_class(embeddings: Embeddings, label: int) -> Embeddings:
    chosen = embeddings.labels == label
    return Embeddings(
        vectors=embeddings.vectors[chosen],
        labels=embeddings.labels[chosen],
        keys=embeddings.keys[chosen],
    )
