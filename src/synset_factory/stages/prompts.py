"""Stage `prompts`: for each set one row an image, from what people edit in prompts/.

Prompts are built for all 1,000 classes in every world, so that a slip in any of them shows at
once; the world's classes are selected after that.
"""

import json
import subprocess

import pandas as pd
from tqdm import tqdm

from synset_factory import layout
from synset_factory.config import Common, claim_world, load_common
from synset_factory.errors import InputError, run_main
from synset_factory.prompts.files import (
    Synset,
    check_recipes,
    class_prompts,
    parse_disambiguations,
    read_disambiguations,
    read_synsets,
    read_vocabulary,
    world_classes,
)
from synset_factory.prompts.grammar import ClassPrompts, Vocabulary, prompts_of_class
from synset_factory.records import TRAIN, VALIDATION
from synset_factory.seeds import derive_seed
from synset_factory.whole_files import whole_file, write_text


def build_rows(
    recipe: str, classes: list[ClassPrompts], vocabulary: Vocabulary, common: Common
) -> pd.DataFrame:
    """Return the rows of one set: wnid, split, number, prompt."""
    counts = {TRAIN: common.splits.train, VALIDATION: common.splits.validation}
    columns: dict[str, list[object]] = {"wnid": [], "split": [], "number": [], "prompt": []}
    for each in tqdm(classes, desc=f"prompts {recipe}", unit="class", leave=False):
        prompts = prompts_of_class(recipe, each, vocabulary, counts, common.seed)
        for split, texts in prompts.items():
            columns["wnid"] += [each.wnid] * len(texts)
            columns["split"] += [split] * len(texts)
            columns["number"] += range(len(texts))
            columns["prompt"] += texts
    return pd.DataFrame(columns)


def add_seeds(rows: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Add the seed of each image's noise. It does not depend on the set."""
    places = zip(rows["wnid"], rows["split"], rows["number"], strict=True)
    return rows.assign(seed=[derive_seed(seed, *place) for place in places])


def previous_disambiguations(synsets: list[Synset], current: dict[str, str]) -> dict[str, str]:
    """Return the clarified prompts of the last revision that differ from the current ones.

    Without git, or without such a revision, the current ones are returned: nothing differs.
    """
    path = layout.DISAMBIGUATIONS.as_posix()
    known = [synset.wnid for synset in synsets]
    for revision in _git("log", "--format=%H", "--", path).split():
        try:
            earlier = parse_disambiguations(
                _git("show", f"{revision}:{path}"), known, layout.DISAMBIGUATIONS
            )
        except InputError:
            continue  # a revision that was broken tells nothing
        if earlier != current:
            return earlier
    return current


def _git(*arguments: str) -> str:
    """Return what git prints, or nothing where there is no git or no such revision."""
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout if done.returncode == 0 else ""


def count_prompts(
    synsets: list[Synset], clarified: dict[str, str], previous: dict[str, str], world: set[str]
) -> dict[str, int]:
    """Return how many classes there are, are clarified, and differ from the last revision."""
    before = class_prompts(synsets, previous)
    now = class_prompts(synsets, clarified)
    changed = {a.wnid for a, b in zip(now, before, strict=True) if a.disamb != b.disamb}
    return {
        "classes": len(synsets),
        "clarified": len(clarified),
        "changed_since_last_revision": len(changed),
        "classes_of_world": len(world),
        "clarified_of_world": len(world & set(clarified)),
        "changed_of_world": len(world & changed),
    }


def main() -> None:
    common = load_common()
    claim_world(common.world)
    synsets = read_synsets()
    clarified = read_disambiguations(synset.wnid for synset in synsets)
    vocabulary = read_vocabulary()
    check_recipes(common, vocabulary.modifiers)
    classes = class_prompts(synsets, clarified)
    selected = world_classes(synsets)
    world = {synset.wnid for synset in selected}

    rows_of_recipe: dict[str, pd.DataFrame] = {}
    for name, image_set in common.sets.items():
        recipe = image_set.prompts
        if recipe not in rows_of_recipe:
            rows = build_rows(recipe, classes, vocabulary, common)
            rows_of_recipe[recipe] = add_seeds(rows[rows["wnid"].isin(world)], common.seed)
        with whole_file(layout.prompts(name)) as partial:
            rows_of_recipe[recipe].to_parquet(partial, index=False)

    counts = count_prompts(synsets, clarified, previous_disambiguations(synsets, clarified), world)
    write_text(layout.PROMPT_COUNTS, json.dumps(counts, indent=2) + "\n")


if __name__ == "__main__":
    run_main(main)
