"""Stage `generate`: the class tars of one synthetic image set, drawn from its prompts."""

import errno
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from filelock import FileLock, Timeout
from tqdm import tqdm

from synset_factory import layout
from synset_factory.config import ImageSet, load_common, load_section
from synset_factory.errors import InputError, run_main
from synset_factory.generation_plan import ClassJob, Rates, plan_set, summary
from synset_factory.image_stock import ImageStock
from synset_factory.models.text_to_image import TextToImage, folder_digest
from synset_factory.prebuilt import check_pulled
from synset_factory.prompt_files import Synset, read_synsets, world_classes
from synset_factory.provenance import TRAINED_MODEL
from synset_factory.records import ImageRow, ImageSettings
from synset_factory.set_stage import begin_set_stage
from synset_factory.shard_writer import Sample, class_tar, prune, write_index

# The code's part of what determines an image: raised when this code would draw other pictures
# from the same rows and settings (tests/stages/test_generate.py tells when).
RECIPE = 2


@dataclass(frozen=True, kw_only=True)
class GenerateConfig:
    """How every synthetic set is drawn."""

    negative_prompt: str
    steps: int  # of the scheduler
    scheduler: str  # class of diffusers
    height: int  # pixels
    width: int  # pixels
    dtype: str  # float32, bfloat16 or float16
    batch_size: int  # images drawn together
    jpeg_quality: int  # 1 ... 100


def image_settings(image_set: ImageSet, config: GenerateConfig) -> ImageSettings:
    """Put together all that determines the images of a set besides their rows."""
    return ImageSettings(
        guidance_scale=image_set.guidance_scale,
        generator=folder_digest(layout.TEXT_TO_IMAGE),
        recipe=RECIPE,
        **asdict(config),
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


def write_class(
    name: str, job: ClassJob, class_index: int, artist: Artist, bar: "tqdm[Any]"
) -> None:
    """Write one class of one split, in chunks aligned to the numbers of its images."""
    settings, first = artist.settings, job.rows[0]
    with class_tar(layout.shard(name, first.split, first.wnid), job.wanted) as tar:
        start = tar.done
        while start < len(job.rows):
            end = min(start - start % settings.batch_size + settings.batch_size, len(job.rows))
            tar.add(samples_of(artist, job, slice(start, end), class_index))
            bar.update(sum(digest not in job.found for digest in job.digests[start:end]))
            start = end


def generate(name: str, settings: ImageSettings, classes: list[Synset], device: str) -> None:
    """Bring one set's folder up to date: an image is drawn only if it is nowhere on disk."""
    jobs, rates = plan_set(name, settings, ImageStock(name)), Rates(settings, device)
    print(summary(name, jobs, rates.seconds_per_image), flush=True)
    class_indices = {synset.wnid: synset.class_index for synset in classes}
    artist = Artist(settings, device)
    with tqdm(total=sum(job.to_make for job in jobs), desc=name, unit="image") as bar:
        for job in jobs:
            if not job.finished:
                write_class(name, job, class_indices[job.rows[0].wnid], artist, bar)
    if artist.images:
        rates.remember(artist.seconds / artist.images)
    wnids = [synset.wnid for synset in classes]
    prune(layout.shards(name), wnids)
    description = (
        f"Synthetic images from a text-to-image model (SHA-256 {settings.generator}), guidance "
        f"scale {settings.guidance_scale}, {settings.steps} steps of {settings.scheduler}."
    )
    write_index(layout.shards(name), name, wnids, description, TRAINED_MODEL)


def generate_set(name: str) -> None:
    """Bring a set of params.yaml up to date, unless another run is at it.

    Raises InputError for a set that is to be pulled, another run, a full disk, a missing model or
    one that draws NaN.
    """
    check_pulled(name)
    common, config = load_common(), load_section(GenerateConfig, "generate")
    classes = world_classes(read_synsets())
    settings = image_settings(common.sets[name], config)
    layout.SHARDS.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(layout.shards_lock(name)).acquire(timeout=0):
            generate(name, settings, classes, common.run.device)
    except Timeout:
        raise InputError(
            f"{layout.shards(name)} is being written by another run (DVC killed leaves its stage "
            "running): wait for it, or end that process, and try again."
        ) from None
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise InputError(
            f"The disk is full: make room for {layout.shards(name)}, and run `dvc repro` again; "
            "what is drawn already is kept."
        ) from None


def main() -> None:
    name, _ = begin_set_stage(__doc__, natural=False)
    generate_set(name)


if __name__ == "__main__":
    run_main(main)
