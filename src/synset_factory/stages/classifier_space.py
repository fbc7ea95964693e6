"""Stage `classifier_space`: Figure 5's distances and Table 6 in the space of a classifier.

The paper's alternative to CLIP: "embeddings derived from the penultimate layers of Inception
networks trained to classify ImageNet". Prompts have no such embedding, so of Table 6 there are the
rows that compare images with images.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
from tqdm import tqdm

from synset_factory import layout
from synset_factory.config import Run, claim_world, load_common, load_section
from synset_factory.embedding_files import IMAGE, Embeddings, read_file, write_batches
from synset_factory.errors import run_main
from synset_factory.models.penultimate import Penultimate
from synset_factory.records import TRAIN, VALIDATION
from synset_factory.seeds import derive_seed
from synset_factory.set_stage import pin_threads
from synset_factory.shard_reader import JpegDataset, read_index
from synset_factory.table_rows import ClipTablesConfig, clip_row, distance_row, fewest_images
from synset_factory.tables import (
    PAPER_SETS,
    Experiment,
    Row,
    Undefined,
    image_experiments,
    measured,
    write_rows,
)


@dataclass(frozen=True, kw_only=True)
class ClassifierSpaceConfig:
    """Whose space it is."""

    model: str  # timm's name of a classifier of natural images, or local-dir: and its folder
    batch_size: int  # images at once


def embed_images(image_sets: tuple[str, ...], config: ClassifierSpaceConfig, run: Run) -> None:
    """Write the embeddings of all images of the sets.

    Raises InputError if a set is not there, or the model.
    """
    model = Penultimate(config.model, run.device)
    for name in image_sets:
        index = read_index(name)
        dataset = JpegDataset(name, index, model.preprocess)
        batches = model.embed_images(dataset, config.batch_size, run.workers, name)
        write_batches(layout.classifier_embeddings(name), index.assign(modality=IMAGE), batches)


def read_images(image_set: str, split: str) -> Embeddings:
    """Read a set's embeddings of one split. Raises InputError if they are not there."""
    return read_file(layout.classifier_embeddings(image_set), IMAGE, split)


def experiment_row(experiment: Experiment, seed: int, memory: float) -> Row:
    """Return a row of Table 6 in this space. Raises UndefinedMeasure where there is none."""
    references = read_images(experiment.reference.image_set, TRAIN)
    queries = read_images(experiment.query.image_set, VALIDATION)
    rng = np.random.default_rng(derive_seed(seed, "classifier_space", experiment.number))
    row, _ = clip_row(references, queries, rng, knn=True, memory=memory)
    return row


def all_rows(seed: int, memory: float) -> dict[str, Row | Undefined]:
    """Return every row of this space, by its name below metrics/classifier_space."""
    count = fewest_images(read_images(name, TRAIN) for name in PAPER_SETS)
    rows = {
        f"centroid_distance/{name}": measured(
            f"Centroid Distance of {name}", partial(distance_row, read_images(name, TRAIN), count)
        )
        for name in PAPER_SETS
    }
    for experiment in tqdm(image_experiments(), desc="Table 6", unit="row"):
        rows[f"table6/{experiment.name}"] = measured(
            f"Row {experiment.number} of Table 6", partial(experiment_row, experiment, seed, memory)
        )
    return rows


def main() -> None:
    common = load_common()
    claim_world(common.world)
    config = load_section(ClassifierSpaceConfig, "classifier_space")
    comparing = load_section(ClipTablesConfig, "clip_tables")
    pin_threads(common)
    embed_images(PAPER_SETS, config, common.run)
    write_rows(layout.CLASSIFIER_SPACE, all_rows(common.seed, comparing.memory))


if __name__ == "__main__":
    run_main(main)
