"""The Fréchet distance, beside scipy's matrix root and cases that can be worked out by hand."""

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st

from synset_factory.measures.frechet import BLOCK, Frechet, Normal, frechet

RNG = np.random.default_rng(0)


def by_scipy(left: np.ndarray, right: np.ndarray) -> tuple[float, float]:
    """The formula as it is usually computed, in float64."""
    left = left / np.linalg.norm(left, axis=1, keepdims=True)
    right = right / np.linalg.norm(right, axis=1, keepdims=True)
    first, second = np.cov(left, rowvar=False), np.cov(right, rowvar=False)
    root = scipy.linalg.sqrtm(first @ second)
    mean = ((left.mean(axis=0) - right.mean(axis=0)) ** 2).sum()
    return float(mean), float(np.trace(first + second - 2.0 * np.real(root)))


@pytest.mark.parametrize("dimensions", [2, 16, 64])
def test_equal_to_scipy_on_random_embeddings(dimensions: int) -> None:
    left = RNG.normal(size=(300, dimensions)) + 0.5
    right = RNG.normal(size=(200, dimensions)) * np.linspace(0.5, 2.0, dimensions)
    found = frechet(Normal.of(left), Normal.of(right))
    mean, covariance = by_scipy(left, right)
    assert found.mean_term == pytest.approx(mean, rel=1e-10)
    assert found.covariance_term == pytest.approx(covariance, rel=1e-8)
    assert found.distance == found.mean_term + found.covariance_term


def test_more_embeddings_than_fit_in_a_block_have_one_mean_and_covariance() -> None:
    vectors = RNG.normal(size=(2 * BLOCK + 7, 3)) + 0.5
    found = Normal.of(vectors)
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    assert found.mean == pytest.approx(units.mean(axis=0))
    assert found.covariance == pytest.approx(np.cov(units, rowvar=False))


def test_a_case_by_hand() -> None:
    # Of diagonal covariances the second term is the sum of squared differences of deviations.
    left = Normal(mean=np.array([1.0, 0.0]), covariance=np.diag([4.0, 9.0]))
    right = Normal(mean=np.array([0.0, 2.0]), covariance=np.diag([1.0, 1.0]))
    assert frechet(left, right) == Frechet(
        mean_term=5.0, covariance_term=(2 - 1) ** 2 + (3 - 1) ** 2
    )


def test_fewer_embeddings_than_dimensions_give_a_distance() -> None:
    left, right = RNG.normal(size=(5, 32)), RNG.normal(size=(7, 32))
    found = frechet(Normal.of(left), Normal.of(right))
    assert np.isfinite(found.distance) and found.covariance_term > 0.0


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**31))
def test_symmetric_blind_to_order_scale_and_rotation_and_nothing_to_itself(seed: int) -> None:
    rng = np.random.default_rng(seed)
    left, right = rng.normal(size=(40, 6)) + 1.0, rng.normal(size=(30, 6))
    rotation, _ = np.linalg.qr(rng.normal(size=(6, 6)))
    base = frechet(Normal.of(left), Normal.of(right))
    for other in (
        frechet(Normal.of(right), Normal.of(left)),
        frechet(Normal.of(rng.permutation(left)), Normal.of(right)),
        frechet(Normal.of(left @ rotation), Normal.of(right @ rotation)),
        frechet(Normal.of(left * rng.uniform(0.1, 9.0, (40, 1))), Normal.of(right)),
    ):
        assert other.mean_term == pytest.approx(base.mean_term)
        assert other.covariance_term == pytest.approx(base.covariance_term)
    own = frechet(Normal.of(left), Normal.of(left))
    assert own.mean_term == 0.0
    assert own.covariance_term == pytest.approx(0.0, abs=1e-9)


def test_one_embedding_has_no_covariance() -> None:
    with pytest.raises(ValueError, match="at least two"):
        Normal.of(np.ones((1, 3)))
    with pytest.raises(ValueError, match="dimensions differ"):
        frechet(Normal.of(np.eye(3)), Normal.of(np.eye(4)))
