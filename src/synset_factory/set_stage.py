"""How the stages begin that work on an image set with torch."""

import argparse

import torch

from synset_factory.config import NATURAL, RAY, Common, claim_world, load_common, require_set
from synset_factory.errors import InputError
from synset_factory.layout import PARAMS


def begin_set_stage(
    description: str | None, *, natural: bool, by_engine: bool
) -> tuple[str, Common]:
    """Read the set's name from the command line and the common part of params.yaml.

    Pins the number of torch's threads. `natural` says whether the stage serves the natural set,
    `by_engine` what it says to check_run.
    Raises InputError for a set that params.yaml does not name, data of another world, or what
    check_run raises it for.
    """
    parser = argparse.ArgumentParser(description=description)
    also = f", or '{NATURAL}'" if natural else ""
    parser.add_argument("image_set", help=f"name of a set in {PARAMS}{also}")
    name = parser.parse_args().image_set
    common = load_common()
    claim_world(common.world)
    require_set(name, common, natural=natural)
    check_run(common, by_engine=by_engine)
    pin_threads(common)
    return name, common


def check_run(common: Common, *, by_engine: bool) -> None:
    """Raise InputError if the workers are too few, or the device is not where it is needed.

    That is this machine, unless the work is done `by_engine`, not in this process, and the engine
    is a Ray cluster of other machines.
    """
    run = common.run
    if run.workers < 0:
        raise InputError(f"{PARAMS}: run.workers is {run.workers}: it must be at least 0.")
    if by_engine and run.engine == RAY and run.address:
        return  # the cluster itself says what it lacks
    try:
        device = torch.device(run.device)
    except RuntimeError:
        raise InputError(
            f"{PARAMS}: run.device '{run.device}' is no device of torch: write cpu or cuda."
        ) from None
    if device.type == "cuda" and torch.cuda.device_count() <= (device.index or 0):
        raise InputError(
            f"{PARAMS}: run.device is {device}, but torch finds {torch.cuda.device_count()} CUDA "
            "devices here, where this stage does its work: write cpu."
        )


def pin_threads(common: Common) -> None:
    """Let torch use as many threads as params.yaml says: bytes depend on it."""
    torch.get_num_threads()  # else a thread's first work takes the number that another set last
    torch.set_num_threads(common.threads)
