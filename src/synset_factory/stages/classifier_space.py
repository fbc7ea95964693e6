"""Stage `classifier_space`: Figure 5's distances and Table 6 in the space of a classifier.

The paper's alternative to CLIP: "embeddings derived from the penultimate layers of Inception
networks trained to classify ImageNet". Prompts have no such embedding, so of Table 6 there are the
rows that compare images with images.
"""

from functools import cache, partial

import numpy as np

from synset_factory import layout
from synset_factory.config import claim_world, load_common, load_section
from synset_factory.embedding_files import IMAGE, Embeddings, read_file
from synset_factory.errors import run_main
from synset_factory.records import TRAIN, VALIDATION
from synset_factory.seeds import derive_seed
from synset_factory.set_stage import check_run
from synset_factory.table_rows import (
    Asked,
    ClipTablesConfig,
    clip_rows,
    distance_row,
    fewest_images,
)
from synset_factory.tables import (
    PAPER_SETS,
    Row,
    Undefined,
    image_experiments,
    measured,
    write_rows,
)


def read_images(image_set: str, split: str) -> Embeddings:
    """Read a set's embeddings of one split. Raises InputError if they are not there."""
    return read_file(layout.classifier_embeddings(image_set), IMAGE, split)


def all_rows(seed: int, memory: float, device: str) -> dict[str, Row | Undefined]:
    """Return every row of this space, by its name below metrics/classifier_space."""
    count = fewest_images(read_images(name, TRAIN) for name in PAPER_SETS)
    rows = {
        f"centroid_distance/{name}": measured(
            f"Centroid Distance of {name}", partial(distance_row, read_images(name, TRAIN), count)
        )
        for name in PAPER_SETS
    }
    queries = cache(partial(read_images, split=VALIDATION))
    for reference in dict.fromkeys(each.reference for each in image_experiments()):
        found = [each for each in image_experiments() if each.reference == reference]
        asked = [
            Asked(
                of_what=f"Row {each.number} of Table 6",
                queries=queries(each.query.image_set),
                rng=np.random.default_rng(derive_seed(seed, "classifier_space", each.number)),
                knn=True,
            )
            for each in found
        ]
        references = read_images(reference.image_set, TRAIN)
        label = f"Table 6, neighbours in {reference.name}"
        of_rows = clip_rows(references, asked, memory=memory, device=device, label=label)
        for each, row in zip(found, of_rows, strict=True):
            rows[f"table6/{each.name}"] = row if isinstance(row, Undefined) else row[0]
    return rows


def main() -> None:
    common = load_common()
    claim_world(common.world)
    check_run(common, by_engine=False)
    comparing = load_section(ClipTablesConfig, "clip_tables")
    rows = all_rows(common.seed, comparing.memory, common.run.device)
    write_rows(layout.CLASSIFIER_SPACE, rows)


if __name__ == "__main__":
    run_main(main)
