"""What is known of each class by number: accuracies, places in CLIP space, diagnoses."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, cast

import pandas as pd

from synset_factory import layout
from synset_factory.config import NATURAL, load_params
from synset_factory.measures.diagnosis import Limits, rules_in_words
from synset_factory.tables import ClipSource, experiments

Values = dict[tuple[Any, ...], float]  # by set, class and the like


@dataclass(frozen=True, kw_only=True)
class ClassFacts:
    """Values of single classes (ImageNet's labels). What there is none of is absent."""

    accuracies: Values  # (train, evaluation, class) -> percent, mean over seeds
    centroid_accuracies: Values  # (experiment of Table 6, class) -> percent
    geometry: Values  # (measure, left, right, class); right is "" where a measure has one side
    quality: Values  # (measure, set, class)
    diagnoses: dict[tuple[str, int], tuple[str, str]]  # (set, class) -> (diagnosis, because)
    left_out: dict[int, list[str]]  # class -> sentences: which measures it has none of, and why
    missing: list[str] = field(default_factory=list)  # sentences: which files are not there

    def centroid_distance(self, image_set: str, label: int) -> float | None:
        """Return a class's Centroid Distance in a set."""
        return self.geometry.get(("centroid_distance", image_set, "", label))

    def shift_from_natural(self, image_set: str, label: int) -> float | None:
        """Return the centroid-shift of a class between a set and the natural images."""
        pairs = ((NATURAL, image_set), (image_set, NATURAL))
        found = (self.geometry.get(("centroid_shift", *pair, label)) for pair in pairs)
        return next((value for value in found if value is not None), None)

    def centroid_accuracy(
        self, reference: ClipSource, query: ClipSource, label: int
    ) -> float | None:
        """Return a class's Centroid Accuracy in the row of Table 6 that compares these two."""
        number = _experiment_numbers().get((reference, query))
        return self.centroid_accuracies.get((number, label))


def read_class_facts(sets: Iterable[str], labels: Mapping[str, str]) -> ClassFacts:
    """Read what the stages have written of single classes so far; `labels` are names of sets."""
    missing: list[str] = []
    geometry = _read(layout.GEOMETRY_CLASSES, missing)
    quality = _read(layout.QUALITY_CLASSES, missing)
    diagnosis = _read(layout.DIAGNOSES, missing)
    outcomes = _read(layout.CLIP_OUTCOMES, missing)
    diagnoses = {}
    if diagnosis is not None:
        columns = [diagnosis[name].tolist() for name in ("set", "cls", "diagnosis", "because")]
        diagnoses = {(s, c): (name, why) for s, c, name, why in zip(*columns, strict=True)}
    return ClassFacts(
        accuracies=_accuracies([NATURAL, *sets], missing),
        centroid_accuracies=_centroid_accuracies(outcomes),
        geometry=_long_form(geometry, ["measure", "left", "right", "cls"]),
        quality=_long_form(quality, ["measure", "set", "cls"]),
        diagnoses=diagnoses,
        left_out=_left_out(labels),
        missing=missing,
    )


def diagnosis_rules() -> dict[str, str]:
    """Return for each diagnosis the sentence that says when it is given, the first first."""
    section = load_params().get("diagnosis") or {}
    names = [each.name for each in fields(Limits)]
    if any(name not in section for name in names):
        return {}
    return rules_in_words(Limits(**{name: section[name] for name in names}))


def _read(path: Path, missing: list[str]) -> pd.DataFrame | None:
    if path.exists():
        return pd.read_parquet(path)
    missing.append(f"{path} is missing: make it with `dvc repro`.")
    return None


def _left_out(labels: Mapping[str, str]) -> dict[int, list[str]]:
    found: defaultdict[int, list[str]] = defaultdict(list)
    for path, sides in (
        (layout.GEOMETRY_LEFT_OUT, ["left", "right"]),
        (layout.QUALITY_LEFT_OUT, ["set"]),
    ):
        if path.exists():
            for row in pd.read_parquet(path).to_dict("records"):
                names = [labels.get(row[side], row[side]) for side in sides if row[side]]
                found[row["cls"]].append(f"{' beside '.join(names)}: {row['why']}.")
    return {label: list(dict.fromkeys(sentences)) for label, sentences in found.items()}


def _accuracies(sets: list[str], missing: list[str]) -> Values:
    found: Values = {}
    for image_set in sets:
        outcomes = _read(layout.outcomes(image_set), missing)
        if outcomes is not None:
            right = (outcomes["predicted"] == outcomes["cls"]).groupby(
                [outcomes["train"], outcomes["evaluation"], outcomes["cls"]]
            )
            found |= cast(Values, (100.0 * right.mean()).to_dict())
    return found


def _centroid_accuracies(outcomes: pd.DataFrame | None) -> Values:
    if outcomes is None:
        return {}
    right = outcomes.groupby(["experiment", "cls"])["centroid_accuracy"]
    return cast(Values, (100.0 * right.mean().astype(float)).to_dict())


def _long_form(table: pd.DataFrame | None, keys: list[str]) -> Values:
    """Return a table's values by its keys; values that are undefined are left out."""
    if table is None:
        return {}
    table = table.dropna(subset=["value"])
    columns = [table[key].tolist() for key in [*keys, "value"]]
    return {tuple(row[:-1]): row[-1] for row in zip(*columns, strict=True)}


def _experiment_numbers() -> dict[tuple[ClipSource, ClipSource], int]:
    return {(each.reference, each.query): each.number for each in experiments()}
