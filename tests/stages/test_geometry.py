"""Geometry of stored sets: which rows there are, what must not change them, and what has none."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from synset_factory import layout
from synset_factory.errors import InputError
from synset_factory.geometry_rows import joined, separability_row
from synset_factory.measures.centroids import centroid_distance
from synset_factory.measures.frechet import Normal, frechet
from synset_factory.measures.shifts import centroid_shifts
from synset_factory.records import SPLITS
from synset_factory.stages import geometry
from synset_factory.table_rows import read_outcomes
from synset_factory.tables import PAPER_SETS, Undefined, read_measured
from tests import stored_sets
from tests.drawn_embeddings import store
from tests.stored_sets import Change, store_sets, stored_parts

FOLDERS = (
    layout.FRECHET, layout.FRECHET_CORRELATION, layout.SEPARABILITY, layout.CENTROID_SHIFT,
    layout.ERROR_SPLIT, layout.TABLE4,
)  # fmt: skip


def forget() -> None:
    for cached in (geometry.normal, geometry.centroids, read_outcomes):
        cached.cache_clear()


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    forget()
    yield
    forget()


def rows(change: Change | None = None) -> dict[str, dict[str, Any]]:
    """Store the sets, run the stage, and return its rows by folder and name."""
    forget()
    store_sets(*([change] if change else []))
    geometry.main()
    paths = [path for folder in FOLDERS for path in sorted(folder.glob("*.json"))]
    return {f"{p.parent.name}/{p.stem}": json.loads(p.read_text()) for p in paths}


def values(measure: str, left: str, right: str) -> list[float]:
    table = pd.read_parquet(layout.GEOMETRY_CLASSES)
    chosen = table[(table.measure == measure) & (table.left == left) & (table.right == right)]
    assert list(chosen.wnid) == ["n0", "n7", "n14", "n21"]
    return list(chosen.value)


def test_every_pair_of_sets_has_its_rows_and_no_row_is_undefined_but_table_4() -> None:
    found = rows()
    counts = pd.Series([name.split("/")[0] for name in found]).value_counts().to_dict()
    assert counts == {
        "frechet": 15, "frechet_correlation": 2, "separability": 6, "centroid_shift": 25,
        "error_split": 3, "table4": 2,
    }  # fmt: skip
    undefined = [name for name, row in found.items() if "undefined" in row]
    assert [name.split("/")[0] for name in undefined] == ["table4", "table4"]
    assert "no class n03481172 (hammer)" in found[undefined[0]]["undefined"]
    assert found["frechet_correlation/sets"]["n"] == 5
    assert found["frechet_correlation/classes"]["n"] == 20
    split = found["error_split/disamb25"]
    contributions = read_measured(layout.METRICS, "contributions")
    assert (contributions["diffusion"], contributions["clip"]) == (
        split["diversity"],
        split["centroid_shift"],
    )


def test_terms_are_correlated_with_accuracy_on_natural_images_class_by_class() -> None:
    found = rows()["frechet_correlation/classes"]
    terms, accuracies = [], []
    for name in PAPER_SETS[1:]:
        terms += values("frechet_mean_term", "natural", name)
        outcomes = pd.read_parquet(layout.outcomes(name))
        right = outcomes["predicted"] == outcomes["cls"]
        accuracies += list(right.groupby(outcomes["cls"]).mean())
    assert found["mean_term_pearson"] == pytest.approx(
        scipy.stats.pearsonr(terms, accuracies).statistic, abs=1e-6
    )


def test_distances_are_of_the_training_splits() -> None:
    found = rows()
    parts = stored_parts()
    left, right = (parts[name]["image", "train"] for name in ("disamb", "promptaug"))
    expected = frechet(Normal.of(left.vectors), Normal.of(right.vectors))
    row = found["frechet/disamb_vs_promptaug"]
    assert row["mean_term"] == pytest.approx(expected.mean_term, abs=1e-6)
    assert row["covariance_term"] == pytest.approx(expected.covariance_term, abs=1e-6)
    shifts, _ = centroid_shifts(left.vectors, left.labels, right.vectors, right.labels)
    row = found["centroid_shift/disamb_vs_promptaug"]
    assert row == {"centroid_shift": pytest.approx(shifts.mean(), abs=1e-6), "classes": 4}


def test_planes_are_fitted_to_training_splits_and_tried_on_validation_splits() -> None:
    found = rows()
    parts = stored_parts()["promptaug"]
    places = [(modality, split) for split in SPLITS for modality in ("prompt", "image")]
    expected = separability_row(*(parts[place] for place in places))
    assert found["separability/promptaug"] == pytest.approx(expected, abs=1e-6)
    # Over all: the prompts of five sets, the images of six.
    joint = separability_row(
        *(
            joined(each[place] for each in stored_parts().values() if place in each)
            for place in places
        )
    )
    assert found["separability/all"] == pytest.approx(joint, abs=1e-6)


def test_classes_are_stored_by_measure_and_pair() -> None:
    found = rows()
    parts = stored_parts()
    natural, synset = (parts[name]["image", "train"] for name in ("natural", "synset"))
    assert values("frechet_mean_term", "natural", "synset") == pytest.approx(
        [
            frechet(
                Normal.of(natural.vectors[natural.labels == label]),
                Normal.of(synset.vectors[synset.labels == label]),
            ).mean_term
            for label in (0, 7, 14, 21)
        ]
    )
    prompts = parts["synset"]["prompt", "train"]
    expected, _ = centroid_shifts(prompts.vectors, prompts.labels, synset.vectors, synset.labels)
    shifts = values("centroid_shift", "synset_prmt", "synset_im")
    assert shifts == pytest.approx(expected)
    row = found["centroid_shift/synset_prmt_vs_synset_im"]
    assert row["centroid_shift"] == pytest.approx(np.mean(shifts), abs=1e-6)
    expected = centroid_distance(synset.vectors, synset.labels)[1]
    assert values("centroid_distance", "synset", "") == pytest.approx(expected)


@pytest.mark.parametrize("change", [stored_sets.shuffled, stored_sets.rotated])
def test_neither_order_nor_rotation_changes_a_row(change: Change) -> None:
    before, after = rows(), rows(change)
    assert before.keys() == after.keys()
    for name, row in before.items():
        # The plane of a separability is found step by step, to about so many digits.
        tolerance = 1e-3 if name.startswith("separability") else 5e-6
        if "undefined" not in row:
            assert after[name] == pytest.approx(row, abs=tolerance), name


def test_a_class_of_one_image_has_no_covariance_but_a_centroid() -> None:
    found = rows(stored_sets.only_first_of(14))
    assert found["frechet_correlation/classes"]["n"] == 15
    assert found["centroid_shift/natural_vs_synset"]["classes"] == 4
    left_out = pd.read_parquet(layout.GEOMETRY_LEFT_OUT)
    assert left_out.drop_duplicates("right")[["left", "wnid", "why"]].to_numpy().tolist() == (
        5 * [["natural", "n14", "a covariance needs at least two embeddings"]]
    )
    # Centroid Distances take as many images of every class: here one, its own centroid.
    assert values("centroid_distance", "synset", "") == pytest.approx([0.0] * 4, abs=1e-12)


def test_constant_embeddings_leave_rows_that_say_why_and_no_number_that_is_none() -> None:
    found = rows(stored_sets.constant)
    undefined = {name: row["undefined"] for name, row in found.items() if "undefined" in row}
    assert undefined["frechet_correlation/classes"] == (
        "correlation of Fréchet distance and accuracy over sets and classes: "
        "a column that is everywhere the same correlates with nothing."
    )
    assert "separability/synset" in undefined and "separability/all" in undefined
    assert found["frechet/natural_vs_synset"]["distance"] == pytest.approx(0.0, abs=1e-6)


def test_an_embedding_without_a_direction_leaves_the_rows_of_its_set_undefined() -> None:
    store_sets()
    broken = stored_parts()["disamb"]
    broken["image", "train"].vectors[5] = np.nan
    store("disamb", broken)
    geometry.main()
    for folder, name in (
        (layout.FRECHET, "natural_vs_disamb"),
        (layout.CENTROID_SHIFT, "disamb_prmt_vs_disamb_im"),
        (layout.SEPARABILITY, "disamb"),
        (layout.SEPARABILITY, "all"),
        (layout.FRECHET_CORRELATION, "sets"),
    ):
        row = read_measured(folder, name)
        assert isinstance(row, Undefined) and "it has no direction" in row.why, name
    assert not isinstance(read_measured(layout.FRECHET, "natural_vs_synset"), Undefined)
    left_out = pd.read_parquet(layout.GEOMETRY_LEFT_OUT)
    assert set(left_out["wnid"]) == {"n0"}


@pytest.mark.parametrize(
    "missing",
    [layout.embeddings("disamb25"), layout.outcomes("promptaug"), layout.CLIP_OUTCOMES],
)
def test_what_is_not_made_yet_ends_in_a_sentence(missing: Path) -> None:
    store_sets()
    missing.unlink()
    with pytest.raises(InputError, match=f"{missing} is missing: make it with `dvc repro`"):
        geometry.main()
