"""What the image sets and classifiers of params.yaml need before they are there: counts and bytes.

Classes are planned one by one over all sets, so that the paper's size takes no more memory than a
class: images that two sets share are of one class and split.
"""

import fcntl
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path

import pyarrow.parquet as pq
from tqdm import tqdm

from synset_factory import layout
from synset_factory.config import NATURAL
from synset_factory.errors import InputError
from synset_factory.generation_plan import ClassJob, plan_class, rows_by_class
from synset_factory.records import TRAIN, ImageRow, ImageSettings
from synset_factory.shards.image_stock import ImageStock

# A tar has for each image four headers of 512 bytes and the members, each filled up to 512: the
# label, about 1 kB of settings, the prompt, and half a block on average behind the JPEG.
TAR_BYTES = 4 * 512 + 512 + 1024 + 512 + 256
FICLONE = 0x40049409  # Linux: make a file share the blocks of another


@dataclass(kw_only=True)
class SetNeeds:
    """What is to be done for one set, or for one group of queries."""

    name: str
    settings: ImageSettings
    images: int = 0
    to_make: int = 0  # lie nowhere
    to_write: int = 0  # into tars that are not finished: to_make, and copies of what lies elsewhere
    to_cache: int = (
        0  # in tars that DVC's cache will have to take; those that sets share count once
    )
    donors: Counter[str] = field(default_factory=Counter)  # images to be copied, by set
    finished_images: int = 0  # in tars that are finished
    finished_bytes: int = 0  # of those tars

    def add(self, job: ClassJob, *, cached: bool) -> None:
        """Count one class and split. `cached`: another set brings the same tar to the cache."""
        images = len(job.rows)
        self.images += images
        self.to_make += job.to_make
        self.donors.update(place.image_set for place in job.found.values())
        if job.finished:
            self.finished_images += images
            self.finished_bytes += job.tar.stat().st_size
        else:
            self.to_write += images - job.done
            self.to_cache += 0 if cached else images


def sets_needs(
    settings: Mapping[str, ImageSettings], keep: Collection[str]
) -> tuple[list[SetNeeds], dict[str, str]]:
    """Return what each set needs, where each takes from those before it what they will have drawn.

    Also, for the classes `keep`, which set will have an image by then: image set by digest.
    Raises InputError if the sets' prompts are missing, or not of the same classes.
    """
    needs = {name: SetNeeds(name=name, settings=each) for name, each in settings.items()}
    promised_of_kept: dict[str, str] = {}
    classes = zip_longest(*(rows_by_class(name) for name in settings))
    for rows in tqdm(classes, desc="plan", unit="class", leave=False):
        wnid = _one_class(rows)
        promised: dict[str, str] = {}
        jobs = []
        for name, of_set in zip(settings, rows, strict=True):
            jobs.append(plan_class(name, of_set, settings[name], ImageStock(name, promised)))
            promised |= dict.fromkeys(jobs[-1].digests, name)
        in_cache = {tuple(job.digests) for job in jobs if job.finished}
        for name, job in zip(settings, jobs, strict=True):
            content = tuple(job.digests)
            needs[name].add(job, cached=content in in_cache)
            in_cache.add(content)
        if wnid in keep:
            promised_of_kept |= promised
    return list(needs.values()), promised_of_kept


def _one_class(rows: tuple[list[ImageRow] | None, ...]) -> str:
    """Return the wnid of the class of which every set's rows are."""
    of_sets = {(each[0].split, each[0].wnid) if each else None for each in rows}
    if len(of_sets) > 1 or None in of_sets:
        raise InputError(
            f"The sets in {layout.IMAGE_PROMPTS} are not of the same classes: make them anew with "
            "`dvc repro prompts`."
        )
    return next(iter(of_sets))[1]  # type: ignore[index]  # None was refused


@dataclass(frozen=True, kw_only=True)
class TrainingNeeds:
    """The classifiers of a set that are to be trained."""

    image_set: str
    images: int  # of its training split
    known: bool  # False: the set is not there yet, and is taken to be as large as the others
    classifiers: int  # one for each seed
    epochs: int
    batch_size: int

    @property
    def steps(self) -> int:
        """Of all its classifiers together."""
        return self.images // self.batch_size * self.epochs * self.classifiers

    @property
    def images_seen(self) -> int:
        """In all steps."""
        return self.steps * self.batch_size


