"""Stage `ambiguity`: what classifiers of natural images say of the images of synset prompts.

The paper's way to the prompts that are worth a look: "we generated 50 images for each label and
classified them". The first training images of the set `synset` are asked of; the evaluation split
is left alone, because choosing prompts by it would be choosing by the result.
"""

from dataclasses import dataclass

import pandas as pd

from synset_factory import layout
from synset_factory.classifier_outcomes import classifier_outcomes
from synset_factory.config import NATURAL, claim_world, load_common, load_section
from synset_factory.errors import InputError, run_main
from synset_factory.records import TRAIN
from synset_factory.set_stage import check_run, pin_threads
from synset_factory.shards.reader import read_index
from synset_factory.whole_files import whole_file

SYNSET = "synset"


@dataclass(frozen=True, kw_only=True)
class AmbiguityConfig:
    """Which images are asked of, and how."""

    images: int  # training images of each class, from number 0
    batch_size: int  # images at once


def first_images(index: pd.DataFrame, images: int) -> pd.DataFrame:
    """Return the rows of the first so many images of each class.

    Raises InputError for a class that has fewer.
    """
    counts = index["wnid"].value_counts()
    if counts.min() < images:
        raise InputError(
            f"{layout.PARAMS}: ambiguity.images is {images}, but class {counts.idxmin()} has "
            f"{counts.min()} training images: lower it, or raise splits.train."
        )
    # Keys end in the number and all have the same width.
    by_number = index.sort_values(["cls", "key"])
    return by_number[by_number.groupby("cls").cumcount() < images].reset_index(drop=True)


def main() -> None:
    common = load_common()
    claim_world(common.world)
    config = load_section(AmbiguityConfig, "ambiguity")
    check_run(common, by_engine=False)
    pin_threads(common)
    index = first_images(read_index(SYNSET, TRAIN), config.images)
    tables = classifier_outcomes(NATURAL, SYNSET, index, config.batch_size, common.run)
    with whole_file(layout.AMBIGUITY) as partial:
        pd.concat(tables, ignore_index=True).to_parquet(partial, index=False)


if __name__ == "__main__":
    run_main(main)
