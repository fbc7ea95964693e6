"""What has to be done for a tar of images: which are there, which lie elsewhere, which nowhere.

An image is there if one with the same digest is: nothing else is asked, so no set declares where
it comes from.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from pathlib import Path

import pyarrow.parquet as pq

from synset_factory import layout
from synset_factory.errors import InputError
from synset_factory.records import ImageRow, ImageSettings, image_digest
from synset_factory.shards.image_stock import ImageStock, Place, images_in
from synset_factory.shards.writer import beginning


def read_rows(image_set: str) -> list[ImageRow]:
    """Return one row an image of the set, as stage `prompts` wrote them.

    Raises InputError if they have not been made.
    """
    return list(_rows(image_set))


def rows_by_class(image_set: str) -> Iterator[list[ImageRow]]:
    """Yield the rows of each class of each split, never holding those of many.

    Raises InputError as `read_rows` does.
    """
    for _, rows in groupby(_rows(image_set), key=lambda row: (row.split, row.wnid)):
        yield list(rows)


def _rows(image_set: str) -> Iterator[ImageRow]:
    path = layout.prompts(image_set)
    if not path.exists():
        raise InputError(f"{path} is missing: make it with `dvc repro prompts`.")
    with pq.ParquetFile(path) as stored:
        for batch in stored.iter_batches(batch_size=1 << 14):
            for row in batch.to_pylist():
                yield ImageRow(**row)


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
    return [plan_class(name, rows, settings, stock) for rows in rows_by_class(name)]


def plan_class(
    name: str, rows: list[ImageRow], settings: ImageSettings, stock: ImageStock
) -> ClassJob:
    """Return what has to be done for one class and split of a set; `rows` are all of it."""
    split, wnid = rows[0].split, rows[0].wnid
    tar = layout.shard(name, split, wnid)
    there = images_in(name, split, wnid)
    return plan_tar(tar, rows, settings, there, partial(stock.find, split, wnid))


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
    if there is not None and there == job.wanted:
        return job
    done, _ = beginning(layout.partial(tar), job.wanted)
    return replace(job, finished=False, done=done, found=find(set(digests[done:])))


def summary(name: str, jobs: list[ClassJob], seconds_per_image: float | None, replicas: int) -> str:
    """Say how many images there will be, how many are there already and where, how long it takes.

    `seconds_per_image` is of one copy of the model, None where nothing was drawn on this machine
    yet; `replicas` are at work.
    """
    total = sum(len(job.rows) for job in jobs)
    to_make = sum(job.to_make for job in jobs)
    donors = Counter(place.image_set for job in jobs for place in job.found.values())
    donors.pop(name, None)
    of_others = ", ".join(f"{count:,} from {donor}" for donor, count in sorted(donors.items()))
    return (
        f"{name}: {total:,} images, {total - to_make:,} reused"
        f"{f' ({of_others})' if of_others else ''}, {to_make:,} to make"
        f"{_about(to_make * seconds_per_image / replicas) if to_make and seconds_per_image else ''}"
    )


def _about(seconds: float) -> str:
    for unit, length in (("h", 3600), ("min", 60), ("s", 1)):
        if seconds >= 1.5 * length or unit == "s":
            return f", about {max(seconds / length, 1):.0f} {unit}"
    return ""
