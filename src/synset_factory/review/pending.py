"""What `dvc repro` will have to draw as the prompts and params stand."""

from dataclasses import dataclass

import pandas as pd

from synset_factory import layout
from synset_factory.config import Common, load_section
from synset_factory.drawing import GenerateConfig, image_settings
from synset_factory.prompts.files import (
    class_prompts,
    read_disambiguations,
    read_synsets,
    read_vocabulary,
    world_classes,
)
from synset_factory.prompts.grammar import ClassPrompts, Vocabulary, prompts_of_class
from synset_factory.records import TRAIN, VALIDATION, ImageRow, image_digest
from synset_factory.seeds import derive_seed
from synset_factory.stages.train import TrainConfig


@dataclass(frozen=True, kw_only=True)
class Pending:
    """The classes whose stored images are no longer the right ones, and what they cost."""

    wnids: tuple[str, ...]
    image_sets: tuple[str, ...]
    images: int
    classifiers: int


def pending_work(common: Common) -> Pending:
    """Hold the first training image of each class and set against the one that is stored.

    It stands for all images of its class. Images that another set has already are counted too,
    although `generate` takes them from there. Raises InputError for prompt files that cannot be
    read.
    """
    synsets = read_synsets()
    clarified = read_disambiguations(synset.wnid for synset in synsets)
    classes = class_prompts(world_classes(synsets), clarified)
    vocabulary, config = read_vocabulary(), load_section(GenerateConfig, "generate")
    changed: dict[str, list[str]] = {}
    for name, image_set in common.sets.items():
        stored = stored_digests(name)
        settings = image_settings(image_set.guidance_scale, config, image_set.shortcuts)
        for each in classes:
            row = first_row(image_set.prompts, each, vocabulary, common.seed)
            if stored.get(row.key) != image_digest(row, settings):
                changed.setdefault(name, []).append(each.wnid)
    images = common.splits.train + common.splits.validation
    return Pending(
        wnids=tuple(sorted({wnid for wnids in changed.values() for wnid in wnids})),
        image_sets=tuple(changed),
        images=images * sum(map(len, changed.values())),
        classifiers=load_section(TrainConfig, "train").seeds * len(changed),
    )


def first_row(recipe: str, each: ClassPrompts, vocabulary: Vocabulary, seed: int) -> ImageRow:
    """Return the first training image of a class, as stage `prompts` asks for it."""
    made = prompts_of_class(recipe, each, vocabulary, {TRAIN: 1, VALIDATION: 0}, seed)
    return ImageRow(
        wnid=each.wnid,
        split=TRAIN,
        number=0,
        prompt=made[TRAIN][0],
        seed=derive_seed(seed, each.wnid, TRAIN, 0),
    )


def stored_digests(image_set: str) -> dict[str, str]:
    """Return the digest of each stored image of a set by its key; none if the set is not there."""
    if not layout.index(image_set).exists():
        return {}
    index = pd.read_parquet(layout.index(image_set), columns=["key", "digest"])
    return dict(zip(index["key"], index["digest"], strict=True))
