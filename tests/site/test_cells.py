"""A figure is told with the digits that it has, and a row under a name that people know."""

from pathlib import Path

import pytest

from synset_factory import layout
from synset_factory.site.cells import folder_rows, interval_of, readable, told
from synset_factory.tables import write_rows

LABELS = {"natural": "natural", "synset": "Synset", "disamb25": "Disamb2.5"}


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("centroid_accuracy", 70.06, "70.1"),
        ("centroid_accuracy", 100.0, "100.0"),
        ("hammer", 14.0, "14.0"),
        ("avg_cosine_similarity", 0.24254, "0.2425"),
        ("centroid_distance", 1.23e-5, "1.23e-05"),
        ("mean_term", 0.123456, "0.1235"),
        ("images", 64.0, "64"),
        ("n", 50_000, "50,000"),
        ("distance", 50_000.0, "50,000"),
        ("distance", 12_345.678, "12,345.7"),
        ("difference", -0.5, "-0.5"),
    ],
)
def test_a_figure_has_the_digits_that_it_needs(key: str, value: float, text: str) -> None:
    assert told(key, value) == text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("natural_vs_disamb25", "natural vs Disamb2.5"),
        ("disamb25_prmt_vs_natural_im", "Disamb2.5-PRMT vs natural-IM"),
        ("my_set", "my set"),
        ("my_im", "my im"),  # no set of that name
    ],
)
def test_a_rows_name_is_that_of_its_sets(name: str, text: str) -> None:
    assert readable(name, LABELS) == text


def test_rows_stand_in_the_order_of_the_labels_unknown_ones_last(tmp_path: Path) -> None:
    names = ["disamb25", "all", "natural", "synset"]
    write_rows(tmp_path / "rows", {name: {"accuracy": 1.0} for name in names})
    found = [row.name for row in folder_rows(tmp_path / "rows", LABELS)]
    assert found == ["natural", "synset", "disamb25", "all"]


def test_an_interval_of_the_row_itself_goes_before_a_stored_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    stored = {"accuracy_low": 1.0, "accuracy_high": 2.0}
    write_rows(layout.INTERVALS / "table1", {"1_a": stored})
    path = layout.TABLE1 / "1_a"
    assert interval_of(path, {"accuracy": 1.5}) == stored
    own = {"accuracy": 1.5, "ci95_low": 0.5, "ci95_high": 3.0}
    assert interval_of(path, own) == {"accuracy_low": 0.5, "accuracy_high": 3.0}
    assert interval_of(layout.TABLE1 / "2_b", {"accuracy": 1.5}) == {}
