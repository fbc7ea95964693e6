"""A claim is an inequality; in the paper's own tables every one holds."""

import csv
import re
from importlib.resources import files

import numpy as np
import pytest

from synset_factory.claims import (
    FUNCTIONS,
    Claim,
    Quantity,
    evaluate,
    inequality_row,
    read_claims,
    verdict,
)
from synset_factory.measures.shifts import split_error
from synset_factory.stages.clip_tables import averages
from synset_factory.tables import (
    ERROR_SPLITS,
    Row,
    Undefined,
    classifier_lines,
    experiments,
    paper_centroid_distances,
    table4_lines,
)

FIGURES = {
    "a:x": Quantity(value=3.0, resampled=np.array([2.0, 3.0, 4.0])),
    "b:x": Quantity(value=2.0, resampled=np.array([1.0, 4.0, 1.0])),
    "c:x": Quantity(value=-5.0, resampled=None),
}


def addresses(side: str) -> list[str]:
    """The addresses of figures that a side of a claim names."""
    return re.findall(r"[\w/]+:\w+", side)


def figure(address: str) -> Quantity | Undefined:
    return FIGURES.get(address, Undefined(f"{address} is missing."))


def paper_rows() -> dict[str, Row]:
    """The paper's own figures, at the addresses of ours."""
    rows: dict[str, Row] = {}
    for table in ("table1", "table2"):
        rows |= {f"{table}/{x.name}": {"accuracy": x.paper} for x in classifier_lines(table)}
    numbers = {each.number: each.paper for each in experiments()}
    rows |= {f"table6/{each.name}": each.paper for each in experiments()}
    mean = averages(list(numbers.values()))
    assert isinstance(mean, dict)
    rows["extra/table6/averages"] = mean
    rows |= {f"table4/{line.name}": line.paper for line in table4_lines()}
    for name, distance in paper_centroid_distances().items():
        rows[f"centroid_distance/{name}"] = {"centroid_distance": distance}
    text = (files("synset_factory") / "paper/appendix_b_school_bus.csv").read_text()
    for place, row in enumerate(csv.DictReader(text.splitlines()), start=1):
        name = f"appendix_b/{place}_{row.pop('query').replace(' ', '_')}"
        rows[name] = {key: float(value) for key, value in row.items() if value}
    for name, pair in ERROR_SPLITS.items():
        by_prompts, by_own = (numbers[number]["centroid_accuracy"] for number in pair)
        split = split_error(by_prompts=by_prompts, by_own_centroids=by_own)
        rows[f"error_split/{name}"] = vars(split)
        if name == "disamb25":
            rows["contributions"] = {"diffusion": split.diversity, "clip": split.centroid_shift}
    with_knn = [row for row in numbers.values() if "knn5_accuracy" in row]
    better = [row["knn5_accuracy"] > row["centroid_accuracy"] for row in with_knn]
    rows["claims_support/knn"] = {
        "knn5_better_percent": 100.0 * float(np.mean(better)),
        "from_knn1": abs(mean["centroid_accuracy"] - mean["knn1_accuracy"]),
        "from_knn5": abs(mean["centroid_accuracy"] - mean["knn5_accuracy"]),
    }
    return rows


def in_the_paper() -> list[tuple[Claim, Quantity, Quantity]]:
    """The claims of which the paper has the numbers as well."""
    rows = paper_rows()

    def printed(address: str) -> Quantity | Undefined:
        name, _, key = address.rpartition(":")
        if key not in rows.get(name, {}):
            return Undefined(f"the paper has no {address}.")
        return Quantity(value=rows[name][key], resampled=None)

    found = []
    for claim in read_claims():
        larger, smaller = evaluate(claim.larger, printed), evaluate(claim.smaller, printed)
        if isinstance(larger, Quantity) and isinstance(smaller, Quantity):
            found.append((claim, larger, smaller))
    return found


@pytest.mark.parametrize(("claim", "larger", "smaller"), in_the_paper(), ids=lambda x: "")
def test_in_the_papers_own_tables_the_claim_holds(
    claim: Claim, larger: Quantity, smaller: Quantity
) -> None:
    assert larger.value > smaller.value, f"{claim.number}: {claim.claim}"


def test_most_claims_are_checked_against_the_paper() -> None:
    # The others are of what the paper says in words alone.
    assert len(in_the_paper()) > 2 / 3 * len(read_claims())


