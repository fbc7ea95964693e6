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

    @property
    def holds_zero(self) -> bool:
        """For a difference: is it inside its own noise?"""
        return self.low <= 0.0 <= self.high


def bootstrap(values: Floats, labels: Labels, resamples: int, rng: np.random.Generator) -> Interval:
    """Percentile interval of the mean of `values`, resampled with replacement within classes.

    Whatever the values were measured against (references, classifiers) stays as it was. For a
    difference between two sets give the differences, image for image of the same class and
    number: what the two share then cancels, as it should.

    values: [Q], numbers or right and wrong; labels: [Q]. Raises UndefinedMeasure for none.
    """
    return _interval(values.mean(dtype=np.float64), resampled_means(values, labels, resamples, rng))


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
        resampled_means(values, np.zeros(len(values)), resamples, rng) for values in (left, right)
    )
    return _interval(left.mean() - right.mean(), of_left - of_right)


def resampled_means(
    values: Floats, labels: Labels, resamples: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Means of `values`, each time drawn with replacement within classes; [resamples].

    values: [Q]; labels: [Q]. Raises UndefinedMeasure for none.
    """
    require_labels(labels, len(values), "values")
    totals = np.zeros(resamples)
    for label in np.unique(labels):
        of_class = np.asarray(values[labels == label], dtype=np.float64)
        count = len(of_class)
        times_drawn = rng.multinomial(count, np.full(count, 1.0 / count), size=resamples)
        totals += times_drawn @ of_class
    return totals / len(values)


def _interval(mean: float, resampled: NDArray[np.float64]) -> Interval:
    tail = (100.0 - CONFIDENCE) / 2.0
    low, high = np.percentile(resampled, [tail, 100.0 - tail])
    return Interval(mean=float(mean), low=float(low), high=float(high))
