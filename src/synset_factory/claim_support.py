"""Figures that claims of the paper are about and no table has: rows of metrics/claims_support."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from synset_factory import layout
from synset_factory.config import NATURAL
from synset_factory.errors import InputError
from synset_factory.query_values import experiment_values, row_values
from synset_factory.tables import (
    TABLE4_CLASSES,
    Row,
    Undefined,
    experiments,
    image_experiments,
    read_row,
)

AUGMENTED, SINGLE = "table2/5_promptaug_on_natural", "table2/3_disamb25_on_natural"
NAIL, QUAIL = TABLE4_CLASSES["nail"], "n01806567"
PROMPTS_ON_NATURAL = 5  # experiment: natural images among the prompts, as in zero-shot learning
AUGMENTED_BY_PROMPTS, AUGMENTED_BY_OWN = 24, 22  # experiments: PromptAug's images as queries


def support_rows() -> dict[str, Row | Undefined]:
    """Return all of them by name, Undefined where something is missing."""
    rows: dict[str, Callable[[], Row]] = {
        "alternative_embedding": alternative_embedding,
        "augmentation_lowers": augmentation_lowers,
        "clip_faithful": clip_faithful,
        "knn": knn,
        "nail_shift": nail_shift,
        "quail_distance": quail_distance,
        "shift_dominates": shift_dominates,
    }
    return {name: _or_why(row) for name, row in rows.items()}


def alternative_embedding() -> Row:
    """Mean Centroid Accuracy of the rows of Table 6 that compare images with images, percent."""
    rows = [each.name for each in image_experiments()]
    folders = {"clip": layout.TABLE6, "classifier": layout.CLASSIFIER_SPACE / "table6"}
    return {
        name: float(np.mean([read_row(folder, row)["centroid_accuracy"] for row in rows]))
        for name, folder in folders.items()
    }


def augmentation_lowers() -> Row:
    """Classes of natural images that PromptAug's classifiers know worse than Disamb2.5's."""
    augmented, single = (_by_class(row_values(row)["accuracy"]) for row in (AUGMENTED, SINGLE))
    return _share(augmented < single)


def clip_faithful() -> Row:
    """Classes of which most natural images are nearest to their own prompt (experiment 5)."""
    return _share(_centroid_accuracies(PROMPTS_ON_NATURAL) > 50.0)


def shift_dominates() -> Row:
    """Classes of PromptAug whose error is by centroid-shift more than by diversity (Table 3)."""
    by_own = _centroid_accuracies(AUGMENTED_BY_OWN)
    shift = by_own - _centroid_accuracies(AUGMENTED_BY_PROMPTS)
    return _share(shift > 100.0 - by_own)


def knn() -> Row:
    """How often k=5 is better than Centroid Accuracy, and how far apart they are on average."""
    rows = [read_row(layout.TABLE6, each.name) for each in experiments() if each.has_knn]
    centroid, one, five = (
        np.array([row[figure] for row in rows])
        for figure in ("centroid_accuracy", "knn1_accuracy", "knn5_accuracy")
    )
    return {
        "knn5_better_percent": float(100.0 * np.mean(five > centroid)),
        "from_knn1": float(abs(centroid.mean() - one.mean())),
        "from_knn5": float(abs(centroid.mean() - five.mean())),
    }


def nail_shift() -> Row:
    """Centroid-shift between natural images and Disamb2.5, of nails and on average over classes."""
    if not layout.GEOMETRY_CLASSES.exists():
        raise InputError(f"{layout.GEOMETRY_CLASSES} is missing: make it with `dvc repro`.")
    table = pd.read_parquet(layout.GEOMETRY_CLASSES)
    pair = (table["left"] == NATURAL) & (table["right"] == "disamb25")
    shifts = table[pair & (table["measure"] == "centroid_shift")].set_index("wnid")["value"]
    if NAIL not in shifts.index:
        raise InputError(f"this world has no class {NAIL} (nail).")
    return {"nail": float(shifts[NAIL]), "average": float(shifts.mean())}


def quail_distance() -> Row:
    """Centroid Distance of the one class quail (Figure 10) in two sets."""
    row: Row = {}
    for image_set in ("disamb25", "promptaug"):
        values = row_values(f"{layout.CENTROID_DISTANCE.name}/{image_set}")["centroid_distance"]
        of_quail = values[values.index.get_level_values("key").str.startswith(f"{QUAIL}_")]
        if of_quail.empty:
            raise InputError(f"this world has no class {QUAIL} (quail).")
        row[image_set] = float(of_quail.mean())
    return row


def _centroid_accuracies(experiment: int) -> pd.Series:
    return _by_class(experiment_values(experiment)["centroid_accuracy"])


def _by_class(values: pd.Series) -> pd.Series:
    return values.groupby(level="cls").mean()


def _share(of_classes: pd.Series) -> Row:
    return {"classes": int(of_classes.sum()), "percent": float(100.0 * of_classes.mean())}


def _or_why(row: Callable[[], Row]) -> Row | Undefined:
    try:
        return row()
    except InputError as error:
        return Undefined(str(error))
