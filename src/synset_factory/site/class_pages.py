"""What the page of a class shows beside its pictures: numbers and diagnoses by set."""

from collections.abc import Sequence
from dataclasses import dataclass

from synset_factory.config import NATURAL
from synset_factory.prompts.files import Synset
from synset_factory.site.captions import CAPTIONS
from synset_factory.site.cells import Cell, Table, text_cell, told
from synset_factory.site.class_facts import ClassFacts
from synset_factory.site.config import ReportConfig
from synset_factory.site.history import Change
from synset_factory.site.pictures import Strip
from synset_factory.tables import ClipSource, Undefined

COLUMNS = (
    "accuracy on natural pictures",
    "natural classifiers on its pictures",
    "on its own pictures",
    "Centroid Accuracy by prompt",
    "by own centroids",
    "Centroid Distance",
    "shift from natural",
)
# Table 6 has prompts of two kinds: those of PromptAug, and one a class.
PROMPTS_OF = {"promptaug": "promptaug"}
NO_FIGURE = "\N{EN DASH}"


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """How a class of a set fails, if it does."""

    label: str  # printed name of the set
    name: str
    because: str


@dataclass(frozen=True, kw_only=True)
class ClassPage:
    """All that the page of a class shows."""

    synset: Synset
    clarified: str | None  # its prompt in disambiguations.csv
    strips: Sequence[Strip]
    numbers: Table
    quality: Table
    diagnoses: Sequence[Diagnosis]
    history: Sequence[Change] | Undefined


def numbers_table(
    synset: Synset, sets: Sequence[str], facts: ClassFacts, config: ReportConfig
) -> Table:
    """Return how a class is recognised in each set, and where it lies in CLIP space."""
    rows = []
    for image_set in sets:
        found = class_figures(image_set, synset.class_index, facts)
        cells = [_cell(*each) for each in zip(COLUMNS, found, strict=True)]
        rows.append([text_cell(config.label(image_set)), *cells])
    return Table(
        name="numbers",
        caption=CAPTIONS["class_numbers"],
        columns=["set", *COLUMNS],
        rows=rows,
        notes=[*facts.left_out.get(synset.class_index, ()), *facts.missing],
    )


def quality_table(
    synset: Synset, sets: Sequence[str], facts: ClassFacts, config: ReportConfig
) -> Table:
    """Return the measures of quality of a class in each set."""
    measures = list(dict.fromkeys(str(measure) for measure, *_ in facts.quality))
    rows = []
    for image_set in sets if measures else ():
        found = [facts.quality.get((m, image_set, synset.class_index)) for m in measures]
        cells = [_cell(*each) for each in zip(measures, found, strict=True)]
        rows.append([text_cell(config.label(image_set)), *cells])
    return Table(
        name="quality",
        caption=CAPTIONS["class_quality"],
        columns=["set", *(measure.replace("_", " ") for measure in measures)],
        rows=rows,
        why="" if rows else "There are no measures of quality yet: make them with `dvc repro`.",
    )


def class_figures(image_set: str, label: int, facts: ClassFacts) -> list[float | None]:
    """Return COLUMNS of a class in a set."""
    images = ClipSource(image_set=image_set, modality="image")
    prompts = ClipSource(image_set=PROMPTS_OF.get(image_set, "disamb25"), modality="prompt")
    return [
        facts.accuracies.get((image_set, NATURAL, label)),
        facts.accuracies.get((NATURAL, image_set, label)),
        facts.accuracies.get((image_set, image_set, label)),
        facts.centroid_accuracy(prompts, images, label),
        facts.centroid_accuracy(images, images, label),
        facts.centroid_distance(image_set, label),
        facts.shift_from_natural(image_set, label),
    ]


def diagnoses_of(
    synset: Synset, sets: Sequence[str], facts: ClassFacts, config: ReportConfig
) -> list[Diagnosis]:
    """Return the diagnosis of a class in each set that has one."""
    found = [(name, facts.diagnoses.get((name, synset.class_index))) for name in sets]
    return [
        Diagnosis(label=config.label(name), name=each[0], because=each[1])
        for name, each in found
        if each is not None
    ]


def classes_overview(
    classes: Sequence[Synset],
    clarified: dict[str, str],
    sets: Sequence[str],
    facts: ClassFacts,
    config: ReportConfig,
) -> Table:
    """Return all classes with their accuracy on natural pictures for each training set."""
    rows = [
        [
            Cell(
                text=synset.lemmas[0],
                sort=synset.lemmas[0].lower(),
                href=f"classes/{synset.wnid}.html",
            ),
            text_cell(synset.wnid),
            text_cell(clarified.get(synset.wnid, "")),
            *(
                _cell("accuracy", facts.accuracies.get((name, NATURAL, synset.class_index)))
                for name in sets
            ),
        ]
        for synset in classes
    ]
    return Table(
        name="classes",
        caption=CAPTIONS["classes"],
        columns=["class", "wnid", "clarified prompt", *(config.label(name) for name in sets)],
        rows=rows,
    )


def diagnosis_overview(
    classes: Sequence[Synset], sets: Sequence[str], facts: ClassFacts, config: ReportConfig
) -> Table:
    """Return the diagnosis of every class in every set."""
    rows = []
    for synset in classes if facts.diagnoses else ():
        found = [facts.diagnoses.get((name, synset.class_index), (NO_FIGURE, "")) for name in sets]
        cells = [Cell(text=name, sort=name, kind="diagnosis") for name, _ in found]
        href = f"classes/{synset.wnid}.html"
        rows.append([Cell(text=synset.lemmas[0], sort=synset.lemmas[0].lower(), href=href), *cells])
    missing = "The classes have no diagnoses yet: make them with `dvc repro`."
    return Table(
        name="diagnoses",
        caption=CAPTIONS["diagnoses"],
        columns=["class", *(config.label(name) for name in sets)],
        rows=rows,
        why="" if rows else missing,
    )


def _cell(name: str, value: float | None) -> Cell:
    if value is None:
        return Cell(text=NO_FIGURE)
    key = "accuracy" if name in COLUMNS[:5] else name
    return Cell(text=told(key, value), sort=value, kind="figure")
