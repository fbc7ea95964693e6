"""What a revised prompt costs: one class of a set drawn again, beside the whole set.

    python benchmarks/one_class.py [--classes 2 4] [--images 1250] [--repeats 1]

Stage `generate` of the miniature, as `dvc repro` calls it, in a process of its own from the start
of Python to the end: once for the whole set of C classes, then with another prompt for one class.
The promise is that the revision costs at most 1.2/C of the set; `ratio x C` is what stands there
in place of 1.2, by the clock and of CPU seconds. Starting Python and reading the model is part of
both, so this holds only where drawing a class takes long beside that, and fails sooner the more
classes there are: with start s and class c, ratio x C is C (s + c) / (s + C c).

`--rows` instead: what the stage does for each image besides drawing it, in a set of `--classes` not
drawn: plan, index, and how much the index saves by not reading tars that nobody touched.
"""

import os
import resource
import shutil
import sys
import tempfile
import time
from argparse import ArgumentParser
from contextlib import chdir
from pathlib import Path

import pandas as pd
import yaml
from measuring import median_of, print_comparison, print_table, run_command
from tqdm import tqdm

from synset_factory import layout
from synset_factory.config import load_params, load_section
from synset_factory.drawing import GenerateConfig, image_settings
from synset_factory.generation_plan import plan_set
from synset_factory.prompts.files import read_synsets
from synset_factory.records import TRAIN, VALIDATION
from synset_factory.shards.image_stock import ImageStock
from synset_factory.shards.writer import Sample, write_class_tar, write_index

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
    params["run"] |= {"device": "cpu", "engine": "local", "address": "", "replicas": 1}
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


def compare(classes: int, images: int, guidance_scale: float, repeats: int) -> None:
    """Print the table of a set of this many classes."""
    layout.TEXT_TO_IMAGE.parent.mkdir(parents=True, exist_ok=True)
    if not layout.TEXT_TO_IMAGE.exists():
        layout.TEXT_TO_IMAGE.symlink_to(REPOSITORY / layout.TEXT_TO_IMAGE)
    wnids = write_repository(classes, images, guidance_scale)
    stage = [sys.executable, "-m", "synset_factory.stages.generate", NAME]
    whole, one = [], []
    for number in range(repeats):
        shutil.rmtree(layout.SHARDS, ignore_errors=True)
        write_prompts(wnids, images, "")
        whole.append(run_command("the whole set", stage))
        write_prompts(wnids, images, f"revision {number}")
        one.append(run_command("one class of it", stage))
    rows = [median_of(whole), median_of(one)]
    print_comparison(
        f"{classes} classes of {images:,} images",
        rows,
        more={
            "ratio x C": ["", f"{classes * rows[1].seconds / rows[0].seconds:.2f}"],
            "of CPU s": ["", f"{classes * rows[1].cpu_seconds / rows[0].cpu_seconds:.2f}"],
        },
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

    rows: list[list[str]] = []

    def timed(what: str) -> None:
        seconds = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        each = 1e6 * seconds / (classes * images)
        rows.append([what, f"{seconds:.3g}", f"{each:.1f}", f"{peak:,.0f}"])

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
    title = f"a set of {classes} classes of {images:,} images"
    print_table([title, "seconds", "microseconds an image", "MiB, resident, so far"], rows)


def main() -> None:
    parser = ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--classes", type=int, nargs="+", default=[2, 4])
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
        for classes in arguments.classes:
            compare(classes, arguments.images, arguments.cgs, arguments.repeats)


if __name__ == "__main__":
    main()
