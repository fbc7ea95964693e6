"""Outcomes of stages, made by hand in the working folder: small, and each figure known."""

from dataclasses import asdict

import numpy as np
import pandas as pd

from synset_factory import layout
from synset_factory.measures.accuracy import mean_accuracy
from synset_factory.stages.clip_tables import (
    asked_of,
    averages,
    distance_rows,
    outcome_table,
    write_distance_outcomes,
)
from synset_factory.table_rows import clip_rows, read_outcomes
from synset_factory.tables import (
    PAPER_SETS,
    Row,
    Undefined,
    classifier_lines,
    experiments,
    write_rows,
)
from tests.drawn_embeddings import embeddings

CLASSES, EACH = 3, 8  # queries of a set: classes, and images of each
LABELS = np.repeat(np.arange(CLASSES) * 7, EACH)


def shuffled(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The same rows in another order."""
    return table.sample(frac=1.0, random_state=seed, ignore_index=True)


def write_classifier_tables(order: int = 0) -> dict[str, Row]:
    """Write Tables 1 and 2 and their outcomes, two classifier seeds; return the rows unrounded."""
    rng = np.random.default_rng(5)
    tables: dict[str, list[pd.DataFrame]] = {}
    rows: dict[str, Row] = {}
    for table, folder in (("table1", layout.TABLE1), ("table2", layout.TABLE2)):
        for line in classifier_lines(table):
            right = rng.random((2, len(LABELS))) < 0.6
            rows[f"{table}/{line.name}"] = asdict(mean_accuracy(right, LABELS))
            own = line.evaluation if line.train == "natural" else line.train
            for seed, of_seed in enumerate(right):
                told = pd.DataFrame(
                    {
                        "train": line.train,
                        "evaluation": line.evaluation,
                        "seed": seed,
                        "key": [f"n{i}" for i in range(len(LABELS))],
                        "cls": LABELS,
                        "predicted": np.where(of_seed, LABELS, -1),
                    }
                )
                tables.setdefault(own, []).append(told)
        prefix = f"{table}/"
        of_table = {k.removeprefix(prefix): v for k, v in rows.items() if k.startswith(prefix)}
        write_rows(folder, of_table)
    layout.OUTCOMES.mkdir(parents=True, exist_ok=True)
    for name, parts in tables.items():
        shuffled(pd.concat(parts), order).to_parquet(layout.outcomes(name), index=False)
    read_outcomes.cache_clear()
    return rows


def write_clip_tables(order: int = 0) -> dict[str, Row]:
    """Write Table 6, its averages, Centroid Distances and their outcomes; return the rows."""
    rows, outcomes = {}, []
    for each in experiments():
        references = embeddings(each.number, CLASSES, 6)
        queries = embeddings(100 + each.number, CLASSES, EACH if each.has_knn else 1)
        asked = [asked_of(each, queries, seed=0)]
        (row,) = clip_rows(references, asked, memory=1.0, device="cpu", label="")
        assert not isinstance(row, Undefined)
        rows[each.name], told = row
        outcomes.append(outcome_table(each, queries, told))
    layout.CLIP_OUTCOMES.parent.mkdir(parents=True, exist_ok=True)
    shuffled(pd.concat(outcomes), order).to_parquet(layout.CLIP_OUTCOMES, index=False)
    images = {name: embeddings(i, CLASSES, EACH) for i, name in enumerate(PAPER_SETS)}
    write_distance_outcomes(layout.DISTANCE_OUTCOMES, PAPER_SETS, images.__getitem__)
    mean = averages(list(rows.values()))
    distances = distance_rows(PAPER_SETS, images.__getitem__)
    write_rows(layout.TABLE6, rows)
    write_rows(layout.TABLE6_AVERAGES, {"averages": mean})
    write_rows(layout.CENTROID_DISTANCE, distances)
    made = {
        **{f"table6/{name}": row for name, row in rows.items()},
        **{f"centroid_distance/{name}": row for name, row in distances.items()},
        "extra/table6/averages": mean,
    }
    return {name: row for name, row in made.items() if not isinstance(row, Undefined)}
