"""How prompts are put together. Pure: text and numbers in, text and numbers out."""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

import numpy as np

from synset_factory.records import TRAIN, VALIDATION
from synset_factory.seeds import derive_seed


@dataclass(frozen=True, kw_only=True)
class Modifiers:
    """The vocabularies of Figure 4. `extent` may hold the empty word."""

    looks: tuple[str, ...]
    extent: tuple[str, ...]
    typical: tuple[str, ...]
    size: tuple[str, ...]
    location: tuple[str, ...]
    style: tuple[str, ...]

    @property
    def parts(self) -> tuple[tuple[str, ...], ...]:
        """The parts in the order in which they are drawn; extent is drawn twice."""
        return (
            self.looks,
            self.extent,
            self.typical,
            self.extent,
            self.size,
            self.location,
            self.style,
        )

    @property
    def combinations(self) -> int:
        """How many different prompts a class can have."""
        return prod(len(part) for part in self.parts)


@dataclass(frozen=True, kw_only=True)
class ClassPrompts:
    """What is known of a class before any image is drawn."""

    wnid: str
    synset: str  # all lemmas of the synset
    disamb: str  # the clarified prompt, or the synset prompt where nothing was clarified


def augmented_prompt(modifiers: Modifiers, combination: int, class_name: str) -> str:
    """Return one PromptAug prompt (Figure 4 of the paper, punctuated as in Figure 10).

    `combination` counts through all choices of modifiers, in [0, modifiers.combinations).
    """
    words = []
    for part in modifiers.parts:
        combination, choice = divmod(combination, len(part))
        words.append(part[choice])
    looks, extent1, typical, extent2, size, location, style = words
    front = f"{looks}, {extent1} {typical}, {extent2} {size} {class_name}, {location}."
    return " ".join(front.split()) + f" {style[:1].upper()}{style[1:]}."


def _same_for_all(field: str) -> Callable[..., list[str]]:
    def prompts(
        classes: ClassPrompts, modifiers: Modifiers, split: str, count: int, seed: int
    ) -> list[str]:
        return [getattr(classes, field)] * count

    return prompts


def promptaug(
    classes: ClassPrompts, modifiers: Modifiers, split: str, count: int, seed: int
) -> list[str]:
    """Return a prompt of its own for every image: the paper's PromptAug.

    All combinations of modifiers are shuffled once for each class; training takes from the
    front and validation from the back, so that no prompt is used twice and the choice for an
    image depends on (seed, wnid, split, number) alone.
    """
    order = np.random.default_rng(derive_seed(seed, "promptaug", classes.wnid)).permutation(
        modifiers.combinations
    )
    chosen = order[:count] if split == TRAIN else order[::-1][:count]
    return [augmented_prompt(modifiers, int(i), classes.disamb) for i in chosen]


Recipe = Callable[[ClassPrompts, Modifiers, str, int, int], list[str]]

RECIPES: dict[str, Recipe] = {
    "synset": _same_for_all("synset"),
    "disamb": _same_for_all("disamb"),
    "promptaug": promptaug,
}


def prompts_of_class(
    recipe: str, classes: ClassPrompts, modifiers: Modifiers, counts: dict[str, int], seed: int
) -> dict[str, list[str]]:
    """Return the prompts of a class's images, for each split in the order of their numbers.

    Raises KeyError for an unknown recipe. Whether PromptAug's vocabularies suffice for `counts`
    (images a class in each split) is for prompt_files.check_recipes to say.
    """
    make = RECIPES[recipe]
    return {
        split: make(classes, modifiers, split, counts[split], seed) for split in (TRAIN, VALIDATION)
    }
