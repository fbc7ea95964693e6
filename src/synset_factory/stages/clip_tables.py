"""Stage `clip_tables`: Centroid Distances (Figure 5) and Table 6, from the stored embeddings.

Nothing here depends on a classifier. References are always the training split, queries the
validation split, prompts included.
"""

import math
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from synset_factory import layout
from synset_factory.config import claim_world, load_common, load_section
from synset_factory.embedding_files import IMAGE, Embeddings
from synset_factory.errors import InputError, run_main
from synset_factory.measures.vectors import UndefinedMeasure
from synset_factory.records import TRAIN, VALIDATION
from synset_factory.seeds import derive_seed
from synset_factory.table_rows import (
    ClipTablesConfig,
    clip_row,
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


def experiment_outcomes(
    experiment: Experiment,
    references: Embeddings,
    queries: Embeddings,
    seed: int,
    memory: float = math.inf,
) -> tuple[Row, pd.DataFrame]:
    """Return a row of Table 6, and what its figures are means of.

    The table has a row a query: experiment, key, cls, true or false what the row counts, cosine.
    """
    rng = np.random.default_rng(derive_seed(seed, "table6", experiment.number))
    row, outcomes = clip_row(references, queries, rng, knn=experiment.has_knn, memory=memory)
    table = pd.DataFrame(
        {"experiment": experiment.number, "key": queries.keys, "cls": queries.labels, **outcomes}
    )
    return row, table


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
    config = load_section(ClipTablesConfig, "clip_tables")
    read = lru_cache(maxsize=2)(read_source)  # references, and queries that several rows share

    distances = distance_rows(PAPER_SETS, read_images)
    write_rows(layout.CENTROID_DISTANCE, distances)
    defined = [name for name, row in distances.items() if not isinstance(row, Undefined)]
    with whole_file(layout.DISTANCE_OUTCOMES) as unfinished:
        write_distance_outcomes(unfinished, defined, read_images)
    rows: Rows = {}
    outcomes = []
    for experiment in tqdm(experiments(), desc="Table 6", unit="row"):
        references, queries = read(experiment.reference, TRAIN), read(experiment.query, VALIDATION)
        try:
            rows[experiment.name], of_queries = experiment_outcomes(
                experiment, references, queries, common.seed, config.memory
            )
        except UndefinedMeasure as error:
            rows[experiment.name] = Undefined(f"Row {experiment.number} of Table 6: {error}.")
        else:
            outcomes.append(of_queries)
    if not outcomes:
        raise InputError(f"{layout.EMBEDDINGS}: no row of Table 6 has figures: embed them anew.")
    table = pd.concat(outcomes, ignore_index=True).astype(dict.fromkeys(ACCURACIES, "boolean"))
    with whole_file(layout.CLIP_OUTCOMES) as unfinished:
        table.to_parquet(unfinished, index=False)
    write_rows(layout.TABLE6, rows)
    write_rows(layout.TABLE6_AVERAGES, {"averages": averages(rows.values())})


if __name__ == "__main__":
    run_main(main)
