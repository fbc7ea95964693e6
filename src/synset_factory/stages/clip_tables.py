"""Stage `clip_tables`: Centroid Distances (Figure 5) and Table 6, from the stored embeddings.

Nothing here depends on a classifier. References are always the training split, queries the
validation split, prompts included.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
import pandas as pd
from tqdm import tqdm

from synset_factory import layout
from synset_factory.config import NATURAL, claim_world, load_common
from synset_factory.embedding_files import IMAGE, Embeddings, read_embeddings
from synset_factory.errors import run_main
from synset_factory.measures.accuracy import accuracy_percent
from synset_factory.measures.centroids import (
    average_cosine,
    centroid_distance,
    centroid_outcomes,
    class_centroids,
)
from synset_factory.measures.knn import nearest, vote
from synset_factory.records import TRAIN, VALIDATION
from synset_factory.seeds import derive_seed
from synset_factory.tables import ClipSource, Experiment, Row, experiments, write_rows

# The sets of the paper, and the one that it mentions without a line: guidance scale 1.0.
DISTANCE_SETS = (NATURAL, "synset", "disamb", "disamb25", "disamb10", "promptaug")
NEIGHBOURS = 5
ACCURACIES = ("centroid_accuracy", "knn1_accuracy", "knn5_accuracy")

Reader = Callable[[ClipSource, str], Embeddings]


def first_of_each_class(embeddings: Embeddings, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return vectors and labels of the first `count` images of each class, in stored order."""
    rank = pd.Series(embeddings.labels).groupby(embeddings.labels).cumcount().to_numpy()
    return embeddings.vectors[rank < count], embeddings.labels[rank < count]


def distance_rows(read: Reader, sets: tuple[str, ...]) -> dict[str, Row]:
    """Return each set's Centroid Distance, from equally many training images a class."""
    sources = {name: read(ClipSource(image_set=name, modality=IMAGE), TRAIN) for name in sets}
    count = min(int(np.unique(e.labels, return_counts=True)[1].min()) for e in sources.values())
    rows: dict[str, Row] = {}
    for name, embeddings in sources.items():
        distance, per_class = centroid_distance(*first_of_each_class(embeddings, count))
        rows[name] = {
            "centroid_distance": distance,
            "classes": len(per_class),
            "images_per_class": count,
        }
    return rows


def experiment_outcomes(
    experiment: Experiment, references: Embeddings, queries: Embeddings, seed: int
) -> tuple[Row, pd.DataFrame]:
    """Return a row of Table 6, and what became of each query.

    The table has a row a query: experiment, key, cls and, true or false, what the row counts.
    """
    centroids, classes = class_centroids(references.vectors, references.labels)
    rng = np.random.default_rng(derive_seed(seed, "table6", experiment.number))
    outcomes = {
        "centroid_accuracy": centroid_outcomes(
            queries.vectors, queries.labels, centroids, classes, rng
        )
    }
    if experiment.has_knn:
        neighbours = references.labels[nearest(queries.vectors, references.vectors, NEIGHBOURS)]
        outcomes["knn1_accuracy"] = neighbours[:, 0] == queries.labels
        outcomes["knn5_accuracy"] = vote(neighbours) == queries.labels
    row: Row = {name: accuracy_percent(right) for name, right in outcomes.items()}
    row["avg_cosine_similarity"] = average_cosine(
        queries.vectors, queries.labels, centroids, classes
    )
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

    @cache
    def read(source: ClipSource, split: str) -> Embeddings:
        return read_embeddings(source.image_set, source.modality, split)

    write_rows(layout.CENTROID_DISTANCE, distance_rows(read, DISTANCE_SETS))
    rows, outcomes = {}, []
    for experiment in tqdm(experiments(), desc="Table 6", unit="row"):
        references, queries = read(experiment.reference, TRAIN), read(experiment.query, VALIDATION)
        rows[experiment.name], of_queries = experiment_outcomes(
            experiment, references, queries, common.seed
        )
        outcomes.append(of_queries)
    layout.CLIP_OUTCOMES.parent.mkdir(parents=True, exist_ok=True)
    table = pd.concat(outcomes, ignore_index=True).astype(dict.fromkeys(ACCURACIES, "boolean"))
    table.to_parquet(layout.partial(layout.CLIP_OUTCOMES), index=False)
    layout.partial(layout.CLIP_OUTCOMES).replace(layout.CLIP_OUTCOMES)
    write_rows(layout.TABLE6, rows)
    write_rows(layout.EXTRA / "table6", {"averages": averages(list(rows.values()))})


if __name__ == "__main__":
    run_main(main)
