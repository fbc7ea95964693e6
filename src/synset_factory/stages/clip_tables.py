"""Stage `clip_tables`: Centroid Distances (Figure 5) and Table 6, from the stored embeddings.

Nothing here depends on a classifier. References are always the training split, queries the
validation split, prompts included.
"""

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from functools import cache, partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from synset_factory import layout
from synset_factory.config import claim_world, load_common, load_section
from synset_factory.embedding_files import IMAGE, Embeddings
from synset_factory.errors import InputError, run_main
from synset_factory.records import TRAIN, VALIDATION
from synset_factory.seeds import derive_seed
from synset_factory.set_stage import check_run
from synset_factory.table_rows import (
    Asked,
    ClipTablesConfig,
    Outcomes,
    clip_rows,
    distance_row,
    distance_values,
    fewest_images,
    read_source,
)
from synset_factory.tables import (
    PAPER_SETS,
    ClipSource,
    Experiment,
    Row,
    Undefined,
    experiments,
    measured,
    write_rows,
)
from synset_factory.whole_files import whole_file

Rows = dict[str, Row | Undefined]
Read = Callable[[ClipSource, str], Embeddings]
ACCURACIES = ("centroid_accuracy", "knn1_accuracy", "knn5_accuracy")


def distance_rows(sets: Iterable[str], read: Callable[[str], Embeddings]) -> Rows:
    """Return each set's Centroid Distance, from equally many training images a class.

    `read` gives the embeddings of a set, of which only one is held at a time.
    """
    count = fewest_images(map(read, sets))
    return {
        name: measured(f"Centroid Distance of {name}", partial(distance_row, read(name), count))
        for name in sets
    }


def read_images(image_set: str) -> Embeddings:
    """Return the embeddings of a set's training images."""
    return read_source(ClipSource(image_set=image_set, modality=IMAGE), TRAIN)


def write_distance_outcomes(
    path: Path, sets: Iterable[str], read: Callable[[str], Embeddings]
) -> None:
    """Write what `distance_rows` are means of: set, cls, key, value (squared codiff)."""
    count = fewest_images(map(read, sets))
    with ExitStack() as stack:
        writer: pq.ParquetWriter | None = None
        for name in sets:
            values = distance_values(read(name), count).assign(set=name)
            table = pa.Table.from_pandas(values, preserve_index=False)
            writer = writer or stack.enter_context(pq.ParquetWriter(path, table.schema))
            writer.write_table(table)


def asked_of(experiment: Experiment, queries: Embeddings, seed: int) -> Asked:
    """Return what a row of Table 6 asks of its references."""
    return Asked(
        of_what=f"Row {experiment.number} of Table 6",
        queries=queries,
        rng=np.random.default_rng(derive_seed(seed, "table6", experiment.number)),
        knn=experiment.has_knn,
    )


def outcome_table(experiment: Experiment, queries: Embeddings, outcomes: Outcomes) -> pd.DataFrame:
    """Return what a row's figures are means of, a row a query: experiment, key, cls, true or false
    what the row counts, cosine.
    """
    return pd.DataFrame(
        {"experiment": experiment.number, "key": queries.keys, "cls": queries.labels, **outcomes}
    )


def all_rows(read: Read, seed: int, memory: float, device: str) -> tuple[Rows, list[pd.DataFrame]]:
    """Return Table 6, and what its figures are means of, in the order of its rows.

    `read` gives the embeddings of a source and split. Each reference set is read once, and
    searched once for the queries of all its rows.
    """
    rows: Rows = {}
    tables: dict[str, pd.DataFrame] = {}
    for reference in dict.fromkeys(each.reference for each in experiments()):
        found = [each for each in experiments() if each.reference == reference]
        asked = [asked_of(each, read(each.query, VALIDATION), seed) for each in found]
        references, label = read(reference, TRAIN), f"Table 6, neighbours in {reference.name}"
        of_rows = clip_rows(references, asked, memory=memory, device=device, label=label)
        for each, of_row, row in zip(found, asked, of_rows, strict=True):
            if isinstance(row, Undefined):
                rows[each.name] = row
            else:
                rows[each.name] = row[0]
                tables[each.name] = outcome_table(each, of_row.queries, row[1])
    names = [each.name for each in experiments()]
    return {name: rows[name] for name in names}, [tables[name] for name in names if name in tables]


def once_for_queries(read: Read) -> Read:
    """Return `read`, but what is asked of every reference set is kept."""
    kept = cache(read)
    return lambda source, split: (kept if split == VALIDATION else read)(source, split)


def averages(rows: Iterable[Row | Undefined]) -> Row | Undefined:
    """Return the table's last line: averages over the rows that have k-nn."""
    with_knn = []
    for row in rows:
        if isinstance(row, Undefined):
            return row
        if "knn1_accuracy" in row:
            with_knn.append(row)
    return {name: float(np.mean([row[name] for row in with_knn])) for name in ACCURACIES}


def main() -> None:
    common = load_common()
    claim_world(common.world)
    check_run(common, by_engine=False)
    config = load_section(ClipTablesConfig, "clip_tables")
    distances = distance_rows(PAPER_SETS, read_images)
    write_rows(layout.CENTROID_DISTANCE, distances)
    defined = [name for name, row in distances.items() if not isinstance(row, Undefined)]
    with whole_file(layout.DISTANCE_OUTCOMES) as unfinished:
        write_distance_outcomes(unfinished, defined, read_images)
    rows, outcomes = all_rows(
        once_for_queries(read_source), common.seed, config.memory, common.run.device
    )
    if not outcomes:
        raise InputError(f"{layout.EMBEDDINGS}: no row of Table 6 has figures: embed them anew.")
    table = pd.concat(outcomes, ignore_index=True).astype(dict.fromkeys(ACCURACIES, "boolean"))
    with whole_file(layout.CLIP_OUTCOMES) as unfinished:
        table.to_parquet(unfinished, index=False)
    write_rows(layout.TABLE6, rows)
    write_rows(layout.TABLE6_AVERAGES, {"averages": averages(rows.values())})


if __name__ == "__main__":
    run_main(main)
