"""Bootstrap intervals: cases whose distribution is known."""

import numpy as np
import pytest
from scipy import stats

from synset_factory.measures.bootstrap import (
    Interval,
    bootstrap,
    percentile_interval,
    resampled_means,
)

RESAMPLES = 20_000


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_of_right_and_wrong_in_one_class_it_is_the_binomial() -> None:
    values = np.repeat([True, False], [70, 30])
    found = bootstrap(values, np.zeros(100), RESAMPLES, rng())
    low, high = stats.binom(100, 0.7).ppf([0.025, 0.975]) / 100
    assert found.mean == pytest.approx(0.7)
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.0101)


def test_of_numbers_it_is_that_of_scipy() -> None:
    values = np.random.default_rng(1).gamma(2.0, size=60)
    found = bootstrap(values, np.zeros(60), RESAMPLES, rng())
    expected = stats.bootstrap(
        (values,), np.mean, n_resamples=RESAMPLES, method="percentile", rng=rng()
    ).confidence_interval
    assert (found.low, found.high) == pytest.approx(tuple(expected), abs=0.02)


def test_what_differs_between_classes_alone_is_no_uncertainty() -> None:
    labels = np.repeat([3, 8], 50)
    found = bootstrap(labels == 3, labels, RESAMPLES, rng())
    assert found == Interval(mean=0.5, low=0.5, high=0.5)


def test_a_class_of_more_queries_counts_more_as_in_the_mean() -> None:
    values, labels = np.array([1.0, 0.0, 0.0, 0.0]), np.array([1, 2, 2, 2])
    assert bootstrap(values, labels, RESAMPLES, rng()) == Interval(mean=0.25, low=0.25, high=0.25)


def test_a_paired_difference_is_surer_than_two_intervals_apart() -> None:
    shared = np.random.default_rng(2).normal(size=200)
    labels = np.zeros(200)
    better = bootstrap(shared + 0.1, labels, RESAMPLES, rng())
    worse = bootstrap(shared, labels, RESAMPLES, rng())
    assert better.low < worse.high  # the two overlap
    difference = bootstrap((shared + 0.1) - shared, labels, RESAMPLES, rng())
    assert not difference.low <= 0.0 <= difference.high
    assert difference.high - difference.low < 1e-12


def test_no_values_are_named() -> None:
    with pytest.raises(ValueError, match="there are no values"):
        bootstrap(np.zeros(0), np.zeros(0), 10, rng())


def test_columns_are_resampled_alike() -> None:
    values = np.random.default_rng(3).normal(size=(50, 1))
    labels = np.arange(50) % 3
    means = resampled_means(np.hstack([values, values, 2.0 * values]), labels, 200, rng())
    assert np.array_equal(means[:, 0], means[:, 1])
    assert means[:, 2] == pytest.approx(2.0 * means[:, 0])
    assert means[:, 0].std() > 0.0


def test_each_class_keeps_its_number_of_queries() -> None:
    labels = np.array([7, 3, 7, 3, 7])
    means = resampled_means((labels == 7)[:, None], labels, 50, rng())
    assert means[:, 0] == pytest.approx(np.full(50, 0.6))


def test_classes_are_resampled_independently() -> None:
    labels = np.repeat([1, 2], 100)
    first, second = np.random.default_rng(4).normal(size=(2, 100))
    columns = np.zeros((200, 2))
    columns[:100, 0], columns[100:, 1] = first, second
    means = resampled_means(columns, labels, RESAMPLES, rng())
    assert abs(np.corrcoef(means.T)[0, 1]) < 0.03
    expected = [values.std() / np.sqrt(100) / 2 for values in (first, second)]
    assert means.std(axis=0) == pytest.approx(expected, rel=0.03)


def test_the_ends_of_the_interval_leave_out_a_fortieth_on_either_side() -> None:
    assert percentile_interval(np.arange(0.0, 1001.0)) == pytest.approx((25.0, 975.0))
