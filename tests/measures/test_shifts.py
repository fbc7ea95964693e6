"""Centroid-shift and the split of the error: by hand, and what must not change them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synset_factory.measures.shifts import ErrorSplit, centroid_shifts, split_error


def test_shifts_by_hand() -> None:
    left = np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    right = np.array([[0.0, 5.0], [0.0, -1.0], [3.0, 3.0]])
    shifts, classes = centroid_shifts(left, np.array([1, 1, 2, 9]), right, np.array([1, 2, 4]))
    assert list(classes) == [1, 2]  # 9 and 4 are in one set only
    assert shifts == pytest.approx([1.0, 2.0])  # at a right angle, and opposite


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**31))
def test_symmetric_and_blind_to_order_length_and_rotation(seed: int) -> None:
    rng = np.random.default_rng(seed)
    left, right = rng.normal(size=(30, 5)) + 1.0, rng.normal(size=(24, 5)) + 1.0
    first, second = np.repeat(["a", "b", "c"], 10), np.repeat(["a", "b", "c"], 8)
    rotation, _ = np.linalg.qr(rng.normal(size=(5, 5)))
    order = rng.permutation(30)
    base, _ = centroid_shifts(left, first, right, second)
    back, _ = centroid_shifts(right, second, left, first)
    turned, _ = centroid_shifts(
        3.0 * left[order] @ rotation, first[order], right @ rotation, second
    )
    assert back == pytest.approx(base)
    assert turned == pytest.approx(base)
    assert centroid_shifts(left, first, left, first)[0] == pytest.approx([0.0] * 3, abs=1e-12)


def test_sets_without_a_common_class_are_named() -> None:
    with pytest.raises(ValueError, match="no class in common"):
        centroid_shifts(np.eye(2), np.array([1, 2]), np.eye(2), np.array([3, 4]))


def test_the_papers_own_split() -> None:
    found = split_error(by_prompts=74.9, by_own_centroids=82.0)
    assert found == ErrorSplit(
        error=pytest.approx(25.1), diversity=pytest.approx(18.0), centroid_shift=pytest.approx(7.1)
    )
