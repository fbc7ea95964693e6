"""Accuracy by ReaL labels is timm's, of ImageNet's validation pictures and of no others."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from timm.data import RealLabelsImagenet

from synset_factory import layout
from synset_factory.real_labels import labels_of_keys, real_labels
from synset_factory.records import image_key
from synset_factory.table_rows import real_figures

NAMES = [f"ILSVRC2012_val_{number:08d}" for number in range(1, 50_001)]
PICTURES = 2_000  # of the 50,000


def write_index(sources: list[object]) -> list[str]:
    """Write an index of natural validation pictures and one of training; return the keys."""
    keys = [image_key("n1", "validation", i) for i in range(len(sources))]
    index = pd.DataFrame({"key": keys, "split": "validation", "source": sources})
    train = {"key": image_key("n1", "train", 0), "split": "train", "source": "n1_7.JPEG"}
    path = layout.index("natural")
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.concat([index, pd.DataFrame([train])]).to_parquet(path, index=False)
    return keys


@pytest.fixture(autouse=True)
def _somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_accuracy_is_timms_on_random_predictions() -> None:
    rng = np.random.default_rng(0)
    predicted = rng.integers(0, 1000, (2, PICTURES))
    for i in range(PICTURES):  # many are right, where there is something to be right about
        if real_labels()[i + 1]:
            predicted[rng.integers(2), i] = rng.choice(real_labels()[i + 1])
    theirs = []
    for of_seed in predicted:
        timms = RealLabelsImagenet([f"{name}.JPEG" for name in NAMES], topk=(1,))
        timms.add_result(torch.nn.functional.one_hot(torch.from_numpy(of_seed), 1000))
        theirs.append(timms.get_accuracy(1))
    judged = len(timms.is_correct[1])

    # In another order, so that a picture is known by its source and not by its place.
    order = rng.permutation(PICTURES)
    keys = write_index([f"{NAMES[i]}.JPEG" for i in order])
    outcomes = pd.concat(
        pd.DataFrame({"seed": seed, "key": keys, "predicted": of_seed[order]})
        for seed, of_seed in enumerate(predicted)
    )
    found = real_figures(outcomes)
    assert found == {"real_accuracy": pytest.approx(np.mean(theirs)), "real_n": judged}
    assert 40 < found["real_accuracy"] < 60 and judged < PICTURES


def test_a_picture_may_have_several_labels_or_none() -> None:
    lengths = [len(labels) for labels in real_labels().values()]
    assert len(lengths) == 50_000
    assert min(lengths) == 0 and max(lengths) > 2


@pytest.mark.parametrize("other", ["n02012849_1.JPEG", "ILSVRC2012_val_00050001", "", None])
def test_one_picture_from_elsewhere_and_there_are_no_labels(other: object) -> None:
    keys = write_index(NAMES[:3])
    assert sorted(labels_of_keys()) == keys
    keys = write_index([*NAMES[:3], other])
    assert labels_of_keys() == {}
    outcomes = pd.DataFrame({"seed": 0, "key": keys, "predicted": 0})
    assert real_figures(outcomes) == {}


def test_an_index_that_does_not_say_where_pictures_come_from_has_no_labels() -> None:
    assert labels_of_keys() == {}
    write_index(NAMES[:3])
    path = layout.index("natural")
    pd.read_parquet(path).drop(columns="source").to_parquet(path, index=False)
    assert labels_of_keys() == {}
