"""`synset-factory validate SET`: is an image set on disk what its index and its classes say?"""

import argparse
import sys

from tqdm import tqdm

from synset_factory import layout
from synset_factory.config import NATURAL, claim_world, load_common, require_set
from synset_factory.prompts.files import read_synsets, world_classes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command line."""
    parser.add_argument("image_set", help=f"name of a set in {layout.PARAMS}, or '{NATURAL}'")


def validate(*, image_set: str) -> None:
    """Read every tar of a set, all of it, and print everything that is wrong with the set."""
    # Imported here: it takes a second, and --help does not need it.
    from synset_factory.shards.validation import Fault, SetValidator

    common = load_common()
    claim_world(common.world)
    require_set(image_set, common)
    validator = SetValidator(image_set, world_classes(read_synsets()))
    faults: list[Fault] = [*validator.check_folder(), *validator.check_beside()]
    for tar in tqdm(validator.tars(), desc=f"validate {image_set}", unit="tar"):
        faults += validator.check_tar(tar)
    faults += validator.repeated()
    if faults:
        print(*faults, "1 fault." if len(faults) == 1 else f"{len(faults)} faults.", sep="\n")
        sys.exit(1)
    print(
        f"{layout.shards(image_set)} is sound: {len(validator.index):,} images of "
        f"{len(validator.labels):,} classes in {len(validator.tars()):,} tars."
    )
