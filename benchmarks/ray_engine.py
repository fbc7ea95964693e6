"""Stage `generate` on Ray, with one and with two copies of the model, beside this process alone.

    python benchmarks/ray_engine.py [--classes 2 4] [--rounds 1]

One torch thread a copy, so that two fit on two cores. Each way draws the same classes of the
active world, from nothing, in a folder of its own, with the model that `make run` has trained; ways
take turns, and times are medians over the rounds. Seconds are of the whole stage; those until the
first images are Python's start, Ray's, and the loading of the model. MiB and CPU seconds are those
of the stage and of all that it starts.
"""

import shutil
import sys
import threading
import time
from argparse import ArgumentParser
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pandas as pd
import yaml
from measuring import Measured, median_of, print_comparison, run_command

from synset_factory import layout
from synset_factory.config import load_params

SET = "disamb"
WAYS = {
    "this process": {"engine": "local", "replicas": 1},
    "Ray, 1 copy": {"engine": "ray", "replicas": 1},
    "Ray, 2 copies": {"engine": "ray", "replicas": 2},
}


class Drawn(NamedTuple):
    measured: Measured
    until_images: float  # seconds
    tars: dict[str, str]  # hashes


def set_up(folder: Path, classes: int, run: dict[str, object]) -> None:
    """Make a folder in which the stage finds all that it needs, and no images."""
    params = load_params()
    params["wnids"] = params["wnids"][:classes]
    params["threads"] = 1
    params["run"] |= {"device": "cpu", "address": "", **run}
    (folder / layout.PARAMS).write_text(yaml.safe_dump(params))
    shutil.copytree(layout.PROMPTS, folder / layout.PROMPTS)
    shutil.copytree(layout.TEXT_TO_IMAGE, folder / layout.TEXT_TO_IMAGE)
    rows = pd.read_parquet(layout.prompts(SET))
    (folder / layout.IMAGE_PROMPTS).mkdir(parents=True)
    rows[rows["wnid"].isin(params["wnids"])].to_parquet(folder / layout.prompts(SET), index=False)


def first_images(shards: Path, ended: threading.Event, found: list[float]) -> None:
    """Look out for the first tar that is not empty; note the seconds until then."""
    start, over = time.perf_counter(), False
    while not found and not over:
        over = ended.wait(0.1)  # then it looks once more
        if any(size_of(path) for path in shards.rglob("*.tar*")):
            found.append(time.perf_counter() - start)


def size_of(path: Path) -> int:
    """Return a file's bytes; 0 if it has been given its last name since it was found."""
    with suppress(FileNotFoundError):
        return path.stat().st_size
    return 0


def measure(way: str, classes: int) -> Drawn:
    """Run the stage once."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        set_up(folder, classes, WAYS[way])
        shards, ended, found = folder / layout.shards(SET), threading.Event(), list[float]()
        watcher = threading.Thread(target=first_images, args=(shards, ended, found))
        watcher.start()
        try:
            words = [sys.executable, "-m", "synset_factory.stages.generate", SET]
            measured = run_command(way, words, folder, {"OMP_WAIT_POLICY": "PASSIVE"})
        finally:
            ended.set()
            watcher.join()
        tars = {
            path.relative_to(shards).as_posix(): sha256(path.read_bytes()).hexdigest()
            for path in shards.rglob("*.tar")
        }
        return Drawn(measured, found[0], tars)


def compare(classes: int, rounds: int) -> None:
    """Print the table of so many classes; ends if the tars differ."""
    images = classes * sum(load_params()["splits"].values())
    taken = [(way, measure(way, classes)) for _ in range(rounds) for way in WAYS]
    by_way = {way: [each for name, each in taken if name == way] for way in WAYS}
    first = taken[0][1].tars
    same = [all(each.tars == first for each in drawn) for drawn in by_way.values()]
    print_comparison(
        f"{classes} classes of {SET}",
        [median_of([each.measured for each in drawn]) for drawn in by_way.values()],
        images=images,
        more={
            "s until the first": [
                f"{median(each.until_images for each in drawn):.3g}" for drawn in by_way.values()
            ],
            "same tars": ["yes" if each else "NO" for each in same],
        },
    )
    if not all(same):
        sys.exit("error: the tars differ.")


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--classes", type=int, nargs="+", default=[2, 4], help="of the set (2 4)")
    parser.add_argument("--rounds", type=int, default=1, help="that medians are taken of (1)")
    arguments = parser.parse_args()
    if not layout.TEXT_TO_IMAGE.exists():
        sys.exit(f"error: {layout.TEXT_TO_IMAGE} is missing: get or train it, `make run`.")
    for classes in arguments.classes:
        compare(classes, arguments.rounds)


if __name__ == "__main__":
    main()
