"""The mean of the values behind a figure is the figure; figures over the same queries pair."""

from pathlib import Path

import pandas as pd
import pytest

from synset_factory import layout
from synset_factory.errors import InputError
from synset_factory.measures.shifts import split_error
from synset_factory.query_values import experiment_values, population, row_values
from synset_factory.table_rows import read_outcomes
from synset_factory.tables import TABLE4_CLASSES, Row
from tests.hand_made_outcomes import write_classifier_tables, write_clip_tables


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Row]:
    monkeypatch.chdir(tmp_path)
    return write_classifier_tables() | write_clip_tables()


def test_the_mean_of_the_values_is_the_figure(rows: dict[str, Row]) -> None:
    figures = 0
    for row, expected in rows.items():
        for figure, mean in row_values(row).mean().items():
            assert mean == pytest.approx(expected[str(figure)], abs=1e-9), f"{row}:{figure}"
            figures += 1
    assert figures == 13 + 30 * 4 + 6 * 2 + 6  # Tables 1 and 2, 6 with and without k-nn, Figure 5


def test_the_order_of_stored_rows_is_nothing(rows: dict[str, Row]) -> None:
    first = {row: row_values(row) for row in rows}
    write_classifier_tables(order=1)
    write_clip_tables(order=2)
    for row, values in first.items():
        pd.testing.assert_frame_equal(row_values(row), values)


def test_figures_pair_by_class_and_key_alone(rows: dict[str, Row]) -> None:
    line = population(row_values("table1/1_natural_on_natural"))
    assert population(row_values("table2/6_promptaug_on_promptaug")) == line
    assert population(row_values("table6/15_disamb25_im_on_disamb25_im")) != line  # other keys


def test_a_classifiers_image_counts_by_the_share_of_seeds_that_know_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    layout.OUTCOMES.mkdir(parents=True)
    columns = ["train", "evaluation", "seed", "key", "cls", "predicted"]
    told = [("disamb", "natural", seed, key, 4, predicted) for seed, key, predicted in
            [(0, "b", 4), (1, "b", 9), (0, "a", 4), (1, "a", 4)]]  # fmt: skip
    pd.DataFrame(told, columns=columns).to_parquet(layout.outcomes("disamb"))
    read_outcomes.cache_clear()
    assert row_values("table1/6_disamb_on_natural")["accuracy"].to_dict() == {
        (4, "a"): 100.0,
        (4, "b"): 50.0,
    }
    assert row_values("extra/sets/disamb/disamb_on_natural")["accuracy"].mean() == 75.0


def test_table_4_counts_one_class_and_pairs_with_the_average(
    rows: dict[str, Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = pd.read_parquet(layout.CLIP_OUTCOMES)
    wnids = {0: TABLE4_CLASSES["hammer"], 7: TABLE4_CLASSES["nail"], 14: "n00000001"}
    table["key"] = table["cls"].map(wnids) + "_" + table["key"]
    table.to_parquet(layout.CLIP_OUTCOMES, index=False)
    values = row_values("table4/2_disamb25_prmt_on_disamb25_im")
    of_17 = table[table["experiment"] == 17]
    right = of_17["centroid_accuracy"].astype(float)
    by_class = right.groupby(of_17["cls"]).mean()
    assert values.mean().to_dict() == pytest.approx(
        {
            "average": 100 * right.mean(),
            "hammer": 100 * by_class[0],
            "nail": 100 * by_class[7],
        }
    )
    assert population(values) == population(experiment_values(17))


def test_a_world_without_hammers_has_no_values_of_them(rows: dict[str, Row]) -> None:
    assert list(row_values("table4/2_disamb25_prmt_on_disamb25_im")) == ["average"]


def test_the_split_of_the_error_is_made_query_by_query(
    rows: dict[str, Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    by_prompts, by_own = (
        rows[f"table6/{name}"]["centroid_accuracy"]
        for name in ("17_disamb25_prmt_on_disamb25_im", "15_disamb25_im_on_disamb25_im")
    )
    split = split_error(by_prompts=by_prompts, by_own_centroids=by_own)
    means = row_values("error_split/disamb25").mean()
    assert means.to_dict() == pytest.approx(vars(split))
    contributions = row_values("contributions").mean()
    assert contributions.to_dict() == pytest.approx(
        {"diffusion": split.diversity, "clip": split.centroid_shift}
    )


def test_queries_of_appendix_b_pair_by_their_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    layout.DATA.mkdir()
    pd.DataFrame(
        {
            "query": ["school_bus"] * 2 + ["yellow_school_bus"] * 2,
            "key": list("abcd"),
            "cls": 779,
            "number": [1, 0, 0, 1],
            "centroid_accuracy": [True, False, True, True],
            "squared_codiff": [0.1, 0.2, 0.3, 0.5],
        }
    ).to_parquet(layout.APPENDIX_B_OUTCOMES)
    plain = row_values("appendix_b/1_school_bus")
    yellow = row_values("appendix_b/2_yellow_school_bus")
    assert list(plain["centroid_accuracy"]) == [0.0, 100.0]
    assert list(plain["centroid_distance"]) == [0.2, 0.1]
    assert yellow.mean().to_dict() == pytest.approx(
        {"centroid_accuracy": 100.0, "centroid_distance": 0.4}
    )
    assert population(plain) == population(yellow)


def test_a_row_whose_queries_are_not_stored_has_no_values(rows: dict[str, Row]) -> None:
    for row in ("frechet/natural_vs_disamb", "prompts", "extra/sets/disamb10/centroid_distance"):
        assert row_values(row).empty


def test_what_has_not_been_made_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    read_outcomes.cache_clear()
    for row, path in (
        ("table1/6_disamb_on_natural", "data/outcomes/disamb.parquet"),
        ("table6/01_natural_im_on_natural_im", "data/clip_outcomes/table6.parquet"),
        ("centroid_distance/disamb", "data/clip_outcomes/centroid_distance.parquet"),
        ("appendix_b/1_school_bus", "data/appendix_b.parquet"),
    ):
        with pytest.raises(InputError, match=f"^{path} is missing: make it with `dvc repro`"):
            row_values(row)


def test_a_set_that_is_not_among_the_stored_is_named(rows: dict[str, Row]) -> None:
    with pytest.raises(InputError, match="has no rows of set mars"):
        row_values("centroid_distance/mars")
