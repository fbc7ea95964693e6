"""PromptAug: every image a prompt of its own; the other recipes: one prompt for all."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synset_factory.prompts.grammar import (
    ClassPrompts,
    Modifiers,
    Vocabulary,
    augmented_prompt,
    prompts_of_class,
)

MODIFIERS = Modifiers(
    looks=("beautiful", "ugly"),
    extent=("", "extremely"),
    typical=("common", "uncommon"),
    size=("small", "large size"),
    location=("centered in the image", "with many other objects visible"),
    style=("hyper-sharp", "typical snapshot"),
)
TEMPLATES = ("a photo of a {}.", "a {} in a video game.", "{}")
VOCABULARY = Vocabulary(modifiers=MODIFIERS, clip_templates=TEMPLATES)
QUAIL = ClassPrompts(
    wnid="n01806567",
    synset="quail",
    disamb="a quail",
    definition="small gallinaceous game birds",
    hypernym="phasianid",
    clip_name="quail bird",
)


def test_a_prompt_is_written_as_in_figure_10() -> None:
    # looks 0, extent 0 (empty), typical 0, extent 1, size 0, location 1, style 0
    combination = 0 + 2 * (0 + 2 * (0 + 2 * (1 + 2 * (0 + 2 * (1 + 2 * 0)))))
    assert augmented_prompt(MODIFIERS, combination, "quail") == (
        "beautiful, common, extremely small quail, with many other objects visible. Hyper-sharp."
    )


def test_all_combinations_are_different_prompts() -> None:
    made = {augmented_prompt(MODIFIERS, i, "quail") for i in range(MODIFIERS.combinations)}
    assert MODIFIERS.combinations == 2**7 == len(made)


@given(train=st.integers(0, 100), validation=st.integers(0, 28), seed=st.integers(0, 9))
def test_no_prompt_is_used_twice_in_a_class(train: int, validation: int, seed: int) -> None:
    made = prompts_of_class(
        "promptaug", QUAIL, VOCABULARY, {"train": train, "validation": validation}, seed
    )
    both = made["train"] + made["validation"]
    assert len(set(both)) == len(both) == train + validation


@given(more=st.integers(0, 60))
def test_the_prompt_of_a_number_does_not_depend_on_how_many_there_are(more: int) -> None:
    few = prompts_of_class("promptaug", QUAIL, VOCABULARY, {"train": 10, "validation": 5}, 0)
    many = prompts_of_class(
        "promptaug", QUAIL, VOCABULARY, {"train": 10 + more, "validation": 5 + more // 2}, 0
    )
    assert many["train"][:10] == few["train"]
    assert many["validation"][:5] == few["validation"]


def test_classes_and_seeds_get_other_draws() -> None:
    jay = replace(QUAIL, wnid="n01580077", synset="jay")
    counts = {"train": 10, "validation": 5}
    quail = prompts_of_class("promptaug", QUAIL, VOCABULARY, counts, 0)
    assert quail != prompts_of_class("promptaug", jay, VOCABULARY, counts, 0)
    assert quail != prompts_of_class("promptaug", QUAIL, VOCABULARY, counts, 1)


def test_the_other_recipes_repeat_the_class_prompt() -> None:
    counts = {"train": 2, "validation": 1}
    assert prompts_of_class("synset", QUAIL, VOCABULARY, counts, 0) == {
        "train": ["quail", "quail"],
        "validation": ["quail"],
    }
    assert prompts_of_class("disamb", QUAIL, VOCABULARY, counts, 0)["validation"] == ["a quail"]


@pytest.mark.parametrize(
    ("recipe", "prompt"),
    [
        ("clip_name", "quail bird"),
        ("a_photo_of", "a photo of a quail bird"),
        ("definition", "quail, small gallinaceous game birds"),
        ("hypernym", "quail, phasianid"),
    ],
)
def test_recipes_from_clip_and_wordnet(recipe: str, prompt: str) -> None:
    made = prompts_of_class(recipe, QUAIL, VOCABULARY, {"train": 2, "validation": 1}, 0)
    assert made == {"train": [prompt, prompt], "validation": [prompt]}


def test_every_image_draws_a_template_of_its_own_all_equally_often() -> None:
    counts = {"train": 3_000, "validation": 10}
    made = prompts_of_class("clip_templates", QUAIL, VOCABULARY, counts, 0)
    drawn = Counter(made["train"])
    assert set(drawn) == {template.format("quail bird") for template in TEMPLATES}
    # 1,000 of each are expected, with a standard deviation of 26.
    assert all(abs(count - 1_000) < 130 for count in drawn.values())
    few = prompts_of_class("clip_templates", QUAIL, VOCABULARY, {"train": 5, "validation": 2}, 0)
    assert made["train"][:5] == few["train"]
    assert made["train"][:10] != made["validation"]
    other = replace(QUAIL, wnid="n01580077")
    assert prompts_of_class("clip_templates", other, VOCABULARY, counts, 0) != made
