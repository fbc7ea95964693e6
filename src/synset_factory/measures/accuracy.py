"""Accuracy in percent, with an interval over images and classifier seeds (Tables 1 and 2)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synset_factory.measures.vectors import Labels, require_labels

NORMAL_95 = 1.96  # two-sided 95% of the normal distribution
LARGEST_VARIANCE = 0.25  # of anything between 0 and 1


@dataclass(frozen=True, kw_only=True)
class MeanAccuracy:
    """The mean accuracy of several classifiers that differ in their seed only."""

    accuracy: float  # percent
    ci95_low: float  # percent
    ci95_high: float  # percent
    n: int  # images
    seeds: int  # classifiers
    seed_sd: float  # percentage points, sample standard deviation over seeds; 0.0 for one seed


def mean_accuracy(outcomes: NDArray[np.bool_], labels: Labels) -> MeanAccuracy:
    """Mean accuracy over classifier seeds and its 95% interval.

    The interval is mean +- 1.96 sqrt(V_images + V_seeds / S), cut at 0 and 100.
    V_images is the variance of the mean of p_i, image i's outcome averaged over seeds, stratified
    by class: sum_c n_c s_c^2 / N^2, with s_c^2 the sample variance of p_i within class c (for a
    class with one image, which has none, the largest possible: 1/4). V_seeds is the sample
    variance of the S accuracies, 0 for S = 1: one classifier, or one deterministic rule such as
    Centroid Accuracy.

    It covers: other evaluation images drawn from the same classes, as many of each, and (S > 1)
    other classifier seeds on the same training images. It does not cover: other classes, other
    prompts, or training images generated anew; with S = 1 not even another classifier seed.
    Chance that concerns one image and one seed enters both terms, so there the interval is
    slightly wide. 1.96 takes both variances as known, so with very few seeds that differ much it
    is narrow; and where every image is right, or every image wrong, its width is 0.
    Two sets evaluated on the same images are not independent: their difference is better known
    than the two intervals suggest.

    outcomes: bool [S, N], is image n right by classifier s; labels: [N], the images' classes.
    Raises ValueError for other shapes or types, or no images or no seeds.
    """
    _require_outcomes(outcomes, labels)
    seeds, images = outcomes.shape
    per_image = outcomes.mean(axis=0, dtype=np.float64)
    per_seed = outcomes.mean(axis=1, dtype=np.float64)
    seed_variance = float(per_seed.var(ddof=1)) if seeds > 1 else 0.0
    half = NORMAL_95 * np.sqrt(_image_variance(per_image, labels) + seed_variance / seeds)
    mean = per_image.mean()
    return MeanAccuracy(
        accuracy=float(100.0 * mean),
        ci95_low=float(100.0 * max(mean - half, 0.0)),
        ci95_high=float(100.0 * min(mean + half, 1.0)),
        n=images,
        seeds=seeds,
        seed_sd=float(100.0 * np.sqrt(seed_variance)),
    )


def per_class_accuracy(
    outcomes: NDArray[np.bool_], labels: Labels
) -> tuple[NDArray[np.float64], Labels]:
    """Accuracy of each class in percent, averaged over seeds (Table 4 is made of such).

    outcomes: bool [S, N], or [N] for one classifier; labels: [N]. Returns (percent float64 [C],
    classes [C] in sorted order). Raises ValueError as `mean_accuracy` does.
    """
    outcomes = np.atleast_2d(outcomes)
    _require_outcomes(outcomes, labels)
    classes, of_image = np.unique(labels, return_inverse=True)
    right = np.bincount(of_image, weights=outcomes.mean(axis=0, dtype=np.float64))
    return 100.0 * right / np.bincount(of_image), classes


def accuracy_percent(outcomes: NDArray[np.bool_]) -> float:
    """Percent of `outcomes` (bool, any shape) that are right; ValueError where there are none."""
    if outcomes.dtype != np.bool_ or outcomes.size == 0:
        raise ValueError("outcomes must be right or wrong (bool), and at least one")
    return float(100.0 * outcomes.mean(dtype=np.float64))


def accepted_outcomes(predicted: Labels, accepted: Sequence[Collection[int]]) -> NDArray[np.bool_]:
    """Is each prediction among the labels that its picture has? (Beyer et al. 2020: ReaL.)

    predicted: [N]; accepted: the labels of each of the N pictures. Returns bool [N].
    Raises ValueError where the numbers differ, or for a picture without any label: those count
    neither as right nor as wrong, and are left out before.
    """
    if len(predicted) != len(accepted):
        raise ValueError(f"{len(predicted)} predictions, but labels of {len(accepted)} pictures")
    if not all(accepted):
        raise ValueError("a picture has no label: leave it out")
    pairs = zip(predicted.tolist(), accepted, strict=True)
    return np.array([label in labels for label, labels in pairs], dtype=np.bool_)


def _image_variance(per_image: NDArray[np.float64], labels: Labels) -> float:
    """Variance of the mean of `per_image` [N] when classes are fixed and images are drawn."""
    _, of_image = np.unique(labels, return_inverse=True)
    counts = np.bincount(of_image)
    means = np.bincount(of_image, weights=per_image) / counts
    squares = np.bincount(of_image, weights=(per_image - means[of_image]) ** 2)
    variances = np.where(counts > 1, squares / np.maximum(counts - 1, 1), LARGEST_VARIANCE)
    return float((counts * variances).sum() / len(per_image) ** 2)


def _require_outcomes(outcomes: NDArray[np.bool_], labels: Labels) -> None:
    if outcomes.ndim != 2 or outcomes.dtype != np.bool_:
        raise ValueError(f"outcomes must be bool [S, N], not {outcomes.dtype} {outcomes.shape}")
    if len(outcomes) == 0:
        raise ValueError("there are no outcomes of any seed")
    require_labels(labels, outcomes.shape[1], "images")
