"""The paper's tables: which rows they have, what the paper printed, and our rows on disk.

One JSON a row, because `dvc metrics diff` then prints a table. Names begin with the paper's line
number, so that they sort as the tables read. A further set, which no table of the paper names, has
rows of the same kinds; they have no number.
"""

import csv
import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from synset_factory.config import NATURAL
from synset_factory.errors import InputError
from synset_factory.measures.vectors import UndefinedMeasure
from synset_factory.whole_files import whole_folder, write_text

Row = dict[str, float | int]
UNDEFINED = "undefined"  # the only key of a row on disk that has no figures


@dataclass(frozen=True)
class Undefined:
    """A row that has no figures."""

    why: str  # one sentence


# The paper's names of image sets, and ours.
SETS = {
    "ImageNet": "natural",
    "Synset": "synset",
    "Disamb": "disamb",
    "Disamb2.5": "disamb25",
    "PromptAug": "promptaug",
}
# The sets of the paper, and the one that it mentions without a line: guidance scale 1.0.
PAPER_SETS = (NATURAL, "synset", "disamb", "disamb25", "disamb10", "promptaug")

# Tables 3 and 5 are rows of Table 6: these experiments, in the order printed.
TABLE3 = (5, 17, 15)
TABLE5 = (30, 36, 29, 22, 15, 17, 23, 18, 24)
TABLE4_CLASSES = {"hammer": "n03481172", "nail": "n03804744"}
# Of a set's images the experiments whose references are its prompts, and its own centroids.
ERROR_SPLITS = {"disamb25": (17, 15), "disamb": (11, 8), "promptaug": (24, 22)}


@dataclass(frozen=True, kw_only=True)
class ClassifierPair:
    """Classifiers trained on one image set and evaluated on another, or on the same."""

    train: str  # image set
    evaluation: str  # image set

    @property
    def name(self) -> str:
        return f"{self.train}_on_{self.evaluation}"


@dataclass(frozen=True, kw_only=True)
class ClassifierLine(ClassifierPair):
    """A line of Table 1 or 2."""

    line: int
    paper: float  # accuracy, percent

    @property
    def name(self) -> str:
        return f"{self.line}_{super().name}"


@dataclass(frozen=True, kw_only=True)
class ClipSource:
    """A reference or query set of Table 6: the images or the prompts of an image set."""

    image_set: str
    modality: str  # embedding_files.IMAGE or PROMPT

    @property
    def name(self) -> str:
        return f"{self.image_set}_{'im' if self.modality == 'image' else 'prmt'}"


@dataclass(frozen=True, kw_only=True)
class ClipPair:
    """Queries that are compared with references in CLIP space."""

    reference: ClipSource
    query: ClipSource

    @property
    def name(self) -> str:
        return f"{self.reference.name}_on_{self.query.name}"


@dataclass(frozen=True, kw_only=True)
class Experiment(ClipPair):
    """A row of Table 6."""

    number: int
    paper: Row  # the paper's figures, keyed as ours; two are absent where it has n/a

    @property
    def name(self) -> str:
        return f"{self.number:02d}_{super().name}"

    @property
    def has_knn(self) -> bool:
        """The paper computes no k-nn for queries that are one prompt a class."""
        return "knn1_accuracy" in self.paper


@dataclass(frozen=True, kw_only=True)
class Table4Line(ClipPair):
    """A line of Table 4: an experiment of Table 6, two of its classes apart."""

    line: int
    experiment: int  # its number in Table 6
    paper: Row  # Centroid Accuracy in percent: average, hammer, nail

    @property
    def name(self) -> str:
        return f"{self.line}_{super().name}"


def classifier_lines(table: str) -> list[ClassifierLine]:
    """Return the lines of `table1` or `table2` of the paper."""
    return [
        ClassifierLine(
            line=int(row["line"]),
            train=SETS[row["train"]],
            evaluation=SETS[row["eval"]],
            paper=float(row["accuracy"]),
        )
        for row in _paper(table)
    ]


def experiments() -> list[Experiment]:
    """Return the 36 rows of Table 6."""
    figures = ("centroid_accuracy", "knn1_accuracy", "knn5_accuracy", "avg_cosine_similarity")
    return [
        Experiment(
            number=int(row["experiment"]),
            reference=_clip_source(row["reference"]),
            query=_clip_source(row["query"]),
            paper={key: float(row[key]) for key in figures if row[key]},
        )
        for row in _paper("table6")
    ]


def table4_lines() -> list[Table4Line]:
    """Return the two lines of Table 4."""
    numbers = {(each.reference, each.query): each.number for each in experiments()}
    lines = []
    for line, row in enumerate(_paper("table4"), start=1):
        reference, query = _clip_source(row["reference"]), _clip_source(row["query"])
        lines.append(
            Table4Line(
                line=line,
                experiment=numbers[reference, query],
                reference=reference,
                query=query,
                paper={"average": float(row["avg"])}
                | {name: float(row[name]) for name in TABLE4_CLASSES},
            )
        )
    return lines


