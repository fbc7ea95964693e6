"""Rows on disk are exactly those of the run, named so that they sort as the paper's tables."""

from pathlib import Path

import pytest

from synset_factory import layout
from synset_factory.config import load_section
from synset_factory.errors import InputError
from synset_factory.measures.vectors import UndefinedMeasure
from synset_factory.query_images import QueriesConfig
from synset_factory.tables import (
    Row,
    Undefined,
    classifier_lines,
    experiments,
    measured,
    paper_appendix_b,
    read_measured,
    read_row,
    write_rows,
)

REPOSITORY = Path(__file__).parents[1]


def test_the_paper_has_7_6_and_36_rows_with_names_that_sort() -> None:
    names = [
        [line.name for line in classifier_lines("table1")],
        [line.name for line in classifier_lines("table2")],
        [experiment.name for experiment in experiments()],
    ]
    assert [len(each) for each in names] == [7, 6, 36]
    assert all(each == sorted(each) for each in names)
    assert names[0][3] == "4_synset_on_natural"
    assert names[2][16] == "17_disamb25_prmt_on_disamb25_im"


def test_appendix_b_has_the_papers_four_prompts_and_two_of_its_distances() -> None:
    paper = paper_appendix_b()
    asked = load_section(QueriesConfig, "queries", REPOSITORY / layout.PARAMS).appendix_b
    assert tuple(paper) == asked.prompts
    assert [row["centroid_accuracy"] for row in paper.values()] == [92.5, 96.2, 90.7, 88.2]
    assert [row.get("centroid_distance") for row in paper.values()] == [
        10.96e-4,
        5.33e-4,
        None,
        None,
    ]


def test_rows_that_are_no_more_vanish(tmp_path: Path) -> None:
    folder = tmp_path / "table1"
    write_rows(folder, {"1_a_on_b": {"accuracy": 50.0}, "2_b_on_a": {"accuracy": 40.0}})
    write_rows(folder, {"2_b_on_a": {"accuracy": 41.0}})
    assert [path.name for path in folder.iterdir()] == ["2_b_on_a.json"]


def test_a_row_may_lie_in_a_folder_of_its_own_set(tmp_path: Path) -> None:
    folder = tmp_path / "sets"
    write_rows(folder, {"a/x": {"accuracy": 50.0}, "a/y": {"accuracy": 40.0}, "b/x": {"n": 1}})
    assert read_row(folder, "a/y") == {"accuracy": 40.0}
    write_rows(folder, {"b/x": {"n": 2}})
    assert [path.name for path in folder.iterdir()] == ["b"]


def test_a_number_that_is_none_is_refused_and_the_old_rows_stay(tmp_path: Path) -> None:
    folder = tmp_path / "table1"
    write_rows(folder, {"1_a_on_b": {"accuracy": 50.0}})
    with pytest.raises(ValueError, match="accuracy is nan"):
        write_rows(folder, {"1_a_on_b": {"accuracy": float("nan")}})
    assert (folder / "1_a_on_b.json").exists()


def test_a_row_without_figures_says_why_wherever_it_is_read(tmp_path: Path) -> None:
    def none_such() -> Row:
        raise UndefinedMeasure("a covariance needs at least two embeddings")

    row = measured("class n01847000 of disamb", none_such)
    write_rows(tmp_path / "frechet", {"disamb": row, "synset": {"distance": 0.5}})
    why = "class n01847000 of disamb: a covariance needs at least two embeddings."
    assert read_measured(tmp_path / "frechet", "disamb") == Undefined(why)
    assert read_measured(tmp_path / "frechet", "synset") == {"distance": 0.5}
    with pytest.raises(InputError, match="class n01847000 of disamb: a covariance needs"):
        read_row(tmp_path / "frechet", "disamb")


def test_a_row_that_has_not_been_made_says_how(tmp_path: Path) -> None:
    row = read_measured(tmp_path, "1_a_on_b")
    assert isinstance(row, Undefined)
    assert row.why == f"{tmp_path}/1_a_on_b.json is missing: make it with `dvc repro`."
