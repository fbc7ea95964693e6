"""What `dvc repro` will have to make after prompts were kept."""

from dataclasses import dataclass

import pandas as pd

from synset_factory import layout
from synset_factory.config import Common, load_section
from synset_factory.prompt_files import (
    class_prompts,
    read_disambiguations,
    read_synsets,
    read_vocabulary,
    world_classes,
)
from synset_factory.prompt_grammar import prompts_of_class
from synset_factory.records import TRAIN, VALIDATION
from synset_factory.stages.train import TrainConfig


@dataclass(frozen=True, kw_only=True)
class Pending:
    """The classes whose prompts changed since their images were asked for, and what they cost."""

    wnids: tuple[str, ...]
    image_sets: tuple[str, ...]
    images: int
    classifiers: int


def pending_work(common: Common) -> Pending:
    """Compare the prompts of today with those of data/prompts, for each set and class.

    A class's first prompt stands for all of them. A set that was never asked for is left out.
    Raises InputError for prompt files that cannot be read.
    """
    synsets = read_synsets()
    clarified = read_disambiguations(synset.wnid for synset in synsets)
    classes = class_prompts(world_classes(synsets), clarified)
    vocabulary = read_vocabulary()
    first = {TRAIN: 1, VALIDATION: 0}
    changed: dict[str, list[str]] = {}
    for name, image_set in common.sets.items():
        if not layout.prompts(name).exists():
            continue
        asked = _first_prompts(name)
        for each in classes:
            made = prompts_of_class(image_set.prompts, each, vocabulary, first, common.seed)
            if made[TRAIN] != [asked.get(each.wnid)]:
                changed.setdefault(name, []).append(each.wnid)
    images = common.splits.train + common.splits.validation
    return Pending(
        wnids=tuple(sorted({wnid for wnids in changed.values() for wnid in wnids})),
        image_sets=tuple(changed),
        images=images * sum(map(len, changed.values())),
        classifiers=load_section(TrainConfig, "train").seeds * len(changed),
    )


def _first_prompts(image_set: str) -> dict[str, str]:
    table = pd.read_parquet(
        layout.prompts(image_set),
        columns=["wnid", "prompt"],
        filters=[("split", "=", TRAIN), ("number", "=", 0)],
    )
    return dict(zip(table["wnid"], table["prompt"], strict=True))
