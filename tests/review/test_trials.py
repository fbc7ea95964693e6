"""A trial counts what the classifiers say of the pictures that it drew, beside what was stored.

The models are stand-ins here, so that every number can be counted by hand; test_page.py runs the
real ones.
"""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from synset_factory.config import load_common
from synset_factory.prompts.files import read_synsets
from synset_factory.records import TRAIN, ImageRow, image_key
from synset_factory.review.trials import REMEMBERED, Trials
from synset_factory.shards.writer import encode_jpeg

REPOSITORY = Path(__file__).parents[2]
BY_WNID = {synset.wnid: synset for synset in read_synsets(REPOSITORY / "prompts/synsets.csv")}
JAY, DRAKE, BUS = (BY_WNID[wnid] for wnid in ("n01580077", "n01847000", "n04146614"))
# Of the drake's images 0, 1, 2 what two classifiers said when they were drawn from `drake`.
STORED = {0: (BUS, BUS), 1: (DRAKE, BUS), 2: (JAY, DRAKE)}
# And what they say, as ranks among jay, drake, bus, of those that a trial draws. Of the first two
# only: a batch is two images.
SAID = np.array([[1, 2], [1, 1]])  # [classifier, image]


class Generator:
    """Draws grey squares, and notes what it was asked for."""

    settings = SimpleNamespace(batch_size=2)

    def __init__(self) -> None:
        self.asked: list[tuple[list[str], list[int]]] = []

    def draw_jpegs(self, prompts: list[str], seeds: list[int]) -> list[bytes]:
        self.asked.append((prompts, seeds))
        return [encode_jpeg(Image.new("RGB", (8, 8), (seed, seed, seed)), 92) for seed in seeds]


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Trials:
    outcomes = pd.DataFrame(
        [
            {
                "cls": DRAKE.class_index,
                "key": image_key(DRAKE.wnid, TRAIN, number),
                "seed": seed,
                "predicted": said[seed].class_index,
            }
            for number, said in STORED.items()
            for seed in (0, 1)
        ]
    )
    made = Trials(load_common(REPOSITORY / "params.yaml"), outcomes)
    rows = [
        ImageRow(wnid=DRAKE.wnid, split=TRAIN, number=n, prompt="drake", seed=10 + n)
        for n in range(5)
    ]
    for name, value in {
        "classes": [JAY, DRAKE, BUS],
        "generator": Generator(),
        "classifiers": [0, 1],
        "rows": {DRAKE.wnid: rows},
    }.items():
        made.__dict__[name] = value  # where cached_property keeps what it has made

    def predict(model: int, images: list[Any], *_: object, **__: object) -> np.ndarray:
        return SAID[model, : len(images)]

    monkeypatch.setattr("synset_factory.models.classifier.predict", predict)
    return made


def test_accuracies_are_means_over_classifiers_of_the_same_image_numbers(desk: Trials) -> None:
    trial = desk.run(DRAKE, "drake duck")
    assert trial.accuracy == 75.0  # (drake, bus), (drake, drake)
    assert trial.accuracy_before == 25.0  # image 0: bus, bus; image 1: drake, bus; not image 2
    assert trial.taken_for == (DRAKE, DRAKE)  # a tie goes to the lower label


def test_a_batch_is_drawn_at_the_class_s_own_seeds(desk: Trials) -> None:
    desk.run(DRAKE, "drake duck")
    assert vars(desk.generator)["asked"] == [(["drake duck"] * 2, [10, 11])]


def test_images_that_were_not_asked_of_are_not_compared(desk: Trials) -> None:
    desk.outcomes = desk.outcomes[desk.outcomes["key"] == image_key(DRAKE.wnid, TRAIN, 0)]
    trial = desk.run(DRAKE, "drake duck")
    assert (len(trial.jpegs), trial.accuracy, trial.accuracy_before) == (1, 100.0, 0.0)


def test_verdicts_on_stored_images_are_those_of_most_classifiers(desk: Trials) -> None:
    verdicts = desk.stored_verdicts(DRAKE)
    assert [verdicts[image_key(DRAKE.wnid, TRAIN, n)] for n in STORED] == [BUS, DRAKE, JAY]


def test_a_prompt_is_drawn_once_as_long_as_it_is_remembered(desk: Trials) -> None:
    first = desk.run(DRAKE, "drake duck")
    assert desk.run(DRAKE, "drake duck") is first
    for n in range(REMEMBERED):
        desk.run(DRAKE, f"drake {n}")
    assert desk.run(DRAKE, "drake duck") is not first
    assert len(desk.remembered) == REMEMBERED
