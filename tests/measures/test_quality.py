"""Measures of generated images, each beside the plain formula or the package that defined it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prdc import compute_prdc
from sklearn.gaussian_process.kernels import RBF
from sklearn.metrics.pairwise import polynomial_kernel
from vendi_score import vendi

from synset_factory.measures.quality import cmmd, kid, neighbourhoods, vendi_score
from synset_factory.measures.vectors import UndefinedMeasure

RNG = np.random.default_rng(0)


def directions(count: int, dimensions: int, spread: float = 1.0) -> np.ndarray:
    return np.eye(dimensions)[0] + spread * RNG.normal(size=(count, dimensions))


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize(("sizes", "k"), [((60, 40), 1), ((40, 60), 5), ((1100, 1200), 3)])
def test_neighbourhoods_equal_the_prdc_package(sizes: tuple[int, int], k: int) -> None:
    natural, generated = directions(sizes[0], 8), directions(sizes[1], 8, 0.5)
    expected = compute_prdc(unit(natural), unit(generated), nearest_k=k)
    found = neighbourhoods(natural, generated, k)
    for name in ("precision", "recall", "density", "coverage"):
        assert getattr(found, name) == pytest.approx(expected[name]), name


def test_neighbourhoods_by_hand() -> None:
    def at(*degrees: float) -> np.ndarray:
        angles = np.radians(degrees)
        return np.stack([np.cos(angles), np.sin(angles)], axis=1)

    # Natural balls (k = 1) reach 10 degrees at 0 and 10, and 20 at 30; generated ones 24 and 24.
    found = neighbourhoods(at(0, 10, 30), at(14, 38, 90), 1)
    assert found.precision == pytest.approx(2 / 3)  # 14 and 38, not 90
    assert found.recall == pytest.approx(1.0)  # each is within 24 degrees of 14 or 38
    assert found.density == pytest.approx((2 + 1 + 0) / 3)  # 14 lies in the balls of 10 and 30
    assert found.coverage == pytest.approx(2 / 3)  # nothing lies within 10 degrees of 0


def test_kid_equals_the_double_loop() -> None:
    left, right = directions(30, 16), directions(20, 16, 0.5)
    scaled = [unit(each) * np.sqrt(16) for each in (left, right)]
    total = 0.0
    for each in scaled:
        kernel = polynomial_kernel(each, degree=3, coef0=1)  # gamma is 1 / D
        n = len(each)
        total += sum(kernel[i, j] for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    total -= 2.0 * polynomial_kernel(*scaled, degree=3, coef0=1).mean()
    assert kid(left, right) == pytest.approx(total)


def test_cmmd_equals_its_published_formula() -> None:
    left, right = unit(directions(30, 16)), unit(directions(20, 16, 0.5))
    kernel = RBF(length_scale=10.0)
    expected = kernel(left).mean() + kernel(right).mean() - 2.0 * kernel(left, right).mean()
    assert cmmd(left, right) == pytest.approx(1000.0 * expected, rel=1e-6)


@pytest.mark.parametrize("count", [5, 16, 50])
def test_the_vendi_score_equals_its_package(count: int) -> None:
    embeddings = directions(count, 16)
    assert vendi_score(embeddings) == pytest.approx(vendi.score_dual(unit(embeddings)))


def test_the_vendi_score_counts_different_images() -> None:
    assert vendi_score(np.ones((7, 4))) == pytest.approx(1.0)
    assert vendi_score(np.eye(4)) == pytest.approx(4.0)
    assert vendi_score(np.repeat(np.eye(4), 3, axis=0)) == pytest.approx(4.0)


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 2**31))
def test_order_length_and_rotation_change_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    left, right = rng.normal(size=(20, 5)) + 1.0, rng.normal(size=(15, 5)) + 1.0
    rotation, _ = np.linalg.qr(rng.normal(size=(5, 5)))
    changed = rng.permutation(left * rng.uniform(0.1, 9.0, (20, 1))) @ rotation
    for measure in (kid, cmmd):
        assert measure(changed, right @ rotation) == pytest.approx(measure(left, right), abs=1e-9)
    assert vendi_score(changed) == pytest.approx(vendi_score(left))
    assert neighbourhoods(changed, right @ rotation, 3) == neighbourhoods(left, right, 3)


def test_copies_are_never_nearer_than_copies_however_they_are_turned() -> None:
    # Generated copies of one natural image: all within natural neighbourhoods, and nothing else.
    natural, copies = directions(30, 8), np.empty((20, 8))
    copies[:] = 3.0 * natural[0]
    rotation, _ = np.linalg.qr(RNG.normal(size=(8, 8)))
    found = neighbourhoods(natural, copies, 5)
    assert (found.precision, found.recall) == (1.0, 0.0)
    assert neighbourhoods(natural @ rotation, copies @ rotation, 5) == found
    # Natural copies have no neighbourhoods that anything could lie in.
    with pytest.raises(UndefinedMeasure, match="each natural image has 5 copies of itself"):
        neighbourhoods(copies @ rotation, natural @ rotation, 5)


def test_too_few_images_are_named() -> None:
    with pytest.raises(ValueError, match="more than 5 images"):
        neighbourhoods(np.eye(5), np.eye(8)[:, :5] + 1.0, 5)
    with pytest.raises(ValueError, match="at least two"):
        kid(np.ones((1, 3)), np.eye(3))
