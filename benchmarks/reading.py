"""Reading for training: images a second, shuffle and memory, beside webdataset's and timm's.

    python benchmarks/reading.py [--set SET] [--photographs TAR] [--workers N] [--rounds N]

Two sets: one of this clone (after `make run`), and photographs of 300 to 500 px, taken from a tar
of JPEGs or else drawn (smooth noise of the same size and weight). We read a set as it lies, a tar
a class; the others read its export, as they must, since they shuffle within a buffer. Each way
decodes and augments the same way (crop, flip, to bytes) in as many worker processes; each is a
process of its own, the ways take turns, figures are medians over the rounds. Seconds run from the
start of the workers on, for as many images in every way; MiB is of the process and its workers.

Shuffle: the classes in a batch of 64, and how often two images of a batch meet again in a batch of
the next epoch, as a multiple of chance: 1 is a true shuffle. Then the same, without reading, at
ImageNet's size.
"""

import gc
import json
import random
import resource
import sys
import tarfile
import tempfile
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable, Iterator
from contextlib import chdir
from dataclasses import replace
from io import BytesIO
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import timm.data
import torch
import webdataset
from measuring import (
    Measured,
    as_told,
    median_of,
    print_comparison,
    print_table,
    run_command,
)
from PIL import Image
from timm.data.readers import reader_wds
from torch.utils.data import DataLoader
from tqdm import tqdm

from synset_factory import layout
from synset_factory.models import classifier
from synset_factory.models.classifier import ClassifierSettings
from synset_factory.models.training_batches import Share, training_batches
from synset_factory.records import TRAIN, VALIDATION, image_key
from synset_factory.shards import exports
from synset_factory.shards.reader import JpegDataset, read_index
from synset_factory.shards.writer import Sample, encode_jpeg, write_class_tar, write_index

BATCH = 64
TAR = 100  # images of an exported tar, so that workers and shuffles have some to choose from
BUFFER = 1000  # webdataset's shuffle: what its documentation takes
IMAGENET, IMAGENET_TAR, IMAGENET_BATCH = 1_200_000, 1_000, 1_024
PHOTOGRAPHS, CLASSES, A_CLASS = "photographs", 20, 32
EPOCHS = 2  # of photographs; of small pictures five times as many

Batches = Iterable[tuple[Any, Any]]


def settings(size: int, epochs: int) -> ClassifierSettings:
    """The miniature's way with pictures, at any size."""
    return ClassifierSettings(
        model="test_resnet",
        model_args={},
        image_size=size,
        epochs=epochs,
        batch_size=BATCH,
        micro_batch_size=BATCH,
        amp="",
        optimizer="sgd",
        learning_rate=0.1,
        weight_decay=0.0,
        schedule="cosine",
        warmup_epochs=0,
        ema_decay=0.0,
        label_smoothing=0.0,
        crop_scale_min=0.08,
        horizontal_flip=0.5,
        color_jitter=0.0,
        rand_augment="",
        eval_crop=1.0,
        interpolation="bilinear",
    )


# ---- the ways: each returns (images, numbers of the images), read once they are asked for ----


def our_loader(name: str, size: int, epochs: int, workers: int) -> "DataLoader[Any]":
    """What the stage `train` reads."""
    chosen = settings(size, epochs)
    model = classifier.create(chosen, ["a"])
    return training_batches(
        JpegDataset(name, numbered(name)),
        model,
        chosen,
        0,
        share=Share(rank=0, processes=1),
        first_epoch=0,
        pinned=False,
        workers=workers,
    )


def ours(name: str, size: int, epochs: int, workers: int) -> Batches:
    return our_loader(name, size, epochs, workers)


def of_webdataset(name: str, size: int, epochs: int, workers: int) -> Batches:
    """WebLoader over shuffled tars and a shuffle buffer, batched in the workers."""
    transform = our_loader(name, size, 1, 0).dataset.transform

    def prepared(sample: dict[str, bytes]) -> tuple[Any, int]:
        image = Image.open(BytesIO(sample["jpg"])).convert("RGB")
        return transform(image), int(sample["cls"])

    dataset = (
        webdataset.WebDataset(tars(name), shardshuffle=len(tars(name)), seed=0)
        .shuffle(BUFFER, initial=BUFFER)
        .map(prepared)
        .batched(BATCH, partial=False)
    )
    loader = webdataset.WebLoader(
        dataset, batch_size=None, num_workers=workers, persistent_workers=True
    )
    return chain.from_iterable(repeat(loader, epochs))