def test_claims_are_numbered_from_one_and_each_has_its_place() -> None:
    claims = read_claims()
    assert len(claims) >= 20
    assert [each.number for each in claims] == list(range(1, len(claims) + 1))
    for claim in claims:
        text = f"{claim.place}{claim.claim}{claim.larger}{claim.smaller}"
        assert claim.place.startswith(("Section ", "Table ", "Figure ", "Appendix "))
        assert claim.claim and text.isascii()
        assert addresses(claim.larger) or addresses(claim.smaller)
    pairs = [(each.larger, each.smaller) for each in claims]
    assert len(set(pairs)) == len(pairs)


def test_every_side_is_of_the_one_small_syntax() -> None:
    for claim in read_claims():
        for side in (claim.larger, claim.smaller):
            assert "(" not in side or side.partition("(")[0] in FUNCTIONS
            for address in addresses(side):
                row, _, key = address.rpartition(":")
                assert row and key.isidentifier(), address


@pytest.mark.parametrize(
    ("side", "value", "resampled"),
    [
        ("a:x", 3.0, [2.0, 3.0, 4.0]),
        ("2.5", 2.5, 2.5),
        ("least(a:x b:x)", 2.0, [1.0, 3.0, 1.0]),
        ("largest(a:x b:x 3.5)", 3.5, [3.5, 4.0, 4.0]),
        ("difference(a:x b:x)", 1.0, [1.0, -1.0, 3.0]),
        ("ratio(a:x b:x)", 1.5, [2.0, 0.75, 4.0]),
        ("size(c:x)", 5.0, None),
        ("least(a:x c:x)", -5.0, None),
    ],
)
def test_a_side_by_hand(side: str, value: float, resampled: object) -> None:
    found = evaluate(side, figure)
    assert isinstance(found, Quantity)
    assert found.value == pytest.approx(value)
    if resampled is None:
        assert found.resampled is None
    else:
        assert found.resampled == pytest.approx(resampled)


def test_there_is_no_ratio_to_nothing() -> None:
    figures = FIGURES | {"zero:x": Quantity(value=0.0, resampled=None)}
    found = evaluate("ratio(a:x zero:x)", figures.__getitem__)
    assert found == Undefined("zero:x is 0: there is no ratio.")
    # A denominator that is 0 in some resample only: a value, without an interval.
    figures["sometimes:x"] = Quantity(value=1.0, resampled=np.array([0.0, 1.0, 2.0]))
    found = evaluate("ratio(a:x sometimes:x)", figures.__getitem__)
    assert found == Quantity(value=3.0, resampled=None)


def test_a_missing_figure_is_said_in_words() -> None:
    found = evaluate("largest(a:x nothing/here:x)", figure)
    assert found == Undefined("nothing/here:x is missing.")
    assert verdict(found) == "cannot be told: nothing/here:x is missing."


def test_a_difference_that_resampling_turns_round_is_inside_its_noise() -> None:
    row = inequality_row(FIGURES["a:x"], FIGURES["b:x"])
    assert row["difference"] == 1.0 and row["holds"] == 1
    assert row["difference_low"] < 0.0 < row["difference_high"]
    assert (row["certain"], verdict(row)) == (0, "holds, inside its noise")
    turned = inequality_row(FIGURES["b:x"], FIGURES["a:x"])
    assert (turned["holds"], verdict(turned)) == (0, "fails, inside its noise")


def test_what_differs_from_itself_is_noise_of_no_width() -> None:
    row = inequality_row(FIGURES["a:x"], FIGURES["a:x"])
    assert (row["difference_low"], row["difference_high"]) == (0.0, 0.0)
    assert (row["holds"], row["certain"]) == (0, 0)


def test_a_difference_beyond_its_noise_is_certain_either_way() -> None:
    constant = Quantity(value=1.5, resampled=1.5)
    row = inequality_row(FIGURES["a:x"], constant)
    assert (row["certain"], verdict(row)) == (1, "holds")
    assert verdict(inequality_row(constant, FIGURES["a:x"])) == "fails"


def test_without_queries_behind_it_a_claim_has_no_interval() -> None:
    row = inequality_row(FIGURES["a:x"], FIGURES["c:x"])
    assert sorted(row) == ["difference", "holds", "larger", "smaller"]
    assert verdict(row) == "holds"
