"""Directions of embeddings: unit vectors, the complement of cosine similarity, exact comparison.

CLIP compares directions only, so every measure of its space starts here. Embeddings come as
float32 and everything is summed in float64.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Labels = NDArray[Any]

GRID = 2.0**26
ALL_ROWS = slice(None)


class UndefinedMeasure(ValueError):
    """These embeddings have no such measure: one sentence for the reader, without a full stop."""


def unit_vectors(vectors: Floats, rows: slice | NDArray[np.intp] = ALL_ROWS) -> NDArray[np.float64]:
    """uvec(v) = v / |v| of the chosen rows of `vectors` [N, D]; float64 [len(rows), D].

    Raises UndefinedMeasure, naming the row of `vectors`, where one is zero or not finite.
    """
    if vectors.ndim != 2:
        raise ValueError(f"embeddings must be an array [N, D], not of shape {vectors.shape}")
    # C order: each row is then summed in one fixed way, so equal rows give equal bits wherever
    # they stand.
    chosen = np.array(vectors[rows], dtype=np.float64, order="C")
    lengths = np.sqrt((chosen * chosen).sum(axis=1))
    bad = ~(np.isfinite(lengths) & (lengths > 0.0))
    if bad.any():
        row = np.arange(len(vectors))[rows][bad][0]
        raise UndefinedMeasure(
            f"embedding row {row} has length {lengths[bad][0]}: it has no direction"
        )
    chosen /= lengths[:, None]
    return chosen


def codiff(left: Floats, right: Floats) -> NDArray[np.float64]:
    """codiff(x, y) = 1 - uvec(x) . uvec(y), row by row (the paper's "Reason #2" and "#3").

    left: [N, D]; right: [N, D], or [D] for one vector against every row. Returns float64 [N].
    Raises ValueError where a vector has no direction.
    """
    cosines = (unit_vectors(left) * unit_vectors(np.atleast_2d(right))).sum(axis=1)
    return np.asarray(1.0 - cosines, dtype=np.float64)


def fixed_point(vectors: Floats, rows: slice | NDArray[np.intp] = ALL_ROWS) -> NDArray[np.float64]:
    """Unit vectors rounded to whole multiples of 2**-26, as whole numbers in float64 [., D].

    A dot product of two such rows is a sum of whole numbers that stays below 2**53 (Cauchy and
    Schwarz: about 2**52 for unit vectors), so float64 holds every step of it without rounding.
    `fixed_point(a) @ fixed_point(b).T`, the cosine times 2**52, is therefore the same bits
    whatever BLAS, number of threads or block size computed it: equal vectors tie exactly, and
    which neighbour is nearest depends on nothing but the embeddings. The grid moves a cosine of
    768 dimensions by about 1e-8, less than the float32 of the embeddings does.
    """
    return np.rint(unit_vectors(vectors, rows) * GRID)


def require_labels(labels: Labels, count: int, of_what: str) -> None:
    """Raise ValueError unless `labels` is [count], UndefinedMeasure if count is 0."""
    if count == 0:
        raise UndefinedMeasure(f"there are no {of_what}")
    if labels.shape != (count,):
        raise ValueError(f"{count} {of_what} need labels [{count}], not of shape {labels.shape}")
