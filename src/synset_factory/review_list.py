"""The list for review: the classes whose synset prompts are drawn worst, and what is known of them.

"We manually reviewed the 300 labels with the lowest accuracy. For classes with low accuracy that
we determined to be caused solely by ambiguity, the labels were minimally clarified."
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from synset_factory import layout
from synset_factory.errors import InputError
from synset_factory.measures.accuracy import per_class_accuracy
from synset_factory.prompts.check import check_prompt_files
from synset_factory.prompts.files import Synset, read_disambiguations, read_synsets

WORD, SYNONYMS, GENERATOR = "word", "synonyms", "generator"
CAUSES = (WORD, SYNONYMS, GENERATOR)


@dataclass(frozen=True, kw_only=True)
class ReviewListConfig:
    """How long the list is."""

    share: float  # of the classes, 0 ... 1; the paper's 300 of 1,000 are 0.3


@dataclass(frozen=True, kw_only=True)
class ReviewEntry:
    """A class, how well the images of its synset prompt are recognised, and why perhaps not."""

    synset: Synset
    clarified: str | None  # its prompt in disambiguations.csv
    accuracy: float  # percent, mean over the classifiers of natural images
    images: int
    mistaken_for: tuple[tuple[Synset, float], ...]  # percent of the images, most first
    same_name: tuple[Synset, ...]  # other classes with one of its names
    findings: tuple[str, ...]  # of lint, in its rows

    @property
    def cause(self) -> str:
        """What the prompt itself suggests as the cause, should the images be wrong.

        `word`: the first lemma has several noun senses in WordNet, or one of the names is
        another class's as well. Else `synonyms`: the prompt has several names, so that several
        things may be drawn. Else `generator`: the words are as clear as words can be.
        """
        if self.synset.senses > 1 or self.same_name:
            return WORD
        return SYNONYMS if len(self.synset.lemmas) > 1 else GENERATOR


def read_ambiguity() -> pd.DataFrame:
    """Return what stage `ambiguity` wrote. Raises InputError if it has not run."""
    if not layout.AMBIGUITY.exists():
        raise InputError(f"{layout.AMBIGUITY} is missing: make it with `dvc repro ambiguity`.")
    return pd.read_parquet(layout.AMBIGUITY)


def accuracies(outcomes: pd.DataFrame) -> dict[int, float]:
    """Return the accuracy of each class in percent, by ImageNet's label.

    `outcomes` is the table of stage `ambiguity`: key, cls, seed, predicted.
    """
    right = outcomes.assign(right=outcomes["predicted"] == outcomes["cls"]).pivot(
        index=["cls", "key"], columns="seed", values="right"
    )
    labels = right.index.get_level_values("cls").to_numpy()
    percent, classes = per_class_accuracy(right.to_numpy(dtype=bool).T, labels)
    return dict(zip(classes.tolist(), percent.tolist(), strict=True))


def mistaken_for(outcomes: pd.DataFrame, label: int) -> list[tuple[int, float]]:
    """Return the other classes that a class's images are taken for, with percents, most first."""
    predicted = outcomes.loc[outcomes["cls"] == label, "predicted"]
    counts = Counter(predicted[predicted != label].tolist())
    # Equal counts in the order of the labels.
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [(other, 100.0 * count / len(predicted)) for other, count in ordered]


def lowest(accuracy: dict[int, float], share: float) -> list[int]:
    """Return the labels of the given share of classes with the lowest accuracies, worst first."""
    ordered = sorted(accuracy, key=lambda label: (accuracy[label], label))
    return ordered[: int(np.floor(share * len(ordered) + 0.5))]


def review_list(outcomes: pd.DataFrame, share: float) -> list[ReviewEntry]:
    """Return the list, the worst class first.

    Raises InputError for prompt files that cannot be read, or a share that lists no class.
    """
    synsets = read_synsets()
    clarified = read_disambiguations(synset.wnid for synset in synsets)
    check = check_prompt_files()
    accuracy = accuracies(outcomes)
    images = outcomes.groupby("cls")["key"].nunique()
    same_name = _namesakes(synsets)
    labels = lowest(accuracy, share)
    if not labels:
        raise InputError(f"{layout.PARAMS}: review_list.share {share} lists no class; raise it.")
    return [
        ReviewEntry(
            synset=synsets[label],
            clarified=clarified.get(synsets[label].wnid),
            accuracy=accuracy[label],
            images=int(images[label]),
            mistaken_for=tuple((synsets[o], p) for o, p in mistaken_for(outcomes, label)),
            same_name=tuple(same_name[synsets[label].wnid]),
            findings=tuple(str(each) for each in check.of_class(synsets[label].wnid)),
        )
        for label in labels
    ]


def _namesakes(synsets: Sequence[Synset]) -> dict[str, list[Synset]]:
    """Return for each wnid the other classes that share a name with it, in label order."""
    by_name: defaultdict[str, set[int]] = defaultdict(set)
    for label, synset in enumerate(synsets):
        for lemma in synset.lemmas:
            by_name[lemma.lower()].add(label)
    return {
        synset.wnid: [
            synsets[other]
            for other in sorted(set().union(*(by_name[name.lower()] for name in synset.lemmas)))
            if other != label
        ]
        for label, synset in enumerate(synsets)
    }