def stored_images(image_set: str) -> Counter[str] | None:
    """Return how many images each split of a set has on disk; None if the set is not there."""
    index = layout.index(image_set)
    if not index.exists():
        return None
    return Counter(pq.read_table(index, columns=["split"])["split"].to_pylist())


def training_images(image_set: str) -> int | None:
    """Return how many images the training split of a set has on disk; None if it is not there."""
    stored = stored_images(image_set)
    return None if stored is None else stored[TRAIN]


def trainings_needs(
    sets: list[SetNeeds],
    usual: int,
    *,
    natural: bool,
    seeds: int,
    epochs: int,
    batch_size: int,
) -> list[TrainingNeeds]:
    """Return which classifiers are missing or will be out of date: those of a set that changes.

    `usual` is the number of training images of a set that is not there yet; `natural` says
    whether classifiers of natural images are trained at all. All seeds of a set count, though a
    run that was interrupted goes on where it was. What a change of the section `train` makes out
    of date is for `dvc status` to say.
    """
    changes = {each.name for each in sets if each.to_write}
    needs = []
    for name in (*([NATURAL] if natural else []), *(each.name for each in sets)):
        last = layout.classifiers(name) / f"seed{seeds - 1}"
        if name not in changes and last.is_dir():
            continue
        there = training_images(name) if name == NATURAL else None
        needs.append(
            TrainingNeeds(
                image_set=name,
                images=usual if there is None else there,
                known=name != NATURAL or there is not None,
                classifiers=seeds,
                epochs=epochs,
                batch_size=batch_size,
            )
        )
    return needs


@dataclass(frozen=True, kw_only=True)
class EmbeddingNeeds:
    """What CLIP is to embed."""

    images: int
    prompts: int  # each different one of a class and split

    def bytes_to_write(self, width: int | None) -> float | None:
        """Return the bytes of so many float32 vectors of a width; None if that is not known."""
        vectors = self.images + self.prompts
        return 0.0 if vectors == 0 else None if width is None else 4.0 * width * vectors


def embedding_needs(sets: list[SetNeeds], usual: int) -> EmbeddingNeeds:
    """Return what is to be embedded of the natural set and of these: what has no embeddings yet,
    and what changes.

    `usual` is the number of natural images if there are none yet.
    """
    images = prompts = 0
    if not layout.embeddings(NATURAL).exists():
        stored = stored_images(NATURAL)
        images += usual if stored is None else stored.total()
    for each in sets:
        if each.to_write or not layout.embeddings(each.name).exists():
            images += each.images
            columns = ["wnid", "split", "prompt"]
            rows = pq.read_table(layout.prompts(each.name), columns=columns)
            prompts += rows.group_by(columns).aggregate([]).num_rows
    return EmbeddingNeeds(images=images, prompts=prompts)


def clip_width() -> int | None:
    """Return how many dimensions the space of the world's CLIP has; None if it is not there."""
    try:
        config = json.loads((layout.CLIP / "open_clip_config.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return int(config["model_cfg"]["embed_dim"])


def cache_folder() -> Path:
    """Return where DVC keeps its copy of all data."""
    try:
        done = subprocess.run(["dvc", "cache", "dir"], capture_output=True, text=True, check=False)
        told = done.stdout.strip() if done.returncode == 0 else ""
    except FileNotFoundError:
        told = ""
    return Path(told or ".dvc/cache")


def share_blocks(source: Path, target: Path) -> bool | None:
    """Tell whether files of one folder can share their blocks with files of the other (reflinks).

    On Linux it is tried; elsewhere it is not known, None. A folder that is not there is looked for
    at its nearest parent.
    """
    if sys.platform != "linux":
        return None
    with (
        tempfile.TemporaryFile(dir=nearest(source)) as original,
        tempfile.TemporaryFile(dir=nearest(target)) as copy,
    ):
        original.write(b"\0" * 4096)
        original.flush()
        try:
            fcntl.ioctl(copy.fileno(), FICLONE, original.fileno())
        except OSError:
            return False
    return True


def same_disk(one: Path, other: Path) -> bool:
    """Tell whether two folders are on one file system."""
    return os.stat(nearest(one)).st_dev == os.stat(nearest(other)).st_dev


def nearest(folder: Path) -> Path:
    """Return the folder, or the nearest above it that is there."""
    folder = folder.absolute()
    while not folder.is_dir():
        folder = folder.parent
    return folder
