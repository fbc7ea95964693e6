"""`synset-factory check`: does params.yaml fit the code and the prompt files?

It takes some seconds (it imports every stage) and is run before anything that takes long.
"""

import importlib
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synset_factory import layout
from synset_factory.config import load_common, load_params, load_section, stage_modules
from synset_factory.errors import InputError
from synset_factory.prompts.files import (
    check_recipes,
    read_disambiguations,
    read_synsets,
    read_vocabulary,
    world_classes,
)
from synset_factory.query_images import QueriesConfig, check_queries

if TYPE_CHECKING:  # it takes seconds, and --help of the other commands needs none of it
    from synset_factory.models.classifier import ClassifierSettings


def config_class(stage: str, module: str) -> type[Any] | None:
    """Return the config dataclass beside a stage, if it has one: GenerateConfig of `generate`."""
    name = "".join(word.title() for word in stage.split("_")) + "Config"
    return getattr(importlib.import_module(module), name, None)


def check_batches(settings: "ClassifierSettings", images: int, replicas: int) -> None:
    """Check that training on `images` images fills a batch, which `replicas` copies can share.

    Training finds the same, but only once the images are drawn. Raises InputError.
    """
    where = f"{layout.PARAMS}: train.classifier"
    batch_size, micro_batch_size = settings.batch_size, settings.micro_batch_size
    if batch_size < 1 or micro_batch_size < 1 or batch_size % micro_batch_size:
        raise InputError(
            f"{where}: micro_batch_size {micro_batch_size} does not divide batch_size "
            f"{batch_size}; change one of them."
        )
    parts = batch_size // micro_batch_size
    if parts % replicas:
        raise InputError(
            f"{where}: {replicas} copies (run.replicas) cannot share the {parts} micro-batches of "
            "a step evenly; change run.replicas or micro_batch_size."
        )
    if images < batch_size:
        raise InputError(
            f"{where}: the {images:,} training images of a set (classes x splits.train) do not "
            f"fill a batch of {batch_size:,}; lower batch_size, and learning_rate with it, or "
            "raise splits.train."
        )


def check_fetched(key: str, folder: Path, fetched: Collection[str]) -> None:
    """Check that `fetch_models`, which fetches `fetched`, brings the classifier that a key names.

    Raises InputError for another folder beside theirs.
    """
    if folder.parent == layout.PRETRAINED and folder.name not in fetched:
        raise InputError(
            f"{layout.PARAMS}: {key} is {folder}, which no stage fetches: name '{folder.name}' "
            "under fetch_models.pretrained, or change the folder."
        )


def check() -> None:
    """Read everything that people edit, and stop at the first thing that the stages cannot use."""
    common, sections = load_common(), load_params()
    loaded: dict[str, Any] = {}
    for stage, module in stage_modules(common.world).items():
        section_class = config_class(stage, module)
        if section_class:
            loaded[stage] = load_section(section_class, stage)
        elif stage in sections:
            raise InputError(f"{layout.PARAMS}: '{stage}' has no settings; remove the section.")
    synsets = read_synsets()
    read_disambiguations(synset.wnid for synset in synsets)
    check_recipes(common, read_vocabulary().modifiers)
    classes = world_classes(synsets)
    check_queries(load_section(QueriesConfig, "queries"), {synset.wnid for synset in classes})
    training = loaded["train"]
    check_batches(training.classifier, len(classes) * common.splits.train, common.run.replicas)
    if "fetch_models" in loaded:
        fetched = loaded["fetch_models"].pretrained
        check_fetched("train.natural_from", Path(training.natural_from), fetched)
        check_fetched("classifier_embed.model", Path(loaded["classifier_embed"].model), fetched)
    print(
        f"{layout.PARAMS} and {layout.PROMPTS}/ fit together: world {common.world}, "
        f"{len(classes)} classes, {len(common.sets)} synthetic sets."
    )
