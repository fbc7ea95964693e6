"""Stage `appendix_b`: what prompt-tuning does to diversity and centroid (Appendix B).

New images of a few prompts are the queries; the references are Disamb2.5-IM's training centroids of
all classes, as in experiment 15.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd

from synset_factory import layout
from synset_factory.config import Common, claim_world, load_common, load_section
from synset_factory.embedding import embed, image_batches
from synset_factory.embedding_files import IMAGE, Embeddings
from synset_factory.errors import InputError, run_main
from synset_factory.measures.accuracy import accuracy_percent
from synset_factory.measures.centroids import centroid_outcomes, class_centroids
from synset_factory.measures.vectors import Floats, Labels, codiff
from synset_factory.query_images import QueriesConfig
from synset_factory.records import TRAIN
from synset_factory.seeds import derive_seed
from synset_factory.set_stage import check_run, pin_threads
from synset_factory.shards.writer import read_members
from synset_factory.table_rows import read_source
from synset_factory.tables import ClipSource, Row, Undefined, measured, write_rows
from synset_factory.whole_files import whole_file

REFERENCES = ClipSource(image_set="disamb25", modality=IMAGE)
COLUMNS = ["query", "key", "cls", "number", "centroid_accuracy", "squared_codiff"]


@dataclass(frozen=True, kw_only=True)
class AppendixBConfig:
    """How CLIP is run."""

    batch_size: int  # images at once


def query_row(
    queries: Floats,
    labels: Labels,
    centroids: Floats,
    classes: Labels,
    rng: np.random.Generator,
) -> tuple[Row, dict[str, np.ndarray]]:
    """Return a query's figures, and of each image what Centroid Accuracy and Distance are made of.

    centroid_accuracy: percent of the images whose nearest reference centroid is their class's;
    centroid_distance: mean squared codiff to the images' own centroid (Figure 5's formula);
    centroid_shift: codiff of that centroid to the class's reference centroid.

    queries: [N, D]; labels: [N], all of one class; centroids: [C, D]; classes: [C], their labels.
    Raises UndefinedMeasure where the images have no centroid.
    """
    (centre,), (own,) = class_centroids(queries, labels)
    right = centroid_outcomes(queries, labels, centroids, classes, rng)
    squared = codiff(queries, centre) ** 2
    row: Row = {
        "centroid_accuracy": accuracy_percent(right),
        "centroid_distance": float(squared.mean()),
        "centroid_shift": float(codiff(centroids[classes == own], centre)[0]),
        "images": len(queries),
    }
    return row, {"centroid_accuracy": right, "squared_codiff": squared}


def query_rows(
    queries: Mapping[str, Embeddings], references: Embeddings, seed: int
) -> tuple[dict[str, Row | Undefined], pd.DataFrame]:
    """Return the row of each query, named by its place and its name, and a table of their images.

    The table has COLUMNS; a query without figures has no images in it.
    """

    @cache
    def reference_centroids() -> tuple[np.ndarray, np.ndarray]:
        return class_centroids(references.vectors, references.labels)

    rows: dict[str, Row | Undefined] = {}
    tables: list[pd.DataFrame] = []
    for place, (name, images) in enumerate(queries.items(), start=1):

        def measure(place: int = place, name: str = name, images: Embeddings = images) -> Row:
            rng = np.random.default_rng(derive_seed(seed, "appendix_b", place))
            row, of_images = query_row(images.vectors, images.labels, *reference_centroids(), rng)
            numbers = [int(key.rpartition("_")[2]) for key in images.keys]
            about = {"query": name, "key": images.keys, "cls": images.labels, "number": numbers}
            tables.append(pd.DataFrame(about | of_images))
            return row

        rows[f"{place}_{name}"] = measured(f"the images of {name}", measure)
    none = pd.DataFrame(columns=COLUMNS)
    return rows, pd.concat(tables, ignore_index=True) if tables else none


def embed_queries(
    tars: Mapping[str, Path], batch_size: int, common: Common
) -> dict[str, Embeddings]:
    """Return the embeddings of the images of each query's tar.

    Raises InputError if one has not been made, or is damaged.
    """
    if not tars:
        return {}
    for tar in tars.values():
        if not tar.exists():
            raise InputError(f"{tar} is missing: make it with `dvc repro queries`.")
    # Absolute paths, so that the folder of no image set is put before them.
    indices = {
        name: pd.DataFrame(read_members(tar)).assign(tar=str(tar.resolve()))
        for name, tar in tars.items()
    }
    sizes = [len(index) for index in indices.values()]
    # No batch holds images of two tars: the bytes of an embedding depend on its batch.
    batches = chain.from_iterable(
        image_batches("queries", index, batch_size) for index in indices.values()
    )
    vectors = embed(batches, sum(sizes), "appendix_b", common)
    parts = np.split(vectors, np.cumsum(sizes)[:-1])
    return {
        name: Embeddings(vectors=part, labels=index["cls"].to_numpy(), keys=index["key"].to_numpy())
        for (name, index), part in zip(indices.items(), parts, strict=True)
    }


def main() -> None:
    common = load_common()
    claim_world(common.world)
    config = load_section(AppendixBConfig, "appendix_b")
    names = load_section(QueriesConfig, "queries").appendix_b.names
    check_run(common, by_engine=True)
    pin_threads(common)

    references = read_source(REFERENCES, TRAIN)
    tars = {name: layout.appendix_b_query(name) for name in names}
    queries = embed_queries(tars, config.batch_size, common)
    rows, table = query_rows(queries, references, common.seed)
    with whole_file(layout.APPENDIX_B_OUTCOMES) as partial:
        table.to_parquet(partial, index=False)
    write_rows(layout.APPENDIX_B, rows)


if __name__ == "__main__":
    run_main(main)
