"""How the stages begin that work on an image set with torch."""

import argparse

import torch

from synset_factory.config import NATURAL, Common, claim_world, load_common, require_set
from synset_factory.layout import PARAMS


def begin_set_stage(description: str | None, *, natural: bool) -> tuple[str, Common]:
    """Read the set's name from the command line and the common part of params.yaml.

    Pins the number of torch's threads. `natural` says whether the stage serves the natural set.
    Raises InputError for a set that params.yaml does not name, or data of another world.
    """
    parser = argparse.ArgumentParser(description=description)
    also = f", or '{NATURAL}'" if natural else ""
    parser.add_argument("image_set", help=f"name of a set in {PARAMS}{also}")
    name = parser.parse_args().image_set
    common = load_common()
    claim_world(common.world)
    require_set(name, common, natural=natural)
    pin_threads(common)
    return name, common


def pin_threads(common: Common) -> None:
    """Let torch use as many threads as params.yaml says: bytes depend on it."""
    torch.set_num_threads(common.threads)
