"""Table 6 and Centroid Distance from embeddings made by hand."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from synset_factory.embedding_files import (
    COLUMNS,
    Embeddings,
    read_embeddings,
    write_embeddings,
)
from synset_factory.stages.clip_tables import (
    all_rows,
    asked_of,
    averages,
    distance_rows,
    once_for_queries,
)
from synset_factory.stages.embed import distinct_prompts
from synset_factory.table_rows import clip_rows
from synset_factory.tables import ClipSource, Row, Undefined, experiments
from tests.drawn_embeddings import embeddings

Table = tuple[dict[str, Row | Undefined], list[pd.DataFrame]]
READ = {"train": 20, "validation": 11}  # vectors a class


def read(source: ClipSource, split: str) -> Embeddings:
    """Embeddings of every source, one a class where it is prompts that all images share."""
    one = source.modality == "prompt" and source.image_set != "promptaug"
    return embeddings(sum(map(ord, source.name + split)), 9, 1 if one else READ[split])


@pytest.fixture(scope="module")
def table6() -> Table:
    return all_rows(read, 0, 1.0, "cpu")


def test_rows_whose_queries_are_one_prompt_a_class_have_no_knn(table6: Table) -> None:
    without = [e.number for e in experiments() if not e.has_knn]
    assert without == [31, 32, 33, 34, 35, 36]
    rows, outcomes = table6
    assert sorted(rows[experiments()[34].name]) == ["avg_cosine_similarity", "centroid_accuracy"]
    columns = ["experiment", "key", "cls", "centroid_accuracy", "cosine"]
    assert list(outcomes[34]) == columns
    assert list(outcomes[0]) == [*columns[:4], "knn1_accuracy", "knn5_accuracy", "cosine"]


def test_rows_and_outcomes_are_in_the_order_of_the_table_and_of_the_queries(table6: Table) -> None:
    rows, outcomes = table6
    assert list(rows) == [each.name for each in experiments()]
    for each, told in zip(experiments(), outcomes, strict=True):
        queries, row = read(each.query, "validation"), rows[each.name]
        assert set(told["experiment"]) == {each.number}
        assert list(told["key"]) == list(queries.keys)
        assert list(told["cls"]) == list(queries.labels)
        for name in set(row) - {"avg_cosine_similarity"}:
            assert 100 * told[name].mean() == pytest.approx(row[name])
        assert told["cosine"].mean() == pytest.approx(row["avg_cosine_similarity"], abs=1e-12)


def test_every_source_is_read_once_and_the_table_is_what_its_rows_are_alone(
    table6: Table,
) -> None:
    asked: list[tuple[str, str]] = []

    def told(source: ClipSource, split: str) -> Embeddings:
        asked.append((source.name, split))
        return read(source, split)

    rows, outcomes = all_rows(once_for_queries(told), 0, 1e-3, "cpu")
    assert len(asked) == len(set(asked)) == 12
    assert rows == table6[0]
    assert all(left.equals(right) for left, right in zip(outcomes, table6[1], strict=True))
    each = experiments()[7]
    alone = asked_of(each, read(each.query, "validation"), 0)
    references = read(each.reference, "train")
    (row,) = clip_rows(references, [alone], memory=1.0, device="cpu", label="")
    assert not isinstance(row, Undefined) and row[0] == rows[each.name]


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
