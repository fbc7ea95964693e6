"""PromptAug: every image a prompt of its own; the other recipes: one prompt for all."""

from hypothesis import given
from hypothesis import strategies as st

from synset_factory.prompt_grammar import (
    ClassPrompts,
    Modifiers,
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
QUAIL = ClassPrompts(wnid="n01806567", synset="quail", disamb="a quail")


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
        "promptaug", QUAIL, MODIFIERS, {"train": train, "validation": validation}, seed
    )
    both = made["train"] + made["validation"]
    assert len(set(both)) == len(both) == train + validation


@given(more=st.integers(0, 60))
def test_the_prompt_of_a_number_does_not_depend_on_how_many_there_are(more: int) -> None:
    few = prompts_of_class("promptaug", QUAIL, MODIFIERS, {"train": 10, "validation": 5}, 0)
    many = prompts_of_class(
        "promptaug", QUAIL, MODIFIERS, {"train": 10 + more, "validation": 5 + more // 2}, 0
    )
    assert many["train"][:10] == few["train"]
    assert many["validation"][:5] == few["validation"]


def test_classes_and_seeds_get_other_draws() -> None:
    jay = ClassPrompts(wnid="n01580077", synset="jay", disamb="a quail")
    counts = {"train": 10, "validation": 5}
    quail = prompts_of_class("promptaug", QUAIL, MODIFIERS, counts, 0)
    assert quail != prompts_of_class("promptaug", jay, MODIFIERS, counts, 0)
    assert quail != prompts_of_class("promptaug", QUAIL, MODIFIERS, counts, 1)


def test_the_other_recipes_repeat_the_class_prompt() -> None:
    counts = {"train": 2, "validation": 1}
    assert prompts_of_class("synset", QUAIL, MODIFIERS, counts, 0) == {
        "train": ["quail", "quail"],
        "validation": ["quail"],
    }
    assert prompts_of_class("disamb", QUAIL, MODIFIERS, counts, 0)["validation"] == ["a quail"]
