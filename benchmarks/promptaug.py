"""PromptAug at the paper's size: 1,250 prompts for each of 1,000 classes, beside two other ways.

    python benchmarks/promptaug.py

Each way runs in a process of its own. Time is of making all prompts, the files being read already;
memory is the peak of the process above what it held before; `repeated` counts prompts that their
class has already, `in both` those of validation that training has too.
"""

import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np

from synset_factory.prompt_files import (
    class_prompts,
    read_disambiguations,
    read_synsets,
    read_vocabulary,
)
from synset_factory.prompt_grammar import (
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


def peak_mebibytes() -> float:
    """The most memory that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(way: Way) -> tuple[float, float, int, int, int]:
    """Return seconds, MiB, prompts, repeated prompts, and those in both splits."""
    synsets = read_synsets()
    clarified = read_disambiguations(synset.wnid for synset in synsets)
    classes, vocabulary = class_prompts(synsets, clarified), read_vocabulary()
    before, start = peak_mebibytes(), time.perf_counter()
    made = [way(each, vocabulary) for each in classes]
    seconds, memory = time.perf_counter() - start, peak_mebibytes() - before
    of_classes = [prompts[TRAIN] + prompts[VALIDATION] for prompts in made]
    return (
        seconds,
        memory,
        sum(map(len, of_classes)),
        sum(len(prompts) - len(set(prompts)) for prompts in of_classes),
        sum(len(set(prompts[TRAIN]) & set(prompts[VALIDATION])) for prompts in made),
    )


def main() -> None:
    print("way                    seconds   ratio   MiB    prompts  repeated  in both")
    base = 0.0
    for way in (permutation, independent_draws, drawn_again_if_taken):
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            seconds, memory, prompts, repeated, both = pool.submit(measure, way).result()
        base = base or seconds
        print(
            f"{way.__name__:21}  {seconds:7.2f}  {seconds / base:6.2f}  {memory:4.0f}  "
            f"{prompts:9,}  {repeated:8,}  {both:7,}"
        )


if __name__ == "__main__":
    main()
