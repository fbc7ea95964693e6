"""Table 6 and Centroid Distance from embeddings made by hand."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from synset_factory.embedding_files import COLUMNS, read_embeddings, write_embeddings
from synset_factory.stages.clip_tables import averages, distance_rows, experiment_outcomes
from synset_factory.stages.embed import distinct_prompts
from synset_factory.tables import Undefined, experiments
from tests.drawn_embeddings import embeddings


def test_rows_whose_queries_are_one_prompt_a_class_have_no_knn() -> None:
    without = [e.number for e in experiments() if not e.has_knn]
    assert without == [31, 32, 33, 34, 35, 36]
    one_a_class = embeddings(0, 5, 1)
    row, outcomes = experiment_outcomes(experiments()[34], one_a_class, one_a_class, seed=0)
    assert sorted(row) == ["avg_cosine_similarity", "centroid_accuracy"]
    assert list(outcomes) == ["experiment", "key", "cls", "centroid_accuracy", "cosine"]


def test_outcomes_have_a_row_a_query_in_the_order_of_the_queries() -> None:
    references, queries = embeddings(0, 9, 20), embeddings(1, 9, 11)
    row, outcomes = experiment_outcomes(experiments()[0], references, queries, seed=0)
    assert set(outcomes["experiment"]) == {1}
    assert list(outcomes["key"]) == list(queries.keys)
    assert list(outcomes["cls"]) == list(queries.labels)
    for name in ("centroid_accuracy", "knn1_accuracy", "knn5_accuracy"):
        assert 100 * outcomes[name].mean() == pytest.approx(row[name])
    assert outcomes["cosine"].mean() == pytest.approx(row["avg_cosine_similarity"], abs=1e-12)


def test_the_papers_averages_are_those_of_its_rows() -> None:
    # Printed under Table 6: 77.1, 74.6, 77.3.
    printed = averages([e.paper for e in experiments()])
    assert printed == pytest.approx(
        {"centroid_accuracy": 77.1, "knn1_accuracy": 74.6, "knn5_accuracy": 77.3}, abs=0.05
    )


def test_a_set_without_directions_has_rows_that_say_so() -> None:
    nothing = replace(embeddings(0, 4, 8), vectors=np.zeros((32, 16), dtype=np.float32))
    sets = {"natural": embeddings(0, 4, 8), "disamb": nothing}
    rows = distance_rows(sets, sets.__getitem__)
    assert isinstance(rows["natural"], dict)
    assert isinstance(rows["disamb"], Undefined)
    assert rows["disamb"].why.startswith("Centroid Distance of disamb: embedding row 0 has length")
    assert averages([{"knn1_accuracy": 1.0}, rows["disamb"]]) == rows["disamb"]


def test_every_set_counts_with_as_many_images_a_class() -> None:
    sets = {"natural": embeddings(0, 4, 12), "disamb": embeddings(1, 4, 8)}
    rows = distance_rows(sets, sets.__getitem__)
    assert {name: row["images_per_class"] for name, row in rows.items()} == {
        "natural": 8,
        "disamb": 8,
    }


def test_the_memory_that_is_set_changes_no_bit() -> None:
    references, queries = embeddings(0, 9, 20), embeddings(1, 9, 11)
    for experiment in (experiments()[0], experiments()[34]):
        row, outcomes = experiment_outcomes(experiment, references, queries, seed=0)
        for memory in (1e-9, 1e-5, 4.0):
            again = experiment_outcomes(experiment, references, queries, 0, memory)
            assert again[0] == row and again[1].equals(outcomes)


def test_embeddings_are_read_as_they_were_written(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(str(tmp_path))
    table = pd.DataFrame(
        [["image", "train", "n1", 3, "a"], ["prompt", "train", "n1", 3, "b"],
         ["image", "validation", "n1", 3, "c"], ["image", "train", "n2", 5, "d"]],
        columns=COLUMNS,
    )  # fmt: skip
    vectors = np.arange(12, dtype=np.float32).reshape(4, 3)
    write_embeddings("tiny", table, vectors)
    found = read_embeddings("tiny", "image", "train")
    assert np.array_equal(found.vectors, vectors[[0, 3]])
    assert list(found.labels) == [3, 5]
    assert list(found.keys) == ["a", "d"]


def test_a_prompt_that_all_images_share_is_one_vector_a_class_and_split() -> None:
    rows = pd.DataFrame(
        [["n1", "train", 0, "a"], ["n1", "train", 1, "a"], ["n1", "validation", 0, "a"],
         ["n2", "train", 0, "b"], ["n2", "train", 1, "c"]],
        columns=["wnid", "split", "number", "prompt"],
    )  # fmt: skip
    index = pd.DataFrame({"wnid": ["n1", "n2"], "cls": [3, 5]})
    prompts = distinct_prompts(rows, index)
    assert list(prompts["key"]) == [
        "n1_train_000000", "n1_validation_000000", "n2_train_000000", "n2_train_000001"
    ]  # fmt: skip
    assert list(prompts["cls"]) == [3, 3, 5, 5]
