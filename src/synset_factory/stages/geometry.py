"""Stage `geometry`: distances between image sets in CLIP's space, and what they say of errors.

Fréchet distances, linear separability, centroid-shifts, the split of the error and Table 4
(Sections 3 and 4). Geometry is that of the training splits; what is held out, or asked of
classifiers and centroids, is the validation splits.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import combinations

import numpy as np
from tqdm import tqdm

from synset_factory import layout
from synset_factory.class_values import ClassRows, ClassTables, mean_row, rows_by_class
from synset_factory.config import NATURAL, claim_world, load_common, load_section
from synset_factory.embedding_files import IMAGE, PROMPT, Embeddings, read_wnids
from synset_factory.error_rows import (
    centroid_accuracies,
    contributions_row,
    split_row,
    table4_row,
)
from synset_factory.errors import run_main
from synset_factory.geometry_rows import (
    Centroids,
    centroid_distances_by_class,
    class_correlation_row,
    class_frechet_row,
    frechet_row,
    joined,
    sampled,
    separability_row,
    set_correlation_row,
    shifts_by_class,
)
from synset_factory.measures.centroids import class_centroids
from synset_factory.measures.frechet import Normal
from synset_factory.records import TRAIN, VALIDATION
from synset_factory.seeds import derive_seed
from synset_factory.table_rows import (
    accuracy_row,
    class_accuracies,
    fewest_images,
    read_clip_outcomes,
    read_source,
)
from synset_factory.tables import (
    ERROR_SPLITS,
    PAPER_SETS,
    ClipSource,
    Row,
    Undefined,
    measured,
    table4_lines,
    write_row,
    write_rows,
)

SYNTHETIC = tuple(name for name in PAPER_SETS if name != NATURAL)


@dataclass(frozen=True, kw_only=True)
class GeometryConfig:
    """What is subsampled."""

    separability_vectors: int  # images, and prompts, that a plane is fitted to or tried on, at most


def images_of(image_set: str) -> ClipSource:
    """Return the images of a set as a source of embeddings."""
    return ClipSource(image_set=image_set, modality=IMAGE)


def prompts_of(image_set: str) -> ClipSource:
    """Return the prompts of a set as a source of embeddings."""
    return ClipSource(image_set=image_set, modality=PROMPT)


@cache
def normal(image_set: str) -> Normal:
    """Return the normal distribution of a set's training images."""
    return Normal.of(read_source(images_of(image_set), TRAIN).vectors)


@cache
def centroids(source: ClipSource) -> Centroids:
    """Return the class centroids of a source's training split."""
    embeddings = read_source(source, TRAIN)
    return class_centroids(embeddings.vectors, embeddings.labels)


def frechet_rows() -> dict[str, Row | Undefined]:
    """Return the Fréchet distance of every two sets."""

    def row(left: str, right: str) -> Row | Undefined:
        return measured(
            f"Fréchet distance of {left} and {right}",
            lambda: frechet_row(normal(left), normal(right)),
        )

    pairs = tqdm(list(combinations(PAPER_SETS, 2)), desc="Fréchet distance", unit="pair")
    return {f"{left}_vs_{right}": row(left, right) for left, right in pairs}


def class_frechets(tables: ClassTables) -> dict[str, ClassRows]:
    """Return the terms between each class's natural and synthetic images, by set."""
    natural = read_source(images_of(NATURAL), TRAIN)
    found = {}
    for name in tqdm(SYNTHETIC, desc="Fréchet distance of classes", unit="set"):
        # Not kept by a name: beside the natural images there is one set in memory, not two.
        found[name] = rows_by_class(natural, read_source(images_of(name), TRAIN), class_frechet_row)
        tables.add(found[name], NATURAL, name)
    return found


def correlation_rows(by_class: dict[str, ClassRows]) -> dict[str, Row | Undefined]:
    """Return what the terms have to do with accuracy, over sets and over sets and classes."""

    def over_sets() -> Row:
        terms = {name: frechet_row(normal(NATURAL), normal(name)) for name in SYNTHETIC}
        accuracies = {name: accuracy_row(name, NATURAL)["accuracy"] for name in SYNTHETIC}
        return set_correlation_row(terms, accuracies)

    def over_classes() -> Row:
        accuracies = {name: class_accuracies(name, NATURAL) for name in SYNTHETIC}
        return class_correlation_row(by_class, accuracies)

    what = "correlation of Fréchet distance and accuracy over"
    return {
        "sets": measured(f"{what} sets", over_sets),
        "classes": measured(f"{what} sets and classes", over_classes),
    }


