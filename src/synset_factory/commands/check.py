"""`synset-factory check`: does params.yaml fit the code and the prompt files?

It takes some seconds (it imports every stage) and is run before anything that takes long.
"""

import importlib
from typing import Any

from synset_factory import layout
from synset_factory.config import load_common, load_params, load_section, stage_modules
from synset_factory.errors import InputError
from synset_factory.prompt_files import (
    check_recipes,
    read_disambiguations,
    read_synsets,
    read_vocabulary,
    world_classes,
)
from synset_factory.query_images import QueriesConfig, check_queries


def config_class(stage: str, module: str) -> type[Any] | None:
    """Return the config dataclass beside a stage, if it has one: GenerateConfig of `generate`."""
    name = "".join(word.title() for word in stage.split("_")) + "Config"
    return getattr(importlib.import_module(module), name, None)


def check() -> None:
    """Read everything that people edit, and stop at the first thing that the stages cannot use."""
    common, sections = load_common(), load_params()
    for stage, module in stage_modules(common.world).items():
        section_class = config_class(stage, module)
        if section_class:
            load_section(section_class, stage)
        elif stage in sections:
            raise InputError(f"{layout.PARAMS}: '{stage}' has no settings; remove the section.")
    synsets = read_synsets()
    read_disambiguations(synset.wnid for synset in synsets)
    check_recipes(common, read_vocabulary().modifiers)
    classes = world_classes(synsets)
    check_queries(load_section(QueriesConfig, "queries"), {synset.wnid for synset in classes})
    print(
        f"{layout.PARAMS} and {layout.PROMPTS}/ fit together: world {common.world}, "
        f"{len(classes)} classes, {len(common.sets)} synthetic sets."
    )
