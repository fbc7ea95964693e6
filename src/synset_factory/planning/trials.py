"""Models at work for a minute, to foretell how long they take on this machine, and in how much.

Each trial runs in a process of its own, so that it finds memory and device empty.
"""

import json
import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context

import numpy as np
import torch
from PIL import Image

from synset_factory import layout
from synset_factory.errors import InputError
from synset_factory.folder_digest import folder_digest
from synset_factory.machine_figures import Rates, processor, remember, slow_at_first
from synset_factory.models.classifier import ClassifierSettings
from synset_factory.models.clip import Clip
from synset_factory.models.text_to_image import TextToImage
from synset_factory.models.training import train
from synset_factory.records import ImageSettings

SECONDS = 15.0  # for how long batches of one kind of image are drawn; at least one is
LONG_BATCH = 60.0  # seconds that a batch may take on a CPU
FEW_STEPS = (2, 4)  # from which a longer drawing is foretold, where a batch would take too long
LONG_STEP = 3.0  # seconds: a training step that is long enough to be timed
TIMED = 10.0  # seconds of training steps, about


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What a trial runs on."""

    device: str  # of torch
    threads: int  # of torch on the CPU
    workers: int  # processes that read images


def in_a_process(trial: Callable[..., dict[str, float]], *arguments: object) -> None:
    """Run a trial in a process of its own, and remember its figures.

    Raises InputError if the device has too little memory for it.
    """
    try:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            remember(pool.submit(trial, *arguments).result())
    except torch.OutOfMemoryError:
        raise InputError(
            f"{layout.PARAMS}: run.device has too little memory for what was tried last: end what "
            "else uses it, or lower generate.batch_size, embed.batch_size or "
            "train.classifier.micro_batch_size."
        ) from None


def try_drawing(settings: ImageSettings, prompt: str, machine: Machine) -> dict[str, float]:
    """Draw batches for a while; return seconds an image, bytes a JPEG, and GiB.

    On a CPU on which one batch would take longer than that, single images of a few steps are drawn
    instead. The time is then foretold from them; their bytes, being noisier, are an upper bound,
    and memory is that of single images.
    """
    torch.set_num_threads(machine.threads)
    rates = Rates(settings, machine.device, machine.threads)
    if machine.device == "cpu":
        few = [replace(settings, steps=steps, batch_size=1) for steps in FEW_STEPS]
        seconds, size = zip(*(_draw(each, prompt, machine.device, 0) for each in few), strict=True)
        a_step = max(seconds[1] - seconds[0], 0.0) / (FEW_STEPS[1] - FEW_STEPS[0])
        foretold = seconds[1] + a_step * (settings.steps - FEW_STEPS[1])
        if foretold * settings.batch_size > LONG_BATCH:
            single = Rates(replace(settings, batch_size=1), machine.device, machine.threads)
            return {
                rates.seconds_key: foretold,
                rates.half_drawn_key: size[1],
                single.memory_key: _peak(),
            }
    per_image, size_of_jpeg = _draw(settings, prompt, machine.device, SECONDS)
    return {
        rates.seconds_key: per_image,
        rates.bytes_key: size_of_jpeg,
        rates.memory_key: _peak(),
    }


def _draw(settings: ImageSettings, prompt: str, device: str, limit: float) -> tuple[float, float]:
    """Return seconds an image and bytes a JPEG, of batches until the limit, in seconds.

    The first batch, which is slower, is left out unless it takes the time of all; before it goes
    one that is not timed, where a model compiles or a device starts up.
    """
    model = TextToImage(layout.TEXT_TO_IMAGE, settings, device)
    size = settings.batch_size
    if slow_at_first(settings, device):
        model.draw_jpegs([prompt] * size, list(range(size)))
    times: list[float] = []
    sizes: list[int] = []
    while not times or (len(times) < 2 and times[0] < SECONDS / 2) or sum(times) < limit:
        start = time.perf_counter()
        seeds = [len(sizes) + i for i in range(size)]
        sizes += [len(jpeg) for jpeg in model.draw_jpegs([prompt] * size, seeds)]
        times.append(time.perf_counter() - start)
    steady = times[1:] or times
    return sum(steady) / len(steady) / size, sum(sizes) / len(sizes)


def try_embedding(batch_size: int, machine: Machine) -> dict[str, float]:
    """Embed a batch of noise twice; return seconds an image of the second time."""
    torch.set_num_threads(machine.threads)
    clip = Clip(layout.CLIP, machine.device)
    batch = torch.stack([clip.preprocess(_noise(64))] * min(batch_size, 32))
    seconds = 0.0
    for _ in range(2):
        start = time.perf_counter()
        with torch.inference_mode():
            clip.model.encode_image(batch.to(machine.device)).cpu()
        seconds = time.perf_counter() - start
    return {embedding_key(machine.device, machine.threads): seconds / len(batch)}


def try_training(settings: ClassifierSettings, classes: int, machine: Machine) -> dict[str, float]:
    """Take some training steps on noise; return seconds an image, and GiB.

    On a CPU, where an image takes about as long in any batch, the batch is as large as is quick;
    memory is not told if it is smaller than a micro-batch. Nor is a time that comes out as none.
    """
    torch.set_num_threads(machine.threads)
    batch, seconds = settings.batch_size, LONG_STEP
    if machine.device != "cpu":
        _train(settings, batch, 1, classes, machine)  # the device starts up
    else:
        batch = min(2, batch)
        seconds = _step(settings, batch, 2, classes, machine)
        while batch < settings.batch_size and 4 * seconds < LONG_STEP:
            batch = min(4 * batch, settings.batch_size)
            seconds = _step(settings, batch, 2, classes, machine)
    steps = max(2, min(50, int(TIMED / max(seconds, 0.01))))
    seconds = _step(settings, batch, steps, classes, machine)
    figures = {}
    if seconds > 0:
        figures[training_key(settings, machine.device, machine.threads)] = seconds / batch
    if _micro_batch(settings, batch) == settings.micro_batch_size:
        figures[training_memory_key(settings, machine.device, machine.threads)] = _peak()
    return figures


def _step(
    settings: ClassifierSettings, batch: int, steps: int, classes: int, machine: Machine
) -> float:
    """Return the seconds of a step, from so many steps, without what comes before the second.

    Where a step is lost in what comes before, that may be zero or less.
    """
    first = _train(settings, batch, 1, classes, machine)
    return (_train(settings, batch, 1 + steps, classes, machine) - first) / steps


def _micro_batch(settings: ClassifierSettings, batch: int) -> int:
    """Return how many images of a batch go through the model at once: as set, if they can."""
    return batch if batch % max(settings.micro_batch_size, 1) else settings.micro_batch_size


def _train(
    settings: ClassifierSettings, batch: int, steps: int, classes: int, machine: Machine
) -> float:
    """Return how many seconds a training of so many steps takes."""
    micro = _micro_batch(settings, batch)
    image = _noise(settings.image_size)
    images = [(image, i % classes) for i in range(batch * steps)]
    start = time.perf_counter()
    train(
        images,
        [f"n{i:08d}" for i in range(classes)],
        replace(settings, epochs=1, warmup_epochs=0, batch_size=batch, micro_batch_size=micro),
        0,
        device=machine.device,
        # On a CPU all cores train, and processes for reading take long to start.
        workers=0 if machine.device == "cpu" else machine.workers,
        label="trial",
    )
    return time.perf_counter() - start


def embedding_key(device: str, threads: int) -> str:
    """Under what the seconds are remembered that an image takes to embed.

    Raises InputError if there is no CLIP.
    """
    clip = folder_digest(layout.CLIP)[:16]
    return f"seconds an image, embedding: {clip} {processor(device, threads)}"


def training_key(settings: ClassifierSettings, device: str, threads: int) -> str:
    """Under what the seconds are remembered that an image takes in a training step."""
    augmented = settings.rand_augment or "plain"
    place = processor(device, threads)
    return f"seconds an image, training: {_trained(settings)} {augmented} {place}"


def training_memory_key(settings: ClassifierSettings, device: str, threads: int) -> str:
    """Under what the GiB are remembered that a training takes."""
    return f"GiB that training takes: {_trained(settings)} {processor(device, threads)}"


def _trained(settings: ClassifierSettings) -> str:
    """Name what makes one training step slower or larger than another."""
    sizes = f"{settings.image_size} x{settings.micro_batch_size} of {settings.batch_size}"
    model = f"{settings.model} {json.dumps(settings.model_args, sort_keys=True)}"
    mean = " and a mean of weights" if settings.ema_decay else ""
    return f"{model} {sizes} {settings.amp or 'float32'} {settings.optimizer}{mean}"


def _noise(size: int) -> Image.Image:
    pixels = np.random.default_rng(0).integers(256, size=(size, size, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def _peak() -> float:
    """GiB that this process has held at the most: on the GPU if it has used one."""
    if torch.cuda.is_initialized():
        return torch.cuda.max_memory_reserved() / 2**30
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30
