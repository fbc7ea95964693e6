"""Intervals of every figure that is a mean of queries; what has none says why."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from synset_factory import layout
from synset_factory.errors import InputError
from synset_factory.measures.bootstrap import bootstrap
from synset_factory.query_values import row_values
from synset_factory.stages.certainty import main
from synset_factory.table_rows import read_outcomes
from synset_factory.tables import (
    Row,
    Undefined,
    experiments,
    read_measured,
    read_row,
    write_row,
    write_rows,
)
from tests.hand_made_outcomes import write_classifier_tables, write_clip_tables
from tests.small_pipeline import REPOSITORY

LINE = "table1/6_disamb_on_natural"


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Row]:
    monkeypatch.chdir(tmp_path)
    shutil.copy(REPOSITORY / layout.PARAMS, layout.PARAMS)
    return write_classifier_tables() | write_clip_tables()


def resampled() -> pd.DataFrame:
    main()
    return pd.read_parquet(layout.RESAMPLED)


def test_an_interval_is_that_of_the_bootstrap(rows: dict[str, Row]) -> None:
    main()
    found = read_row(layout.INTERVALS, LINE)
    values = row_values(LINE)["accuracy"]
    labels = values.index.get_level_values("cls").to_numpy()
    plain = bootstrap(values.to_numpy(), labels, 1000, np.random.default_rng(8))
    assert found["accuracy_low"] == pytest.approx(plain.low, abs=2.5)
    assert found["accuracy_high"] == pytest.approx(plain.high, abs=2.5)
    assert found["accuracy_low"] < rows[LINE]["accuracy"] < found["accuracy_high"]
    assert list(found) == ["accuracy_low", "accuracy_high"]  # of what is a mean of queries


def test_every_row_of_the_tables_has_its_interval(rows: dict[str, Row]) -> None:
    main()
    written = {
        path.relative_to(layout.INTERVALS).with_suffix("").as_posix()
        for path in layout.INTERVALS.rglob("*.json")
    }
    assert written == set(rows)


def test_the_stored_order_of_outcomes_is_nothing(rows: dict[str, Row]) -> None:
    first = resampled()
    write_classifier_tables(order=1)
    write_clip_tables(order=2)
    pd.testing.assert_frame_equal(resampled(), first)


def test_equal_outcomes_differ_by_nothing(rows: dict[str, Row]) -> None:
    table = pd.read_parquet(layout.CLIP_OUTCOMES)
    copied = table[table["experiment"] == 15].assign(experiment=17)
    pd.concat([table[table["experiment"] != 17], copied]).to_parquet(layout.CLIP_OUTCOMES)
    write_row(
        layout.TABLE6 / "17_disamb25_prmt_on_disamb25_im.json",
        read_row(layout.TABLE6, "15_disamb25_im_on_disamb25_im"),
    )
    found = resampled()
    one, other = (
        found[f"table6/{name}:centroid_accuracy"]
        for name in ("15_disamb25_im_on_disamb25_im", "17_disamb25_prmt_on_disamb25_im")
    )
    assert one.std() > 0.0
    assert (one == other).all()


def test_the_averages_of_table_6_are_those_of_its_resampled_rows(rows: dict[str, Row]) -> None:
    found = resampled()
    of_rows = [f"table6/{each.name}:knn5_accuracy" for each in experiments() if each.has_knn]
    assert len(of_rows) == 30
    expected = found[of_rows].to_numpy().mean(axis=1)
    assert found["extra/table6/averages:knn5_accuracy"].to_numpy() == pytest.approx(expected)


def test_one_query_a_class_has_no_interval_and_says_so(rows: dict[str, Row]) -> None:
    main()
    name = "table6/31_natural_im_on_disamb25_prmt"
    assert read_measured(layout.INTERVALS, name) == Undefined(
        f"{name}: each class has one query, so that resampling within classes says nothing."
    )


def test_a_row_without_figures_has_its_own_words_for_an_interval(rows: dict[str, Row]) -> None:
    why = "Table 4: this world has no class n03481172 (hammer)."
    write_rows(layout.TABLE4, {"1_disamb25_prmt_on_natural_im": Undefined(why)})
    main()
    assert read_measured(layout.INTERVALS, "table4/1_disamb25_prmt_on_natural_im") == Undefined(why)


def test_a_figure_that_its_outcomes_do_not_bear_out_is_refused(rows: dict[str, Row]) -> None:
    row = rows[LINE]
    write_row(layout.METRICS / f"{LINE}.json", row | {"accuracy": row["accuracy"] + 0.01})
    with pytest.raises(InputError, match=f"^metrics/{LINE}.json says accuracy .*dvc repro"):
        main()


def test_missing_outcomes_are_named(rows: dict[str, Row]) -> None:
    layout.outcomes("disamb").unlink()
    read_outcomes.cache_clear()
    with pytest.raises(InputError, match=r"^data/outcomes/disamb.parquet is missing"):
        main()
