"""The natural classifier may be one that others have trained: then it is taken, not trained."""

import sys
from pathlib import Path

import pytest
import timm
import torch
import yaml

from synset_factory import layout
from synset_factory.config import load_params
from synset_factory.errors import InputError
from synset_factory.models import classifier
from synset_factory.natural_classifiers import recipe_note
from synset_factory.stages.train import main
from tests.small_sets import LABELS, write_small_set

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _small_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train", "natural"])
    params = load_params(REPOSITORY / layout.PARAMS)
    params["threads"] = torch.get_num_threads()
    params["train"]["natural_from"] = "data/models/pretrained/other"
    layout.PARAMS.write_text(yaml.safe_dump(params))
    write_small_set("natural")


def test_the_pretrained_classifier_takes_the_place_of_all_seeds() -> None:
    torch.manual_seed(0)
    model = timm.create_model("test_resnet", num_classes=1000)
    timm.models.save_for_hf(model, layout.PRETRAINED / "other", safe_serialization=True)
    main()
    assert [path.name for path in layout.classifiers("natural").iterdir()] == ["seed0"]
    saved = classifier.load(layout.classifiers("natural") / "seed0")
    by_label = sorted(LABELS.items(), key=lambda pair: pair[1])
    assert classifier.class_names(saved) == [wnid for wnid, _ in by_label]
    weight = model.get_classifier().weight[[label for _, label in by_label]]
    assert torch.equal(saved.get_classifier().weight, weight)


def test_one_that_was_not_fetched_is_named() -> None:
    with pytest.raises(
        InputError,
        match=r"^data/models/pretrained/other/config\.json is missing: fetch the classifier with "
        r"`dvc repro fetch_models`, or name another in train\.natural_from\.$",
    ):
        main()


def test_the_tables_say_that_it_is_another_recipe() -> None:
    assert "of one classifier that others have trained (other)" in recipe_note()
    layout.PARAMS.write_text((REPOSITORY / layout.PARAMS).read_text())
    assert recipe_note() == ""
