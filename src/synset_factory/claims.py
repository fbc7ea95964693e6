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

import numpy as np
from numpy.typing import NDArray

from synset_factory.measures.bootstrap import percentile_interval
from synset_factory.tables import Row, Undefined

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


Lookup = Callable[[str], Quantity | Undefined]  # of the address of a figure


def read_claims() -> list[Claim]:
    """Return the claims in the order of the paper."""
    text = (files("synset_factory") / "paper" / "claims.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    return [Claim(**dict(row) | {"number": int(row["number"])}) for row in rows]


def addresses(side: str) -> list[str]:
    """Return the addresses that a side of a claim names."""
    return [part for part in _parts(side)[1] if _constant(part) is None]


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
    resampled = [each.resampled for each in found if each.resampled is not None]
    return Quantity(
        value=float(apply(*(each.value for each in found))),
        resampled=apply(*resampled) if len(resampled) == len(found) else None,
    )


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
