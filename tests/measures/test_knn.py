"""k-nn: exact in any blocks, ties by rule."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import KNeighborsClassifier

from synset_factory.measures.accuracy import accuracy_percent
from synset_factory.measures.centroids import centroid_accuracy, class_centroids
from synset_factory.measures.knn import (
    QUERY_BLOCK,
    REFERENCE_BLOCK,
    block_sizes,
    knn_predict,
    nearest,
    vote,
)

seeds = st.integers(0, 2**32 - 1)
property_test = settings(deadline=None, derandomize=True, max_examples=30)


def clusters(seed: int, rows: int, dims: int = 12) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 5, rows)
    means = np.random.default_rng(99).normal(1.0, 0.5, (5, dims))
    return (means[labels] + rng.normal(size=(rows, dims))).astype(np.float32), labels


def has_one_winner(neighbour_labels: np.ndarray) -> np.ndarray:
    counts = (neighbour_labels[:, :, None] == np.arange(5)).sum(axis=1)
    return np.equal((counts == counts.max(axis=1, keepdims=True)).sum(axis=1), 1)


def test_neighbours_by_hand() -> None:
    references = np.array([[0, 1], [9, 1], [1, 1], [-1, 0]], dtype=np.float32)
    queries = np.array([[2, 0], [0, 3]], dtype=np.float32)
    assert nearest(queries, references, 3).tolist() == [[1, 2, 0], [0, 2, 1]]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("k", [1, 5])
def test_equals_scikit_learn(seed: int, k: int) -> None:
    references, reference_labels = clusters(seed, 300)
    queries, labels = clusters(seed + 100, 200)
    theirs = KNeighborsClassifier(k, metric="cosine", algorithm="brute")
    theirs.fit(references.astype(np.float64), reference_labels)
    rows = nearest(queries, references, k, query_block=64, reference_block=77)
    expected = theirs.kneighbors(queries.astype(np.float64), return_distance=False)
    assert np.array_equal(rows, expected)
    predicted = knn_predict(queries, references, reference_labels, k)
    untied = has_one_winner(reference_labels[rows])
    assert np.array_equal(predicted[untied], theirs.predict(queries.astype(np.float64))[untied])
    assert untied.mean() > 0.5 and 30 < accuracy_percent(predicted == labels) < 95


@pytest.mark.parametrize("query_block", [1, 3, 50, 1000])
@pytest.mark.parametrize("reference_block", [1, 2, 7, 90, 1000])
def test_blocks_of_any_size_give_the_same(query_block: int, reference_block: int) -> None:
    queries, _ = clusters(1, 50, dims=96)
    references, _ = clusters(2, 30, dims=96)
    references = np.tile(references, (3, 1))  # every similarity occurs three times
    found = nearest(
        queries, references, 7, query_block=query_block, reference_block=reference_block
    )
    assert np.array_equal(found, nearest(queries, references, 7))
    # A reference and its copies come together, in the order of their rows.
    assert np.array_equal(found[:, 1], found[:, 0] + 30)
    assert np.array_equal(found[:, 2], found[:, 0] + 60)


@pytest.mark.parametrize(("mebibytes", "dims"), [(1, 3), (2, 24), (4, 96), (8, 4)])
def test_a_search_takes_no_more_memory_than_was_set_and_makes_use_of_it(
    mebibytes: int, dims: int
) -> None:
    query_block, reference_block = block_sizes(mebibytes / 1024, dims)
    assert 1 < query_block < QUERY_BLOCK  # neither end: the bound is at work
    queries, _ = clusters(1, 2 * query_block, dims)
    references, _ = clusters(2, 2 * reference_block, dims)
    tracemalloc.start()
    nearest(queries, references, 5, query_block=query_block, reference_block=reference_block)
    peak = tracemalloc.get_traced_memory()[1] - len(queries) * 5 * 16
    tracemalloc.stop()
    assert 0.5 * mebibytes < peak / 2**20 < mebibytes


def test_blocks_grow_with_memory_up_to_the_usual_ones() -> None:
    sizes = [block_sizes(memory, 768) for memory in (1e-9, 0.01, 0.1, 0.5, 4.0, float("inf"))]
    assert sizes == sorted(sizes) and sizes[0] == (1, 8)
    assert sizes[2] < sizes[3] == sizes[-1] == (QUERY_BLOCK, REFERENCE_BLOCK)


def test_the_first_k_of_a_larger_k() -> None:
    queries, _ = clusters(1, 40)
    references, _ = clusters(2, 60)
    assert np.array_equal(nearest(queries, references, 5)[:, :1], nearest(queries, references, 1))


@pytest.mark.parametrize(
    ("neighbours", "winner"),
    [
        ("abbca", "a"),  # a and b twice: a has the nearest
        ("cabba", "a"),  # c is nearest of all, but not among the tied
        ("cbaab", "b"),
        ("abcde", "a"),  # all tied
        ("abbbb", "b"),
        ("a", "a"),
    ],
)
def test_votes(neighbours: str, winner: str) -> None:
    assert vote(np.array([list(neighbours)])).tolist() == [winner]


def test_a_tied_vote_goes_to_the_nearest() -> None:
    references = np.array([[1.0, 0.3], [1.0, 0.1], [1.0, 0.2], [1.0, 0.4]], dtype=np.float32)
    labels = np.array(["far", "near", "far", "near"])
    query = np.array([[1, 0]], dtype=np.float32)
    assert knn_predict(query, references, labels, 4).tolist() == ["near"]
    assert knn_predict(query, references, labels, 3).tolist() == ["far"]
    assert knn_predict(query, references, labels, 2).tolist() == ["near"]


def test_equal_similarities_are_taken_in_the_order_of_the_references() -> None:
    references = np.array([[2, 0], [1, 0], [4, 0]], dtype=np.float32)
    query = np.array([[1, 1]], dtype=np.float32)
    assert nearest(query, references, 2).tolist() == [[0, 1]]
    assert knn_predict(query, references, np.array([6, 5, 4]), 3).tolist() == [6]


def test_fewer_references_than_k_all_vote() -> None:
    references = np.array([[1, 0], [0, 1], [1, 4]], dtype=np.float32)
    query = np.array([[1, 0]], dtype=np.float32)
    assert nearest(query, references, 5).tolist() == [[0, 2, 1]]
    assert nearest(query, references, 5, reference_block=2).tolist() == [[0, 2, 1]]
    assert knn_predict(query, references, np.array(["a", "b", "b"]), 5).tolist() == ["b"]


@property_test
@given(seeds)
def test_one_vector_a_class_makes_k5_k1_and_centroid_accuracy_equal(seed: int) -> None:
    """Rows 5, 11, 17, 23 and 29 of Table 6."""
    rng = np.random.default_rng(seed)
    prompts = rng.normal(1, 1, (9, 12)).astype(np.float32)
    classes = rng.permutation(9)
    labels = rng.integers(0, 9, 80)
    queries = (prompts[np.argsort(classes)][labels] + 2 * rng.normal(size=(80, 12))).astype("f4")
    neighbours = classes[nearest(queries, prompts, 5)]
    one, five = vote(neighbours[:, :1]), vote(neighbours)
    assert np.array_equal(one, five)
    found, found_classes = class_centroids(prompts, classes)
    accuracy = centroid_accuracy(queries, labels, found, found_classes, rng)
    assert accuracy == accuracy_percent(one == labels)


@property_test
@given(seeds)
def test_predictions_keep_under_order_length_and_rotation(seed: int) -> None:
    references, labels = clusters(seed, 60)
    queries, _ = clusters(seed + 1, 30)
    rng = np.random.default_rng(seed)
    predicted = knn_predict(queries, references, labels, 5)
    order, other = rng.permutation(30), rng.permutation(60)
    permuted = knn_predict(queries[order], references[other], labels[other], 5)
    assert np.array_equal(permuted, predicted[order])
    lengths = rng.uniform(0.01, 100, (60, 1))
    scaled = knn_predict(queries * lengths[:30], references * lengths, labels, 5)
    assert np.array_equal(scaled, predicted)
    turn = np.linalg.qr(rng.normal(size=(12, 12)))[0]
    assert np.array_equal(knn_predict(queries @ turn, references @ turn, labels, 5), predicted)


def test_errors() -> None:
    queries, labels = clusters(0, 4)
    with pytest.raises(ValueError, match="no references"):
        nearest(queries, queries[:0], 1)
    with pytest.raises(ValueError, match="at least 1"):
        nearest(queries, queries, 0)
    with pytest.raises(ValueError, match="4 references need labels"):
        knn_predict(queries, queries, labels[:3], 1)
    broken = queries.copy()
    broken[3] = np.nan
    with pytest.raises(ValueError, match="embedding row 3"):
        nearest(queries, broken, 1, reference_block=2)
