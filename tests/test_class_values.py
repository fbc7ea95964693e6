"""A class without a measure is left out of the mean and named, on disk and in the row."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from synset_factory.class_values import ClassRows, ClassTables, mean_row, rows_by_class
from synset_factory.embedding_files import Embeddings
from synset_factory.measures.vectors import Floats, UndefinedMeasure
from synset_factory.tables import Row

WNIDS = {3: "n00000003", 5: "n00000005", 8: "n00000008"}


def of_counts(**counts: int) -> Embeddings:
    """Vectors [1] of so many images of class 3, 5 and 8, which count up from 0."""
    labels = np.repeat([int(name[1:]) for name in counts], list(counts.values()))
    vectors = np.arange(len(labels), dtype=np.float32)[:, None]
    return Embeddings(vectors=vectors, labels=labels, keys=labels.astype(str))


def first_values(left: Floats, right: Floats) -> Row:
    if len(left) < 2:
        raise UndefinedMeasure("one image is too few")
    return {"left": float(left[0, 0]), "right": float(right[0, 0])}


def test_each_class_is_computed_from_its_own_vectors_in_both_sets() -> None:
    left, right = of_counts(c3=2, c5=3, c8=1), of_counts(c5=4, c3=1, c8=2)
    found = rows_by_class(left, right, first_values)
    assert found.rows == {3: {"left": 0.0, "right": 4.0}, 5: {"left": 2.0, "right": 0.0}}
    assert found.left_out == {8: "one image is too few"}


def test_the_mean_is_over_the_classes_that_have_a_row() -> None:
    found = ClassRows(rows={3: {"a": 1.0, "b": 0}, 5: {"a": 2.0, "b": 5}}, left_out={8: "why"})
    assert mean_row(found, WNIDS) == {"a": 1.5, "b": 2.5, "classes": 2}


def test_where_no_class_has_a_row_the_first_is_named_with_its_reason() -> None:
    found = rows_by_class(of_counts(c5=1, c8=1), of_counts(c5=1, c8=1), first_values)
    with pytest.raises(UndefinedMeasure, match="of n00000005: one image is too few"):
        mean_row(found, WNIDS)
    with pytest.raises(UndefinedMeasure, match="no class in common"):
        mean_row(rows_by_class(of_counts(c5=2), of_counts(c8=2), first_values), WNIDS)


def test_tables_hold_a_line_a_figure_and_a_line_a_class_left_out(tmp_path: Path) -> None:
    tables = ClassTables(WNIDS, ("left", "right"))
    tables.add(ClassRows(rows={3: {"a": 1.0, "b": 2}}), "x", "y")
    tables.add(ClassRows(rows={5: {"a": 4.0}}, left_out={8: "one image"}), "x", "z")
    tables.write(tmp_path / "values.parquet", tmp_path / "left_out.parquet")
    values = pd.read_parquet(tmp_path / "values.parquet")
    assert list(values.columns) == ["measure", "left", "right", "wnid", "cls", "value"]
    assert values.to_numpy().tolist() == [
        ["a", "x", "y", "n00000003", 3, 1.0],
        ["b", "x", "y", "n00000003", 3, 2.0],
        ["a", "x", "z", "n00000005", 5, 4.0],
    ]
    left_out = pd.read_parquet(tmp_path / "left_out.parquet")
    assert left_out.to_dict("records") == [
        {"left": "x", "right": "z", "wnid": "n00000008", "cls": 8, "why": "one image"}
    ]
