"""Stage `appendix_b`: what prompt-tuning does to diversity and centroid (Appendix B).

New images of a few prompts are the queries; the references are Disamb2.5-IM's training centroids of
all classes, as in experiment 15.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from synset_factory import layout
from synset_factory.config import claim_world, load_common, load_section
from synset_factory.embedding_files import IMAGE, Embeddings
from synset_factory.errors import InputError, run_main
from synset_factory.measures.accuracy import accuracy_percent
from synset_factory.measures.centroids import centroid_outcomes, class_centroids
from synset_factory.measures.vectors import Floats, Labels, codiff
from synset_factory.models.clip import Clip
from synset_factory.query_images import QueriesConfig
from synset_factory.records import TRAIN
from synset_factory.seeds import derive_seed
from synset_factory.set_stage import pin_threads
from synset_factory.shard_reader import JpegDataset
from synset_factory.shard_writer import read_members
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


def embed_query(tar: Path, clip: Clip, batch_size: int, workers: int) -> Embeddings:
    """Return the embeddings of the images of one tar.

    Raises InputError if it has not been made, or is damaged.
    """
    if not tar.exists():
        raise InputError(f"{tar} is missing: make it with `dvc repro queries`.")
    # An absolute path, so that the folder of no image set is put before it.
    index = pd.DataFrame(read_members(tar)).assign(tar=str(tar.resolve()))
    dataset = JpegDataset("queries", index, clip.preprocess)
    return Embeddings(
        vectors=clip.embed_images(dataset, batch_size, workers, tar.stem),
        labels=index["cls"].to_numpy(),
        keys=index["key"].to_numpy(),
    )


def main() -> None:
    common = load_common()
    claim_world(common.world)
    config = load_section(AppendixBConfig, "appendix_b")
    names = load_section(QueriesConfig, "queries").appendix_b.names
    pin_threads(common)

    references = read_source(REFERENCES, TRAIN)
    clip = Clip(layout.CLIP, common.run.device)
    queries = {
        name: embed_query(
            layout.appendix_b_query(name), clip, config.batch_size, common.run.workers
        )
        for name in names
    }
    rows, table = query_rows(queries, references, common.seed)
    with whole_file(layout.APPENDIX_B_OUTCOMES) as partial:
        table.to_parquet(partial, index=False)
    write_rows(layout.APPENDIX_B, rows)


if __name__ == "__main__":
    run_main(main)
