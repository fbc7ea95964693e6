"""Part `natural`: labelled pictures taken in life, drawn from the classes' own concepts."""

import random
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from hashlib import sha256

from PIL import Image
from tqdm import tqdm

from synset_factory import layout
from synset_factory.config import claim_world, load_common, load_section
from synset_factory.errors import InputError
from synset_factory.prompts.files import read_synsets, world_classes
from synset_factory.provenance import RENDERER, rendered
from synset_factory.records import SPLITS, image_key
from synset_factory.seeds import derive_seed
from synset_factory.shards.writer import Sample, encode_jpeg, prune, write_class_tar, write_index
from synset_factory.worlds.miniature.causes import Causes, load_causes
from synset_factory.worlds.miniature.renderer import render
from synset_factory.worlds.miniature.staging import Description, stage
from synset_factory.worlds.miniature.web import PROCESSES

NAME = "natural"


@dataclass(frozen=True, kw_only=True)
class NaturalConfig:
    """Section `natural` of params.yaml."""

    train: int  # pictures a class
    validation: int  # pictures a class
    size: int  # pixels, width and height
    jpeg_quality: int  # 1 ... 100


def render_natural(
    wnid: str, split: str, number: int, seed: int, causes: Causes, size: int
) -> Image.Image:
    """Draw natural picture `number` of a class's split, RGB, `size` pixels wide and high.

    It varies in everything that captions name and in what they do not; a share of
    `causes.life.glossy` is canonical all the same.
    """
    rng = random.Random(derive_seed(seed, "natural", wnid, split, number))
    scene = stage(
        (causes.classes[wnid].concept,),
        Description(),
        glossy=rng.random() < causes.life.glossy,
        cluttered=False,
        causes=causes,
        rng=rng,
    )
    return render(scene, size)


def class_samples(
    wnid: str, split: str, class_index: int, config: NaturalConfig, seed: int, causes: Causes
) -> Iterator[Sample]:
    """Draw the pictures of one class of one split."""
    for number in range(config.train if split == "train" else config.validation):
        jpg = encode_jpeg(
            render_natural(wnid, split, number, seed, causes, config.size),
            config.jpeg_quality,
            rendered(),
        )
        yield Sample(
            key=image_key(wnid, split, number),
            jpg=jpg,
            cls=class_index,
            txt="",
            json={
                "wnid": wnid,
                "split": split,
                "number": number,
                "concept": causes.classes[wnid].concept,
                "seed": seed,
                "size": config.size,
                "jpeg_quality": config.jpeg_quality,
                "digest": sha256(jpg).hexdigest(),
            },
        )


def _write_class(
    job: tuple[str, str, int], config: NaturalConfig, seed: int, causes: Causes
) -> None:
    wnid, split, class_index = job
    samples = class_samples(wnid, split, class_index, config, seed, causes)
    write_class_tar(layout.shard(NAME, split, wnid), samples)


def main() -> None:
    """Draw the natural set into data/shards/natural. Raises InputError for bad input."""
    config, common = load_section(NaturalConfig, "natural"), load_common()
    claim_world(common.world)
    causes, classes = load_causes(), world_classes(read_synsets())
    for synset in classes:
        if synset.wnid not in causes.classes:
            raise InputError(
                f"{layout.MINIATURE_CAUSES}: class {synset.wnid} of {layout.PARAMS} has no row "
                "under classes; add it, and a drawing of it."
            )
    jobs = [(synset.wnid, split, synset.class_index) for split in SPLITS for synset in classes]
    print(
        f"Drawing {config.train:,} training and {config.validation:,} validation pictures of each "
        f"of {len(classes)} classes.",
        flush=True,
    )
    write = partial(_write_class, config=config, seed=common.seed, causes=causes)
    with ProcessPoolExecutor(PROCESSES) as pool:
        list(tqdm(pool.map(write, jobs), total=len(jobs), desc=NAME, unit="tar"))
    wnids = [synset.wnid for synset in classes]
    prune(layout.shards(NAME), wnids)
    description = "Pictures drawn by the miniature world's renderer, as if taken in life."
    write_index(layout.shards(NAME), NAME, wnids, description, RENDERER)
