"""Centroid-shift between two sets, and the split of an error by diversity and shift (Section 3)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synset_factory.measures.centroids import class_centroids
from synset_factory.measures.vectors import Floats, Labels, UndefinedMeasure, codiff


def centroid_shifts(
    left: Floats, left_labels: Labels, right: Floats, right_labels: Labels
) -> tuple[NDArray[np.float64], Labels]:
    """codiff(r_1, r_2) of the centroids that each class has in two sets ("Reason #3").

    left: [N, D]; right: [M, D]; labels: [N] and [M]. Returns (float64 [C], 0 to 2, classes [C] in
    sorted order: those that both sets have). Raises UndefinedMeasure as `class_centroids` does, or
    where the two have no class in common.
    """
    first, first_classes = class_centroids(left, left_labels)
    second, second_classes = class_centroids(right, right_labels)
    common, in_first, in_second = np.intersect1d(
        first_classes, second_classes, assume_unique=True, return_indices=True
    )
    if len(common) == 0:
        raise UndefinedMeasure("the two sets have no class in common")
    return codiff(first[in_first], second[in_second]), common


@dataclass(frozen=True, kw_only=True)
class ErrorSplit:
    """The error of finding images by their prompt, in percentage points of all queries."""

    error: float  # against prompts (experiment 17)
    diversity: float  # what remains against the images' own centroids (experiment 15)
    centroid_shift: float  # the difference: only the centroid has changed


def split_error(by_prompts: float, by_own_centroids: float) -> ErrorSplit:
    """Split an error as the paper does: 25.1 = 18.0 (diversity) + 7.1 (centroid-shift).

    Both arguments are Centroid Accuracies in percent, of the same queries. A centroid-shift below
    0 says that the prompts are the better references.
    """
    return ErrorSplit(
        error=100.0 - by_prompts,
        diversity=100.0 - by_own_centroids,
        centroid_shift=by_own_centroids - by_prompts,
    )
