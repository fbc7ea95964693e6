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


NAME_PLACE = "{}"  # in a template: where the class's name goes


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """The words that prompts of any class are made with."""

    modifiers: Modifiers
    clip_templates: tuple[str, ...]  # each with one NAME_PLACE


@dataclass(frozen=True, kw_only=True)
class ClassPrompts:
    """What the prompts of one class are made of."""

    wnid: str
    synset: str  # all lemmas of the synset
    disamb: str  # the clarified prompt, or the synset prompt where nothing was clarified
    definition: str  # WordNet's
    hypernym: str  # WordNet's nearest that says more than the synset prompt
    clip_name: str  # the short name in CLIP's list


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


Recipe = Callable[[ClassPrompts, Vocabulary, str, int, int], list[str]]


def _same_for_all(prompt: Callable[[ClassPrompts], str]) -> Recipe:
    """A recipe by which all images of a class have one prompt."""

    def prompts(
        classes: ClassPrompts, vocabulary: Vocabulary, split: str, count: int, seed: int
    ) -> list[str]:
        return [prompt(classes)] * count

    return prompts


def promptaug(
    classes: ClassPrompts, vocabulary: Vocabulary, split: str, count: int, seed: int
) -> list[str]:
    """Return a prompt of its own for every image: the paper's PromptAug.

    All combinations of modifiers are shuffled once for each class; training takes from the
    front and validation from the back, so that no prompt is used twice and the choice for an
    image depends on (seed, wnid, split, number) alone.
    """
    modifiers = vocabulary.modifiers
    order = np.random.default_rng(derive_seed(seed, "promptaug", classes.wnid)).permutation(
        modifiers.combinations
    )
    chosen = order[:count] if split == TRAIN else order[::-1][:count]
    return [augmented_prompt(modifiers, int(i), classes.disamb) for i in chosen]


def clip_templates(
    classes: ClassPrompts, vocabulary: Vocabulary, split: str, count: int, seed: int
) -> list[str]:
    """Return CLIP's short name in one of CLIP's templates, drawn anew for every image."""
    templates = vocabulary.clip_templates
    draws = [derive_seed(seed, "clip_templates", classes.wnid, split, i) for i in range(count)]
    return [
        templates[draw % len(templates)].replace(NAME_PLACE, classes.clip_name) for draw in draws
    ]


RECIPES: dict[str, Recipe] = {
    "synset": _same_for_all(lambda c: c.synset),
    "disamb": _same_for_all(lambda c: c.disamb),
    "promptaug": promptaug,
    "clip_name": _same_for_all(lambda c: c.clip_name),
    "a_photo_of": _same_for_all(lambda c: f"a photo of a {c.clip_name}"),
    "clip_templates": clip_templates,
    "definition": _same_for_all(lambda c: f"{c.synset}, {c.definition}"),
    "hypernym": _same_for_all(lambda c: f"{c.synset}, {c.hypernym}"),
}


def prompts_of_class(
    recipe: str, classes: ClassPrompts, vocabulary: Vocabulary, counts: dict[str, int], seed: int
) -> dict[str, list[str]]:
    """Return the prompts of a class's images, for each split in the order of their numbers.

    Raises KeyError for an unknown recipe. Whether PromptAug's vocabularies suffice for `counts`
    (images a class in each split) is for `files.check_recipes` to say.
    """
    make = RECIPES[recipe]
    return {
        split: make(classes, vocabulary, split, counts[split], seed)
        for split in (TRAIN, VALIDATION)
    }
