"""PromptAug at the paper's size: 1,250 prompts for each of 1,000 classes, beside two other ways.

    python benchmarks/promptaug.py

Time is of making all prompts, the files being read already; `repeated` counts prompts that their
class has already, `in both splits` those of validation that training has too.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
from measuring import compare, print_comparison, print_table

from synset_factory.prompts.files import (
    class_prompts,
    read_disambiguations,
    read_synsets,
    read_vocabulary,
)
from synset_factory.prompts.grammar import (
    ClassPrompts,
    Vocabulary,
    augmented_prompt,
    prompts_of_class,
)
from synset_factory.records import TRAIN, VALIDATION

COUNTS = {TRAIN: 1_200, VALIDATION: 50}
Way = Callable[[ClassPrompts, Vocabulary], dict[str, list[str]]]


def permutation(each: ClassPrompts, vocabulary: Vocabulary) -> dict[str, list[str]]:
    """What the pipeline does: a seeded permutation of all combinations."""
    return prompts_of_class("promptaug", each, vocabulary, COUNTS, 0)


def independent_draws(each: ClassPrompts, vocabulary: Vocabulary) -> dict[str, list[str]]:
    """A combination drawn for every image, whatever was drawn before."""
    rng = np.random.default_rng(int(each.wnid[1:]))
    modifiers = vocabulary.modifiers
    return {
        split: [
            augmented_prompt(modifiers, int(i), each.disamb)
            for i in rng.integers(modifiers.combinations, size=count)
        ]
        for split, count in COUNTS.items()
    }


def drawn_again_if_taken(each: ClassPrompts, vocabulary: Vocabulary) -> dict[str, list[str]]:
    """Independent draws, each repeated until the class does not have it yet."""
    rng = np.random.default_rng(int(each.wnid[1:]))
    modifiers, taken = vocabulary.modifiers, set[str]()
    prompts: dict[str, list[str]] = {split: [] for split in COUNTS}
    for split, count in COUNTS.items():
        while len(prompts[split]) < count:
            drawn = int(rng.integers(modifiers.combinations))
            prompt = augmented_prompt(modifiers, drawn, each.disamb)
            if prompt not in taken:
                taken.add(prompt)
                prompts[split].append(prompt)
    return prompts


def prepared(way: Way) -> Callable[[], tuple[int, int, int]]:
    """What is timed: making all prompts, the files being read already."""
    synsets = read_synsets()
    clarified = read_disambiguations(synset.wnid for synset in synsets)
    classes, vocabulary = class_prompts(synsets, clarified), read_vocabulary()

    def work() -> tuple[int, int, int]:
        """Return how many prompts there are, are repeated, and are in both splits."""
        made = [way(each, vocabulary) for each in classes]
        of_classes = [prompts[TRAIN] + prompts[VALIDATION] for prompts in made]
        return (
            sum(map(len, of_classes)),
            sum(len(prompts) - len(set(prompts)) for prompts in of_classes),
            sum(len(set(prompts[TRAIN]) & set(prompts[VALIDATION])) for prompts in made),
        )

    return work


def main() -> None:
    ways: dict[str, Way] = {
        "independent draws": independent_draws,
        "drawn again if taken": drawn_again_if_taken,
        "ours: a permutation": permutation,
    }
    rows = compare(
        {name: partial(prepared, way) for name, way in ways.items()}, repeats=1, warm_up=False
    )
    print_comparison("PromptAug, 1,250 prompts of 1,000 classes", rows)
    print_table(
        ["PromptAug", "prompts", "repeated", "in both splits"],
        [[row.way, *(f"{count:,}" for count in row.result)] for row in rows],
    )


if __name__ == "__main__":
    main()
