"""Answers are stored as ImageNet's labels; only classifiers of the same classes are asked."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from synset_factory import classifier_outcomes as module
from synset_factory import layout
from synset_factory.classifier_outcomes import classifier_outcomes
from synset_factory.config import Run
from synset_factory.errors import InputError

INDEX = pd.DataFrame({"key": ["a", "b", "c"], "cls": [11, 90, 90], "wnid": ["n1", "n2", "n2"]})
RUN = Run(device="cpu", workers=0, engine="local", address="", replicas=1)


@pytest.fixture
def classifiers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two classifiers, one that always says the first class and one that says the second."""
    monkeypatch.chdir(tmp_path)
    for seed in (0, 1):
        (layout.classifiers("disamb") / f"seed{seed}").mkdir(parents=True)
    dataset = SimpleNamespace(class_indices=[11, 90])
    monkeypatch.setattr(module, "JpegDataset", lambda name, index: dataset)
    answers = SimpleNamespace(
        load=lambda folder: int(folder.name[-1]),
        class_names=lambda model: ["n1", "n2"],
        predict=lambda model, *_, **__: np.full(3, model),
    )
    monkeypatch.setattr(module, "classifier", answers)


def test_answers_are_stored_as_imagenets_labels(classifiers: None) -> None:
    first, second = classifier_outcomes("disamb", "natural", INDEX, 2, RUN)
    assert list(first["predicted"]) == [11, 11, 11]
    assert list(second["predicted"]) == [90, 90, 90]
    assert list(second["cls"]) == [11, 90, 90]
    assert set(second["seed"]) == {1}
    assert set(first["train"]) == {"disamb"} and set(first["evaluation"]) == {"natural"}


def test_a_classifier_of_other_classes_is_refused(
    classifiers: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "synset_factory.classifier_outcomes.classifier.class_names", lambda model: ["n1", "n3"]
    )
    with pytest.raises(InputError, match="was trained on other classes"):
        list(classifier_outcomes("disamb", "natural", INDEX, 2, RUN))


def test_a_set_without_classifiers_is_named(classifiers: None) -> None:
    with pytest.raises(InputError, match="holds no classifier"):
        list(classifier_outcomes("synset", "natural", INDEX, 2, RUN))
