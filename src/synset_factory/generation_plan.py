"""What has to be done for a tar of images: which are there, which lie elsewhere, which nowhere.

An image is there if one with the same digest is: nothing else is asked, so no set declares where
it comes from.
"""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq

from synset_factory import layout
from synset_factory.errors import InputError
from synset_factory.image_stock import ImageStock, Place, images_in
from synset_factory.records import ImageRow, ImageSettings, image_digest
from synset_factory.shard_writer import beginning
from synset_factory.whole_files import write_text


def read_rows(image_set: str) -> list[ImageRow]:
    """Return one row an image of the set, as stage `prompts` wrote them.

    Raises InputError if they have not been made.
    """
    path = layout.prompts(image_set)
    if not path.exists():
        raise InputError(f"{path} is missing: make it with `dvc repro prompts`.")
    return [ImageRow(**row) for row in pq.read_table(path).to_pylist()]


@dataclass(frozen=True, kw_only=True)
class ClassJob:
    """One class of one split: what its tar is to hold, and what of it lies where."""

    tar: Path
    rows: list[ImageRow]  # in the order of their numbers
    digests: list[str]  # of the same images
    finished: bool  # the tar is there, and holds exactly these
    done: int  # how many are in it, or in what a killed run has left of it
    found: dict[str, Place]  # where others lie, by digest; what is missing there is to be drawn

    @property
    def wanted(self) -> list[tuple[str, str]]:
        """Key and digest of each image."""
        return [(row.key, digest) for row, digest in zip(self.rows, self.digests, strict=True)]

    @property
    def to_make(self) -> int:
        return sum(digest not in self.found for digest in self.digests[self.done :])


def plan_set(name: str, settings: ImageSettings, stock: ImageStock) -> list[ClassJob]:
    """Return what has to be done for a set, a job for each class of each split.

    Raises InputError if the set's rows have not been made.
    """
    by_class: dict[tuple[str, str], list[ImageRow]] = {}
    for row in read_rows(name):
        by_class.setdefault((row.split, row.wnid), []).append(row)
    return [
        plan_tar(
            layout.shard(name, split, wnid),
            rows,
            settings,
            images_in(name, split, wnid),
            partial(stock.find, split, wnid),
        )
        for (split, wnid), rows in by_class.items()
    ]


def plan_tar(
    tar: Path,
    rows: list[ImageRow],
    settings: ImageSettings,
    there: list[tuple[str, str]] | None,
    find: Callable[[set[str]], dict[str, Place]],
) -> ClassJob:
    """Return what has to be done for a tar of one class and split.

    `there` are key and digest of each image of the tar as it is, None if it is not finished;
    `find` says where images lie, for as many of the digests as it knows.
    """
    digests = [image_digest(row, settings) for row in rows]
    job = ClassJob(tar=tar, rows=rows, digests=digests, finished=True, done=len(rows), found={})
    if there == job.wanted:
        return job
    done, _ = beginning(layout.partial(tar), job.wanted)
    return replace(job, finished=False, done=done, found=find(set(digests[done:])))


def summary(name: str, jobs: list[ClassJob], seconds_per_image: float | None) -> str:
    """Say how many images there will be, how many are there already and where, how long it takes.

    `seconds_per_image` is None where nothing was drawn on this machine yet.
    """
    total = sum(len(job.rows) for job in jobs)
    to_make = sum(job.to_make for job in jobs)
    donors = Counter(place.image_set for job in jobs for place in job.found.values())
    donors.pop(name, None)
    of_others = ", ".join(f"{count:,} from {donor}" for donor, count in sorted(donors.items()))
    return (
        f"{name}: {total:,} images, {total - to_make:,} reused"
        f"{f' ({of_others})' if of_others else ''}, {to_make:,} to make"
        f"{_about(to_make * seconds_per_image) if to_make and seconds_per_image else ''}"
    )


def _about(seconds: float) -> str:
    for unit, length in (("h", 3600), ("min", 60), ("s", 1)):
        if seconds >= 1.5 * length or unit == "s":
            return f", about {max(seconds / length, 1):.0f} {unit}"
    return ""


class Rates:
    """How long images took on this machine: by what makes one slower than another."""

    def __init__(self, settings: ImageSettings, device: str) -> None:
        guided = "guided" if settings.guidance_scale > 1 else "unguided"
        size = f"{settings.width}x{settings.height}"
        self.key = f"{settings.generator} {guided} {settings.steps} {size} {device}"

    @property
    def seconds_per_image(self) -> float | None:
        return self._read().get(self.key)

    def remember(self, seconds_per_image: float) -> None:
        rates = self._read() | {self.key: round(seconds_per_image, 6)}
        write_text(layout.SECONDS_PER_IMAGE, json.dumps(rates, indent=1) + "\n")

    def _read(self) -> dict[str, float]:
        try:
            text = layout.SECONDS_PER_IMAGE.read_text(encoding="utf-8")
            rates: dict[str, float] = json.loads(text)
        except (FileNotFoundError, ValueError):
            return {}
        return rates
