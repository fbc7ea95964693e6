"""Accuracy over seeds and its interval, by hand and by repeated sampling."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synset_factory.measures.accuracy import (
    MeanAccuracy,
    accepted_outcomes,
    accuracy_percent,
    mean_accuracy,
    per_class_accuracy,
)

TWO_CLASSES = np.array(["a"] * 4 + ["b"] * 4)


def right(*rows: str) -> np.ndarray:
    """Outcomes from strings of 1 (right) and 0."""
    return np.array([[letter == "1" for letter in row] for row in rows])


def test_one_seed_by_hand() -> None:
    got = mean_accuracy(right("11100110"), TWO_CLASSES)
    # Sample variances within the classes: a 3 of 4, 0.75/3; b 2 of 4, 1/3.
    half = 196 * np.sqrt((4 * 0.25 + 4 / 3) / 8**2)
    assert got.accuracy == 62.5 and got.n == 8 and got.seeds == 1 and got.seed_sd == 0.0
    assert got.ci95_low == pytest.approx(62.5 - half)
    assert got.ci95_high == pytest.approx(62.5 + half)


def test_two_seeds_by_hand() -> None:
    got = mean_accuracy(right("1111000000000000", "1111111100000000"), np.zeros(16))
    # Accuracies 25% and 50%; per image 4 times 1, 4 times 1/2, 8 times 0, around 3/8.
    images = (4 * 0.625**2 + 4 * 0.125**2 + 8 * 0.375**2) / 15 / 16
    seeds = 2 * 0.125**2
    half = 196 * np.sqrt(images + seeds / 2)
    assert got.seed_sd == pytest.approx(100 * np.sqrt(seeds)) == pytest.approx(17.6777, abs=1e-4)
    assert got.accuracy == 37.5 and got.seeds == 2 and got.n == 16
    assert (got.ci95_low, got.ci95_high) == pytest.approx((37.5 - half, 37.5 + half))


def test_classes_are_strata() -> None:
    """One class always right and one always wrong: other images would change nothing."""
    got = mean_accuracy(right("11110000"), TWO_CLASSES)
    assert got == MeanAccuracy(
        accuracy=50.0, ci95_low=50.0, ci95_high=50.0, n=8, seeds=1, seed_sd=0.0
    )
    mixed = mean_accuracy(right("11110000"), np.tile(["a", "b"], 4))
    assert mixed.ci95_high - mixed.ci95_low > 60


def test_equal_classifiers_have_no_seed_variance() -> None:
    one, three = right("11100110"), right("11100110", "11100110", "11100110")
    single, triple = mean_accuracy(one, TWO_CLASSES), mean_accuracy(three, TWO_CLASSES)
    assert triple.seed_sd == 0.0 and triple.seeds == 3
    assert (triple.ci95_low, triple.ci95_high) == (single.ci95_low, single.ci95_high)


def test_the_interval_stays_within_0_and_100() -> None:
    assert mean_accuracy(right("11111110"), TWO_CLASSES).ci95_high == 100.0
    assert mean_accuracy(right("00000001"), TWO_CLASSES).ci95_low == 0.0


def test_a_class_of_one_image_has_the_largest_variance() -> None:
    got = mean_accuracy(right("1" * 100), np.arange(100))
    assert got.ci95_low == pytest.approx(100 - 196 * np.sqrt(0.25 / 100))


def test_the_interval_covers_as_it_says() -> None:
    """New images of fixed classes and new seeds, 600 times: about 95% contain the truth."""
    rng = np.random.default_rng(1)
    labels = np.repeat(np.arange(10), 40)
    level = np.linspace(0.3, 0.8, 10)[labels]
    covered = []
    for _ in range(600):
        image = rng.uniform(-0.15, 0.15, 400)
        seed = rng.normal(0, 0.02, (8, 1))
        outcomes = rng.random((8, 400)) < level + image + seed
        got = mean_accuracy(outcomes, labels)
        covered.append(got.ci95_low <= 55.0 <= got.ci95_high)
    assert 0.91 < np.mean(covered) < 0.99


@settings(deadline=None, derandomize=True, max_examples=50)
@given(st.integers(1, 4), st.integers(1, 30), st.integers(0, 2**32 - 1))
def test_holds_for_any_outcomes(seeds: int, images: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    outcomes, labels = rng.random((seeds, images)) < 0.7, rng.integers(0, 4, images)
    got = mean_accuracy(outcomes, labels)
    assert got.accuracy == pytest.approx(accuracy_percent(outcomes))
    assert 0 <= got.ci95_low <= got.accuracy + 1e-9
    assert got.accuracy - 1e-9 <= got.ci95_high <= 100
    order = rng.permutation(images)
    again = mean_accuracy(outcomes[::-1, order], labels[order])
    assert (again.ci95_low, again.ci95_high, again.seed_sd) == pytest.approx(
        (got.ci95_low, got.ci95_high, got.seed_sd)
    )
    percent, classes = per_class_accuracy(outcomes, labels)
    counts = np.array([(labels == label).sum() for label in classes])
    assert (percent * counts).sum() / images == pytest.approx(got.accuracy)


def test_per_class_by_hand() -> None:
    labels = np.array(["nail", "jay", "nail", "jay"])
    percent, classes = per_class_accuracy(right("1101", "1001"), labels)
    assert classes.tolist() == ["jay", "nail"] and percent.tolist() == [75.0, 50.0]
    assert per_class_accuracy(right("1101")[0], labels)[0].tolist() == [100.0, 50.0]


def test_a_prediction_is_right_if_it_is_any_of_the_pictures_labels() -> None:
    predicted = np.array([3, 5, 5, 0])
    assert accepted_outcomes(predicted, [[3], [3], [3, 5], [9, 0, 3]]).tolist() == [
        True, False, True, True
    ]  # fmt: skip
    with pytest.raises(ValueError, match="4 predictions, but labels of 1"):
        accepted_outcomes(predicted, [[3]])
    with pytest.raises(ValueError, match="no label"):
        accepted_outcomes(predicted, [[3], [], [3], [3]])


def test_errors() -> None:
    with pytest.raises(ValueError, match="bool"):
        mean_accuracy(right("11111111").astype(int), TWO_CLASSES)
    with pytest.raises(ValueError, match=r"\[S, N\]"):
        mean_accuracy(right("1111")[0], TWO_CLASSES)
    with pytest.raises(ValueError, match="8 images need labels"):
        mean_accuracy(right("11111111"), TWO_CLASSES[:7])
    with pytest.raises(ValueError, match="no images"):
        mean_accuracy(np.ones((2, 0), dtype=bool), TWO_CLASSES[:0])
    with pytest.raises(ValueError, match="no outcomes"):
        mean_accuracy(np.ones((0, 8), dtype=bool), TWO_CLASSES)
    with pytest.raises(ValueError, match="at least one"):
        accuracy_percent(np.ones(0, dtype=bool))
