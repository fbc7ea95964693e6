"""Stage `generate` on Ray, with one and with two copies of the model, beside this process alone.

    python benchmarks/ray_engine.py [rounds]

One torch thread a copy, so that two fit on two cores. Each way draws the same four classes of the
active world, from nothing, in a folder of its own, with the model that `make run` has trained; ways
take turns, and times are medians over the rounds. Seconds are of the whole stage; those until the
first images are Python's start, Ray's, and the loading of the model. MiB is the most that the
stage and all that it starts hold together (proportional set size, looked at five times a second).
"""

import os
import shutil
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pandas as pd
import yaml

from synset_factory import layout
from synset_factory.config import load_params

SET = "disamb"
CLASSES = 4
WAYS = {
    "this process": {"engine": "local", "replicas": 1},
    "Ray, 1 copy": {"engine": "ray", "replicas": 1},
    "Ray, 2 copies": {"engine": "ray", "replicas": 2},
}


class Measured(NamedTuple):
    seconds: float
    until_images: float
    mebibytes: float
    tars: dict[str, str]  # hashes


def set_up(folder: Path, run: dict[str, object]) -> None:
    """Make a folder in which the stage finds all that it needs, and no images."""
    params = load_params()
    params["wnids"] = params["wnids"][:CLASSES]
    params["threads"] = 1
    params["run"] |= {"device": "cpu", "address": "", **run}
    (folder / layout.PARAMS).write_text(yaml.safe_dump(params))
    shutil.copytree(layout.PROMPTS, folder / layout.PROMPTS)
    shutil.copytree(layout.TEXT_TO_IMAGE, folder / layout.TEXT_TO_IMAGE)
    rows = pd.read_parquet(layout.prompts(SET))
    (folder / layout.IMAGE_PROMPTS).mkdir(parents=True)
    rows[rows["wnid"].isin(params["wnids"])].to_parquet(folder / layout.prompts(SET), index=False)


def tree(process: int) -> set[int]:
    """A process, those that it has started, and so on."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # it has ended
    found = {process}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def held(process: int) -> float:
    """MiB that a process and all that it has started hold."""
    kibibytes = 0
    for each in tree(process):
        try:
            lines = Path(f"/proc/{each}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        kibibytes += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return kibibytes / 1024


def measure(run: dict[str, object]) -> Measured:
    with TemporaryDirectory() as name:
        folder = Path(name)
        set_up(folder, run)
        shards, log = folder / layout.shards(SET), folder / "log"
        start, most, until = time.perf_counter(), 0.0, 0.0
        with log.open("w") as stream:
            stage = subprocess.Popen(
                [sys.executable, "-m", "synset_factory.stages.generate", SET],
                cwd=folder,
                env=os.environ | {"OMP_WAIT_POLICY": "PASSIVE"},
                stdout=stream,
                stderr=stream,
            )
            while stage.poll() is None:
                time.sleep(0.2)
                most = max(most, held(stage.pid))
                if not until and any(path.stat().st_size for path in shards.rglob("*.tar*")):
                    until = time.perf_counter() - start
        seconds = time.perf_counter() - start
        if stage.returncode:
            sys.exit(f"{log.read_text()}{run}: the stage has failed")
        tars = {
            path.relative_to(shards).as_posix(): sha256(path.read_bytes()).hexdigest()
            for path in shards.rglob("*.tar")
        }
        return Measured(seconds, until, most, tars)


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    taken = [(way, measure(run)) for _ in range(rounds) for way, run in WAYS.items()]
    by_way = {way: [each for name, each in taken if name == way] for way in WAYS}
    base = median(each.seconds for each in by_way["this process"])
    first = taken[0][1].tars
    print("way             seconds  until images  ratio    MiB  same tars")
    for way, measured in by_way.items():
        seconds, until, most = (median(each[i] for each in measured) for i in range(3))
        same = "yes" if all(each.tars == first for each in measured) else "NO"
        print(
            f"{way:14}  {seconds:7.1f}  {until:12.1f}  {seconds / base:5.2f}  {most:5.0f}  {same}"
        )


if __name__ == "__main__":
    main()
