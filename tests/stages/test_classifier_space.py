"""A classifier's space has the rows that CLIP's has, of images alone."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
import yaml
from sklearn.neighbors import KNeighborsClassifier

from synset_factory import layout
from synset_factory.config import load_params
from synset_factory.embedding_files import Embeddings
from synset_factory.models import classifier
from synset_factory.stages import classifier_embed, classifier_space
from synset_factory.stages.classifier_space import read_images
from synset_factory.tables import PAPER_SETS, Undefined, image_experiments, read_measured
from tests.small_sets import LABELS, write_small_set

REPOSITORY = Path(__file__).parents[2]
FIGURES = {"centroid_accuracy", "knn1_accuracy", "knn5_accuracy", "avg_cosine_similarity"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the stage has run on six small sets with a classifier of random weights."""
    made = tmp_path_factory.mktemp("classifier_space")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(made)
        params = load_params(REPOSITORY / layout.PARAMS)
        params["run"]["workers"] = 0
        params["threads"] = torch.get_num_threads()  # what other tests have is left alone
        layout.PARAMS.write_text(yaml.safe_dump(params))
        torch.manual_seed(0)
        overlay = {"input_size": (3, 32, 32), "num_classes": 3, "label_names": list(LABELS)}
        model = timm.create_model("test_resnet", num_classes=3, pretrained_cfg_overlay=overlay)
        classifier.save(model, layout.classifiers("natural") / "seed0")
        for name in PAPER_SETS:
            write_small_set(name)
            patch.setattr("sys.argv", ["classifier_embed", name])
            classifier_embed.main()
        classifier_space.main()
    return made


@pytest.fixture(autouse=True)
def _there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


def test_rows_are_six_distances_and_the_sixteen_of_images_on_images() -> None:
    rows = {
        path.relative_to(layout.CLASSIFIER_SPACE).with_suffix("").as_posix(): json.loads(
            path.read_text()
        )
        for path in layout.CLASSIFIER_SPACE.rglob("*.json")
    }
    distances = {f"centroid_distance/{name}" for name in PAPER_SETS}
    table6 = set(rows) - distances
    assert len(rows) == 22 and distances < set(rows)
    numbers = [*range(1, 5), *range(7, 11), *range(13, 17), *range(19, 23)]
    assert sorted(int(name.split("/")[1][:2]) for name in table6) == numbers
    assert all("prmt" not in name and set(rows[name]) == FIGURES for name in table6)
    assert all(rows[name]["images_per_class"] == 20 for name in distances)


def test_references_are_training_images_and_queries_validation_images() -> None:
    experiment = image_experiments()[1]
    assert experiment.name == "02_disamb_im_on_natural_im"
    references, queries = read_images("disamb", "train"), read_images("natural", "validation")
    assert (len(references.keys), len(queries.keys)) == (60, 24)
    theirs = KNeighborsClassifier(1, metric="cosine", algorithm="brute")
    theirs.fit(references.vectors.astype(np.float64), references.labels)
    expected = 100 * theirs.score(queries.vectors.astype(np.float64), queries.labels)
    row = read_measured(layout.CLASSIFIER_SPACE / "table6", experiment.name)
    assert row["knn1_accuracy"] == pytest.approx(expected, abs=1e-5)


def test_an_embedding_without_a_direction_is_a_row_that_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    layout.CLASSIFIER_EMBEDDINGS.parent.mkdir(parents=True)
    layout.CLASSIFIER_EMBEDDINGS.symlink_to(folder / layout.CLASSIFIER_EMBEDDINGS)
    honest = classifier_space.read_images

    def constant(image_set: str, split: str) -> Embeddings:
        found = honest(image_set, split)
        if (image_set, split) == ("disamb", "train"):
            return replace(found, vectors=np.zeros_like(found.vectors))
        return found

    monkeypatch.setattr(classifier_space, "read_images", constant)
    rows = classifier_space.all_rows(0, 0.5, "cpu")
    silent = {name for name, row in rows.items() if isinstance(row, Undefined)}
    of_disamb = {
        f"table6/{e.name}" for e in image_experiments() if e.reference.image_set == "disamb"
    }
    assert silent == {"centroid_distance/disamb"} | of_disamb
    assert "has length 0.0: it has no direction" in rows["centroid_distance/disamb"].why
