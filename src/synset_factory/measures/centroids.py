"""Class centroids: Centroid Distance (Figure 5) and Centroid Accuracy (Tables 3 to 6)."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from synset_factory.measures.accuracy import accuracy_percent
from synset_factory.measures.vectors import (
    Floats,
    Labels,
    UndefinedMeasure,
    codiff,
    fixed_point,
    require_labels,
    unit_vectors,
)

QUERY_BLOCK = 4096  # queries compared at a time: bounds the memory, shapes no result
SHORTEST_MEAN = 1e-12  # a mean of unit vectors shorter than this is rounding, not a direction


def class_centroids(embeddings: Floats, labels: Labels) -> tuple[NDArray[np.float64], Labels]:
    """M_{S,c} = uvec(sum_i uvec(e^i)), the unit centroid of every class.

    embeddings: [N, D]; labels: [N], numbers or strings. Returns (centroids float64 [C, D],
    classes [C] in sorted order).
    Raises UndefinedMeasure for no embeddings, an embedding without a direction, or a class whose
    embeddings cancel out.
    """
    require_labels(labels, len(embeddings), "embeddings")
    classes = np.unique(labels)
    centroids = np.empty((len(classes), embeddings.shape[1]))
    for number, rows in enumerate(_rows_by_class(labels)):
        mean = unit_vectors(embeddings, rows).mean(axis=0)
        length = np.sqrt((mean * mean).sum())
        if length < SHORTEST_MEAN:
            raise UndefinedMeasure(
                f"the embeddings of class {classes[number]} cancel out: no centroid"
            )
        centroids[number] = mean / length
    return centroids, classes


def centroid_distance(embeddings: Floats, labels: Labels) -> tuple[float, NDArray[np.float64]]:
    """Centroid Distance as the paper prints it: the mean squared codiff to the class's centroid.

    Distance_{S,c} = sum_i codiff(e^i, M_{S,c})^2 / |E_{S,c}|, averaged across classes, each class
    counting once. Figure 5's own numbers are about 1,000 times too small for this formula (a mean
    cosine of 0.87 forces at least (1 - 0.87)^2 = 0.017): order and ratios compare, scale does not.

    embeddings: [N, D]; labels: [N]. Returns (the set's distance, float64 [C] a class, in the order
    of `class_centroids`). Raises ValueError as `class_centroids` does.
    """
    squares = squared_codiffs(embeddings, labels)
    per_class = np.array([np.mean(squares[rows]) for rows in _rows_by_class(labels)])
    return float(per_class.mean()), per_class


def squared_codiffs(embeddings: Floats, labels: Labels) -> NDArray[np.float64]:
    """codiff(e^i, M_{S,c})^2 of every embedding: what a Centroid Distance is the mean of.

    embeddings: [N, D]; labels: [N]. Returns float64 [N]. Raises ValueError as `class_centroids`
    does.
    """
    centroids, _ = class_centroids(embeddings, labels)
    squares = np.empty(len(embeddings))
    for rows, centroid in zip(_rows_by_class(labels), centroids, strict=True):
        squares[rows] = codiff(embeddings[rows], centroid) ** 2
    return squares


def centroid_outcomes(
    queries: Floats,
    query_labels: Labels,
    centroids: Floats,
    classes: Labels,
    rng: np.random.Generator,
) -> NDArray[np.bool_]:
    """Z(q, R) of Appendix A for every query: is the nearest centroid that of its own class?

    Near(q, R^c) is the centroid of highest cosine similarity. Where several are equally near
    (two classes that share one prompt have one centroid) each is drawn with equal chance from
    `rng`. Similarities are compared in `fixed_point`, where identical centroids always tie. Every
    query takes exactly one number of `rng`, tied or not.

    queries: [Q, D]; query_labels: [Q]; centroids: [C, D]; classes: [C], their labels, each once.
    Returns bool [Q]. Raises ValueError for a query class that has no centroid, naming it.
    """
    own = _own_centroid(query_labels, len(queries), classes, len(centroids))
    references = fixed_point(centroids).T
    draws = rng.random(len(queries))
    outcomes = np.empty(len(queries), dtype=np.bool_)
    for rows in _blocks(len(queries)):
        similarities = fixed_point(queries, rows) @ references
        tied = similarities == similarities.max(axis=1, keepdims=True)
        drawn = (draws[rows] * tied.sum(axis=1)).astype(np.intp)  # 0 .. tied - 1
        nearest = (tied.cumsum(axis=1) > drawn[:, None]).argmax(axis=1)
        outcomes[rows] = nearest == own[rows]
    return outcomes


def centroid_accuracy(
    queries: Floats,
    query_labels: Labels,
    centroids: Floats,
    classes: Labels,
    rng: np.random.Generator,
) -> float:
    """CA(Q, R) = sum_q Z(q, R) / |Q| of Appendix A, in percent.

    Arguments and errors are those of `centroid_outcomes`, which also gives what a class's own
    accuracy is made of.
    """
    return accuracy_percent(centroid_outcomes(queries, query_labels, centroids, classes, rng))


def own_cosines(
    queries: Floats, query_labels: Labels, centroids: Floats, classes: Labels
) -> NDArray[np.float64]:
    """Cosine similarity of every query to the centroid of its own class, float64 [Q].

    queries: [Q, D]; query_labels: [Q]; centroids: [C, D]; classes: [C], their labels, each once.
    Raises ValueError for a query class that has no centroid, naming it.
    """
    own = _own_centroid(query_labels, len(queries), classes, len(centroids))
    references = unit_vectors(centroids)
    cosines = np.empty(len(queries))
    for rows in _blocks(len(queries)):
        cosines[rows] = (unit_vectors(queries, rows) * references[own[rows]]).sum(axis=1)
    return cosines


def _rows_by_class(labels: Labels) -> list[NDArray[np.intp]]:
    """The rows of each class, classes in sorted order, rows in their own order."""
    order = np.argsort(labels, kind="stable")
    _, starts = np.unique(labels[order], return_index=True)
    return np.split(order, starts[1:])


def _own_centroid(
    query_labels: Labels, queries: int, classes: Labels, centroids: int
) -> NDArray[np.intp]:
    """For every query the row of its own class's centroid; ValueError where there is none."""
    require_labels(query_labels, queries, "queries")
    require_labels(classes, centroids, "centroids")
    in_order, places = np.unique(classes, return_index=True)
    if len(in_order) < len(classes):
        raise ValueError("a class has more than one centroid among the references")
    missing = np.setdiff1d(query_labels, classes)
    if len(missing):
        names = ", ".join(str(name) for name in missing)
        raise ValueError(f"among the queries but not among the references: class {names}")
    return places[np.searchsorted(in_order, query_labels)]


def _blocks(count: int) -> Iterator[slice]:
    return (slice(start, start + QUERY_BLOCK) for start in range(0, count, QUERY_BLOCK))
