"""What a figure of the tables is the mean of: a value a query, from the stored outcomes.

A row is named by its place under metrics/, for example `table1/6_disamb_on_natural`. Figures that
have such values are those of Tables 1, 2 and 6, a further set's accuracies, Centroid Distance,
Appendix B, and what is made of Table 6 query by query: Table 4, and the split of the error.
"""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pandas as pd

from synset_factory import layout
from synset_factory.errors import InputError
from synset_factory.table_rows import right_of_seeds
from synset_factory.tables import (
    ERROR_SPLITS,
    TABLE4_CLASSES,
    classifier_lines,
    experiments,
    further_classifier_pairs,
    table4_lines,
)

QUERY = ["cls", "key"]  # what a query is known by: figures over the same queries pair by it
PERCENT = 100.0
CONTRIBUTIONS = "disamb25"  # the set on which the paper splits the error


def row_values(row: str) -> pd.DataFrame:
    """Return the values that the figures of a row are means of, in the figures' own units.

    Indexed by (cls, key), a row a query in their order; a column a figure, named as in the row,
    none for a figure that is no mean of queries. A classifier's outcomes are averaged over its
    seeds. The queries of Centroid Distance are the training images themselves: their mean is the
    set's distance, because every class has as many.

    Raises InputError if the values have not been made.
    """
    folder, _, name = row.rpartition("/")
    if folder in _READERS:
        return _READERS[folder](name)
    parent, _, image_set = folder.rpartition("/")
    if parent == layout.FURTHER_SETS.relative_to(layout.METRICS).as_posix():
        for pair in further_classifier_pairs(image_set):
            if pair.name == name:
                return _accuracies(pair.train, pair.evaluation)
    return pd.DataFrame()


def population(values: pd.DataFrame) -> str:
    """Return a digest of the queries of `row_values`: figures of one population are paired."""
    text = "\n".join(f"{cls} {key}" for cls, key in values.index)
    return sha256(text.encode()).hexdigest()


def experiment_values(number: int) -> pd.DataFrame:
    """Return the values of a row of Table 6, as `row_values` does."""
    table = _read(layout.CLIP_OUTCOMES, "experiment", number).drop(columns="experiment")
    right = table.drop(columns="cosine").dropna(axis="columns", how="all")
    return (PERCENT * right.astype(float)).assign(avg_cosine_similarity=table["cosine"])


def _classifier_line(table: str) -> Callable[[str], pd.DataFrame]:
    def read(name: str) -> pd.DataFrame:
        (line,) = [line for line in classifier_lines(table) if line.name == name]
        return _accuracies(line.train, line.evaluation)

    return read


def _accuracies(train: str, evaluation: str) -> pd.DataFrame:
    mean = right_of_seeds(train, evaluation).astype(float).mean(axis=1)
    return pd.DataFrame({"accuracy": PERCENT * mean}).sort_index()


def _table6(name: str) -> pd.DataFrame:
    (number,) = [each.number for each in experiments() if each.name == name]
    return experiment_values(number)


def _table4(name: str) -> pd.DataFrame:
    """A class's accuracy becomes a mean over all queries, so that it pairs with the average."""
    (number,) = [line.experiment for line in table4_lines() if line.name == name]
    right = experiment_values(number)["centroid_accuracy"]
    values = pd.DataFrame({"average": right})
    for figure, wnid in TABLE4_CLASSES.items():
        of_class = right.index.get_level_values("key").str.startswith(f"{wnid}_")
        if of_class.any():
            values[figure] = right.where(of_class, 0.0) * (len(right) / of_class.sum())
    return values


def _error_split(image_set: str) -> pd.DataFrame:
    by_prompts, by_own_centroids = (
        experiment_values(number)["centroid_accuracy"] for number in ERROR_SPLITS[image_set]
    )
    return pd.DataFrame(
        {
            "error": PERCENT - by_prompts,
            "diversity": PERCENT - by_own_centroids,
            "centroid_shift": by_own_centroids - by_prompts,
        }
    )


def _top_level(name: str) -> pd.DataFrame:
    if layout.METRICS / f"{name}.json" != layout.CONTRIBUTIONS:
        return pd.DataFrame()
    split = _error_split(CONTRIBUTIONS)
    return pd.DataFrame({"diffusion": split["diversity"], "clip": split["centroid_shift"]})


def _centroid_distance(image_set: str) -> pd.DataFrame:
    values = _read(layout.DISTANCE_OUTCOMES, "set", image_set)
    return values[["value"]].rename(columns={"value": "centroid_distance"})


def _appendix_b(name: str) -> pd.DataFrame:
    """The queries draw the same noise, so they pair by number."""
    query = name.partition("_")[2]
    values = _read(layout.APPENDIX_B_OUTCOMES, "query", query, key="number")
    return pd.DataFrame(
        {
            "centroid_accuracy": PERCENT * values["centroid_accuracy"].astype(float),
            "centroid_distance": values["squared_codiff"],
        }
    )


def _read(path: Path, column: str, value: object, key: str = "key") -> pd.DataFrame:
    """Read the rows of a stored table with that value in a column, in the order of (cls, key)."""
    if not path.exists():
        raise InputError(f"{path} is missing: make it with `dvc repro`.")
    table = pd.read_parquet(path, filters=[(column, "==", value)])
    if table.empty:
        raise InputError(f"{path} has no rows of {column} {value}: make it with `dvc repro`.")
    return table.assign(key=table[key]).set_index(QUERY).sort_index()


_READERS: dict[str, Callable[[str], pd.DataFrame]] = {
    "": _top_level,
    "table1": _classifier_line("table1"),
    "table2": _classifier_line("table2"),
    "table4": _table4,
    "table6": _table6,
    "centroid_distance": _centroid_distance,
    "error_split": _error_split,
    "appendix_b": _appendix_b,
}