def of_timm(name: str, size: int, epochs: int, workers: int) -> Batches:
    """timm's own reader and loader; its prefetcher is for a GPU."""
    dataset = timm.data.create_dataset(
        "wds/",
        root=str(layout.EXPORTS / name),
        split=TRAIN,
        is_training=True,
        batch_size=BATCH,
        seed=0,
    )
    loader = timm.data.create_loader(
        dataset, size, BATCH, is_training=True, use_prefetcher=False, num_workers=workers
    )
    dataset.transform = our_loader(name, size, 1, 0).dataset.transform
    return chain.from_iterable(repeat(loader, epochs))


WAYS: dict[str, Callable[[str, int, int, int], Batches]] = {
    "webdataset": of_webdataset,
    "timm": of_timm,
    "ours": ours,
}


def numbered(name: str) -> pd.DataFrame:
    """The training images, each with a label of its own, so that one knows it again."""
    index = read_index(name, TRAIN)
    return index.assign(cls=np.arange(len(index)))


def tars(name: str) -> list[str]:
    return [str(path) for path in sorted((layout.EXPORTS / name / TRAIN).glob("*.tar"))]


def time_way(way: str, name: str, size: int, epochs: int, workers: int) -> None:
    """Print what a way takes from the start of the workers on, and the batches' numbers."""
    torch.set_num_threads(1)
    batches, seen = WAYS[way](name, size, epochs, workers), []
    start, cpu = time.perf_counter(), cpu_seconds()
    for images, numbers in batches:
        assert images.shape[1:] == (3, size, size) and images.dtype == torch.uint8
        seen.append([int(number) for number in numbers])
    seconds = time.perf_counter() - start
    del batches
    gc.collect()  # ends the workers, whose CPU seconds count from then on
    told = {"seconds": seconds, "cpu_seconds": cpu_seconds() - cpu, "batches": seen}
    print(json.dumps(told))


def cpu_seconds() -> float:
    """Those of this process and of its workers that have ended."""
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


# ---- measures ----


def distinct_classes(batches: list[list[int]], classes: np.ndarray) -> float:
    """Return the mean number of classes in a batch."""
    return float(np.mean([len(set(classes[batch])) for batch in batches]))


def meets_again(first: list[np.ndarray], second: list[np.ndarray], images: int) -> float:
    """Return how often two of a batch share one in the next epoch, as a multiple of chance."""
    place = np.full(images, -1)
    for number, batch in enumerate(second):
        place[batch] = number
    pairs = again = 0
    for batch in first:
        places = place[batch]
        _, counts = np.unique(places[places >= 0], return_counts=True)
        again += int((counts * (counts - 1)).sum())
        pairs += len(batch) * (len(batch) - 1)
    return again / pairs * (images - 1) / (len(second[0]) - 1)


def report_shuffles_at_size() -> None:
    """Print how true each shuffle is at ImageNet's size, in one stream, without reading."""
    rows = []
    for way, size in {
        "webdataset": BUFFER,
        "timm": reader_wds.SAMPLE_SHUFFLE_SIZE,
        "ours": 0,
    }.items():
        first, second = (list(_cut(_order(size, epoch))) for epoch in range(2))
        told = f"{way}, buffer of {size:,}" if size else way
        rows.append([told, f"{meets_again(first, second, IMAGENET):.1f}"])
    title = (
        f"shuffle of {IMAGENET:,} images in tars of {IMAGENET_TAR:,}, batches of {IMAGENET_BATCH:,}"
    )
    print_table([title, "meets again"], rows)


