"""Unit vectors, codiff and the exact products that neighbours are compared by."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synset_factory.measures.vectors import codiff, fixed_point, unit_vectors


def embeddings(rows: int, dims: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, dims)).astype(np.float32)


def test_unit_vectors_by_hand() -> None:
    vectors = np.array([[3, 4], [0, -2], [8, 6]], dtype=np.float32)
    assert unit_vectors(vectors).tolist() == [[0.6, 0.8], [0.0, -1.0], [0.8, 0.6]]
    assert unit_vectors(vectors, np.array([2, 0])).tolist() == [[0.8, 0.6], [0.6, 0.8]]
    assert unit_vectors(vectors).dtype == np.float64


def test_the_input_is_not_changed() -> None:
    vectors = embeddings(3, 4).astype(np.float64)
    before = vectors.copy()
    unit_vectors(vectors)
    assert np.array_equal(vectors, before)


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_a_vector_without_direction_is_named(value: float) -> None:
    vectors = embeddings(9, 3)
    vectors[7] = value
    with pytest.raises(ValueError, match="embedding row 7 "):
        unit_vectors(vectors)
    with pytest.raises(ValueError, match="embedding row 7 "):
        unit_vectors(vectors, slice(4, 9))


def test_only_rows_of_vectors_are_embeddings() -> None:
    with pytest.raises(ValueError, match=r"\[N, D\]"):
        unit_vectors(np.ones(3, dtype=np.float32))


def test_codiff_by_hand() -> None:
    left = np.array([[1, 0], [0, 2], [-3, 0], [3, 4]], dtype=np.float32)
    assert codiff(left, np.array([5, 0], dtype=np.float32)) == pytest.approx([0, 1, 2, 0.4])
    assert codiff(left, left) == pytest.approx([0, 0, 0, 0], abs=1e-15)


def test_equal_rows_are_equal_bits_wherever_they_stand() -> None:
    vectors = embeddings(50, 768)
    vectors[31] = vectors[4]
    unit = unit_vectors(vectors)
    assert np.array_equal(unit[31], unit[4])
    assert np.array_equal(unit_vectors(vectors[31:32])[0], unit[4])
    assert np.array_equal(unit_vectors(np.asfortranarray(vectors)), unit)


@settings(deadline=None, derandomize=True, max_examples=40)
@given(st.integers(1, 800), st.integers(0, 2**32 - 1))
def test_products_are_exact_in_any_order(dims: int, seed: int) -> None:
    left, right = fixed_point(embeddings(3, dims, seed)), fixed_point(embeddings(4, dims, seed + 1))
    whole = left.astype(np.int64) @ right.astype(np.int64).T
    assert np.array_equal(left @ right.T, whole)
    assert np.array_equal(left[:, ::-1] @ right[:, ::-1].T, whole)


def test_products_at_their_largest_are_exact() -> None:
    vectors = fixed_point(embeddings(20, 768))
    assert np.array_equal((vectors @ vectors.T).diagonal(), (vectors.astype(np.int64) ** 2).sum(1))


def test_the_grid_moves_a_cosine_less_than_float32_does() -> None:
    left, right = embeddings(100, 768, 1), embeddings(100, 768, 2)
    exact = unit_vectors(left) @ unit_vectors(right).T
    assert np.abs(fixed_point(left) @ fixed_point(right).T / 2.0**52 - exact).max() < 5e-8
