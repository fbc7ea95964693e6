"""Stage `quality`: today's measures of generated images, each set against natural images.

Precision, recall, density, coverage, KID, CMMD and the Vendi score in CLIP's space, of training
splits: of each class by itself, averaged over classes, and of all classes pooled. All depend on the
number of images, so both sides always have equally many of each class. Natural images against
other natural images are the yardstick: what a perfect generator would reach.
"""

from dataclasses import asdict, dataclass
from functools import partial

import numpy as np
from tqdm import tqdm

from synset_factory import layout
from synset_factory.class_values import ClassRows, ClassTables, mean_row, rows_by_class
from synset_factory.config import NATURAL, claim_world, load_common, load_section
from synset_factory.embedding_files import IMAGE, Embeddings, read_embeddings, read_wnids
from synset_factory.errors import run_main
from synset_factory.measures.quality import cmmd, kid, neighbourhoods, vendi_score
from synset_factory.measures.vectors import Floats
from synset_factory.records import TRAIN, VALIDATION
from synset_factory.tables import PAPER_SETS, Row, measured, write_rows


@dataclass(frozen=True, kw_only=True)
class QualityConfig:
    """How images are compared."""

    neighbours: int  # an image's neighbourhood reaches to this one of its nearest
    images_per_class: int  # the first of each class, for the measures of a class
    pooled_images: int  # of each side when classes are pooled, at most; the first of each class


def quality_row(natural: Floats, generated: Floats, neighbours: int) -> Row:
    """Return every measure of generated images, [N, D], against as many natural ones.

    Raises UndefinedMeasure where one of them has no value: one image, or only copies of it.
    """
    return {
        "images": len(generated),
        **asdict(neighbourhoods(natural, generated, neighbours)),
        "kid": kid(natural, generated),
        "cmmd": cmmd(natural, generated),
        "vendi": vendi_score(generated),
        "natural_vendi": vendi_score(natural),
    }


def quality_by_class(
    natural: Embeddings, generated: Embeddings, config: QualityConfig
) -> ClassRows:
    """Return a row of each class that both have, and why other classes have none."""

    def row(real: Floats, fake: Floats) -> Row:
        count = min(len(real), len(fake), config.images_per_class)
        return quality_row(real[:count], fake[:count], config.neighbours)

    return rows_by_class(natural, generated, row)


def pooled_row(natural: Embeddings, generated: Embeddings, config: QualityConfig) -> Row:
    """Return the same of all classes together, equally many images of each while there are."""
    classes = np.intersect1d(natural.labels, generated.labels)
    real, fake = [], []
    for label in classes:
        of_class = [each.vectors[each.labels == label] for each in (natural, generated)]
        count = min(*map(len, of_class), config.pooled_images // len(classes))
        real.append(of_class[0][:count])
        fake.append(of_class[1][:count])
    row = quality_row(np.concatenate(real), np.concatenate(fake), config.neighbours)
    return {f"pooled_{name}": value for name, value in row.items()}


def main() -> None:
    common = load_common()
    claim_world(common.world)
    config = load_section(QualityConfig, "quality")
    natural = read_embeddings(NATURAL, IMAGE, TRAIN)
    tables = ClassTables(read_wnids(NATURAL), ("set",))

    def row(name: str) -> Row:
        # Natural images that stand for generated ones must be others than those of the left side.
        generated = read_embeddings(name, IMAGE, VALIDATION if name == NATURAL else TRAIN)
        found = quality_by_class(natural, generated, config)
        tables.add(found, name)
        return mean_row(found, tables.wnids) | pooled_row(natural, generated, config)

    progress = tqdm(PAPER_SETS, desc="Quality", unit="set")
    rows = {name: measured(f"quality of {name}", partial(row, name)) for name in progress}
    write_rows(layout.QUALITY, rows)
    tables.write(layout.QUALITY_CLASSES, layout.QUALITY_LEFT_OUT)


if __name__ == "__main__":
    run_main(main)
