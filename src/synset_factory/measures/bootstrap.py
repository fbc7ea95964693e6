"""Bootstrap intervals: what other queries of the same classes might have given."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synset_factory.measures.vectors import Floats, Labels, require_labels

CONFIDENCE = 95.0  # percent


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A mean and the interval that holds 95% of its resampled values."""

    mean: float
    low: float
    high: float


def bootstrap(values: Floats, labels: Labels, resamples: int, rng: np.random.Generator) -> Interval:
    """Percentile interval of the mean of `values`, resampled with replacement within classes.

    Whatever the values were measured against (references, classifiers) stays as it was. For a
    difference between two sets give the differences, image for image of the same class and
    number: what the two share then cancels, as it should.

    values: [Q], numbers or right and wrong; labels: [Q]. Raises UndefinedMeasure for none.
    """
    resampled = _resampled(values, labels, resamples, rng)  # first: it refuses none
    return _interval(values.mean(), resampled)


def bootstrap_difference(
    left: Floats, right: Floats, resamples: int, rng: np.random.Generator, *, paired: bool
) -> Interval:
    """Interval of mean(left) - mean(right) within one class.

    left: [Q]; right: [Q] of the same queries where `paired`, otherwise any number.
    Raises UndefinedMeasure for none.
    """
    left, right = left.astype(np.float64), right.astype(np.float64)
    if paired:
        return bootstrap(left - right, np.zeros(len(left)), resamples, rng)
    of_left, of_right = (
        _resampled(values, np.zeros(len(values)), resamples, rng) for values in (left, right)
    )
    return _interval(left.mean() - right.mean(), of_left - of_right)


def _resampled(
    values: Floats, labels: Labels, resamples: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    return resampled_means(values[:, None], labels, resamples, rng)[:, 0]


def _interval(mean: float, resampled: NDArray[np.float64]) -> Interval:
    low, high = percentile_interval(resampled)
    return Interval(mean=float(mean), low=low, high=high)


def resampled_means(
    values: Floats, labels: Labels, resamples: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Means of `values` after resampling the queries with replacement, as many of each class.

    All columns are resampled alike, so the difference of two columns is that of paired queries.
    values: [Q, F], F figures of the same queries; labels: [Q]. Returns float64 [resamples, F].
    Memory beyond that: resamples x queries of the largest class. Raises ValueError for none.
    """
    require_labels(labels, len(values), "values")
    order = np.argsort(labels, kind="stable")
    starts = np.unique(labels[order], return_index=True)[1]
    totals = np.zeros((resamples, values.shape[1]))
    for rows in np.split(order, starts[1:]):
        times_drawn = rng.multinomial(len(rows), np.full(len(rows), 1.0 / len(rows)), resamples)
        totals += times_drawn @ values[rows].astype(np.float64)
    return totals / len(values)


def percentile_interval(resampled: NDArray[np.float64]) -> tuple[float, float]:
    """The ends of the interval that holds the middle 95% of resampled values [resamples]."""
    tail = (100.0 - CONFIDENCE) / 2.0
    low, high = np.percentile(resampled, [tail, 100.0 - tail])
    return float(low), float(high)
