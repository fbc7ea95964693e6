"""Table 4, the split of the error and the two contributions: by hand, and the paper's own."""

import pandas as pd
import pytest

from synset_factory.error_rows import (
    centroid_accuracies,
    contributions_row,
    split_row,
    table4_row,
)
from synset_factory.measures.vectors import UndefinedMeasure
from synset_factory.tables import TABLE3, TABLE5, experiments, table4_lines

WNIDS = {587: "n03481172", 677: "n03804744", 1: "n01443537"}
PAPER = {each.number: float(each.paper["centroid_accuracy"]) for each in experiments()}


def outcomes(right: dict[int, dict[int, list[bool]]]) -> pd.DataFrame:
    """A table of stage `clip_tables` from the outcomes by experiment and class."""
    rows = [
        (experiment, f"key{i}", label, each)
        for experiment, classes in right.items()
        for label, of_class in classes.items()
        for i, each in enumerate(of_class)
    ]
    table = pd.DataFrame(rows, columns=["experiment", "key", "cls", "centroid_accuracy"])
    return table.astype({"centroid_accuracy": "boolean"})


def test_table_4_is_experiments_5_and_17_with_the_papers_figures() -> None:
    first, second = table4_lines()
    assert (first.experiment, second.experiment) == (5, 17)
    assert first.name == "1_disamb25_prmt_on_natural_im"
    assert first.paper == {"average": 70.1, "hammer": 14.0, "nail": 58.0}
    assert second.paper == {"average": 74.9, "hammer": 16.0, "nail": 84.0}


def test_table_4_by_hand() -> None:
    table = outcomes(
        {
            5: {587: [True, False, False, False], 677: [True, False], 1: [True, True]},
            17: {587: [False, False], 677: [True, True], 1: [True, False]},
        }
    )
    first, second = (table4_row(line, table, WNIDS) for line in table4_lines())
    assert first == {"average": 50.0, "hammer": 25.0, "nail": 50.0}
    assert second == {"average": 50.0, "hammer": 0.0, "nail": 100.0}
    assert centroid_accuracies(table) == {5: 50.0, 17: 50.0}


def test_a_world_without_hammers_is_named() -> None:
    table = outcomes({5: {1: [True], 677: [True]}})
    with pytest.raises(UndefinedMeasure, match=r"no class n03481172 \(hammer\)"):
        table4_row(table4_lines()[0], table, WNIDS)


def test_the_papers_own_split_and_contributions() -> None:
    assert split_row("disamb25", PAPER) == pytest.approx(
        {"error": 25.1, "diversity": 18.0, "centroid_shift": 7.1}
    )
    assert split_row("disamb", PAPER)["centroid_shift"] == pytest.approx(-4.3)
    assert split_row("promptaug", PAPER) == pytest.approx(
        {"error": 30.8, "diversity": 29.5, "centroid_shift": 1.3}
    )
    assert contributions_row(PAPER) == pytest.approx(
        {"diffusion": 18.0, "clip": 7.1, "clip_on_natural": 5.0}
    )


def test_tables_3_and_5_are_rows_of_table_6() -> None:
    # As printed: Centroid Accuracy beside the experiment's number, in the order of the tables.
    assert [PAPER[number] for number in TABLE3] == [70.1, 74.9, 82.0]
    printed = [100.0, 99.6, 98.8, 70.5, 82.0, 74.9, 62.4, 76.2, 69.2]
    assert [PAPER[number] for number in TABLE5] == printed
