"""One plane between prompts and images: cases by hand, and beside scikit-learn's other solver."""

import numpy as np
import pytest
from sklearn.svm import SVC

from synset_factory.measures.separability import separability
from synset_factory.measures.vectors import UndefinedMeasure

RNG = np.random.default_rng(0)


def around(direction: list[float], count: int, spread: float) -> np.ndarray:
    return np.array(direction) + spread * RNG.normal(size=(count, len(direction)))


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_two_opposite_directions_are_as_far_apart_as_can_be() -> None:
    prompts, images = np.array([[-3.0, 0.0]]), np.array([[0.5, 0.0]])
    found = separability(prompts, images, prompts, images)
    assert found.accuracy == 100.0
    assert found.margin == pytest.approx(1.0, abs=1e-3)  # the plane is midway between -1 and 1


def test_clusters_apart_separate_with_the_margin_of_the_exact_solver() -> None:
    first, second = [1.0, 0.0, 0.0, 1.0], [0.0, 1.0, 0.0, 1.0]
    fit = around(first, 80, 0.1), around(second, 300, 0.1)
    held_out = around(first, 40, 0.1), around(second, 60, 0.1)
    found = separability(*fit, *held_out)
    exact = SVC(kernel="linear", C=1e4).fit(
        unit(np.concatenate(fit)), np.repeat([-1, 1], [len(each) for each in fit])
    )
    length = np.linalg.norm(exact.coef_)
    margin = min(
        (sign * exact.decision_function(unit(each)) / length).min()
        for sign, each in zip((-1, 1), held_out, strict=True)
    )
    assert found.accuracy == 100.0
    assert found.margin == pytest.approx(margin, rel=0.01)


def test_one_cloud_does_not_separate_and_a_modality_counts_half_whatever_its_size() -> None:
    cloud = [1.0, 1.0, 1.0, 1.0]
    found = separability(*(around(cloud, count, 0.5) for count in (400, 2000, 400, 2000)))
    assert 40.0 < found.accuracy < 60.0
    assert found.margin < 0.0


def test_embeddings_of_one_direction_have_no_plane_between_them() -> None:
    same = np.ones((4, 3)) * np.array([[1.0], [2.0], [3.0], [7.0]])
    with pytest.raises(UndefinedMeasure, match="all have one direction"):
        separability(same, 2.0 * same, same, same)
