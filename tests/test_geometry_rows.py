"""Rows on geometry: who is held out, what is correlated, and what order does not change."""

import numpy as np
import pytest
import scipy.stats

from synset_factory.class_values import ClassRows
from synset_factory.embedding_files import Embeddings
from synset_factory.geometry_rows import (
    centroid_distances_by_class,
    class_correlation_row,
    class_frechet_row,
    joined,
    sampled,
    separability_row,
    set_correlation_row,
    shifts_by_class,
)
from synset_factory.measures.centroids import centroid_distance, class_centroids
from synset_factory.measures.shifts import centroid_shifts
from synset_factory.measures.vectors import UndefinedMeasure
from tests.drawn_embeddings import embeddings

RNG = np.random.default_rng(0)


def on_sides(side: float, labels: list[int]) -> Embeddings:
    """One vector a label around the direction (side, 1), each of its own."""
    vectors = np.array([[side, 1.0, 0.01 * i] for i in range(len(labels))], dtype=np.float32)
    return Embeddings(
        vectors=vectors, labels=np.array(labels), keys=np.array([f"{i}" for i in labels])
    )


def test_terms_of_sets_correlate_with_accuracy_as_scipy_has_it() -> None:
    terms = {
        name: {"mean_term": mean, "covariance_term": covariance, "distance": 9.0}
        for name, mean, covariance in (("a", 0.3, 1.0), ("b", 0.2, 4.0), ("c", 0.1, 3.0))
    }
    row = set_correlation_row(terms, {"c": 70.0, "a": 20.0, "b": 30.0})
    accuracy = [20.0, 30.0, 70.0]
    assert row == {
        "mean_term_pearson": pytest.approx(scipy.stats.pearsonr([3, 2, 1], accuracy).statistic),
        "mean_term_spearman": pytest.approx(-1.0),
        "covariance_term_pearson": pytest.approx(
            scipy.stats.pearsonr([1, 4, 3], accuracy).statistic
        ),
        "covariance_term_spearman": pytest.approx(0.5),
        "n": 3,
    }


def test_terms_of_classes_are_paired_with_the_accuracy_of_the_same_set_and_class() -> None:
    rng = np.random.default_rng(1)
    found, accuracies, mean, covariance, accuracy = {}, {}, [], [], []
    for name in ("a", "b"):
        rows, of_class = {}, {}
        for label in (1, 2, 3, 4):
            values = rng.normal(size=3)
            mean.append(values[0])
            covariance.append(values[1])
            accuracy.append(values[2])
            rows[label] = {
                "frechet_mean_term": float(values[0]),
                "frechet_covariance_term": float(values[1]),
            }
            of_class[label] = float(values[2])
        found[name] = ClassRows(rows=rows, left_out={9: "one image"})
        accuracies[name] = of_class | {9: 100.0}
    row = class_correlation_row(found, accuracies)
    assert row["n"] == 8
    assert row["mean_term_pearson"] == pytest.approx(scipy.stats.pearsonr(mean, accuracy).statistic)
    assert row["covariance_term_spearman"] == pytest.approx(
        scipy.stats.spearmanr(covariance, accuracy).statistic
    )


def test_sets_that_are_all_equally_good_correlate_with_nothing() -> None:
    terms = {name: {"mean_term": i, "covariance_term": i} for i, name in enumerate("abc")}
    with pytest.raises(UndefinedMeasure, match="everywhere the same"):
        set_correlation_row(terms, dict.fromkeys("abc", 50.0))


def test_one_image_of_a_class_has_no_covariance() -> None:
    with pytest.raises(UndefinedMeasure, match="at least two"):
        class_frechet_row(np.ones((1, 4)), np.eye(4))


