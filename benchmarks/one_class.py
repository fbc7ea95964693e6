"""What a revised prompt costs: one class of a set drawn again, beside the whole set.

    python benchmarks/one_class.py [--classes 4 8 16] [--images 1250] [--repeats 3]

Stage `generate` of the miniature, as `dvc repro` calls it, in a process of its own from the start
of Python to the end: once for the whole set of C classes, then with another prompt for one class.
The promise is that the revision costs at most 1.2/C of the set; `x C ratio` is what stands there
in place of 1.2. A busy machine changes CPU seconds less than the clock. `--rows` instead: what the
stage does for each image besides drawing it, in a set of `--classes` not drawn: plan, index,
and how much the index saves by not reading tars that nobody touched.
"""

import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from contextlib import chdir
from pathlib import Path

import pandas as pd
import yaml
from tqdm import tqdm

from synset_factory import layout
from synset_factory.config import load_params, load_section
from synset_factory.drawing import GenerateConfig, image_settings
from synset_factory.generation_plan import plan_set
from synset_factory.image_stock import ImageStock
from synset_factory.prompt_files import read_synsets
from synset_factory.records import TRAIN, VALIDATION
from synset_factory.shard_writer import Sample, write_class_tar, write_index

REPOSITORY = Path(__file__).resolve().parents[1]
NAME = "benchmark"
VALIDATION_IMAGES = 50  # a class, as the paper has them
JPEG = bytes(20_000)  # stands in for a picture where none is looked at


def write_repository(classes: int, images: int, guidance_scale: float) -> list[str]:
    """Make the current folder one with the miniature's model and one set; return its classes."""
    params = load_params(REPOSITORY / layout.PARAMS)
    wnids = [synset.wnid for synset in read_synsets()[:classes]]
    params["wnids"] = wnids
    params["sets"] = {NAME: {"prompts": "synset", "guidance_scale": guidance_scale}}
    layout.PARAMS.write_text(yaml.safe_dump(params))
    write_prompts(wnids, images, "")
    return wnids


def write_prompts(wnids: list[str], images: int, revised: str) -> None:
    """Write the set's rows; the first class's prompt has `revised` in it."""
    rows = [
        [wnid, split, number, f"a {wnid} {revised if wnid == wnids[0] else ''}", seed + number]
        for wnid in wnids
        for split, count, seed in (
            (TRAIN, images - VALIDATION_IMAGES, 0),
            (VALIDATION, VALIDATION_IMAGES, images),
        )
        for number in range(count)
    ]
    layout.IMAGE_PROMPTS.mkdir(parents=True, exist_ok=True)
    table = pd.DataFrame(rows, columns=["wnid", "split", "number", "prompt", "seed"])
    table.to_parquet(layout.prompts(NAME), index=False)


def run_stage() -> tuple[float, float, float]:
    """Run the stage; return its seconds, its CPU seconds, and its peak in MiB."""
    start = time.perf_counter()
    words = [sys.executable, "-m", "synset_factory.stages.generate", NAME]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return time.perf_counter() - start, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def compare(classes: int, images: int, guidance_scale: float, repeats: int) -> str:
    """Return the line of the table for sets of this many classes."""
    layout.TEXT_TO_IMAGE.parent.mkdir(parents=True, exist_ok=True)
    if not layout.TEXT_TO_IMAGE.exists():
        layout.TEXT_TO_IMAGE.symlink_to(REPOSITORY / layout.TEXT_TO_IMAGE)
    wnids = write_repository(classes, images, guidance_scale)
    whole, one = [], []
    for number in range(repeats):
        shutil.rmtree(layout.SHARDS, ignore_errors=True)
        write_prompts(wnids, images, "")
        whole.append(run_stage())
        write_prompts(wnids, images, f"revision {number}")
        one.append(run_stage())
    clock, cpu, peak = (
        [statistics.median(run[part] for run in runs) for runs in (whole, one)] for part in range(3)
    )
    return (
        f"{classes:7}  {images:6}  {clock[0]:9.1f}  {clock[1]:9.1f}  "
        f"{classes * clock[1] / clock[0]:9.2f}  {cpu[0]:9.1f}  {cpu[1]:9.1f}  "
        f"{classes * cpu[1] / cpu[0]:9.2f}  {peak[0]:9,.0f}  {peak[1]:9,.0f}"
    )


def write_blank_set() -> None:
    """Write the tars of a set without drawing it."""
    settings = image_settings(7.5, load_section(GenerateConfig, "generate"))
    layout.prompts(NAME).parent.mkdir(parents=True, exist_ok=True)
    jobs = plan_set(NAME, settings, ImageStock(NAME))
    for label, job in enumerate(tqdm(jobs, desc="tars")):
        samples = [
            Sample(key=row.key, jpg=JPEG, cls=label // 2, txt="", json={"digest": digest})
            for row, digest in zip(job.rows, job.digests, strict=True)
        ]
        write_class_tar(job.tar, samples)


def measure_rows(classes: int, images: int) -> None:
    """Print what the stage does for each image of a set besides drawing."""
    layout.TEXT_TO_IMAGE.mkdir(parents=True)
    wnids = write_repository(classes, images, 7.5)
    write_blank_set()
    settings = image_settings(7.5, load_section(GenerateConfig, "generate"))

    def timed(what: str) -> None:
        seconds = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{what:48}  {seconds:7.1f}  {1e6 * seconds / (classes * images):9.1f}  {peak:6,.0f}")

    print(f"{classes} x {images} images                          seconds  us/image     MiB")
    root = layout.shards(NAME)
    start = time.perf_counter()
    write_index(root, NAME, wnids, "A set.")
    timed("index, every tar read")
    start = time.perf_counter()
    plan_set(NAME, settings, ImageStock(NAME))
    timed("plan, no tar touched since the index")
    os.utime(layout.shard(NAME, TRAIN, wnids[0]))
    start = time.perf_counter()
    write_index(root, NAME, wnids, "A set.")
    timed("index, one tar touched")


def main() -> None:
    parser = ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--classes", type=int, nargs="+", default=[4, 8, 16])
    parser.add_argument("--images", type=int, default=1250, help="of each class (the paper's)")
    parser.add_argument("--cgs", type=float, default=7.5)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--rows", action="store_true", help="a large set that is not drawn instead")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        Path("prompts").symlink_to(REPOSITORY / "prompts")
        if arguments.rows:
            measure_rows(arguments.classes[-1], arguments.images)
            return
        print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        print("                   seconds                           CPU seconds")
        print(
            "classes  images  whole set  one class  x C ratio  whole set  one class  x C ratio  "
            "MiB whole  one class"
        )
        for classes in arguments.classes:
            line = compare(classes, arguments.images, arguments.cgs, arguments.repeats)
            print(line, flush=True)


if __name__ == "__main__":
    main()
