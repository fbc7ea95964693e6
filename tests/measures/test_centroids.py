"""Centroids, Centroid Distance, Centroid Accuracy and the average cosine similarity."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import NearestCentroid

from synset_factory.measures import centroids as module
from synset_factory.measures.accuracy import accuracy_percent
from synset_factory.measures.centroids import (
    centroid_accuracy,
    centroid_distance,
    centroid_outcomes,
    class_centroids,
    own_cosines,
    squared_codiffs,
)
from synset_factory.measures.vectors import unit_vectors

seeds = st.integers(0, 2**32 - 1)
property_test = settings(deadline=None, derandomize=True, max_examples=30)


def clusters(
    seed: int = 0, classes: int = 6, each: int = 20, dims: int = 16
) -> tuple[np.ndarray, np.ndarray]:
    """Overlapping classes in a cone, as CLIP's embeddings are: float32 [N, D], labels [N]."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(np.arange(classes), each))
    means = np.random.default_rng(99).normal(1.0, 0.5, (classes, dims))
    vectors = means[labels] + rng.normal(0, 1.0, (len(labels), dims))
    return vectors.astype(np.float32), labels


def outcomes(
    queries: np.ndarray, labels: np.ndarray, references: np.ndarray, reference_labels: np.ndarray
) -> np.ndarray:
    found, classes = class_centroids(references, reference_labels)
    return centroid_outcomes(queries, labels, found, classes, np.random.default_rng(0))


def rotation(dims: int, seed: int) -> np.ndarray:
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(dims, dims)))[0]


# -- centroids ------------------------------------------------------------------------------


def test_centroids_by_hand() -> None:
    vectors = np.array([[9, 0], [0, 2], [-1, 0]], dtype=np.float32)
    found, classes = class_centroids(vectors, np.array(["b", "b", "a"]))
    assert classes.tolist() == ["a", "b"]
    # Lengths do not count: (1, 0) + (0, 1), made a unit vector.
    assert found == pytest.approx(np.array([[-1, 0], [0.5**0.5, 0.5**0.5]]))


def test_embeddings_that_cancel_out_have_no_centroid() -> None:
    angles = 2 * np.pi * np.arange(3) / 3
    around = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    with pytest.raises(ValueError, match="class n1 cancel"):
        class_centroids(around, np.array(["n1"] * 3))


def test_labels_must_fit_the_embeddings() -> None:
    vectors, labels = clusters()
    with pytest.raises(ValueError, match="120 embeddings need labels"):
        class_centroids(vectors, labels[:-1])
    with pytest.raises(ValueError, match="no embeddings"):
        class_centroids(vectors[:0], labels[:0])


# -- Centroid Distance ----------------------------------------------------------------------


def test_centroid_distance_by_hand() -> None:
    right_angle = [[1, 0], [0, 1]]  # codiff 1 - sqrt(1/2) to the middle, both
    alone = [[0, 3]]  # its own centroid
    distance, per_class = centroid_distance(
        np.array(right_angle + alone, dtype=np.float32), np.array([4, 4, 7])
    )
    assert per_class == pytest.approx([(1 - 0.5**0.5) ** 2, 0])
    assert distance == pytest.approx((1 - 0.5**0.5) ** 2 / 2)


def test_centroid_distance_equals_a_plain_loop() -> None:
    vectors, labels = clusters(each=7)
    vectors, labels = vectors[3:], labels[3:]  # classes of different size count the same
    expected = []
    for wanted in range(6):
        unit = [v / np.linalg.norm(v) for v in vectors[labels == wanted].astype(np.float64)]
        middle = np.sum(unit, axis=0) / np.linalg.norm(np.sum(unit, axis=0))
        expected.append(sum((1 - u @ middle) ** 2 for u in unit) / len(unit))
    distance, per_class = centroid_distance(vectors, labels)
    assert per_class == pytest.approx(expected)
    assert distance == pytest.approx(sum(expected) / 6)


def test_each_image_has_its_own_part_of_distance_and_cosine_whatever_the_order() -> None:
    # At 45 degrees from its centroid each of class 3, at 0 degrees the one of class 8.
    vectors, labels = np.array([[1.0, 0.0], [0.0, 5.0], [0.0, 2.0]]), np.array([3, 8, 3])
    assert squared_codiffs(vectors, labels) == pytest.approx(
        [(1 - np.sqrt(0.5)) ** 2, 0.0, (1 - np.sqrt(0.5)) ** 2]
    )
    found, classes = class_centroids(vectors, labels)
    cosines = own_cosines(vectors, labels, found, classes)
    assert cosines == pytest.approx([np.sqrt(0.5), 1.0, np.sqrt(0.5)])


