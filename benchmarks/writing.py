"""Writing an image set: our class tars beside webdataset's ShardWriter, of the same samples.

    python benchmarks/writing.py

Each way writes real JPEGs of 512x512 (noise, blurred until it is as large as a photograph's) with
their labels, settings and prompts; ours also the SHA-256 of every JPEG and the index, without which
nothing finds an image again. "Flushed" is ours as `generate` does it: chunk by chunk into a tar
that a killed run can go on with. The last table is ours at several sizes.
"""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import chdir
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import webdataset
from measuring import compare, print_comparison
from PIL import Image, ImageFilter

from synset_factory.records import TRAIN, VALIDATION, image_key
from synset_factory.shards.writer import (
    Sample,
    class_tar,
    encode_jpeg,
    write_class_tar,
    write_index,
)

CLASSES = 8
IMAGES = 100  # a class
CHUNK = 16
ABOUT = {"prompt": "a bird of type jay", "guidance_scale": 7.5, "generator": "0" * 64, "steps": 50}


def jpegs() -> list[bytes]:
    """A few pictures of 512x512."""
    rng = np.random.default_rng(0)
    noise = [rng.integers(256, size=(512, 512, 3), dtype=np.uint8) for _ in range(8)]
    blurred = (Image.fromarray(each).filter(ImageFilter.GaussianBlur(2)) for each in noise)
    return [encode_jpeg(each, 92) for each in blurred]


def samples(wnid: str, split: str, count: int, pictures: list[bytes]) -> Iterator[Sample]:
    for number in range(count):
        key = image_key(wnid, split, number)
        yield Sample(
            key=key,
            jpg=pictures[number % len(pictures)],
            cls=0,
            txt="a bird of type jay",
            json={**ABOUT, "number": number, "digest": key},
        )


def wnids(classes: int) -> list[str]:
    return [f"n{number:08d}" for number in range(classes)]


def emptied(write: Callable[[Path], None]) -> Callable[[], None]:
    """Work that begins in an empty folder each time."""

    def work() -> None:
        with tempfile.TemporaryDirectory(dir=".") as folder:
            write(Path(folder))

    return work


def ours(classes: int) -> Callable[[], None]:
    pictures = jpegs()

    def write(folder: Path) -> None:
        for wnid in wnids(classes):
            for split, count in ((TRAIN, IMAGES), (VALIDATION, 0)):
                tar = folder / split / f"{wnid}.tar"
                write_class_tar(tar, samples(wnid, split, count, pictures))
        write_index(folder, "bench", wnids(classes), "A benchmark.")

    return emptied(write)


def ours_flushed(classes: int) -> Callable[[], None]:
    pictures = jpegs()

    def write(folder: Path) -> None:
        for wnid in wnids(classes):
            for split, count in ((TRAIN, IMAGES), (VALIDATION, 0)):
                made = samples(wnid, split, count, pictures)
                wanted = [
                    (image_key(wnid, split, n), image_key(wnid, split, n)) for n in range(count)
                ]
                with class_tar(folder / split / f"{wnid}.tar", wanted) as tar:
                    while chunk := list(islice(made, CHUNK)):
                        tar.add(chunk)
        write_index(folder, "bench", wnids(classes), "A benchmark.")

    return emptied(write)


def shard_writer(classes: int) -> Callable[[], None]:
    """webdataset's own, a shard as large as a class."""
    pictures = jpegs()

    def write(folder: Path) -> None:
        pattern = str(folder / "%06d.tar")
        with webdataset.ShardWriter(pattern, maxcount=IMAGES, maxsize=1e12, verbose=0) as writer:
            for wnid in wnids(classes):
                for sample in samples(wnid, TRAIN, IMAGES, pictures):
                    writer.write(
                        {
                            "__key__": sample.key,
                            "jpg": sample.jpg,
                            "cls": str(sample.cls).encode(),
                            "txt": sample.txt.encode(),
                            "json": json.dumps(sample.json).encode(),
                        }
                    )

    return emptied(write)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        size = sum(map(len, jpegs())) / 8 / 1000
        free = shutil.disk_usage(".").free / 2**30
        print(f"JPEGs of {size:.0f} kB on average; {free:.0f} GiB free", flush=True)
        ways = {
            "webdataset's ShardWriter": shard_writer,
            "ours, with hashes and index": ours,
            "ours, flushed by chunks": ours_flushed,
        }
        count = CLASSES * IMAGES
        print_comparison(f"writing {count:,} images", compare(ways, CLASSES), images=count)
        sizes = {f"ours, {n * IMAGES:,} images": partial(ours_flushed, n) for n in (4, 8, 16)}
        print_comparison("writing, by size", compare(sizes, repeats=1))


if __name__ == "__main__":
    main()
