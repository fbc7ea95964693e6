"""Quality of stored sets: equal counts, what must not change it, and classes that have none."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from synset_factory import layout
from synset_factory.class_values import mean_row
from synset_factory.errors import InputError
from synset_factory.measures.quality import kid, vendi_score
from synset_factory.stages import quality
from synset_factory.stages.quality import QualityConfig, pooled_row, quality_by_class
from synset_factory.tables import PAPER_SETS, Undefined, read_measured
from tests import stored_sets
from tests.drawn_embeddings import embeddings
from tests.stored_sets import Change, store_sets

CONFIG = QualityConfig(neighbours=2, images_per_class=6, pooled_images=40)


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def rows() -> dict[str, dict[str, float]]:
    quality.main()
    return {p.stem: json.loads(p.read_text()) for p in sorted(layout.QUALITY.glob("*.json"))}


def test_both_sides_count_with_as_many_images_of_a_class() -> None:
    natural, generated = embeddings(0, 3, 9), embeddings(1, 3, 5)
    found = quality_by_class(natural, generated, CONFIG)
    assert [row["images"] for row in found.rows.values()] == [5, 5, 5]
    real = natural.vectors[natural.labels == 7][:5]
    assert found.rows[7]["natural_vendi"] == pytest.approx(vendi_score(real))
    # And the other way round: it is the first images on either side.
    fake = quality_by_class(generated, natural, CONFIG).rows[7]["vendi"]
    assert fake == pytest.approx(vendi_score(real))
    # 40 images of 3 classes are 13 of each, of which there are 5.
    assert pooled_row(natural, generated, CONFIG)["pooled_images"] == 15


def test_the_first_images_of_each_class_are_pooled() -> None:
    natural, generated = embeddings(0, 4, 20), embeddings(1, 4, 20)
    row = pooled_row(natural, generated, CONFIG)
    first = np.arange(80) % 20 < 10  # 40 images of 4 classes
    assert row["pooled_images"] == 40
    assert row["pooled_kid"] == pytest.approx(kid(natural.vectors[first], generated.vectors[first]))


def test_every_set_has_a_row_and_natural_images_are_compared_with_other_natural_images() -> None:
    store_sets()
    found = rows()
    assert sorted(found) == sorted(PAPER_SETS)
    names = {"precision", "recall", "density", "coverage", "kid", "cmmd", "vendi", "natural_vendi"}
    assert set(found["synset"]) == (
        {"images", "classes", "pooled_images"} | names | {f"pooled_{name}" for name in names}
    )
    # The yardstick: training images against the validation split, which has 7 of each class.
    assert found["natural"]["images"] == 7
    assert found["synset"]["images"] == 12
    parts = stored_sets.stored_parts()["natural"]
    right = [each.vectors[each.labels == 0][:7] for each in parts.values()]
    of_class = pd.read_parquet(layout.QUALITY_CLASSES).query("set == 'natural' and wnid == 'n0'")
    stored = of_class.set_index("measure")["value"]
    assert stored["kid"] == pytest.approx(kid(*right))
    assert stored["vendi"] == pytest.approx(vendi_score(right[1]))


def test_the_row_is_the_mean_of_the_stored_classes() -> None:
    store_sets()
    found = rows()
    values = pd.read_parquet(layout.QUALITY_CLASSES)
    assert list(values.columns) == ["measure", "set", "wnid", "cls", "value"]
    of_set = values[(values["set"] == "disamb") & (values["measure"] == "cmmd")]
    assert list(of_set["wnid"]) == ["n0", "n7", "n14", "n21"]
    assert of_set["value"].mean() == pytest.approx(found["disamb"]["cmmd"], abs=1e-6)


@pytest.mark.parametrize("change", [stored_sets.shuffled, stored_sets.rotated])
def test_neither_order_nor_rotation_changes_a_row(change: Change) -> None:
    store_sets()
    before = rows()
    store_sets(change)
    after = rows()
    # The natural yardstick takes the first images of each class, so order may change that alone.
    for name in PAPER_SETS[1:]:
        assert after[name] == pytest.approx(before[name], abs=2e-5)


def test_a_class_of_one_image_is_left_out_and_named() -> None:
    store_sets(stored_sets.only_first_of(14))
    found = rows()
    assert {row["classes"] for row in found.values()} == {3}
    left_out = pd.read_parquet(layout.QUALITY_LEFT_OUT)
    assert set(left_out["set"]) == set(PAPER_SETS)
    assert set(left_out["wnid"]) == {"n14"}
    assert set(left_out["why"]) == {"neighbourhoods of 5 need more than 5 images a set"}
    assert "n14" not in set(pd.read_parquet(layout.QUALITY_CLASSES)["wnid"])


def test_a_class_of_copies_is_left_out_where_it_is_natural_and_counts_where_it_is_generated() -> (
    None
):
    copies = stored_sets.of_label(7, lambda vectors: np.repeat(vectors[:1], len(vectors), axis=0))
    natural, generated = embeddings(0, 3, 12), embeddings(1, 3, 12)
    found = quality_by_class(copies(natural), generated, CONFIG)
    assert found.left_out == {7: "each natural image has 2 copies of itself: no neighbourhoods"}
    found = quality_by_class(natural, copies(generated), CONFIG)
    assert found.rows[7]["vendi"] == pytest.approx(1.0)
    assert found.rows[7]["recall"] == 0.0
    assert mean_row(found, {0: "n0", 7: "n7", 14: "n14"})["classes"] == 3


def test_where_no_class_is_left_the_row_says_why_and_of_which_class() -> None:
    store_sets(stored_sets.constant)
    rows()
    row = read_measured(layout.QUALITY, "synset")
    assert row == Undefined(
        "quality of synset: no class has it; of n0: "
        "each natural image has 5 copies of itself: no neighbourhoods."
    )


def test_a_set_that_is_not_made_yet_ends_in_a_sentence() -> None:
    store_sets()
    layout.embeddings("disamb25").unlink()
    with pytest.raises(InputError, match=r"disamb25\.parquet is missing: make it with `dvc repro`"):
        quality.main()