def test_shifts_from_centroids_are_those_from_all_embeddings() -> None:
    left, right = embeddings(0, 4, 9), embeddings(1, 3, 5)
    expected, classes = centroid_shifts(left.vectors, left.labels, right.vectors, right.labels)
    found = shifts_by_class(
        class_centroids(left.vectors, left.labels), class_centroids(right.vectors, right.labels)
    )
    assert list(found.rows) == list(classes) == [0, 7, 14]
    assert [row["centroid_shift"] for row in found.rows.values()] == pytest.approx(expected)


def test_centroid_distances_of_classes_are_those_that_the_sets_is_the_mean_of() -> None:
    drawn = embeddings(0, 5, 8)
    _, expected = centroid_distance(drawn.vectors, drawn.labels)
    found = centroid_distances_by_class(drawn, 8)
    assert [row["centroid_distance"] for row in found.rows.values()] == pytest.approx(expected)
    # One image is its own centroid.
    of_one = centroid_distances_by_class(drawn, 1)
    assert [row["centroid_distance"] for row in of_one.rows.values()] == pytest.approx([0.0] * 5)


def test_the_plane_is_tried_on_classes_that_it_was_not_fitted_to() -> None:
    # Classes 0 and 2 have prompts on the left, 1 and 3 on the right, images opposite: a plane
    # fitted to one half has the other wrong throughout; one fitted to all classes could not.
    prompts = joined([on_sides(-1.0, [0, 2]), on_sides(1.0, [1, 3])])
    images = joined([on_sides(1.0, [0, 2]), on_sides(-1.0, [1, 3])])
    row = separability_row(prompts, images, prompts, images)
    assert row["accuracy"] == 0.0
    assert row["margin"] < -0.5
    assert row["classes"] == 4


def test_prompts_and_images_apart_separate_whatever_their_order() -> None:
    prompts, images = embeddings(0, 6, 2), embeddings(1, 6, 20)
    away = np.concatenate([np.full(1, 9.0), np.zeros(15)]).astype(np.float32)
    prompts = Embeddings(vectors=prompts.vectors + away, labels=prompts.labels, keys=prompts.keys)
    images = Embeddings(vectors=images.vectors - away, labels=images.labels, keys=images.keys)
    held_out = embeddings(2, 6, 5)
    held_out = Embeddings(
        vectors=held_out.vectors - away, labels=held_out.labels, keys=held_out.keys
    )
    row = separability_row(prompts, images, prompts, held_out)
    assert row["accuracy"] == 100.0
    assert row["margin"] > 0.0
    order = RNG.permutation(len(images.labels))
    turned = Embeddings(
        vectors=images.vectors[order], labels=images.labels[order], keys=images.keys[order]
    )
    again = separability_row(prompts, turned, prompts, held_out)
    assert again["margin"] == pytest.approx(row["margin"], rel=1e-3)


def test_a_prompt_that_classes_of_both_halves_share_is_not_tried() -> None:
    images = on_sides(-1.0, [0, 1, 2, 3])
    prompts = on_sides(1.0, [0, 1, 2, 3])
    shared = Embeddings(
        vectors=prompts.vectors[[0, 0, 0, 0]], labels=prompts.labels, keys=prompts.keys
    )
    assert separability_row(prompts, images, prompts, images)["accuracy"] == 100.0
    with pytest.raises(UndefinedMeasure, match="no prompts of its own"):
        separability_row(shared, images, shared, images)


def test_a_single_class_cannot_be_held_out() -> None:
    one = on_sides(1.0, [4])
    with pytest.raises(UndefinedMeasure, match="a half of the classes"):
        separability_row(one, one, one, one)


def test_a_sample_is_drawn_without_replacement_and_is_all_where_there_is_no_more() -> None:
    drawn = embeddings(0, 4, 5)
    assert sampled(drawn, 20, np.random.default_rng(0)) is drawn
    some = sampled(drawn, 7, np.random.default_rng(0))
    numbers = [int(key.removeprefix("key")) for key in some.keys]
    assert len(numbers) == 7 and numbers == sorted(set(numbers))
    assert np.array_equal(some.vectors, drawn.vectors[numbers])
    assert np.array_equal(some.labels, drawn.labels[numbers])
