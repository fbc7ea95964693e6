"""`synset-factory cross-evaluation TRAIN VALIDATION [FOLDER]`: trained on one set, evaluated on
another, as one folder for other trainers.
"""

import argparse
import sys
from pathlib import Path

from synset_factory import layout
from synset_factory.config import NATURAL, claim_world, load_common


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command line."""
    where = f"a set of {layout.PARAMS}, '{NATURAL}', or a folder that `export` has written"
    parser.add_argument("train", help=f"where the training images are: {where}")
    parser.add_argument("validation", help="where the validation images are: likewise")
    parser.add_argument(
        "folder",
        nargs="?",
        type=Path,
        help="where to write it (default: exports/<train>_on_<validation>)",
    )


def cross_evaluation(*, train: str, validation: str, folder: Path | None) -> None:
    """Put the training images of one set and the validation images of another together, by links.

    For a trainer that shuffles little, name an export to train on: the tars of a set hold one class
    each.
    """
    # Imported here: these libraries take seconds, and --help needs none of them.
    from synset_factory.cross_evaluations import (
        difference,
        find_source,
        is_link_to_tar,
        write_cross_evaluation,
    )
    from synset_factory.records import TRAIN, VALIDATION
    from synset_factory.shards.exports import replaceable

    common = load_common()
    claim_world(common.world)
    image_sets = (NATURAL, *common.sets)
    learned = find_source(train, TRAIN, image_sets)
    asked = find_source(validation, VALIDATION, image_sets)
    default = layout.EXPORTS / f"{learned.name}_on_{asked.name}"
    folder = replaceable(folder or default, is_link_to_tar)
    warning = difference(learned, asked)
    if warning:
        print(f"warning: {warning}", file=sys.stderr)
    write_cross_evaluation(learned, asked, folder)
    print(
        f"{folder}: {learned.split.images:,} training images of {learned.name}, "
        f"{asked.split.images:,} validation images of {asked.name}, as links."
    )
