"""A further set has the rows that the paper's sets have, and owes them to no other further set."""

import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import yaml
from sklearn.neighbors import KNeighborsClassifier

from synset_factory import layout
from synset_factory.config import load_params
from synset_factory.stages import compare
from synset_factory.table_rows import read_outcomes
from synset_factory.tables import further_sets
from tests.drawn_embeddings import embeddings, store

REPOSITORY = Path(__file__).parents[2]
ROWS = layout.FURTHER_SETS
CLASSES = 6
CLIP_ROWS = [
    "warm_im_on_natural_im", "warm_prmt_on_natural_im",
    "natural_im_on_warm_im", "warm_im_on_warm_im", "warm_prmt_on_warm_im",
    "natural_im_on_warm_prmt", "warm_im_on_warm_prmt",
]  # fmt: skip


def store_set(name: str, *, images: int, prompts: int, first_seed: int) -> None:
    """A set with so many training images and validation prompts a class, and its outcomes."""
    store(
        name,
        {
            ("image", "train"): embeddings(first_seed, CLASSES, images),
            ("image", "validation"): embeddings(first_seed + 1, CLASSES, 3),
            ("prompt", "train"): embeddings(first_seed + 2, CLASSES, prompts),
            ("prompt", "validation"): embeddings(first_seed + 3, CLASSES, prompts),
        },
    )
    # Two images a pair: natural on it tells none right, it on natural one, it on itself both.
    pairs = [("natural", name), (name, "natural"), (name, name)]
    rows = [
        (train, evaluation, 0, f"key{i}", i, i if i < right else 9)
        for right, (train, evaluation) in enumerate(pairs)
        for i in range(2)
    ]
    columns = ["train", "evaluation", "seed", "key", "cls", "predicted"]
    layout.OUTCOMES.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows, columns=columns).to_parquet(layout.outcomes(name), index=False)


def run_with(*further: str) -> dict[str, dict[str, float]]:
    """Run the stage with these further sets in params.yaml; return all rows on disk by name."""
    params = load_params(REPOSITORY / "params.yaml")
    del params["sets"]["disamb10"]
    params["sets"] |= {name: {"prompts": "synset", "guidance_scale": 1.0} for name in further}
    layout.PARAMS.write_text(yaml.safe_dump(params, sort_keys=False))
    compare.main()
    paths = ROWS.rglob("*.json")
    return {str(p.relative_to(ROWS).with_suffix("")): json.loads(p.read_text()) for p in paths}


@pytest.fixture(autouse=True)
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    parts = {("image", "train"): embeddings(0, CLASSES, 9)}
    store("natural", parts | {("image", "validation"): embeddings(1, CLASSES, 4)})
    store_set("warm", images=7, prompts=1, first_seed=10)
    store_set("cold", images=5, prompts=2, first_seed=20)
    read_outcomes.cache_clear()
    yield
    read_outcomes.cache_clear()


def test_a_further_set_has_every_kind_of_row() -> None:
    rows = run_with("warm")
    accuracies = {"natural_on_warm": 0.0, "warm_on_natural": 50.0, "warm_on_warm": 100.0}
    names = [*accuracies, *CLIP_ROWS, "centroid_distance"]
    assert sorted(rows) == sorted(f"warm/{name}" for name in names)
    assert {name: rows[f"warm/{name}"]["accuracy"] for name in accuracies} == accuracies


def test_references_are_the_training_split_and_queries_the_validation_split() -> None:
    rows = run_with("warm")
    references, queries = embeddings(10, CLASSES, 7), embeddings(1, CLASSES, 4)
    nearest = KNeighborsClassifier(1, metric="cosine", algorithm="brute")
    nearest.fit(references.vectors, references.labels)
    expected = 100 * nearest.score(queries.vectors, queries.labels)
    found = rows["warm/warm_im_on_natural_im"]["knn1_accuracy"]
    assert found == pytest.approx(expected, abs=1e-6)


def test_only_queries_that_are_one_prompt_a_class_have_no_knn() -> None:
    rows = run_with("warm", "cold")
    without = {name for name in rows if "_im" in name and "knn1_accuracy" not in rows[name]}
    assert without == {"warm/natural_im_on_warm_prmt", "warm/warm_im_on_warm_prmt"}


def test_a_sets_rows_do_not_depend_on_other_sets() -> None:
    together = run_with("warm", "cold")
    assert together["warm/centroid_distance"]["images_per_class"] == 7
    assert together["cold/centroid_distance"]["images_per_class"] == 5
    assert together == run_with("warm") | run_with("cold")


def test_rows_vanish_with_their_set_and_the_folder_stays() -> None:
    run_with("warm", "cold")
    assert {path.name for path in ROWS.iterdir()} == {"warm", "cold"}
    run_with("cold")
    assert {path.name for path in ROWS.iterdir()} == {"cold"}
    # DVC takes an empty folder for an output that is there, and a missing one for a failure.
    assert run_with() == {}
    assert ROWS.is_dir()


def test_further_sets_are_those_that_the_paper_does_not_name_in_order() -> None:
    assert further_sets(["zeta", "synset", "disamb10", "promptaug", "alpha"]) == [
        "zeta",
        "disamb10",
        "alpha",
    ]
