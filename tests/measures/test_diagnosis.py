"""Each failure, as an image of it would look, gets its name; and the order of the rules."""

from dataclasses import replace

import numpy as np
import pytest

from synset_factory.measures.diagnosis import (
    AMBIGUOUS,
    BIASED,
    FINE,
    RULES,
    SHIFTED,
    SHIFTED_OR_BIASED,
    TOO_LITTLE,
    TOO_MUCH,
    UNKNOWN,
    Evidence,
    Limits,
    diagnose,
    rules_in_words,
)
from synset_factory.measures.vectors import UndefinedMeasure

LIMITS = Limits(missed=0.2, little_diversity=0.5, resamples=400)


def images(share: float, count: int = 100) -> np.ndarray:
    """Outcomes of which `share` are right."""
    return (np.arange(count) < share * count).astype(float)


HEALTHY = Evidence(
    natural_by_itself=images(0.8),
    natural_by_prompt=images(0.8),
    synthetic_by_itself=images(0.9),
    synthetic_by_prompt=images(0.9),
    recognised=images(0.8),
    recognised_clarified=None,
    natural_by_other_word=images(0.2),
    synthetic_by_other_word=images(0.1),
    diversity=0.8,
)
MISSED = replace(HEALTHY, natural_by_prompt=images(0.4), recognised=images(0.1))


@pytest.mark.parametrize(
    ("evidence", "diagnosis"),
    [
        (HEALTHY, FINE),
        # drake: the clarified prompt mends it, whatever else is found
        (replace(MISSED, recognised_clarified=images(0.9)), AMBIGUOUS),
        (replace(HEALTHY, recognised_clarified=images(0.8)), FINE),
        # hammer: CLIP holds neither the natural images together nor what the prompt makes
        (replace(MISSED, synthetic_by_prompt=images(0.2)), UNKNOWN),
        (
            replace(MISSED, natural_by_itself=images(0.45), natural_by_prompt=images(0.2)),
            UNKNOWN,
        ),
        # nail: what the prompt makes lies nearer to another word, wherever the natural images lie
        (replace(MISSED, synthetic_by_other_word=images(0.8)), SHIFTED),
        (
            replace(MISSED, synthetic_by_other_word=images(0.8), natural_by_other_word=images(0.8)),
            SHIFTED,
        ),
        # whiskey jug: the natural images lie nearer to another word, the synthetic ones do not
        (replace(MISSED, natural_by_other_word=images(0.8)), BIASED),
        # no word tells
        (MISSED, SHIFTED_OR_BIASED),
        (replace(MISSED, natural_by_other_word=images(0.54)), SHIFTED_OR_BIASED),
        # the prompt misses some, but what it makes is recognised
        (replace(MISSED, recognised=images(0.8)), FINE),
        # less than a fifth is missed
        (replace(MISSED, natural_by_prompt=images(0.7)), FINE),
        (replace(HEALTHY, synthetic_by_itself=images(0.3)), TOO_MUCH),
        (replace(HEALTHY, diversity=0.1), TOO_LITTLE),
        (replace(HEALTHY, diversity=0.1, synthetic_by_itself=images(0.3)), TOO_LITTLE),
    ],
)
def test_a_failure_gets_its_name(evidence: Evidence, diagnosis: str) -> None:
    assert diagnose(evidence, LIMITS, np.random.default_rng(0)) == diagnosis


def test_what_chance_could_have_made_is_no_failure() -> None:
    # 2 of 5 against 4 of 5: less by half, but 5 images tell nothing.
    few = replace(
        HEALTHY,
        natural_by_itself=images(0.8, 5),
        natural_by_prompt=images(0.8, 5),
        natural_by_other_word=images(0.8, 5),
        synthetic_by_itself=images(0.4, 5),
    )
    assert diagnose(few, LIMITS, np.random.default_rng(0)) == FINE


def test_the_order_of_the_images_changes_nothing() -> None:
    def shuffled(values: np.ndarray) -> np.ndarray:
        return np.random.default_rng(1).permutation(values)

    for evidence in (HEALTHY, MISSED, replace(MISSED, synthetic_by_other_word=images(0.8))):
        other = replace(
            evidence,
            synthetic_by_itself=shuffled(evidence.synthetic_by_itself),
            synthetic_by_prompt=shuffled(evidence.synthetic_by_prompt),
            synthetic_by_other_word=shuffled(evidence.synthetic_by_other_word),
        )
        names = [diagnose(each, LIMITS, np.random.default_rng(0)) for each in (evidence, other)]
        assert names[0] == names[1]


@pytest.mark.parametrize("of_what", ["natural", "synthetic"])
def test_one_image_is_no_basis(of_what: str) -> None:
    fields = ("by_itself", "by_prompt", "by_other_word")
    one = {f"{of_what}_{name}": getattr(HEALTHY, f"{of_what}_{name}")[:1] for name in fields}
    with pytest.raises(UndefinedMeasure, match=f"at least two {of_what} images"):
        diagnose(replace(HEALTHY, **one), LIMITS, np.random.default_rng(0))


def test_natural_images_that_are_all_alike_are_no_measure_of_diversity() -> None:
    with pytest.raises(UndefinedMeasure, match="one, or all alike"):
        diagnose(replace(HEALTHY, diversity=float("nan")), LIMITS, np.random.default_rng(0))


def test_every_rule_is_told_in_one_sentence_with_the_limits_in_it() -> None:
    sentences = rules_in_words(LIMITS)
    assert list(sentences) == [rule.diagnosis for rule in RULES]
    assert len(set(sentences)) == 8
    assert all(text.endswith(".") and ". " not in text for text in sentences.values())
    assert "more than 20%" in sentences[UNKNOWN]
    assert "less than 0.5 times" in sentences[TOO_LITTLE]
