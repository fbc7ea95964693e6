"""CLIP embeddings of stored images: our stage's path beside a plain open_clip loop.

    python benchmarks/embedding.py

The plain loop is the one of open_clip's README: a picture opened and preprocessed, a batch
encoded, one after the other. Both read the same JPEGs (ours from class tars, the loop from files)
with the same model: a ViT-B-32 with random weights, as large as CLIPs are that people run on a CPU.
The rows must be equal, or nearly.
"""

import json
import sys
import tempfile
from collections.abc import Callable
from contextlib import chdir
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import open_clip
import torch
from measuring import compare, print_comparison
from PIL import Image
from safetensors.torch import save_file

from synset_factory import layout
from synset_factory.config import LOCAL, Run, load_common
from synset_factory.embedding import embed, image_batches
from synset_factory.records import TRAIN, VALIDATION, image_key
from synset_factory.shards.reader import read_index
from synset_factory.shards.writer import Sample, encode_jpeg, write_class_tar, write_index

MODEL = "ViT-B-32"
WEIGHTS = "open_clip_model.safetensors"
BATCH = 32
THREADS = 1  # of torch, so that reading beside it has a core
RUN = Run(device="cpu", workers=1, engine=LOCAL, address="", replicas=1)
PARAMS = Path(__file__).parents[1] / layout.PARAMS


def write_images(count: int) -> None:
    """Write a set of one class, and the same JPEGs as files."""
    rng = np.random.default_rng(0)
    Path("files").mkdir()
    samples = []
    for number in range(count):
        small = Image.fromarray(rng.integers(256, size=(16, 16, 3), dtype=np.uint8))
        key = image_key("n01580077", TRAIN, number)
        jpeg = encode_jpeg(small.resize((512, 512), Image.Resampling.BICUBIC), 92)
        Path(f"files/{number:06d}.jpg").write_bytes(jpeg)
        samples.append(Sample(key=key, jpg=jpeg, cls=0, txt="jay", json={"digest": key}))
    for split, of_split in ((TRAIN, samples), (VALIDATION, [])):
        write_class_tar(layout.shard("natural", split, "n01580077"), of_split)
    write_index(layout.shards("natural"), "natural", ["n01580077"], "A benchmark.")


def write_model() -> None:
    """Write an untrained CLIP as a folder that open_clip reads."""
    torch.manual_seed(0)
    layout.CLIP.mkdir(parents=True)
    save_file(open_clip.create_model(MODEL).state_dict(), layout.CLIP / WEIGHTS)
    config = {"model_cfg": open_clip.get_model_config(MODEL), "preprocess_cfg": {}}
    (layout.CLIP / "open_clip_config.json").write_text(json.dumps(config))


def ours(count: int) -> Callable[[], np.ndarray]:
    """What stage `embed` does, loading the model included."""
    torch.set_num_threads(THREADS)
    common = replace(load_common(PARAMS), threads=THREADS, run=RUN)
    index = read_index("natural")[:count]
    return lambda: embed(image_batches("natural", index, BATCH), count, "ours", common)


@torch.inference_mode()
def _plain(model: torch.nn.Module, preprocess: Callable[..., torch.Tensor], n: int) -> np.ndarray:
    parts = []
    files = sorted(Path("files").iterdir())[:n]
    for start in range(0, len(files), BATCH):
        images = [preprocess(Image.open(path)) for path in files[start : start + BATCH]]
        parts.append(model.encode_image(torch.stack(images)).numpy())
    return np.concatenate(parts)


def plain_loop(count: int) -> Callable[[], np.ndarray]:
    torch.set_num_threads(THREADS)

    def work() -> np.ndarray:
        name = f"local-dir:{layout.CLIP}"
        model, _, preprocess = open_clip.create_model_and_transforms(name)
        return _plain(model.eval(), preprocess, count)

    return work


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        print(f"writing an untrained {MODEL} and 256 pictures ...", file=sys.stderr, flush=True)
        write_images(256)
        write_model()
        ways = {"open_clip, a plain loop": plain_loop, "ours": ours}
        rows = compare(ways, 128, repeats=3)
        print_comparison("embedding 128 images of 512x512", rows, images=128)
        off = np.abs(rows[0].result - rows[1].result).max() / np.abs(rows[0].result).max()
        print(f"largest difference, of the largest number: {off:.1e}")
        assert off < 1e-3
        sizes = {f"ours, {n} images": partial(ours, n) for n in (64, 128, 256)}
        print_comparison("embedding, by size", compare(sizes, repeats=1))


if __name__ == "__main__":
    main()
