"""Correlation beside scipy's, and columns that have none."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from synset_factory.measures.correlation import correlation
from synset_factory.measures.vectors import UndefinedMeasure


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**31), ties=st.booleans())
def test_equal_to_scipy_with_and_without_ties(seed: int, ties: bool) -> None:
    rng = np.random.default_rng(seed)
    left = rng.normal(size=40)
    right = left + rng.normal(size=40)
    if ties:
        left, right = np.round(left), np.round(right)
    found = correlation(left, right)
    assert found.pearson == pytest.approx(scipy.stats.pearsonr(left, right).statistic)
    assert found.spearman == pytest.approx(scipy.stats.spearmanr(left, right).statistic)


def test_by_hand_what_falls_in_order_but_on_no_line() -> None:
    # Deviations -1, 0, 1 and 4, -1, -3: -7 / sqrt(2 x 26).
    found = correlation(np.array([1.0, 2.0, 3.0]), np.array([9.0, 4.0, 2.0]))
    assert found.spearman == pytest.approx(-1.0)
    assert found.pearson == pytest.approx(-7 / np.sqrt(52))


def test_two_pairs_and_a_column_of_one_value_but_for_rounding_have_none() -> None:
    rising = np.array([1.0, 2.0, 3.0])
    with pytest.raises(UndefinedMeasure, match="at least three pairs, not 2"):
        correlation(rising[:2], rising[:2])
    for constant in (np.full(3, 0.3), np.array([0.0, 1e-16, -1e-16])):
        with pytest.raises(UndefinedMeasure, match="everywhere the same"):
            correlation(rising, constant)
    with pytest.raises(ValueError, match="not of one length"):
        correlation(rising, rising[:2])
