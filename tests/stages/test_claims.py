"""Every claim gets a row, whatever is there; the list says which of it is noise."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from synset_factory import layout
from synset_factory.claims import differences, read_claims
from synset_factory.errors import InputError
from synset_factory.stages import certainty, claims
from synset_factory.tables import Row, Undefined, experiments, read_measured, read_row, write_rows
from tests.hand_made_outcomes import write_classifier_tables, write_clip_tables
from tests.small_pipeline import REPOSITORY


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Row]:
    monkeypatch.chdir(tmp_path)
    shutil.copy(REPOSITORY / layout.PARAMS, layout.PARAMS)
    return write_classifier_tables() | write_clip_tables()


def run() -> dict[str, Row | Undefined]:
    """Run the stage, and the one before it; return the rows of the claims by their words."""
    certainty.main()
    claims.main()
    return {each.claim: read_measured(layout.CLAIMS, each.name) for each in read_claims()}


def test_a_claim_compares_the_figures_on_disk(rows: dict[str, Row]) -> None:
    row = run()["the modification to the 105 classes was beneficial"]
    third, second = (
        rows[f"table1/{name}"]["accuracy"]
        for name in ("3_natural_on_disamb", "2_natural_on_synset")
    )
    assert isinstance(row, dict)
    assert row["difference"] == pytest.approx(third - second, abs=2e-6)
    assert row["holds"] == int(third > second)
    resampled = pd.read_parquet(layout.RESAMPLED)
    resampled_difference = (
        resampled["table1/3_natural_on_disamb:accuracy"]
        - resampled["table1/2_natural_on_synset:accuracy"]
    )
    assert row["difference_low"] == pytest.approx(
        np.percentile(resampled_difference, 2.5), abs=1e-6
    )
    assert row["certain"] == int(row["difference_low"] > 0 or row["difference_high"] < 0)


def test_what_has_not_been_made_cannot_be_told_and_nothing_is_dropped(
    rows: dict[str, Row],
) -> None:
    found = run()
    why = "metrics/separability/all.json is missing: make it with `dvc repro`."
    (row,) = [row for claim, row in found.items() if "linearly separable" in claim]
    assert row == Undefined(why)
    text = layout.CLAIMS_LIST.read_text()
    assert f"cannot be told: {why}" in text
    assert all(f"| {each.name} |" in text for each in read_claims())
    assert "nan" not in text.lower()


def test_a_row_without_figures_is_told_by_its_own_words(rows: dict[str, Row]) -> None:
    why = "the images of school bus: the embeddings of class 779 cancel out: no centroid."
    write_rows(layout.APPENDIX_B, {"1_school_bus": Undefined(why)})
    (row,) = [row for claim, row in run().items() if claim.startswith("purple school bus: we")]
    assert row == Undefined(why)


def test_a_figure_that_a_row_lacks_is_named(rows: dict[str, Row]) -> None:
    write_rows(layout.METRICS / "separability", {"all": {"accuracy": 100.0}})
    (row,) = [row for claim, row in run().items() if "linearly separable" in claim]
    assert row == Undefined("metrics/separability/all.json has no margin.")


def test_figures_that_no_table_has_by_hand(rows: dict[str, Row]) -> None:
    run()
    with_knn = [rows[f"table6/{each.name}"] for each in experiments() if each.has_knn]
    mean = rows["extra/table6/averages"]
    assert read_row(layout.CLAIMS_SUPPORT, "knn") == pytest.approx(
        {
            "knn5_better_percent": 100
            * np.mean([row["knn5_accuracy"] > row["centroid_accuracy"] for row in with_knn]),
            "from_knn1": abs(mean["centroid_accuracy"] - mean["knn1_accuracy"]),
            "from_knn5": abs(mean["centroid_accuracy"] - mean["knn5_accuracy"]),
        },
        abs=1e-5,
    )
    table = pd.read_parquet(layout.CLIP_OUTCOMES)
    right = table.astype({"centroid_accuracy": float}).pivot_table(
        index="cls", columns="experiment", values="centroid_accuracy"
    )
    faithful = int((right[5] > 0.5).sum())
    assert read_row(layout.CLAIMS_SUPPORT, "clip_faithful") == pytest.approx(
        {"classes": faithful, "percent": 100 * faithful / 3}, abs=1e-5
    )
    dominated = int((right[22] - right[24] > 1 - right[22]).sum())
    assert read_row(layout.CLAIMS_SUPPORT, "shift_dominates")["classes"] == dominated
    assert isinstance(read_measured(layout.CLAIMS_SUPPORT, "alternative_embedding"), Undefined)
    assert read_measured(layout.CLAIMS_SUPPORT, "quail_distance") == Undefined(
        "this world has no class n01806567 (quail)."
    )


def test_a_class_of_its_own_is_told_from_the_others(rows: dict[str, Row]) -> None:
    table = pd.read_parquet(layout.DISTANCE_OUTCOMES)
    table["key"] = np.where(table["cls"] == 7, "n01806567_", "n01847000_") + table["key"]
    table.to_parquet(layout.DISTANCE_OUTCOMES)
    layout.GEOMETRY_CLASSES.parent.mkdir()
    pd.DataFrame(
        [("centroid_shift", "natural", "disamb25", "n03804744", 0.3),
         ("centroid_shift", "natural", "disamb25", "n01847000", 0.1),
         ("centroid_shift", "natural", "disamb", "n03804744", 0.9),
         ("frechet_mean_term", "natural", "disamb25", "n03804744", 0.7)],
        columns=["measure", "left", "right", "wnid", "value"],
    ).to_parquet(layout.GEOMETRY_CLASSES)  # fmt: skip
    run()
    assert read_row(layout.CLAIMS_SUPPORT, "nail_shift") == {"nail": 0.3, "average": 0.2}
    quail = table[table["cls"] == 7].groupby("set")["value"].mean()
    assert read_row(layout.CLAIMS_SUPPORT, "quail_distance") == pytest.approx(
        {"disamb25": quail["disamb25"], "promptaug": quail["promptaug"]}, abs=1e-6
    )


def test_the_alternative_embedding_is_compared_over_the_rows_of_images(
    rows: dict[str, Row],
) -> None:
    images = [
        each.name
        for each in experiments()
        if each.reference.modality == each.query.modality == "image"
    ]
    assert len(images) == 16
    spread = {name: {"centroid_accuracy": 50.0 + i} for i, name in enumerate(images)}
    write_rows(layout.CLASSIFIER_SPACE / "table6", spread)
    run()
    found = read_row(layout.CLAIMS_SUPPORT, "alternative_embedding")
    of_clip = [rows[f"table6/{name}"]["centroid_accuracy"] for name in images]
    assert found == pytest.approx({"clip": np.mean(of_clip), "classifier": 57.5}, abs=1e-5)


def test_differences_are_of_lines_that_share_a_set_each_pair_once() -> None:
    pairs = differences()
    lines = [each.words for each in pairs if not each.words.startswith("Centroid")]
    # Five lines are trained on natural images, five evaluated on them, 1.1 is in both; each of the
    # four synthetic sets has one more pair by training and one by evaluation.
    assert len(lines) == 10 + 10 + 4 + 4
    assert len(pairs) - len(lines) == 15
    assert len({frozenset((each.first, each.second)) for each in pairs}) == len(pairs)
    assert len({each.name for each in pairs}) == len(pairs)
    assert "1.3 natural on disamb - 2.1 natural on disamb25" in lines
    assert "1.3 natural on disamb - 1.6 disamb on natural" not in lines


def test_equal_sets_are_inside_their_noise_in_the_list(rows: dict[str, Row]) -> None:
    table = pd.read_parquet(layout.DISTANCE_OUTCOMES)
    copied = table[table["set"] == "synset"].assign(set="disamb")
    pd.concat([table[table["set"] != "disamb"], copied]).to_parquet(layout.DISTANCE_OUTCOMES)
    distances = {
        path.stem: read_row(layout.CENTROID_DISTANCE, path.stem)
        for path in layout.CENTROID_DISTANCE.glob("*.json")
    }
    write_rows(layout.CENTROID_DISTANCE, distances | {"disamb": distances["synset"]})
    run()
    (line,) = [
        line
        for line in layout.CLAIMS_LIST.read_text().splitlines()
        if "Centroid Distance: synset - disamb " in line
    ]
    assert "| 0 to 0 " in line and "inside its noise" in line


def test_the_stage_names_what_comes_before_it(rows: dict[str, Row]) -> None:
    with pytest.raises(InputError, match=r"^data/resampled.parquet is missing"):
        claims.main()
