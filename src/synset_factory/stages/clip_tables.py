"""Stage `clip_tables`: Centroid Distances (Figure 5) and Table 6, from the stored embeddings.

Nothing here depends on a classifier. References are always the training split, queries the
validation split, prompts included.
"""

import math
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from synset_factory import layout
from synset_factory.config import claim_world, load_common, load_section
from synset_factory.embedding_files import IMAGE, Embeddings
from synset_factory.errors import run_main
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
    experiments,
    write_rows,
)
from synset_factory.whole_files import whole_file

ACCURACIES = ("centroid_accuracy", "knn1_accuracy", "knn5_accuracy")


def distance_rows(sets: Iterable[str], read: Callable[[str], Embeddings]) -> dict[str, Row]:
    """Return each set's Centroid Distance, from equally many training images a class.

    `read` gives the embeddings of a set, of which only one is held at a time.
    """
    count = fewest_images(map(read, sets))
    return {name: distance_row(read(name), count) for name in sets}


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


def averages(rows: list[Row]) -> Row:
    """Return the table's last line: averages over the rows that have k-nn."""
    with_knn = [row for row in rows if "knn1_accuracy" in row]
    return {name: float(np.mean([row[name] for row in with_knn])) for name in ACCURACIES}


def main() -> None:
    common = load_common()
    claim_world(common.world)
    config = load_section(ClipTablesConfig, "clip_tables")
    read = lru_cache(maxsize=2)(read_source)  # references, and queries that several rows share

    write_rows(layout.CENTROID_DISTANCE, distance_rows(PAPER_SETS, read_images))
    with whole_file(layout.DISTANCE_OUTCOMES) as partial:
        write_distance_outcomes(partial, PAPER_SETS, read_images)
    rows, outcomes = {}, []
    for experiment in tqdm(experiments(), desc="Table 6", unit="row"):
        references, queries = read(experiment.reference, TRAIN), read(experiment.query, VALIDATION)
        rows[experiment.name], of_queries = experiment_outcomes(
            experiment, references, queries, common.seed, config.memory
        )
        outcomes.append(of_queries)
    table = pd.concat(outcomes, ignore_index=True).astype(dict.fromkeys(ACCURACIES, "boolean"))
    with whole_file(layout.CLIP_OUTCOMES) as partial:
        table.to_parquet(partial, index=False)
    write_rows(layout.TABLE6, rows)
    write_rows(layout.TABLE6_AVERAGES, {"averages": averages(list(rows.values()))})


if __name__ == "__main__":
    run_main(main)
