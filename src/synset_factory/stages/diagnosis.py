"""Stage `diagnosis`: for each class of each set the failure by name, and what it was seen by.

The rules are those of measures/diagnosis.py. Images of the validation split are asked, against
centroids and prompts of the training split, as in Table 6.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from synset_factory import layout
from synset_factory.config import NATURAL, Common, claim_world, load_common, load_section
from synset_factory.embedding import embed, text_batches
from synset_factory.embedding_files import IMAGE, PROMPT, Embeddings
from synset_factory.errors import InputError, run_main
from synset_factory.measures.centroids import centroid_distance, centroid_outcomes, class_centroids
from synset_factory.measures.diagnosis import RULES, Evidence, Limits, diagnose
from synset_factory.measures.knn import nearest
from synset_factory.measures.vectors import UndefinedMeasure
from synset_factory.prompts.files import (
    class_prompts,
    read_disambiguations,
    read_synsets,
    world_classes,
)
from synset_factory.prompts.grammar import ClassPrompts
from synset_factory.records import TRAIN, VALIDATION
from synset_factory.seeds import derive_seed
from synset_factory.set_stage import check_run, pin_threads
from synset_factory.table_rows import read_outcomes, read_source
from synset_factory.tables import ClipSource, Row, write_rows
from synset_factory.whole_files import whole_file

UNTOLD = "cannot be told"
SMALLEST_DISTANCE = 1e-18  # a squared codiff; of equal embeddings rounding leaves less
# Which name of a class the prompts of a recipe use.
NAME_OF = {
    "synset": "synset",
    "definition": "synset",
    "hypernym": "synset",
    "disamb": "disamb",
    "promptaug": "disamb",
    "clip_name": "clip_name",
    "a_photo_of": "clip_name",
    "clip_templates": "clip_name",
}
NAMES = [*(rule.diagnosis for rule in RULES), UNTOLD]


@dataclass(frozen=True, kw_only=True)
class DiagnosisConfig:
    """How failures are named."""

    vocabulary: str  # file of words, one a line: near which of them do images lie?
    batch_size: int  # words that CLIP reads at once
    missed: float  # share of the natural images that a prompt must lose before it counts as wrong
    little_diversity: float  # Centroid Distance below this part of the natural images' is little
    resamples: int  # of each bootstrap

    @property
    def limits(self) -> Limits:
        return Limits(
            missed=self.missed, little_diversity=self.little_diversity, resamples=self.resamples
        )


def read_words(path: Path) -> list[str]:
    """Return the words of a vocabulary. Raises InputError if it is missing or has fewer than 2."""
    try:
        words = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}): write a word a line."
        ) from None
    if len(words) < 2 or len(set(words)) < len(words) or not all(map(str.strip, words)):
        raise InputError(f"{path}: it must hold at least two words, one a line, each once.")
    return words


@dataclass(frozen=True)
class Probe:
    """The word, besides its prompt, that most images of a class are nearest to."""

    word: str
    nearer: np.ndarray  # [N] 1.0 where an image is nearer to it than to the prompt


class Vocabulary:
    """Words in CLIP's space: near which of them do the images of a class lie?"""

    def __init__(self, words: list[str], embeddings: dict[str, np.ndarray]) -> None:
        """`embeddings` [D] are those of all the words and of every name of a class."""
        self.words, self.embeddings = np.array(words), embeddings
        self.matrix = np.stack([embeddings[word] for word in words])

    def probes(self, images: Embeddings, names: dict[int, str]) -> dict[int, Probe]:
        """Return for each class, by label, where its images lie. `names`: what prompts call it."""
        words = self.words[nearest(images.vectors, self.matrix, 2)]  # [N, 2]
        found = {}
        for label, name in names.items():
            rows = images.labels == label
            others = np.where(words[rows, 0] == name, words[rows, 1], words[rows, 0])
            if len(others):
                word = str(pd.Series(others).mode()[0])
                both = np.stack([self.embeddings[text] for text in (name, word)])
                nearer = nearest(images.vectors[rows], both, 1)[:, 0] == 1
                found[label] = Probe(word, nearer.astype(float))
        return found


