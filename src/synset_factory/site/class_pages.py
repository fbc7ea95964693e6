"""What the page of a class shows beside its pictures: numbers and diagnoses by set."""

from collections.abc import Sequence
from dataclasses import dataclass

from synset_factory.config import NATURAL
from synset_factory.prompt_files import Synset
from synset_factory.site.cells import Cell, Table, text_cell, told
from synset_factory.site.class_values import ClassValues
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
    diagnoses: Sequence[Diagnosis]
    history: Sequence[Change] | Undefined


def numbers_table(
    synset: Synset, sets: Sequence[str], values: ClassValues, config: ReportConfig
) -> Table:
    """Return what is known of a class in each set."""
    measures = sorted({str(measure) for measure, *_ in values.quality})
    rows = []
    for image_set in sets:
        found = class_figures(image_set, synset.class_index, values)
        of_quality = [values.quality.get((m, image_set, synset.class_index)) for m in measures]
        figures = [(name, value) for name, value in zip(COLUMNS, found, strict=True)]
        figures += list(zip(measures, of_quality, strict=True))
        rows.append([text_cell(config.label(image_set)), *(_cell(*each) for each in figures)])
    return Table(
        name="numbers",
        title="Numbers",
        caption="Accuracies in percent. By prompt: the set's images as queries, the prompts of all "
        "classes as references; by own centroids: the centroids of the set's own training images. "
        f"{NO_FIGURE} where there is no such figure: Table 6 leaves out two of the sets.",
        columns=["set", *COLUMNS, *(measure.replace("_", " ") for measure in measures)],
        rows=rows,
        notes=values.missing,
    )


def class_figures(image_set: str, label: int, values: ClassValues) -> list[float | None]:
    """Return COLUMNS of a class in a set."""
    images = ClipSource(image_set=image_set, modality="image")
    prompts = ClipSource(image_set=PROMPTS_OF.get(image_set, "disamb25"), modality="prompt")
    return [
        values.accuracies.get((image_set, NATURAL, label)),
        values.accuracies.get((NATURAL, image_set, label)),
        values.accuracies.get((image_set, image_set, label)),
        values.centroid_accuracy(prompts, images, label),
        values.centroid_accuracy(images, images, label),
        values.centroid_distance(image_set, label),
        values.shift_from_natural(image_set, label),
    ]


def diagnoses_of(
    synset: Synset, sets: Sequence[str], values: ClassValues, config: ReportConfig
) -> list[Diagnosis]:
    """Return the diagnosis of a class in each set that has one."""
    found = [(name, values.diagnoses.get((name, synset.class_index))) for name in sets]
    return [
        Diagnosis(label=config.label(name), name=each[0], because=each[1])
        for name, each in found
        if each is not None
    ]


def classes_overview(
    classes: Sequence[Synset],
    clarified: dict[str, str],
    sets: Sequence[str],
    values: ClassValues,
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
                _cell("accuracy", values.accuracies.get((name, NATURAL, synset.class_index)))
                for name in sets
            ),
        ]
        for synset in classes
    ]
    return Table(
        name="classes",
        title="All classes",
        caption="Accuracy on natural pictures in percent, by the set that classifiers were trained "
        "on. A class leads to its page.",
        columns=["class", "wnid", "clarified prompt", *(config.label(name) for name in sets)],
        rows=rows,
    )


def diagnosis_overview(
    classes: Sequence[Synset], sets: Sequence[str], values: ClassValues, config: ReportConfig
) -> Table:
    """Return the diagnosis of every class in every set."""
    rows = []
    for synset in classes if values.diagnoses else ():
        found = [values.diagnoses.get((name, synset.class_index), (NO_FIGURE, "")) for name in sets]
        cells = [Cell(text=name, sort=name, kind="diagnosis") for name, _ in found]
        href = f"classes/{synset.wnid}.html"
        rows.append([Cell(text=synset.lemmas[0], sort=synset.lemmas[0].lower(), href=href), *cells])
    missing = "The classes have no diagnoses yet: make them with `dvc repro`."
    return Table(
        name="diagnoses",
        title="Diagnosis of every class",
        caption="Why training on a class's synthetic images fails, set by set; its page says because "
        "of which numbers.",
        columns=["class", *(config.label(name) for name in sets)],
        rows=rows,
        why="" if rows else missing,
    )


def _cell(name: str, value: float | None) -> Cell:
    if value is None:
        return Cell(text=NO_FIGURE)
    key = "accuracy" if name in COLUMNS[:5] else name
    return Cell(text=told(key, value), sort=value, kind="figure")
