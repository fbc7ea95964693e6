"""The spread over seeds, by hand; a run that lacks a row is not counted for it."""

import pytest

from synset_factory.claims import read_claims
from synset_factory.seed_spread import Run, claims_table, figures_table, spread_text
from synset_factory.tables import Row, Undefined

HOLDS: Row = {"larger": 3.0, "smaller": 1.0, "difference": 2.0, "holds": 1, "certain": 1}
FAILS: Row = {"larger": 1.0, "smaller": 1.5, "difference": -0.5, "holds": 0, "certain": 0}
MISSING = Undefined("metrics/separability/all.json is missing.")
RUNS: dict[int, Run] = {
    0: {"table1/a": {"accuracy": 40.0}, "claims/01": HOLDS, "claims/02": MISSING},
    1: {"table1/a": {"accuracy": 44.0}, "claims/01": FAILS, "claims/02": HOLDS, "b": {"n": 3}},
    2: {"table1/a": {"accuracy": 48.0}, "claims/01": HOLDS, "intervals/table1/a": {"low": 1.0}},
}


def cells(table: str, first: str) -> list[str]:
    (line,) = [line for line in table.splitlines() if line.startswith(f"| {first} ")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_every_figure_has_mean_deviation_least_and_largest() -> None:
    assert cells(figures_table(RUNS), "table1/a") == [
        "table1/a", "accuracy", "3", "44", "4", "40", "48"
    ]  # fmt: skip


def test_a_figure_of_one_run_has_no_deviation() -> None:
    assert cells(figures_table(RUNS), "b") == ["b", "n", "1", "3", "", "3", "3"]


@pytest.mark.parametrize(
    ("number", "counts"),
    [("01", ["2 of 3", "1", "", "-0.5 to 2"]), ("02", ["1 of 1", "", "2", "2 to 2"])],
)
def test_a_claim_says_in_how_many_runs_it_holds(number: str, counts: list[str]) -> None:
    assert cells(claims_table(RUNS), number)[3:] == counts


def test_a_claim_that_no_run_can_tell_keeps_its_line() -> None:
    assert cells(claims_table(RUNS), "03")[3:] == ["0 of 0", "", "3", ""]
    lines = claims_table(RUNS).splitlines()
    assert len(lines) == 2 + len(read_claims())


def test_claims_and_intervals_are_no_rows_and_nothing_is_nan() -> None:
    text = spread_text(RUNS)
    assert "claims/" not in figures_table(RUNS) and "intervals/" not in text
    assert text.startswith("# 3 runs of the whole pipeline, seeds 0, 1, 2\n")
    assert "nan" not in text