def image_experiments() -> list[Experiment]:
    """Return the 16 rows of Table 6 that compare images with images."""
    return [e for e in experiments() if e.reference.modality == e.query.modality == "image"]


def paper_centroid_distances() -> dict[str, float]:
    """Return Figure 5's Centroid Distances by image set."""
    return {
        SETS[row["set"]]: float(row["centroid_distance"])
        for row in _paper("figure5_centroid_distance")
    }


def paper_appendix_b() -> dict[str, Row]:
    """Return Appendix B's figures by query prompt; two of the four have no Centroid Distance."""
    figures = ("centroid_accuracy", "centroid_distance")
    return {
        row["query"]: {key: float(row[key]) for key in figures if row[key]}
        for row in _paper("appendix_b_school_bus")
    }


def paper_averages() -> Row:
    """Return the last line of Table 6: the paper's averages over its rows that have k-nn."""
    rows = [each.paper for each in experiments() if each.has_knn]
    figures = ("centroid_accuracy", "knn1_accuracy", "knn5_accuracy")
    return {figure: sum(row[figure] for row in rows) / len(rows) for figure in figures}


def further_sets(sets: Iterable[str]) -> list[str]:
    """Return those of params.yaml's sets that no table of the paper names, in their order."""
    return [name for name in sets if name not in SETS.values()]


def classifier_pairs(image_set: str) -> list[tuple[str, str]]:
    """Return the (training set, evaluation set) pairs that an image set brings."""
    if image_set == NATURAL:
        return [(NATURAL, NATURAL)]
    return [(NATURAL, image_set), (image_set, NATURAL), (image_set, image_set)]


def further_classifier_pairs(image_set: str) -> list[ClassifierPair]:
    """Return the lines that Tables 1 and 2 would have for a further set."""
    return [
        ClassifierPair(train=train, evaluation=evaluation)
        for train, evaluation in classifier_pairs(image_set)
    ]


def further_clip_pairs(image_set: str) -> list[ClipPair]:
    """Return the rows that Table 6 would have for a further set beside natural images."""
    natural = ClipSource(image_set=NATURAL, modality="image")
    images = ClipSource(image_set=image_set, modality="image")
    prompts = ClipSource(image_set=image_set, modality="prompt")
    references_of = {
        natural: (images, prompts),
        images: (natural, images, prompts),
        prompts: (natural, images),
    }
    return [
        ClipPair(reference=reference, query=query)
        for query, references in references_of.items()
        for reference in references
    ]


def _paper(table: str) -> list[dict[str, str]]:
    text = (files("synset_factory") / "paper" / f"{table}.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def _clip_source(name: str) -> ClipSource:
    image_set, suffix = name.rsplit("-", 1)
    return ClipSource(image_set=SETS[image_set], modality={"IM": "image", "PRMT": "prompt"}[suffix])


def measured(of_what: str, compute: Callable[[], Row]) -> Row | Undefined:
    """Return the row that `compute` gives, or why these embeddings have none such."""
    try:
        return compute()
    except UndefinedMeasure as error:
        return Undefined(f"{of_what}: {error}.")


def write_rows(folder: Path, rows: Mapping[str, Row | Undefined]) -> None:
    """Make `folder` hold these rows and nothing else. A name may hold a `/`: `set/row`.

    Raises ValueError for a number that is not finite: DVC would show it as changed for ever.
    """
    with whole_folder(folder) as partial:
        for name, row in rows.items():
            write_row(partial / f"{name}.json", row)


def write_row(path: Path, row: Row | Undefined) -> None:
    """Write one row, rounded to six digits. Raises ValueError as `write_rows` does."""
    if isinstance(row, Undefined):
        write_text(path, json.dumps({UNDEFINED: row.why}, indent=2) + "\n")
        return
    for key, value in row.items():
        if not math.isfinite(value):
            raise ValueError(f"{path}: {key} is {value}")
    rounded = {k: round(v, 6) if isinstance(v, float) else v for k, v in row.items()}
    write_text(path, json.dumps(rounded, indent=2) + "\n")


def read_row(folder: Path, name: str) -> Row:
    """Read one row. Raises InputError if it has not been made, or has no figures."""
    row = read_measured(folder, name)
    if isinstance(row, Undefined):
        raise InputError(row.why)
    return row


def read_measured(folder: Path, name: str) -> Row | Undefined:
    """Read one row, or why it has no figures: among others because it has not been made yet."""
    path = folder / f"{name}.json"
    if not path.exists():
        return Undefined(f"{path} is missing: make it with `dvc repro`.")
    row = json.loads(path.read_text(encoding="utf-8"))
    return Undefined(row[UNDEFINED]) if UNDEFINED in row else row
