"""Stage `compare`: the rows of every set that the paper's tables do not name.

A further set under `sets` of params.yaml gets the rows that the paper's sets have: classifiers as
in Tables 1 and 2, CLIP space as in Table 6, Centroid Distance as in Figure 5. A set's rows depend
on it and on `natural` alone, so they stay what they are whatever other sets come and go.
"""

from functools import cache, partial

import numpy as np

from synset_factory import layout
from synset_factory.config import NATURAL, claim_world, load_common, load_section
from synset_factory.embedding_files import IMAGE, PROMPT, Embeddings
from synset_factory.errors import run_main
from synset_factory.records import TRAIN, VALIDATION
from synset_factory.seeds import derive_seed
from synset_factory.set_stage import check_run
from synset_factory.table_rows import (
    Asked,
    ClipTablesConfig,
    accuracy_row,
    clip_rows,
    distance_row,
    fewest_images,
    read_source,
)
from synset_factory.tables import (
    ClipPair,
    ClipSource,
    Row,
    Undefined,
    further_classifier_pairs,
    further_clip_pairs,
    further_sets,
    measured,
    write_rows,
)


def asked_of(pair: ClipPair, queries: Embeddings, seed: int) -> Asked:
    """Return a row's queries as Table 6 has them: no k-nn where they are one prompt a class."""
    one_a_class = len(np.unique(queries.labels)) == len(queries.labels)
    return Asked(
        of_what=pair.name,
        queries=queries,
        rng=np.random.default_rng(derive_seed(seed, "compare", pair.name)),
        knn=not (pair.query.modality == PROMPT and one_a_class),
    )


def set_rows(image_set: str, seed: int, memory: float, device: str) -> dict[str, Row | Undefined]:
    """Return the rows of one further set, by name.

    Raises InputError if it has not been evaluated or embedded.
    """
    read = cache(read_source)  # for this set only: many sets need no more memory than one
    rows: dict[str, Row | Undefined] = {
        pair.name: accuracy_row(pair.train, pair.evaluation)
        for pair in further_classifier_pairs(image_set)
    }
    pairs = further_clip_pairs(image_set)
    for reference in dict.fromkeys(pair.reference for pair in pairs):
        of_reference = [pair for pair in pairs if pair.reference == reference]
        asked = [asked_of(pair, read(pair.query, VALIDATION), seed) for pair in of_reference]
        found = clip_rows(
            read(reference, TRAIN),
            asked,
            memory=memory,
            device=device,
            label=f"Neighbours in {reference.name}",
        )
        for pair, row in zip(of_reference, found, strict=True):
            rows[pair.name] = row if isinstance(row, Undefined) else row[0]
    natural, images = (
        read(ClipSource(image_set=name, modality=IMAGE), TRAIN) for name in (NATURAL, image_set)
    )
    count = fewest_images([natural, images])
    rows["centroid_distance"] = measured(
        f"Centroid Distance of {image_set}", partial(distance_row, images, count)
    )
    return rows


def main() -> None:
    common = load_common()
    claim_world(common.world)
    check_run(common, by_engine=False)
    config = load_section(ClipTablesConfig, "clip_tables")
    rows = {
        f"{image_set}/{name}": row
        for image_set in further_sets(common.sets)
        for name, row in set_rows(image_set, common.seed, config.memory, common.run.device).items()
    }
    write_rows(layout.FURTHER_SETS, rows)


if __name__ == "__main__":
    run_main(main)
