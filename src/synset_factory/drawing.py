"""Drawing what is asked for: tars of synthetic images, of which none is drawn that lies elsewhere.

Image sets and the images for other questions are made by this code alike, so an image has the same
bytes in whichever of them it is.
"""

import time
from collections import deque
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

from tqdm import tqdm

from synset_factory import layout
from synset_factory.config import Common, Shortcuts
from synset_factory.engine.tasks import run_tasks
from synset_factory.folder_digest import folder_digest
from synset_factory.generation_plan import ClassJob
from synset_factory.machine_figures import Rates, slow_at_first
from synset_factory.models.text_to_image import Drawn, TextToImage
from synset_factory.prompts.files import Synset
from synset_factory.records import ImageRow, ImageSettings
from synset_factory.shards.writer import Sample, class_tar

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
    guidance_scale: float,
    config: GenerateConfig,
    shortcuts: Shortcuts | None = None,
    generator: str | None = None,
) -> ImageSettings:
    """Put together all that determines images besides their rows.

    `shortcuts` are those of the image set, if it takes any; `generator` the digest of the
    text-to-image model, if it is known already. Raises InputError if that model is missing.
    """
    return ImageSettings(
        guidance_scale=guidance_scale,
        generator=folder_digest(layout.TEXT_TO_IMAGE) if generator is None else generator,
        recipe=RECIPE,
        **asdict(config) | (asdict(shortcuts) if shortcuts else {}),
    )


@dataclass(frozen=True, kw_only=True)
class Request:
    """Pictures to be drawn together, at most settings.batch_size of them."""

    prompts: list[str]
    seeds: list[int]


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """What came of a request."""

    jpegs: list[bytes]  # as they are stored
    # That the model was at work on them, and not yet on those before; None if these include what
    # a model does but once.
    seconds: float | None


class Artist:
    """A text-to-image model that draws what it is asked for, and how long that takes: a Worker."""

    def __init__(self, folder: Path, settings: ImageSettings, device: str) -> None:
        self.model = TextToImage(folder, settings, device)
        self.lock, self.finished = Lock(), 0.0
        self.is_timed = not slow_at_first(settings, device)

    def prepare(self, request: Request) -> Request:
        return request

    def compute(self, request: Request) -> tuple[float, bool, Drawn]:
        is_timed, self.is_timed = self.is_timed, True
        return time.perf_counter(), is_timed, self.model.draw(request.prompts, request.seeds)

    def finish(self, computed: tuple[float, bool, Drawn]) -> Pictures:
        started, is_timed, drawn = computed
        jpegs = self.model.encode(drawn)
        with self.lock:
            before, self.finished = self.finished, time.perf_counter()
            seconds = self.finished - max(started, before)
        return Pictures(jpegs=jpegs, seconds=seconds if is_timed else None)


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """Images of a tar that are written together, those that lie nowhere drawn together."""

    rows: list[ImageRow]
    digests: list[str]
    jpegs: list[bytes | None]  # None: to be drawn
    planned: int  # how many of them were known to be drawn

    def request(self) -> Request | None:
        """Ask for what is to be drawn, if anything is."""
        missing = [row for row, jpeg in zip(self.rows, self.jpegs, strict=True) if jpeg is None]
        if not missing:
            return None
        return Request(prompts=[row.prompt for row in missing], seeds=[row.seed for row in missing])

    def samples(
        self, drawn: Pictures | None, class_index: int, settings: ImageSettings
    ) -> Iterator[Sample]:
        """Yield the images. Nothing in a sample tells whether it was drawn or found."""
        remaining = iter(drawn.jpegs if drawn else [])
        made_with = asdict(settings)
        for row, digest, jpeg in zip(self.rows, self.digests, self.jpegs, strict=True):
            yield Sample(
                key=row.key,
                jpg=jpeg or next(remaining),
                cls=class_index,
                txt=row.prompt,
                json={**asdict(row), **made_with, "digest": digest},
            )


def chunks_of(job: ClassJob, batch_size: int) -> Iterator[Chunk]:
    """Read the chunks of a tar that are not yet in it: aligned to the numbers of its images."""
    start = job.done
    while start < len(job.rows):
        end = min(start - start % batch_size + batch_size, len(job.rows))
        digests, found = job.digests[start:end], job.found
        yield Chunk(
            rows=job.rows[start:end],
            digests=digests,
            jpegs=[found[digest].read() if digest in found else None for digest in digests],
            planned=sum(digest not in found for digest in digests),
        )
        start = end


class Studio:
    """Draws what tars lack, on whatever engine, and hands out their chunks in order."""

    def __init__(self, jobs: list[ClassJob], settings: ImageSettings, common: Common) -> None:
        self.jobs, self.settings = jobs, settings
        self.read: deque[Chunk] = deque()  # those whose turn has not come: a few
        self.images, self.seconds = 0, 0.0  # that copies of the model were timed at so far
        make_worker = partial(Artist, settings=settings, device=common.run.device)
        self.results = run_tasks(make_worker, layout.TEXT_TO_IMAGE, self.requests(), common)

    def requests(self) -> Iterator[Request | None]:
        """Yield what is to be drawn for each chunk, which is remembered."""
        for job in self.jobs:
            for chunk in chunks_of(job, self.settings.batch_size):
                self.read.append(chunk)
                yield chunk.request()

    def next_chunk(self) -> tuple[Chunk, Pictures | None]:
        """Return the next chunk, and what was drawn for it, if anything was."""
        drawn = next(self.results)
        if drawn is not None and drawn.seconds is not None:
            self.images += len(drawn.jpegs)
            self.seconds += drawn.seconds
        return self.read.popleft(), drawn


def write_class(job: ClassJob, class_index: int, studio: Studio, bar: "tqdm[Any]") -> None:
    """Write one class of one split, chunk by chunk."""
    with class_tar(job.tar, job.wanted) as tar:
        done = tar.done
        while done < len(job.rows):
            chunk, drawn = studio.next_chunk()
            tar.add(chunk.samples(drawn, class_index, studio.settings))
            bar.update(chunk.planned)
            done += len(chunk.rows)


def write_jobs(
    name: str, jobs: list[ClassJob], settings: ImageSettings, classes: list[Synset], common: Common
) -> None:
    """Write the tars that are not finished: an image is drawn only if it is nowhere on disk.

    `name` is that of the progress bar. How long an image took is remembered for later plans.
    Raises InputError as `engine.tasks.run_tasks` does, and if a model draws NaN.
    """
    class_indices = {synset.wnid: synset.class_index for synset in classes}
    todo = [job for job in jobs if not job.finished]
    studio = Studio(todo, settings, common)
    with (
        closing(studio.results),
        tqdm(total=sum(job.to_make for job in jobs), desc=name, unit="image") as bar,
    ):
        for job in todo:
            write_class(job, class_indices[job.rows[0].wnid], studio, bar)
    if studio.images:
        Rates(settings, common.run.device, common.threads).remember(studio.seconds / studio.images)
