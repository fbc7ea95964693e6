"""Why training on the synthetic images of a class fails, by name, from measured quantities only.

A class gets the first diagnosis of `RULES` that fits. "Clearly" means that the 95% bootstrap
interval of the difference, over the class's own images, leaves out 0.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from synset_factory.measures.bootstrap import bootstrap_difference
from synset_factory.measures.vectors import Floats, UndefinedMeasure

AMBIGUOUS = "ambiguous word"
UNKNOWN = "concept unknown"
BIASED = "biased natural set"
SHIFTED = "concept shifted"
SHIFTED_OR_BIASED = "shifted or biased"
TOO_MUCH = "too much diversity"
TOO_LITTLE = "too little diversity"
FINE = "fine"


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What is measured of one class in one image set, image by image (validation splits).

    N natural and M synthetic images. Experiment numbers are those of Table 6, for Disamb2.5.
    """

    natural_by_itself: Floats  # [N] 1 where a natural image finds its class's natural centroid (1)
    natural_by_prompt: Floats  # [N] ... where it finds its class's prompt of this set (5)
    synthetic_by_itself: Floats  # [M] 1 where an image finds its class's centroid in the set (15)
    synthetic_by_prompt: Floats  # [M] ... where it finds its class's prompt (17)
    recognised: Floats  # [M] share of the natural classifiers that are right (Table 2, line 1)
    # [M] the same of the images that the clarified prompt makes at the same noise; None where this
    # prompt is the clarified one, or no set has that.
    recognised_clarified: Floats | None
    # [N] 1 where an image is nearer to another word than to the prompt: to the one word of a wide
    # vocabulary, besides the prompt, that most of these images are nearest to.
    natural_by_other_word: Floats
    synthetic_by_other_word: Floats  # [M]
    # Centroid Distance of the class's images over that of the natural ones; NaN if the latter is 0.
    diversity: float


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Where the rules draw their lines."""

    missed: float  # share of the natural images that a prompt must lose before it counts as wrong
    little_diversity: float  # Centroid Distance below this part of the natural images' is little
    resamples: int  # of each bootstrap


@dataclass(frozen=True)
class Rule:
    """A diagnosis, the sentence that says when it is given, and the same as code."""

    diagnosis: str
    when: str  # {missed} and {little_diversity} stand for the limits
    fits: Callable[["_Findings"], bool]


def diagnose(evidence: Evidence, limits: Limits, rng: np.random.Generator) -> str:
    """Return the first diagnosis of `RULES` that fits a class.

    Raises UndefinedMeasure where there are fewer than two natural or two synthetic images (chance
    cannot be told from a difference then), or the natural ones are all alike.
    """
    for of_what, images in (
        ("natural", evidence.natural_by_itself),
        ("synthetic", evidence.synthetic_by_itself),
    ):
        if len(images) < 2:
            raise UndefinedMeasure(f"a diagnosis needs at least two {of_what} images of the class")
    if np.isnan(evidence.diversity):
        raise UndefinedMeasure("the natural training images of the class are one, or all alike")
    findings = _Findings(evidence, limits, rng)
    return next(rule.diagnosis for rule in RULES if rule.fits(findings))


class _Findings:
    """What the rules ask of the evidence of one class."""

    def __init__(self, evidence: Evidence, limits: Limits, rng: np.random.Generator) -> None:
        self.evidence, self.limits, self.rng = evidence, limits, rng

    def clarification_mends(self) -> bool:
        clarified = self.evidence.recognised_clarified
        return clarified is not None and self._clearly_less(
            self.evidence.recognised, clarified, paired=True
        )

    def prompt_misses_natural(self) -> bool:
        """Natural images are found by each other but not by the prompt, nor is what it makes."""
        by_itself, by_prompt = self.evidence.natural_by_itself, self.evidence.natural_by_prompt
        return (
            by_prompt.mean() < (1.0 - self.limits.missed) * by_itself.mean()
            and self._clearly_less(by_prompt, by_itself, paired=True)
            and _few(self.evidence.recognised)
        )

    def concept_is_held(self) -> bool:
        """CLIP holds the natural images together, and the synthetic ones to the prompt."""
        return not (
            _few(self.evidence.natural_by_itself) or _few(self.evidence.synthetic_by_prompt)
        )

    def natural_lie_elsewhere(self) -> bool:
        return self._clearly_most(self.evidence.natural_by_other_word)

    def synthetic_lie_elsewhere(self) -> bool:
        return self._clearly_most(self.evidence.synthetic_by_other_word)

    def scatter_more_than_natural(self) -> bool:
        return self._clearly_less(
            self.evidence.synthetic_by_itself, self.evidence.natural_by_itself, paired=False
        )

    def much_alike(self) -> bool:
        return self.evidence.diversity < self.limits.little_diversity

    def _clearly_less(self, left: Floats, right: Floats, *, paired: bool) -> bool:
        difference = bootstrap_difference(
            right, left, self.limits.resamples, self.rng, paired=paired
        )
        return difference.low > 0.0

    def _clearly_most(self, shares: Floats) -> bool:
        return self._clearly_less(np.full(len(shares), 0.5), shares, paired=True)


def _few(shares: Floats) -> bool:
    return bool(shares.mean() < 0.5)


RULES = (
    Rule(
        AMBIGUOUS,
        "Classifiers of natural images recognise clearly more of what the clarified prompt makes.",
        _Findings.clarification_mends,
    ),
    Rule(
        UNKNOWN,
        "The prompt misses the natural images (it finds clearly, and by more than {missed:.0%}, "
        "fewer of them than their own centroid does, and less than half of what it makes is "
        "recognised), and CLIP does not hold the concept: less than half of the natural images "
        "find their own centroid, or less than half of the synthetic ones the prompt.",
        lambda class_: class_.prompt_misses_natural() and not class_.concept_is_held(),
    ),
    Rule(
        SHIFTED,
        "The prompt misses the natural images, and clearly most synthetic images lie nearer to "
        "another word of a wide vocabulary than to the prompt that made them.",
        lambda class_: class_.prompt_misses_natural() and class_.synthetic_lie_elsewhere(),
    ),
    Rule(
        BIASED,
        "The prompt misses the natural images, and clearly most of these, though not the synthetic "
        "ones, lie nearer to another word of a wide vocabulary than to the prompt.",
        lambda class_: class_.prompt_misses_natural() and class_.natural_lie_elsewhere(),
    ),
    Rule(
        SHIFTED_OR_BIASED,
        "The prompt misses the natural images, but no other word tells whose pictures it names.",
        _Findings.prompt_misses_natural,
    ),
    Rule(
        TOO_MUCH,
        "Synthetic images find their own centroid clearly less often than natural ones do, and are "
        "not too much alike, which is next.",
        lambda class_: class_.scatter_more_than_natural() and not class_.much_alike(),
    ),
    Rule(
        TOO_LITTLE,
        "The Centroid Distance of the synthetic images is less than {little_diversity} times that "
        "of the natural ones.",
        _Findings.much_alike,
    ),
    Rule(
        FINE,
        "None of these: no cause is found, which is not to say that training succeeds.",
        lambda class_: True,
    ),
)


def rules_in_words(limits: Limits) -> dict[str, str]:
    """Return for each diagnosis the sentence that says when it is given, the first first."""
    return {
        rule.diagnosis: rule.when.format(
            missed=limits.missed, little_diversity=limits.little_diversity
        )
        for rule in RULES
    }
