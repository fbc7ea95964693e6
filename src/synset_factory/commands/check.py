"""`synset-factory check`: does params.yaml fit the code and the prompt files?

It takes some seconds (it imports every stage) and is run before anything that takes long.
"""

import importlib
from typing import Any

from synset_factory import layout
from synset_factory.config import SECTIONS, load_common, load_section
from synset_factory.errors import InputError
from synset_factory.prompt_files import (
    check_recipes,
    read_disambiguations,
    read_synsets,
    read_vocabulary,
    world_classes,
)
from synset_factory.stages.code import stage_modules


def config_class(stage: str, module: str) -> type[Any]:
    """Return the config dataclass that lies beside a stage: GenerateConfig of `generate`."""
    name = "".join(word.title() for word in stage.split("_")) + "Config"
    found: type[Any] = getattr(importlib.import_module(module), name)
    return found


def check() -> None:
    """Read everything that people edit. Raises InputError for the first thing that is wrong."""
    common = load_common()
    modules = stage_modules(common.world)
    if not any(".worlds." in module for module in modules.values()):
        raise InputError(f"{layout.PARAMS}: there is no world '{common.world}'; correct its name.")
    for section in SECTIONS:
        load_section(config_class(section, modules[section]), section)
    synsets = read_synsets()
    read_disambiguations(synset.wnid for synset in synsets)
    check_recipes(common, read_vocabulary().modifiers)
    classes = world_classes(synsets)
    print(
        f"{layout.PARAMS} and {layout.PROMPTS}/ fit together: world {common.world}, "
        f"{len(classes)} classes, {len(common.sets)} synthetic sets."
    )
