"""A row is of the pair and the images that it names: counted by hand, or as scikit-learn has it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid

from synset_factory import layout
from synset_factory.embedding_files import Embeddings
from synset_factory.errors import InputError
from synset_factory.table_rows import (
    Asked,
    ClipTablesConfig,
    Outcomes,
    accuracy_row,
    clip_rows,
    distance_row,
    fewest_images,
    first_of_each_class,
    read_outcomes,
)
from synset_factory.tables import Row, Undefined
from tests.drawn_embeddings import embeddings

# Of four images, by pair and classifier seed: how many are told right.
RIGHT = {
    ("natural", "disamb"): (1, 1),
    ("disamb", "natural"): (2, 3),
    ("disamb", "disamb"): (4, 4),
}


@pytest.fixture
def outcomes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    rows = [
        (train, evaluation, seed, f"key{i}", i % 2, i % 2 if i < count else 9)
        for (train, evaluation), counts in RIGHT.items()
        for seed, count in enumerate(counts)
        for i in range(4)
    ]
    columns = ["train", "evaluation", "seed", "key", "cls", "predicted"]
    layout.OUTCOMES.mkdir(parents=True)
    # The rows' order must not matter: each seed's images in another one.
    table = pd.DataFrame(rows, columns=columns).sample(frac=1.0, random_state=0)
    table.to_parquet(layout.outcomes("disamb"), index=False)
    read_outcomes.cache_clear()
    yield
    read_outcomes.cache_clear()


@pytest.mark.parametrize(
    ("train", "evaluation", "accuracy"),
    [("natural", "disamb", 25.0), ("disamb", "natural", 62.5), ("disamb", "disamb", 100.0)],
)
def test_each_pair_has_its_own_accuracy(
    outcomes: None, train: str, evaluation: str, accuracy: float
) -> None:
    row = accuracy_row(train, evaluation)
    assert row["accuracy"] == pytest.approx(accuracy)
    assert row["n"] == 4


def test_only_rows_on_imagenets_validation_pictures_have_figures_by_real_labels(
    outcomes: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Of seed 0 the predictions are 0, 1, 9, 9, of seed 1 they are 0, 1, 0, 9.
    accepted = {1: [], 2: [1], 3: [5, 9], 4: [7]}
    monkeypatch.setattr("synset_factory.real_labels.real_labels", lambda: accepted)
    before = accuracy_row("disamb", "natural")
    assert "real_n" not in before
    pictures = [f"ILSVRC2012_val_0000000{i}" for i in accepted]
    keys = [f"key{i}" for i in range(4)]
    index = pd.DataFrame({"key": keys, "split": "validation", "source": pictures})
    layout.index("natural").parent.mkdir(parents=True)
    index.to_parquet(layout.index("natural"), index=False)
    # Picture 1 is left out; 2 is right twice, 3 once.
    expected = before | {"real_accuracy": pytest.approx(50.0), "real_n": 3}
    assert accuracy_row("disamb", "natural") == expected
    assert "real_n" not in accuracy_row("natural", "disamb")


@pytest.mark.parametrize("memory", [0.0, -1.0, float("nan")])
def test_memory_must_be_some(memory: float) -> None:
    with pytest.raises(InputError, match=r"clip_tables\.memory is .* must be above 0"):
        ClipTablesConfig(memory=memory)


def test_a_set_that_was_not_evaluated_is_named(outcomes: None) -> None:
    with pytest.raises(InputError, match=r"outcomes/synset\.parquet is missing"):
        accuracy_row("synset", "synset")


def asked(queries: Embeddings, *, knn: bool = True) -> Asked:
    return Asked(of_what="A row", queries=queries, rng=np.random.default_rng(0), knn=knn)


def clip_row(references: Embeddings, queries: Embeddings, *, knn: bool) -> tuple[Row, Outcomes]:
    """A row that is asked for alone."""
    (row,) = clip_rows(references, [asked(queries, knn=knn)], memory=1.0, device="cpu", label="")
    assert not isinstance(row, Undefined)
    return row


def test_rows_that_share_references_are_what_they_are_alone_and_may_lack_figures() -> None:
    references, good, other = embeddings(0, 9, 20), embeddings(1, 9, 11), embeddings(2, 9, 3)
    bad = replace(good, vectors=good.vectors * (np.arange(len(good.vectors)) != 5)[:, None])
    every = [asked(good), asked(bad), asked(other, knn=False), asked(other)]
    rows = clip_rows(references, every, memory=1.0, device="cpu", label="")
    assert rows[1] == Undefined("A row: embedding row 5 has length 0.0: it has no direction.")
    for queries, knn, row in (
        (good, True, rows[0]),
        (other, False, rows[2]),
        (other, True, rows[3]),
    ):
        figures, outcomes = clip_row(references, queries, knn=knn)
        assert row[0] == figures and list(row[0]) == list(figures)
        assert row[1].keys() == outcomes.keys()
        assert all(np.array_equal(row[1][name], outcomes[name]) for name in outcomes)
    nothing = replace(references, vectors=0 * references.vectors)
    assert all(
        each == Undefined("A row: embedding row 0 has length 0.0: it has no direction.")
        for each in clip_rows(nothing, every, memory=1.0, device="cpu", label="")
    )


def test_a_clip_row_equals_scikit_learn() -> None:
    references, queries = embeddings(0, 9, 20), embeddings(1, 9, 11)
    row, outcomes = clip_row(references, queries, knn=True)
    unit = [
        e.vectors / np.linalg.norm(e.vectors, axis=1, keepdims=True) for e in (references, queries)
    ]
    centroid = NearestCentroid().fit(unit[0], references.labels)
    centroid.centroids_ /= np.linalg.norm(centroid.centroids_, axis=1, keepdims=True)
    one = KNeighborsClassifier(1, metric="cosine", algorithm="brute").fit(
        unit[0], references.labels
    )
    expected = {
        "centroid_accuracy": 100 * centroid.score(unit[1], queries.labels),
        "knn1_accuracy": 100 * one.score(unit[1], queries.labels),
    }
    assert {key: row[key] for key in expected} == pytest.approx(expected)
    assert outcomes["centroid_accuracy"].mean() * 100 == pytest.approx(row["centroid_accuracy"])


def test_a_clip_row_without_knn_lacks_those_two_figures_alone() -> None:
    one_a_class = embeddings(0, 5, 1)
    row, _ = clip_row(one_a_class, one_a_class, knn=False)
    assert row == pytest.approx({"centroid_accuracy": 100.0, "avg_cosine_similarity": 1.0})


def test_the_fewest_images_are_those_of_the_smallest_class_of_any_set() -> None:
    uneven = Embeddings(
        vectors=np.ones((5, 2), dtype=np.float32),
        labels=np.array([3, 3, 3, 8, 8]),
        keys=np.array(list("abcde")),
    )
    assert fewest_images([embeddings(0, 4, 12), uneven]) == 2


def test_the_first_of_each_class_are_taken_in_stored_order() -> None:
    drawn = embeddings(0, 4, 12)
    vectors, labels = first_of_each_class(drawn, 8)
    assert list(labels) == [0] * 8 + [7] * 8 + [14] * 8 + [21] * 8
    assert np.array_equal(vectors[:8], drawn.vectors[:8])


def test_centroid_distance_counts_no_more_images_than_asked() -> None:
    # Each class's first two lie at 45 degrees from their centroid: (1 - cos 45)^2 = 0.0857864.
    vectors = np.array([[1, 0], [0, 1], [-1, 0], [0, 2], [3, 0]], dtype=np.float32)
    drawn = Embeddings(
        vectors=vectors, labels=np.array([3, 3, 3, 8, 8]), keys=np.array(list("abcde"))
    )
    assert distance_row(drawn, 2) == pytest.approx(
        {"centroid_distance": 0.0857864, "classes": 2, "images_per_class": 2}
    )