def _order(buffer: int, epoch: int) -> np.ndarray:
    """The order of an epoch: a permutation, or tars in random order through a shuffle buffer."""
    rng = np.random.default_rng(epoch)
    if not buffer:
        return rng.permutation(IMAGENET)
    order = rng.permutation(IMAGENET // IMAGENET_TAR)
    stream = chain.from_iterable(range(t * IMAGENET_TAR, (t + 1) * IMAGENET_TAR) for t in order)
    shuffled = webdataset.filters._shuffle(stream, buffer, buffer, random.Random(epoch))
    return np.fromiter(shuffled, dtype=np.int64, count=IMAGENET)


def _cut(order: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, IMAGENET - IMAGENET_BATCH + 1, IMAGENET_BATCH):
        yield order[start : start + IMAGENET_BATCH]


def measure(way: str, name: str, size: int, epochs: int, workers: int) -> Measured:
    """Run a way in a process of its own; times are for all images of all epochs."""
    words = [sys.executable, __file__, "--way", way, name, *map(str, (size, epochs, workers))]
    run = as_told(run_command(way, words))
    # A way may leave out images that fill no batch, or take some twice.
    share = epochs * len(read_index(name, TRAIN)) / sum(map(len, run.result["batches"]))
    return replace(run, seconds=share * run.seconds, cpu_seconds=share * run.cpu_seconds)


def compare(name: str, size: int, epochs: int, workers: int, rounds: int) -> None:
    """Print the table of a set."""
    index = read_index(name, TRAIN)
    classes = index["cls"].to_numpy()
    runs: dict[str, list[Measured]] = {way: [] for way in WAYS}
    for _ in tqdm(range(rounds), desc=name, unit="round"):
        for way in WAYS:
            runs[way].append(measure(way, name, size, epochs, workers))
    rows = [median_of(runs[way]) for way in WAYS]
    mixed, again = [], []
    for row in rows:
        batches = [np.array(batch) for batch in row.result["batches"]]
        epoch = len(batches) // epochs
        share = meets_again(batches[:epoch], batches[epoch : 2 * epoch], len(index))
        mixed.append(f"{distinct_classes(row.result['batches'], classes):.1f}")
        again.append(f"{share:.2f}")
    print_comparison(
        f"reading {name}, {len(index):,} images to {size} px, {epochs} epochs, {workers} workers",
        rows,
        images=epochs * len(index),
        more={"classes a batch": mixed, "meets again": again},
    )


# ---- the sets ----


def write_photographs(source: Path | None) -> None:
    """Write a set of photographs, repeated until there are enough."""
    pictures = list(_jpegs(source) if source else _drawn())
    wnids = {f"n{number:08}": number for number in range(CLASSES)}
    for wnid, label in wnids.items():
        for split, count in ((TRAIN, A_CLASS), (VALIDATION, 1)):
            samples = []
            for number in range(count):
                jpeg = pictures[(label * A_CLASS + number) % len(pictures)]
                key = image_key(wnid, split, number)
                json_ = {"digest": key, "number": number}
                samples.append(Sample(key=key, jpg=jpeg, cls=label, txt="", json=json_))
            write_class_tar(layout.shard(PHOTOGRAPHS, split, wnid), samples)
    write_index(layout.shards(PHOTOGRAPHS), PHOTOGRAPHS, wnids, "Photographs.")


def _jpegs(source: Path) -> Iterator[bytes]:
    with tarfile.open(source) as tar:
        for member in tar:
            stream = tar.extractfile(member) if member.isfile() else None
            content = stream.read() if stream else b""
            if content.startswith(b"\xff\xd8"):
                yield content


def _drawn() -> Iterator[bytes]:
    """Pictures of 500 x 375 px of noise whose spectrum falls as that of photographs."""
    rng = np.random.default_rng(0)
    height, width = 375, 500
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    frequency[0, 0] = np.inf
    for _ in range(32):
        noise = np.fft.rfft2(rng.standard_normal((3, height, width))) / frequency
        pixels = np.fft.irfft2(noise, (height, width))
        pixels = 128 + 50 * pixels / pixels.std()
        picture = pixels.clip(0, 255).astype(np.uint8).transpose(1, 2, 0)
        yield encode_jpeg(Image.fromarray(picture), 92)


def export(name: str) -> None:
    dealt = exports.deal(name, numbered(name), TAR, 0)
    exports.write_export(name, dealt, layout.EXPORTS / name)


def parsed() -> Namespace:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--set", default="disamb", help="a set of this clone (disamb)")
    parser.add_argument("--photographs", type=Path, help="a tar of JPEGs (default: drawn ones)")
    parser.add_argument("--workers", type=int, default=2, help="that read, for each way (2)")
    parser.add_argument("--rounds", type=int, default=2, help="that medians are taken of (2)")
    parser.add_argument("--way", nargs=5, help="time one way, and nothing else")
    return parser.parse_args()


def main() -> None:
    arguments = parsed()
    if arguments.way:
        way, name, *numbers = arguments.way
        time_way(way, name, *map(int, numbers))
        return
    of_clone = layout.shards(arguments.set).absolute()
    if not of_clone.exists():
        sys.exit(f"error: {layout.shards(arguments.set)} is missing: get or draw it, `make run`.")
    photographs = arguments.photographs.absolute() if arguments.photographs else None
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        layout.SHARDS.mkdir(parents=True)
        (layout.shards(arguments.set)).symlink_to(of_clone)
        write_photographs(photographs)
        for name in (arguments.set, PHOTOGRAPHS):
            export(name)
        compare(arguments.set, 32, 5 * EPOCHS, arguments.workers, arguments.rounds)
        compare(PHOTOGRAPHS, 224, EPOCHS, arguments.workers, arguments.rounds)
        report_shuffles_at_size()


if __name__ == "__main__":
    main()
