"""The paper's qualitative claims as inequalities between figures of the tables.

paper/claims.csv has a row a claim; `larger` and `smaller` are what it says is larger and smaller:
a constant, the address of a figure (`row:figure`, the row by its place under metrics/), or one of
FUNCTIONS of these, as in `least(table1/5_synset_on_synset:accuracy 80)`.
"""

import csv
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from importlib.resources import files
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from synset_factory.measures.bootstrap import percentile_interval
from synset_factory.tables import PAPER_SETS, Row, Undefined, classifier_lines

CALL = re.compile(r"(\w+)\((.+)\)")
Numbers = float | NDArray[np.float64]

FUNCTIONS: dict[str, Callable[..., Numbers]] = {
    "least": lambda *each: reduce(np.minimum, each),
    "largest": lambda *each: reduce(np.maximum, each),
    "difference": lambda first, second: first - second,
    "ratio": lambda first, second: first / second,
    "size": abs,  # of a number that may be negative
}


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One claim of the paper."""

    number: int
    place: str  # in the paper
    claim: str  # in the paper's words, shortened
    larger: str
    smaller: str

    @property
    def name(self) -> str:
        """Of its row on disk."""
        return f"{self.number:02d}"


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """A figure, and where it is a mean of queries what it might have been."""

    value: float
    resampled: Numbers | None  # [resamples], or a constant; None where that is not known


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Two figures that a table invites to compare."""

    name: str  # of its row on disk
    words: str  # what is compared
    first: str  # address of a figure
    second: str


Lookup = Callable[[str], Quantity | Undefined]  # of the address of a figure


def read_claims() -> list[Claim]:
    """Return the claims in the order of the paper."""
    text = (files("synset_factory") / "paper" / "claims.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    return [Claim(**dict(row) | {"number": int(row["number"])}) for row in rows]


def differences() -> list[Difference]:
    """Return what to compare: lines of Tables 1 and 2 that share a set, Centroid Distances."""
    lines = [(table, line) for table in ("table1", "table2") for line in classifier_lines(table)]
    of_lines = [
        Difference(
            name=f"{a}_{left.line}_minus_{b}_{right.line}",
            words=f"{a[-1]}.{left.line} {left.train} on {left.evaluation} - "
            f"{b[-1]}.{right.line} {right.train} on {right.evaluation}",
            first=f"{a}/{left.name}:accuracy",
            second=f"{b}/{right.name}:accuracy",
        )
        for (a, left), (b, right) in combinations(lines, 2)
        if left.train == right.train or left.evaluation == right.evaluation
    ]
    key = "centroid_distance"
    of_distances = [
        Difference(
            name=f"{key}_{left}_minus_{right}",
            words=f"Centroid Distance: {left} - {right}",
            first=f"{key}/{left}:{key}",
            second=f"{key}/{right}:{key}",
        )
        for left, right in combinations(PAPER_SETS, 2)
    ]
    return of_lines + of_distances


def evaluate(side: str, lookup: Lookup) -> Quantity | Undefined:
    """Return what a side of a claim comes to; Undefined where a figure of it is."""
    function, parts = _parts(side)
    found: list[Quantity] = []
    for part in parts:
        constant = _constant(part)
        if constant is not None:
            found.append(Quantity(value=constant, resampled=constant))
            continue
        figure = lookup(part)
        if isinstance(figure, Undefined):
            return figure
        found.append(figure)
    if function is None:
        return found[0]
    apply = FUNCTIONS[function]
    if function == "ratio" and found[1].value == 0.0:
        return Undefined(f"{parts[1]} is 0: there is no ratio.")
    return Quantity(
        value=float(apply(*(each.value for each in found))),
        resampled=_resampled(apply, [each.resampled for each in found]),
    )


def _resampled(apply: Callable[..., Numbers], parts: list[Numbers | None]) -> Numbers | None:
    """Return what a function of resampled figures comes to, where it always comes to a number."""
    if any(part is None for part in parts):
        return None
    with np.errstate(divide="ignore", invalid="ignore"):  # a resampled denominator may be 0
        resampled = apply(*parts)
    return resampled if np.isfinite(resampled).all() else None


def inequality_row(larger: Quantity, smaller: Quantity) -> Row:
    """Return larger, smaller, difference and whether the inequality holds (1) or not (0).

    Where both sides can be resampled there is the difference's interval (95%, difference_low and
    difference_high), and `certain`, 1 where that leaves out 0.
    """
    difference = larger.value - smaller.value
    row: Row = {
        "larger": larger.value,
        "smaller": smaller.value,
        "difference": difference,
        "holds": int(difference > 0.0),
    }
    if larger.resampled is not None and smaller.resampled is not None:
        low, high = percentile_interval(np.atleast_1d(larger.resampled - smaller.resampled))
        row |= {
            "difference_low": low,
            "difference_high": high,
            "certain": int(low > 0.0 or high < 0.0),
        }
    return row


def verdict(row: Row | Undefined) -> str:
    """Return in words what a row of `inequality_row` says."""
    if isinstance(row, Undefined):
        return f"cannot be told: {row.why}"
    words = "holds" if row["holds"] else "fails"
    return f"{words}, inside its noise" if row.get("certain") == 0 else words


def _parts(side: str) -> tuple[str | None, list[str]]:
    call = CALL.fullmatch(side)
    return (call[1], call[2].split()) if call else (None, [side])


def _constant(part: str) -> float | None:
    try:
        return float(part)
    except ValueError:
        return None