def separability_rows(count: int, seed: int) -> dict[str, Row | Undefined]:
    """Return how separable prompts and images are, in each set and over all.

    Each set gives at most `count` prompts and as many images of each split, and so do all together.
    """

    def sample(parts: Sequence[Embeddings], *purpose: object) -> Embeddings:
        rng = np.random.default_rng(derive_seed(seed, "separability", *purpose))
        return sampled(joined(parts), count, rng)

    @cache
    def of_source(source: ClipSource, split: str) -> Embeddings:
        return sample([read_source(source, split)], source.name, split)

    def row(name: str, prompts: Sequence[str], images: Sequence[str]) -> Row | Undefined:
        parts = [
            sample([of_source(source, split) for source in sources], name, modality, split)
            for split in (TRAIN, VALIDATION)
            for modality, sources in (
                (PROMPT, list(map(prompts_of, prompts))),
                (IMAGE, list(map(images_of, images))),
            )
        ]
        return measured(f"linear separability, {name}", lambda: separability_row(*parts))

    progress = tqdm(SYNTHETIC, desc="Linear separability", unit="set")
    rows = {name: row(name, [name], [name]) for name in progress}
    return rows | {"all": row("all", SYNTHETIC, PAPER_SETS)}


def shift_rows(tables: ClassTables) -> dict[str, Row | Undefined]:
    """Return the mean centroid-shift between every two sets, and from prompts to images.

    Prompts of a set are compared with its own images and with natural ones.
    """
    pairs = [(a, b, images_of(a), images_of(b)) for a, b in combinations(PAPER_SETS, 2)]
    for prompts in map(prompts_of, SYNTHETIC):
        for images in (images_of(prompts.image_set), images_of(NATURAL)):
            pairs.append((prompts.name, images.name, prompts, images))

    def row(left: str, right: str, first: ClipSource, second: ClipSource) -> Row:
        found = shifts_by_class(centroids(first), centroids(second))
        tables.add(found, left, right)
        return mean_row(found, tables.wnids)

    return {
        f"{pair[0]}_vs_{pair[1]}": measured(
            f"centroid-shift between {pair[0]} and {pair[1]}", partial(row, *pair)
        )
        for pair in pairs
    }


def add_centroid_distances(tables: ClassTables) -> None:
    """Add every set's Centroid Distance by class, from equally many images as in Figure 5."""
    count = fewest_images(read_source(images_of(name), TRAIN) for name in PAPER_SETS)
    for name in PAPER_SETS:
        embeddings = read_source(images_of(name), TRAIN)
        tables.add(centroid_distances_by_class(embeddings, count), name, "")


def main() -> None:
    common = load_common()
    claim_world(common.world)
    config = load_section(GeometryConfig, "geometry")
    tables = ClassTables(read_wnids(NATURAL), ("left", "right"))

    write_rows(layout.FRECHET, frechet_rows())
    write_rows(layout.FRECHET_CORRELATION, correlation_rows(class_frechets(tables)))
    write_rows(layout.SEPARABILITY, separability_rows(config.separability_vectors, common.seed))
    write_rows(layout.CENTROID_SHIFT, shift_rows(tables))
    add_centroid_distances(tables)
    tables.write(layout.GEOMETRY_CLASSES, layout.GEOMETRY_LEFT_OUT)

    outcomes = read_clip_outcomes()
    accuracies = centroid_accuracies(outcomes)
    write_rows(layout.ERROR_SPLIT, {name: split_row(name, accuracies) for name in ERROR_SPLITS})
    write_row(layout.CONTRIBUTIONS, contributions_row(accuracies))
    lines = {
        line.name: measured("Table 4", partial(table4_row, line, outcomes, tables.wnids))
        for line in table4_lines()
    }
    write_rows(layout.TABLE4, lines)


if __name__ == "__main__":
    run_main(main)