class Observer:
    """Measures the evidence of every class of a set; what concerns natural images but once."""

    def __init__(self, vocabulary: Vocabulary, seed: int) -> None:
        self.vocabulary, self.seed = vocabulary, seed
        self.natural_train = _images(NATURAL, TRAIN)
        self.natural = _images(NATURAL, VALIDATION)

    @cached_property
    def natural_by_itself(self) -> np.ndarray:
        return self._found(self.natural, self.natural_train)

    def evidence(
        self, image_set: str, names: dict[int, str], clarified: str | None
    ) -> Iterator[tuple[int, Evidence, str]]:
        """Yield for each class its label, its evidence, and the same in words.

        `names` are what the set's prompts call the classes; `clarified` is the set that the
        clarified prompts make with the same noise, if there is one.
        Raises InputError if a set has not been embedded or evaluated, UndefinedMeasure if an
        embedding has no direction.
        """
        images = _images(image_set, VALIDATION)
        prompts = read_source(ClipSource(image_set=image_set, modality=PROMPT), TRAIN)
        by_itself = self._found(images, _images(image_set, TRAIN))
        by_prompt = self._found(images, prompts)
        natural_by_prompt = self._found(self.natural, prompts)
        probes = self.vocabulary.probes(images, names)
        natural_probes = self.vocabulary.probes(self.natural, names)
        recognised = _recognised(image_set, images.keys)
        mended = _recognised(clarified, images.keys) if clarified else None
        diversity = self._diversity(_images(image_set, TRAIN))
        for label in sorted(set(probes) & set(natural_probes)):
            ours, theirs = images.labels == label, self.natural.labels == label
            evidence = Evidence(
                natural_by_itself=self.natural_by_itself[theirs],
                natural_by_prompt=natural_by_prompt[theirs],
                synthetic_by_itself=by_itself[ours],
                synthetic_by_prompt=by_prompt[ours],
                recognised=recognised[ours],
                recognised_clarified=None if mended is None else mended[ours],
                natural_by_other_word=natural_probes[label].nearer,
                synthetic_by_other_word=probes[label].nearer,
                diversity=diversity[label],
            )
            yield label, evidence, because(evidence, natural_probes[label].word, probes[label].word)

    def _found(self, queries: Embeddings, references: Embeddings) -> np.ndarray:
        centroids, classes = class_centroids(references.vectors, references.labels)
        # The same draws for every set: only ties need them, and their own set should not matter.
        rng = np.random.default_rng(derive_seed(self.seed, "diagnosis"))
        outcomes = centroid_outcomes(queries.vectors, queries.labels, centroids, classes, rng)
        return outcomes.astype(float)

    def _diversity(self, images: Embeddings) -> dict[int, float]:
        """Centroid Distance of each class over that of its natural images, from equally many.

        NaN where those are all alike, or one: nothing can be said beside them.
        """
        found = {}
        for label in np.intersect1d(images.labels, self.natural_train.labels):
            both = [each.vectors[each.labels == label] for each in (images, self.natural_train)]
            count = min(map(len, both))
            ours, theirs = (centroid_distance(each[:count], np.zeros(count))[0] for each in both)
            found[int(label)] = ours / theirs if theirs > SMALLEST_DISTANCE else float("nan")
        return found


@cache
def _images(image_set: str, split: str) -> Embeddings:
    return read_source(ClipSource(image_set=image_set, modality=IMAGE), split)


def _recognised(image_set: str, keys: np.ndarray) -> np.ndarray:
    """Share of the natural classifiers that are right, for the images of these keys.

    Images have the same key in every set, so what two sets drew from the same noise is paired.
    """
    outcomes = read_outcomes(image_set)
    pair = outcomes[(outcomes["train"] == NATURAL) & (outcomes["evaluation"] == image_set)]
    right = (pair["predicted"] == pair["cls"]).groupby(pair["key"]).mean()
    return right.reindex(keys).to_numpy(dtype=float)


def clarified_set(image_set: str, common: Common) -> str | None:
    """Return the set in which the clarified prompts have this set's settings, if it lacks them."""
    settings = common.sets[image_set]
    if NAME_OF[settings.prompts] == "disamb":
        return None
    for name, other in common.sets.items():
        if other.prompts == "disamb" and other.guidance_scale == settings.guidance_scale:
            return name
    return None


