"""Stage `claims`: do the paper's claims hold in this run, and which of it is noise?

Two lists: the claims, and the differences between every two lines of Tables 1 and 2 that share a
set, and between every two sets' Centroid Distances. What is inside its noise is said to be.
"""

from collections import Counter
from collections.abc import Iterable
from functools import cache

import pandas as pd

from synset_factory import layout
from synset_factory.claim_support import support_rows
from synset_factory.claims import (
    Claim,
    Lookup,
    Quantity,
    differences,
    evaluate,
    inequality_row,
    read_claims,
    verdict,
)
from synset_factory.config import claim_world, load_common
from synset_factory.errors import InputError, run_main
from synset_factory.markdown import markdown_table
from synset_factory.tables import Row, Undefined, read_measured, write_rows
from synset_factory.whole_files import write_text

Rows = dict[str, Row | Undefined]


def figures_of(resampled: pd.DataFrame) -> Lookup:
    """Return what finds a figure by its address: under metrics/, and among those resampled."""

    @cache
    def figure(address: str) -> Quantity | Undefined:
        name, _, key = address.rpartition(":")
        row = read_measured(layout.METRICS, name)
        if isinstance(row, Undefined):
            return row
        if key not in row:
            return Undefined(f"{layout.METRICS}/{name}.json has no {key}.")
        draws = resampled[address].to_numpy() if address in resampled else None
        return Quantity(value=float(row[key]), resampled=draws)

    return figure


def compared(larger: str, smaller: str, figure: Lookup) -> Row | Undefined:
    """Return the row of an inequality, or why there is none."""
    sides = [evaluate(side, figure) for side in (larger, smaller)]
    for side in sides:
        if isinstance(side, Undefined):
            return side
    first, second = (side for side in sides if isinstance(side, Quantity))
    return inequality_row(first, second)


def _cells(row: Row | Undefined) -> list[str]:
    """Return the two numbers, the difference and its interval."""
    if isinstance(row, Undefined):
        return [""] * 4
    numbers = [f"{row[key]:.4g}" for key in ("larger", "smaller", "difference")]
    has_interval = "certain" in row
    return [
        *numbers,
        f"{row['difference_low']:.4g} to {row['difference_high']:.4g}" if has_interval else "",
    ]


def claims_table(claims: Iterable[Claim], rows: Rows) -> str:
    """Return the claims with their numbers and verdicts."""
    header = ["#", "place", "claim", "larger", "smaller", "difference", "95% interval", "verdict"]
    return markdown_table(
        header,
        [
            [each.name, each.place, each.claim, *_cells(rows[each.name]), verdict(rows[each.name])]
            for each in claims
        ],
    )


def differences_table(rows: Rows) -> str:
    """Return the differences; one inside its interval says so."""
    header = ["first - second", "first", "second", "difference", "95% interval", ""]
    lines = []
    for name, row in rows.items():
        noise = not isinstance(row, Undefined) and row.get("certain") == 0
        said = row.why if isinstance(row, Undefined) else "inside its noise" if noise else ""
        lines.append([name, *_cells(row), said])
    return markdown_table(header, lines)


def claims_text(claims: list[Claim], rows: Rows, differences_told: Rows) -> str:
    """Return metrics/claims.md."""
    verdicts = Counter(verdict(rows[each.name]).partition(":")[0] for each in claims)
    counted = "\n".join(f"- {words}: {count}" for words, count in sorted(verdicts.items()))
    return f"""# The paper's claims in this run

Each claim is an inequality: which two figures it compares is in
`src/synset_factory/paper/claims.csv`. Of {len(claims)} claims

{counted}

Intervals (95%, bootstrap) are of the images asked, paired where both sides ask the same: other
images of these classes might have given the other verdict where they hold 0, which is then inside
its noise. They do not cover other classifier seeds, image sets or models made anew:
`synset-factory seeds` does. A claim without an interval is about figures that are no mean of
queries, or whose queries are not stored: further sets in CLIP space, the space of a classifier,
single classes.

{claims_table(claims, rows)}

## Differences between sets

Every two lines of Tables 1 and 2 that share a set, in percentage points, and every two Centroid
Distances.

{differences_table(differences_told)}
"""


def main() -> None:
    claim_world(load_common().world)
    if not layout.RESAMPLED.exists():
        raise InputError(f"{layout.RESAMPLED} is missing: make it with `dvc repro certainty`.")

    write_rows(layout.CLAIMS_SUPPORT, support_rows())
    figure = figures_of(pd.read_parquet(layout.RESAMPLED))
    claims = read_claims()
    rows = {each.name: compared(each.larger, each.smaller, figure) for each in claims}
    pairs = differences()
    of_pairs = {each.name: compared(each.first, each.second, figure) for each in pairs}
    write_rows(layout.CLAIMS, rows)
    write_rows(layout.DIFFERENCES, of_pairs)
    told = {each.words: of_pairs[each.name] for each in pairs}
    write_text(layout.CLAIMS_LIST, claims_text(claims, rows, told))


if __name__ == "__main__":
    run_main(main)