@property_test
@given(seeds)
def test_a_mean_cosine_bounds_the_distance_from_below(seed: int) -> None:
    """Jensen: mean(codiff^2) >= (mean codiff)^2. So 0.87 cannot go with Figure 5's 1e-5."""
    vectors, labels = clusters(seed)
    found, classes = class_centroids(vectors, labels)
    cosine = own_cosines(vectors, labels, found, classes).mean()
    assert centroid_distance(vectors, labels)[0] >= (1 - cosine) ** 2


def test_a_mean_cosine_of_087_forces_0017() -> None:
    angle = np.arccos(0.87)
    turns = 2 * np.pi * np.arange(8) / 8
    ring = np.stack([np.full(8, 0.87), *(np.sin(angle) * f(turns) for f in (np.sin, np.cos))], 1)
    distance, _ = centroid_distance(ring, np.zeros(8, dtype=int))
    assert distance == pytest.approx(0.13**2) and distance > 0.0167


@property_test
@given(seeds)
def test_centroid_distance_keeps_under_order_length_and_rotation(seed: int) -> None:
    vectors, labels = clusters(seed)
    rng = np.random.default_rng(seed)
    distance, per_class = centroid_distance(vectors, labels)
    order = rng.permutation(len(labels))
    lengths = rng.uniform(0.01, 100, (len(labels), 1))
    for changed, changed_labels in [
        (vectors[order], labels[order]),
        (vectors * lengths, labels),
        (vectors @ rotation(16, seed), labels),
    ]:
        again, per_class_again = centroid_distance(changed, changed_labels)
        assert again == pytest.approx(distance, rel=1e-9)
        assert per_class_again == pytest.approx(per_class, rel=1e-9)


# -- Centroid Accuracy ----------------------------------------------------------------------


def test_centroid_accuracy_by_hand() -> None:
    found = np.array([[1, 0], [0, 1]], dtype=np.float32)
    classes = np.array(["crane", "jay"])
    queries = np.array([[9, 1], [1, 2], [3, 1], [-1, 5]], dtype=np.float32)
    labels = np.array(["crane", "crane", "jay", "jay"])
    rng = np.random.default_rng(0)
    right = centroid_outcomes(queries, labels, found, classes, rng)
    assert right.tolist() == [True, False, False, True] and right.dtype == np.bool_
    assert centroid_accuracy(queries, labels, found, classes, rng) == 50.0


@pytest.mark.parametrize("seed", range(4))
def test_centroid_accuracy_equals_scikit_learn(seed: int) -> None:
    references, reference_labels = clusters(seed, each=30)
    queries, labels = clusters(seed + 100, each=50)
    theirs = NearestCentroid().fit(unit_vectors(references), reference_labels)
    # Its centroids are plain means and its distance is Euclidean, which between unit vectors
    # orders as the cosine does: made unit vectors they are the paper's.
    theirs.centroids_ = unit_vectors(theirs.centroids_)
    found, _ = class_centroids(references, reference_labels)
    assert found == pytest.approx(theirs.centroids_)
    predicted = theirs.predict(unit_vectors(queries))
    right = outcomes(queries, labels, references, reference_labels)
    assert np.array_equal(right, predicted == labels)
    assert 20 < accuracy_percent(right) < 95  # neither by chance nor by ease


@property_test
@given(seeds)
def test_outcomes_keep_under_order_length_and_rotation(seed: int) -> None:
    references, reference_labels = clusters(seed)
    queries, labels = clusters(seed + 1)
    rng = np.random.default_rng(seed)
    right = outcomes(queries, labels, references, reference_labels)
    order, other = rng.permutation(len(labels)), rng.permutation(len(reference_labels))
    lengths, turn = rng.uniform(0.01, 100, (len(labels), 1)), rotation(16, seed)
    permuted = outcomes(queries[order], labels[order], references[other], reference_labels[other])
    assert np.array_equal(permuted, right[order])
    scaled = outcomes(queries * lengths, labels, references * lengths[::-1], reference_labels)
    assert np.array_equal(scaled, right)
    turned = outcomes(queries @ turn, labels, references @ turn, reference_labels)
    assert np.array_equal(turned, right)