def because(evidence: Evidence, natural_word: str, synthetic_word: str) -> str:
    """Say in figures what a diagnosis was drawn from."""
    mended = evidence.recognised_clarified
    clarified = "" if mended is None else f" ({_percent(mended)} with the clarified prompt)"
    return (
        f"Of the natural images {_percent(evidence.natural_by_itself)} find their own centroid, "
        f"{_percent(evidence.natural_by_prompt)} find the prompt, and "
        f"{_percent(evidence.natural_by_other_word)} lie nearer to the word '{natural_word}' than "
        f"to the prompt; of the synthetic ones {_percent(evidence.synthetic_by_itself)}, "
        f"{_percent(evidence.synthetic_by_prompt)}, and "
        f"{_percent(evidence.synthetic_by_other_word)} ('{synthetic_word}'); "
        f"{_percent(evidence.recognised)} of these are recognised by classifiers of natural "
        f"images{clarified}, and their Centroid Distance is {evidence.diversity:.2f} times that of "
        "the natural ones."
    )


def _percent(shares: np.ndarray) -> str:
    return f"{100.0 * shares.mean():.0f}%"


def diagnoses(
    image_set: str,
    names: dict[int, str],
    clarified: str | None,
    observer: Observer,
    limits: Limits,
) -> Iterator[dict[str, object]]:
    """Yield a row a class: set, cls, diagnosis, because. Arguments as of `Observer.evidence`."""
    try:
        for label, evidence, why in observer.evidence(image_set, names, clarified):
            rng = np.random.default_rng(derive_seed(observer.seed, "diagnosis", image_set, label))
            try:
                yield _row(image_set, label, diagnose(evidence, limits, rng), why)
            except UndefinedMeasure as error:
                yield _row(image_set, label, UNTOLD, f"{error}.")
    except UndefinedMeasure as error:
        for label in names:
            yield _row(image_set, label, UNTOLD, f"{image_set}: {error}.")


def _row(image_set: str, label: int, diagnosis: str, why: str) -> dict[str, object]:
    return {"set": image_set, "cls": int(label), "diagnosis": diagnosis, "because": why}


def counts(rows: pd.DataFrame) -> Row:
    """Return how many classes have each diagnosis, all of them named."""
    found = rows["diagnosis"].value_counts()
    return {name.replace(" ", "_"): int(found.get(name, 0)) for name in NAMES}


def class_names(classes: list[ClassPrompts], labels: dict[str, int], recipe: str) -> dict[int, str]:
    """Return what the prompts of a recipe call each class, by label."""
    return {labels[each.wnid]: getattr(each, NAME_OF[recipe]) for each in classes}


def main() -> None:
    common = load_common()
    claim_world(common.world)
    check_run(common, by_engine=True)
    pin_threads(common)
    config = load_section(DiagnosisConfig, "diagnosis")
    words = read_words(Path(config.vocabulary))
    synsets = world_classes(read_synsets())
    clarified = read_disambiguations(synset.wnid for synset in read_synsets())
    classes = class_prompts(synsets, clarified)
    labels = {synset.wnid: synset.class_index for synset in synsets}

    names = (name for each in classes for name in (each.synset, each.disamb, each.clip_name))
    texts = sorted({*words, *names})
    batches = text_batches(texts, config.batch_size)
    embedded = embed(batches, len(texts), "vocabulary", common)
    observer = Observer(Vocabulary(words, dict(zip(texts, embedded, strict=True))), common.seed)
    table = pd.DataFrame(
        row
        for name, image_set in tqdm(common.sets.items(), desc="diagnosis", unit="set")
        for row in diagnoses(
            name,
            class_names(classes, labels, image_set.prompts),
            clarified_set(name, common),
            observer,
            config.limits,
        )
    )
    with whole_file(layout.DIAGNOSES) as partial:
        table.to_parquet(partial, index=False)
    write_rows(
        layout.DIAGNOSIS_COUNTS,
        {str(name): counts(rows) for name, rows in table.groupby("set", sort=False)},
    )


if __name__ == "__main__":
    run_main(main)
