"""What several runs of the pipeline, alike but for the seed, say of every row and every claim."""

import statistics
from collections.abc import Mapping

from synset_factory import layout
from synset_factory.claims import read_claims, verdict
from synset_factory.markdown import markdown_table
from synset_factory.tables import Row, Undefined

Run = Mapping[str, Row | Undefined]  # rows of metrics by their place under metrics/
CLAIMS = f"{layout.CLAIMS.name}/"
# Claims have a table of their own; the others are what one run says of its own noise.
LEFT_OUT = (CLAIMS, f"{layout.INTERVALS.name}/", f"{layout.DIFFERENCES.name}/")


def spread_text(runs: Mapping[int, Run]) -> str:
    """Return a Markdown report on runs, by seed: the spread of every row and claim."""
    seeds = ", ".join(map(str, runs))
    return f"""# {len(runs)} runs of the whole pipeline, seeds {seeds}

Everything that is drawn, trained or chosen at random differs between them; prompts and settings do
not.

## Claims

In how many of the runs each of the paper's claims holds, and the least and the largest difference
between its two sides. "Inside its noise" counts the runs in which that difference is, held or not.

{claims_table(runs)}

## Rows

{figures_table(runs)}
"""


def claims_table(runs: Mapping[int, Run]) -> str:
    """Return in how many runs each claim holds."""
    header = ["#", "place", "claim", "holds", "inside its noise", "cannot be told", "difference"]
    lines = []
    for claim in read_claims():
        missing = Undefined("it has no row")
        found = [run.get(f"{CLAIMS}{claim.name}", missing) for run in runs.values()]
        told = [row for row in found if not isinstance(row, Undefined)]
        noise = sum("noise" in verdict(row) for row in told)
        differences = [row["difference"] for row in told]
        lines.append(
            [
                claim.name,
                claim.place,
                claim.claim,
                f"{sum(row['holds'] for row in told)} of {len(told)}",
                str(noise or ""),
                str(len(found) - len(told) or ""),
                f"{min(differences):.4g} to {max(differences):.4g}" if told else "",
            ]
        )
    return markdown_table(header, lines)


def figures_table(runs: Mapping[int, Run]) -> str:
    """Return mean, standard deviation, least and largest of every figure over the runs.

    A figure that some runs lack says how many have it.
    """
    header = ["row", "figure", "runs", "mean", "sd", "least", "largest"]
    values: dict[tuple[str, str], list[float]] = {}
    for run in runs.values():
        for name, row in run.items():
            if not isinstance(row, Undefined) and not name.startswith(LEFT_OUT):
                for figure, value in row.items():
                    values.setdefault((name, figure), []).append(value)
    lines = [
        [
            name,
            figure,
            str(len(each)),
            f"{statistics.fmean(each):.5g}",
            f"{statistics.stdev(each):.3g}" if len(each) > 1 else "",
            f"{min(each):.5g}",
            f"{max(each):.5g}",
        ]
        for (name, figure), each in sorted(values.items())
    ]
    return markdown_table(header, lines)
