"""The plane of a scatter of embeddings is that of their principal components."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from synset_factory.measures.vectors import UndefinedMeasure
from synset_factory.site.projection import principal_plane

VECTORS = np.random.default_rng(0).standard_normal((40, 6)) * np.array([5, 3, 1, 1, 0.5, 0.1])


def test_the_plane_is_scikit_learns_but_for_the_signs() -> None:
    mean, directions, shares = principal_plane(VECTORS)
    reference = PCA(n_components=2).fit(VECTORS)
    assert mean == pytest.approx(reference.mean_)
    assert abs(directions.T @ reference.components_.T) == pytest.approx(np.eye(2), abs=1e-9)
    assert shares == pytest.approx(100 * reference.explained_variance_ratio_)


def test_points_of_a_plane_keep_their_distances() -> None:
    flat = np.random.default_rng(1).standard_normal((10, 2))
    basis, _ = np.linalg.qr(np.random.default_rng(2).standard_normal((7, 2)))
    vectors = flat @ basis.T + 3.0
    mean, directions, shares = principal_plane(vectors)
    places = (vectors - mean) @ directions
    for i in range(10):
        distances = np.linalg.norm(flat - flat[i], axis=1)
        assert np.linalg.norm(places - places[i], axis=1) == pytest.approx(distances)
    assert sum(shares) == pytest.approx(100)


def test_the_order_of_the_embeddings_does_not_turn_the_plane_round() -> None:
    _, directions, _ = principal_plane(VECTORS)
    _, shuffled, _ = principal_plane(VECTORS[np.random.default_rng(3).permutation(40)])
    assert shuffled == pytest.approx(directions)


@pytest.mark.parametrize("vectors", [np.ones((5, 3)), np.eye(2, 3)])
def test_embeddings_that_span_no_plane_are_said_to_span_none(vectors: np.ndarray) -> None:
    with pytest.raises(UndefinedMeasure, match="plane"):
        principal_plane(vectors)