def test_outcomes_do_not_depend_on_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    queries, labels = clusters(1)
    references = np.repeat(clusters(0, each=1)[0][:3], 2, axis=0)  # every query meets a tie
    whole = outcomes(queries, labels, references, np.arange(6))
    cosine = own_cosines(queries, labels, references, np.arange(6)).mean()
    for block in (1, 7, 119, 120):
        monkeypatch.setattr(module, "QUERY_BLOCK", block)
        assert np.array_equal(outcomes(queries, labels, references, np.arange(6)), whole)
        again = own_cosines(queries, labels, references, np.arange(6)).mean()
        assert again == pytest.approx(cosine)


def two_classes_of_one_prompt(dims: int = 768) -> tuple[np.ndarray, np.ndarray]:
    """2000 queries of class 3, whose prompt, the nearest of all, is also that of class 8."""
    rng = np.random.default_rng(5)
    prompts = rng.normal(size=(11, dims)).astype(np.float32)
    prompts[8] = prompts[3]
    queries = prompts[3] + rng.normal(size=(2000, dims)).astype(np.float32)
    return queries, prompts


def test_equal_centroids_are_drawn_half_and_half() -> None:
    queries, prompts = two_classes_of_one_prompt()
    found, classes = class_centroids(prompts, np.arange(11))
    third, eighth = np.full(2000, 3), np.full(2000, 8)

    def right(labels: np.ndarray, seed: int) -> np.ndarray:
        return centroid_outcomes(queries, labels, found, classes, np.random.default_rng(seed))

    first, second = right(third, 1), right(third, 2)
    assert np.array_equal(right(third, 1), first)
    assert not np.array_equal(first, second)
    for drawn in (first, second):
        assert 42 < accuracy_percent(drawn) < 58  # 7 standard deviations
    assert np.array_equal(right(eighth, 1), ~first)  # it is always one of the two


def test_many_equal_centroids_are_drawn_equally_often() -> None:
    queries = np.ones((3000, 2), dtype=np.float32)
    rng = np.random.default_rng(0)
    shares = [
        centroid_accuracy(queries, np.full(3000, label), np.ones((3, 2)), np.arange(3), rng)
        for label in range(3)
    ]
    assert shares == pytest.approx([100 / 3] * 3, abs=6)  # 7 standard deviations


def test_a_query_in_the_middle_of_two_centroids_is_a_tie() -> None:
    queries = np.ones((1000, 2), dtype=np.float32)
    rng = np.random.default_rng(0)
    share = centroid_accuracy(queries, np.zeros(1000, int), np.eye(2), np.arange(2), rng)
    assert 39 < share < 61


def test_the_number_of_copies_of_a_prompt_does_not_break_the_tie() -> None:
    queries, prompts = two_classes_of_one_prompt()
    labels = np.r_[np.arange(11), np.full(12, 8)]
    found, classes = class_centroids(prompts[np.r_[np.arange(11), np.full(12, 3)]], labels)
    rng = np.random.default_rng(0)
    assert 42 < centroid_accuracy(queries, np.full(2000, 3), found, classes, rng) < 58


# -- average cosine -------------------------------------------------------------------------


def test_average_cosine_by_hand() -> None:
    found, classes = np.array([[0, 7], [2, 0]], dtype=np.float32), np.array(["b", "a"])
    queries = np.array([[3, 4], [1, 0], [3, 4]], dtype=np.float32)
    # To a: 0.6 and 1; to b: 0.8. Every query counts once, also where classes differ in size.
    value = own_cosines(queries, np.array(["a", "a", "b"]), found, classes).mean()
    assert value == pytest.approx((0.6 + 1 + 0.8) / 3)


def test_within_a_set_the_average_cosine_is_the_length_of_the_mean() -> None:
    vectors, _ = clusters()
    labels = np.zeros(len(vectors), dtype=int)
    found, classes = class_centroids(vectors, labels)
    length = np.linalg.norm(unit_vectors(vectors).mean(axis=0))
    assert own_cosines(vectors, labels, found, classes).mean() == pytest.approx(length)


def test_a_query_class_without_reference_is_named() -> None:
    found, classes = np.eye(2), np.array(["a", "c"])
    queries, labels = np.ones((3, 2)), np.array(["a", "b", "zebra"])
    with pytest.raises(ValueError, match="class b, zebra"):
        own_cosines(queries, labels, found, classes)
    with pytest.raises(ValueError, match="class b, zebra"):
        centroid_outcomes(queries, labels, found, classes, np.random.default_rng(0))


def test_a_class_has_one_centroid() -> None:
    with pytest.raises(ValueError, match="more than one centroid"):
        own_cosines(np.ones((1, 2)), np.array([0]), np.eye(2), np.array([0, 0]))
