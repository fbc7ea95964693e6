"""Stage `certainty`: bootstrap intervals for every figure of the tables that is a mean of queries.

Queries are resampled within classes; references, classifiers and their seeds stay as they are. So
an interval says what other images of these classes might have given, from these very models; that
of a classifier is narrower than its `ci95`, which covers other training seeds as well. Figures over
the same queries (the same class, split and number) are resampled alike: the resampled values that
are stored give the interval of any difference between two figures, paired where it can be.
"""

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from tqdm import tqdm

from synset_factory import layout
from synset_factory.config import claim_world, load_common, load_section
from synset_factory.errors import InputError, run_main
from synset_factory.measures.bootstrap import percentile_interval, resampled_means
from synset_factory.query_values import population, row_values
from synset_factory.seeds import derive_seed
from synset_factory.tables import Row, Undefined, experiments, read_measured, write_rows
from synset_factory.whole_files import whole_file

FOLDERS = (
    layout.TABLE1,
    layout.TABLE2,
    layout.TABLE4,
    layout.TABLE6,
    layout.CENTROID_DISTANCE,
    layout.ERROR_SPLIT,
    layout.APPENDIX_B,
    layout.FURTHER_SETS,
)
AVERAGES = "extra/table6/averages"
ONE_A_CLASS = "each class has one query, so that resampling within classes says nothing"
TOLERANCE = 2e-6  # figures on disk are rounded to six digits


@dataclass(frozen=True, kw_only=True)
class CertaintyConfig:
    """How often is resampled."""

    resamples: int


@dataclass(frozen=True)
class Population:
    """Figures over the same queries."""

    labels: np.ndarray  # [Q], classes of the queries
    figures: dict[str, np.ndarray] = field(default_factory=dict)  # values [Q] by `row:figure`

    def resampled(self, resamples: int, rng: np.random.Generator) -> pd.DataFrame:
        """Return resampled figures [resamples], a column each."""
        values = np.column_stack(list(self.figures.values()))
        means = resampled_means(values, self.labels, resamples, rng)
        return pd.DataFrame(means, columns=list(self.figures))


def rows_on_disk() -> Iterator[str]:
    """Yield the names of all rows that may have intervals, as `row_values` takes them."""
    paths = [path for folder in FOLDERS for path in sorted(folder.rglob("*.json"))]
    for path in [*paths, layout.CONTRIBUTIONS]:
        if path.exists():
            yield path.relative_to(layout.METRICS).with_suffix("").as_posix()


def check_means(row: str, figures: Row, values: pd.DataFrame) -> None:
    """Raise InputError where a figure is not the mean of the values that are stored for it."""
    for figure, mean in values.mean().items():
        told = figures.get(str(figure), math.nan)
        if not math.isclose(mean, told, rel_tol=0.0, abs_tol=TOLERANCE):
            raise InputError(
                f"{layout.METRICS}/{row}.json says {figure} {told}, but its stored outcomes say "
                f"{mean:.6f}: bring both up to date with `dvc repro`."
            )


def averages(resampled: pd.DataFrame) -> pd.DataFrame:
    """Return Table 6's averages, resampled: means over the rows that have k-nn."""
    columns = {}
    for figure in ("centroid_accuracy", "knn1_accuracy", "knn5_accuracy"):
        rows = [f"table6/{each.name}:{figure}" for each in experiments() if each.has_knn]
        if set(rows) <= set(resampled):
            columns[f"{AVERAGES}:{figure}"] = resampled[rows].mean(axis=1)
    return pd.DataFrame(columns)


def interval_rows(resampled: pd.DataFrame) -> dict[str, Row | Undefined]:
    """Return the ends of each figure's interval, by row."""
    rows: dict[str, Row] = defaultdict(dict)
    for address in resampled:
        row, _, figure = str(address).rpartition(":")
        low, high = percentile_interval(resampled[address].to_numpy())
        rows[row] |= {f"{figure}_low": low, f"{figure}_high": high}
    return dict(rows)


def read_populations() -> tuple[dict[str, Population], dict[str, Undefined]]:
    """Return all figures by the digest of their queries, and the rows that have no intervals.

    Raises InputError if outcomes are missing, or are not those that the figures were made from.
    """
    undefined: dict[str, Undefined] = {}
    populations: dict[str, Population] = {}
    for row in tqdm(list(rows_on_disk()), desc="Reading outcomes", unit="row"):
        figures = read_measured(layout.METRICS, row)
        if isinstance(figures, Undefined):
            undefined[row] = figures
            continue
        values = row_values(row)
        if values.empty:
            continue
        check_means(row, figures, values)
        labels = values.index.get_level_values("cls").to_numpy()
        if len(np.unique(labels)) == len(labels):
            undefined[row] = Undefined(f"{row}: {ONE_A_CLASS}.")
            continue
        of_row = populations.setdefault(population(values), Population(labels))
        of_row.figures.update({f"{row}:{name}": values[name].to_numpy() for name in values})
    return populations, undefined


def resample(populations: dict[str, Population], resamples: int, seed: int) -> pd.DataFrame:
    """Return every figure resampled, a column each. Each population has draws of its own."""
    parts = []
    for digest, each in tqdm(populations.items(), desc="Resampling", unit="population"):
        rng = np.random.default_rng(derive_seed(seed, "certainty", digest))
        parts.append(each.resampled(resamples, rng))
    resampled = pd.concat(parts, axis=1) if parts else pd.DataFrame()
    return resampled.join(averages(resampled))


def main() -> None:
    common = load_common()
    claim_world(common.world)
    config = load_section(CertaintyConfig, "certainty")

    populations, undefined = read_populations()
    resampled = resample(populations, config.resamples, common.seed)
    with whole_file(layout.RESAMPLED) as partial:
        resampled.to_parquet(partial, index=False)
    write_rows(layout.INTERVALS, interval_rows(resampled) | undefined)


if __name__ == "__main__":
    run_main(main)
