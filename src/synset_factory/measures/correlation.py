"""Do two measures of the same things rise together (Section 4's terms of the Fréchet distance)?"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from synset_factory.measures.vectors import Floats, UndefinedMeasure

SMALLEST_RANGE = 1e-9  # values that differ by less are one value but for rounding


@dataclass(frozen=True, kw_only=True)
class Correlation:
    """Each from -1 to 1."""

    pearson: float  # on a line
    spearman: float  # in the same order; equal values share the mean of their ranks


def correlation(left: Floats, right: Floats) -> Correlation:
    """Correlate two columns, [N] each, paired by their place.

    Raises UndefinedMeasure for fewer than three pairs (two lie on a line whatever they are), or for
    a column of one value. Raises ValueError where the lengths differ.
    """
    if left.shape != right.shape or left.ndim != 1:
        raise ValueError(f"columns to correlate are not of one length: {left.shape}, {right.shape}")
    if len(left) < 3:
        raise UndefinedMeasure(f"a correlation needs at least three pairs, not {len(left)}")
    if min(np.ptp(left), np.ptp(right)) < SMALLEST_RANGE:
        raise UndefinedMeasure("a column that is everywhere the same correlates with nothing")
    columns = pd.DataFrame({"left": left, "right": right})
    pearson, spearman = (
        float(columns.corr(method=method).to_numpy()[0, 1]) for method in ("pearson", "spearman")
    )
    return Correlation(pearson=pearson, spearman=spearman)
