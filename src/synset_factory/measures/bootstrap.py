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

    values: [Q], numbers or right and wrong; labels: [Q]. Raises ValueError for none.
    """
    require_labels(labels, len(values), "values")
    totals = np.zeros(resamples)
    for label in np.unique(labels):
        of_class = np.asarray(values[labels == label], dtype=np.float64)
        totals += _resampled_sums(of_class, resamples, rng)
    tail = (100.0 - CONFIDENCE) / 2.0
    low, high = np.percentile(totals / len(values), [tail, 100.0 - tail])
    return Interval(mean=float(np.mean(values)), low=float(low), high=float(high))


def _resampled_sums(
    values: NDArray[np.float64], resamples: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Sum as many draws with replacement as there are values, `resamples` times."""
    count = len(values)
    times_drawn = rng.multinomial(count, np.full(count, 1.0 / count), size=resamples)
    return np.asarray(times_drawn @ values)
