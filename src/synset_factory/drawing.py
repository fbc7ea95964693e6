"""Drawing what is asked for: tars of synthetic images, of which none is drawn that lies elsewhere.

Image sets and the images for other questions are made by this code alike, so an image has the same
bytes in whichever of them it is.
"""

import errno
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from tqdm import tqdm

from synset_factory import layout
from synset_factory.config import Shortcuts
from synset_factory.errors import InputError
from synset_factory.generation_plan import ClassJob, Rates
from synset_factory.models.text_to_image import TextToImage, folder_digest
from synset_factory.prompt_files import Synset
from synset_factory.records import ImageRow, ImageSettings
from synset_factory.shard_writer import Sample, class_tar

# The code's part of what determines an image: raised when this code would draw other pictures
# from the same rows and settings (tests/stages/test_generate.py tells when).
RECIPE = 2


@dataclass(frozen=True, kw_only=True)
class GenerateConfig:
    """How every synthetic image is drawn: the section `generate`."""

    negative_prompt: str
    steps: int  # of the scheduler
    scheduler: str  # class of diffusers, or of_the_model: the one in its folder
    height: int  # pixels
    width: int  # pixels
    dtype: str  # float32, bfloat16 or float16
    compile: bool  # the networks, by torch.compile: minutes at the start, faster afterwards
    safety_checker: bool  # of the model, if it has one: it blackens pictures
    batch_size: int  # images drawn together
    jpeg_quality: int  # 1 ... 100


def image_settings(
    guidance_scale: float, config: GenerateConfig, shortcuts: Shortcuts | None = None
) -> ImageSettings:
    """Put together all that determines images besides their rows.

    `shortcuts` are those of the image set, if it takes any. Raises InputError if the text-to-image
    model is missing.
    """
    return ImageSettings(
        guidance_scale=guidance_scale,
        generator=folder_digest(layout.TEXT_TO_IMAGE),
        recipe=RECIPE,
        **asdict(config) | (asdict(shortcuts) if shortcuts else {}),
    )


class Artist:
    """The text-to-image model, loaded only if there is something to draw, and how fast it is."""

    def __init__(self, settings: ImageSettings, device: str) -> None:
        self.settings, self.device = settings, device
        self.images, self.seconds = 0, 0.0

    @cached_property
    def model(self) -> TextToImage:
        return TextToImage(layout.TEXT_TO_IMAGE, self.settings, self.device)

    def draw(self, rows: list[ImageRow]) -> list[bytes]:
        """Return a JPEG for each row, at most settings.batch_size of them."""
        model, start = self.model, time.perf_counter()
        jpegs = model.draw_jpegs([row.prompt for row in rows], [row.seed for row in rows])
        self.images += len(rows)
        self.seconds += time.perf_counter() - start
        return jpegs


def samples_of(artist: Artist, job: ClassJob, chunk: slice, class_index: int) -> Iterator[Sample]:
    """Yield the images of a chunk, those that are found nowhere drawn together.

    Nothing in a sample names its set, so its bytes do not tell whether it was drawn or found.
    """
    rows, digests, found = job.rows[chunk], job.digests[chunk], job.found
    jpegs = [found[digest].read() if digest in found else None for digest in digests]
    missing = [row for row, jpeg in zip(rows, jpegs, strict=True) if jpeg is None]
    drawn = iter(artist.draw(missing) if missing else [])
    for row, digest, jpeg in zip(rows, digests, jpegs, strict=True):
        yield Sample(
            key=row.key,
            jpg=jpeg or next(drawn),
            cls=class_index,
            txt=row.prompt,
            json={**asdict(row), **asdict(artist.settings), "digest": digest},
        )


def write_class(job: ClassJob, class_index: int, artist: Artist, bar: "tqdm[Any]") -> None:
    """Write one class of one split, in chunks aligned to the numbers of its images."""
    settings = artist.settings
    with class_tar(job.tar, job.wanted) as tar:
        start = tar.done
        while start < len(job.rows):
            end = min(start - start % settings.batch_size + settings.batch_size, len(job.rows))
            tar.add(samples_of(artist, job, slice(start, end), class_index))
            bar.update(sum(digest not in job.found for digest in job.digests[start:end]))
            start = end


def write_jobs(
    name: str, jobs: list[ClassJob], settings: ImageSettings, classes: list[Synset], device: str
) -> None:
    """Write the tars that are not finished: an image is drawn only if it is nowhere on disk.

    `name` is that of the progress bar. How long an image took is remembered for later plans.
    """
    class_indices = {synset.wnid: synset.class_index for synset in classes}
    artist = Artist(settings, device)
    with tqdm(total=sum(job.to_make for job in jobs), desc=name, unit="image") as bar:
        for job in jobs:
            if not job.finished:
                write_class(job, class_indices[job.rows[0].wnid], artist, bar)
    if artist.images:
        Rates(settings, device).remember(artist.seconds / artist.images)


@contextmanager
def sole_writer(folder: Path, lock: Path) -> Iterator[None]:
    """Hold the lock of a folder of images while it is written.

    Raises InputError if another run holds it, or the disk gets full.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(lock).acquire(timeout=0):
            yield
    except Timeout:
        raise InputError(
            f"{folder} is being written by another run (DVC killed leaves its stage "
            "running): wait for it, or end that process, and try again."
        ) from None
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise InputError(
            f"The disk is full: make room for {folder}, and run `dvc repro` again; "
            "what is drawn already is kept."
        ) from None
