"""Holds the list for review against the causes that were put into the miniature world.

Run by hand, `python -m synset_factory.worlds.miniature known_causes`: only here are they known. A
class should be listed if most of the web's pictures under its synset prompt do not show it at
all: the word is a homonym, or means something else to the web than to ImageNet.
"""

from dataclasses import dataclass

from synset_factory.config import claim_world, load_common, load_section
from synset_factory.errors import InputError
from synset_factory.prompts.files import read_synsets, world_classes
from synset_factory.review_list import (
    ReviewListConfig,
    accuracies,
    lowest,
    read_ambiguity,
)
from synset_factory.worlds.miniature.causes import Causes, load_causes, things_of

MOST = 0.5  # of the pictures


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How a list agrees with what should be on it."""

    precision: float  # percent of the listed classes that should be
    recall: float  # percent of those that should be which are listed


def share_shown(causes: Causes, wnid: str, prompt: str) -> float:
    """Return the share of the web's pictures under a prompt that show the class's concept.

    Raises InputError if the web does not know the prompt.
    """
    concept = causes.classes[wnid].concept
    for word in causes.words:
        if prompt in word.words:
            return sum(share for key, share in word.shows.items() if concept in things_of(key))
    raise InputError(f"the miniature's web has no word '{prompt}': add it to its table of causes.")


def agreement(listed: set[str], expected: set[str]) -> Agreement:
    """Return precision and recall of a list. Raises ValueError if either is empty."""
    if not listed or not expected:
        raise ValueError("neither the list nor what should be on it may be empty")
    both = len(listed & expected)
    return Agreement(precision=100.0 * both / len(listed), recall=100.0 * both / len(expected))


def main() -> None:
    claim_world(load_common().world)
    share = load_section(ReviewListConfig, "review_list").share
    causes, classes = load_causes(), world_classes(read_synsets())
    accuracy = accuracies(read_ambiguity())
    listed = set(lowest(accuracy, share))
    shown = {s.class_index: share_shown(causes, s.wnid, s.prompt) for s in classes}
    print("web   accuracy  listed  synset prompt: what was put in")
    for synset in sorted(classes, key=lambda s: (shown[s.class_index], s.class_index)):
        label = synset.class_index
        print(
            f"{100 * shown[label]:3.0f}%  {accuracy[label]:7.1f}%  "
            f"{'yes' if label in listed else 'no':6}  {synset.prompt}: "
            f"{causes.classes[synset.wnid].says}"
        )
    expected = {synset.wnid for synset in classes if shown[synset.class_index] < MOST}
    found = agreement({s.wnid for s in classes if s.class_index in listed}, expected)
    print(
        f"{len(expected)} classes are shown by less than half of the web's pictures under their "
        f"prompt; of {len(listed)} listed classes these are {found.precision:.0f}% (precision), "
        f"and {found.recall:.0f}% of them are listed (recall)."
    )
