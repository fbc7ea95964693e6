"""What trained classifiers say of an image set, one row an image and classifier."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from torch import nn

from synset_factory import layout
from synset_factory.config import Run
from synset_factory.errors import InputError
from synset_factory.models import classifier
from synset_factory.shards.reader import JpegDataset


def load_classifiers(train: str, wnids: Sequence[str]) -> Iterator[tuple[int, nn.Module]]:
    """Yield each classifier trained on a set, with its seed. `wnids` are those of labels 0 to C-1.

    Raises InputError if there is none, or if one was trained on other classes.
    """
    folders = sorted(layout.classifiers(train).glob("seed*"))
    if not folders:
        raise InputError(f"{layout.classifiers(train)} holds no classifier: run `dvc repro`.")
    for folder in folders:
        model = classifier.load(folder)
        if classifier.class_names(model) != list(wnids):
            raise InputError(f"{folder} was trained on other classes: run `dvc repro`.")
        yield int(folder.name.removeprefix("seed")), model


def classifier_outcomes(
    train: str, evaluation: str, index: pd.DataFrame, batch_size: int, run: Run
) -> Iterator[pd.DataFrame]:
    """Yield for each classifier trained on a set what it says of images of another.

    `index` has those images: rows of the evaluation set's index. Each table has a row an image:
    train, evaluation, seed, key, cls, predicted (the last two ImageNet's labels).

    Raises InputError if there is no classifier, or if the two sets have other classes.
    """
    dataset = JpegDataset(evaluation, index)
    wnids = list(index.drop_duplicates("cls").sort_values("cls")["wnid"])
    for seed, model in load_classifiers(train, wnids):
        ranks = classifier.predict(
            model,
            dataset,
            batch_size,
            device=run.device,
            workers=run.workers,
            label=f"{train} on {evaluation}",
        )
        yield pd.DataFrame(
            {
                "train": train,
                "evaluation": evaluation,
                "seed": seed,
                "key": index["key"],
                "cls": index["cls"],
                "predicted": np.asarray(dataset.class_indices)[ranks],
            }
        )
