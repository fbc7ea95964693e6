"""Stage `evaluate`: what classifiers say of validation images, for the pairs that a set brings.

A synthetic set brings three pairs: trained on it and evaluated on natural images and on itself,
and trained on natural images and evaluated on it. So a further set changes no other's outcomes.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from synset_factory import layout
from synset_factory.config import NATURAL, Run, load_section
from synset_factory.errors import InputError, run_main
from synset_factory.models import classifier
from synset_factory.records import VALIDATION
from synset_factory.set_stage import begin_set_stage
from synset_factory.shard_reader import JpegDataset, read_index


@dataclass(frozen=True, kw_only=True)
class EvaluateConfig:
    """How classifiers are asked."""

    batch_size: int  # images at once


def pairs_of(image_set: str) -> list[tuple[str, str]]:
    """Return the (training set, evaluation set) pairs that a set brings."""
    if image_set == NATURAL:
        return [(NATURAL, NATURAL)]
    return [(NATURAL, image_set), (image_set, NATURAL), (image_set, image_set)]


def evaluate_pair(
    train: str, evaluation: str, config: EvaluateConfig, run: Run
) -> Iterator[pd.DataFrame]:
    """Yield for each classifier trained on a set what it says of another's validation split.

    Raises InputError if there is no classifier, or if the two sets have other classes.
    """
    folders = sorted(layout.classifiers(train).glob("seed*"))
    if not folders:
        raise InputError(f"{layout.classifiers(train)} holds no classifier: run `dvc repro`.")
    index = read_index(evaluation, VALIDATION)
    dataset = JpegDataset(evaluation, index)
    wnids = list(index.drop_duplicates("cls").sort_values("cls")["wnid"])
    for folder in folders:
        model = classifier.load(folder)
        if classifier.class_names(model) != wnids:
            raise InputError(f"{folder} knows other classes than the set '{evaluation}'.")
        ranks = classifier.predict(
            model,
            dataset,
            config.batch_size,
            device=run.device,
            workers=run.workers,
            label=f"{train} on {evaluation}",
        )
        yield pd.DataFrame(
            {
                "train": train,
                "evaluation": evaluation,
                "seed": int(folder.name.removeprefix("seed")),
                "key": index["key"],
                "cls": index["cls"],
                "predicted": np.asarray(dataset.class_indices)[ranks],
            }
        )


def main() -> None:
    name, common = begin_set_stage(__doc__, natural=True)
    config = load_section(EvaluateConfig, "evaluate")
    tables = [t for pair in pairs_of(name) for t in evaluate_pair(*pair, config, common.run)]
    path = layout.outcomes(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.concat(tables, ignore_index=True).to_parquet(layout.partial(path), index=False)
    layout.partial(path).replace(path)


if __name__ == "__main__":
    run_main(main)
