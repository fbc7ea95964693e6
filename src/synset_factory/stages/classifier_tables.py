"""Stage `classifier_tables`: Tables 1 and 2, and guidance scale 1.0, from stored outcomes."""

from dataclasses import asdict
from functools import cache

import pandas as pd

from synset_factory import layout
from synset_factory.config import NATURAL, claim_world, load_common
from synset_factory.errors import InputError, run_main
from synset_factory.measures.accuracy import mean_accuracy
from synset_factory.tables import Row, classifier_lines, write_rows

# "For completeness, we trained using cgs=1.0 images": the paper has no line for it.
UNGUIDED = "disamb10"


@cache
def read_outcomes(image_set: str) -> pd.DataFrame:
    """Return what the classifiers said: train, evaluation, seed, key, cls, predicted.

    Raises InputError if the set has not been evaluated.
    """
    path = layout.outcomes(image_set)
    if not path.exists():
        raise InputError(f"{path} is missing: make it with `dvc repro`.")
    return pd.read_parquet(path)


def accuracy_row(train: str, evaluation: str) -> Row:
    """Return the accuracy of the classifiers trained on one set on another's validation split."""
    # A pair's outcomes lie with its synthetic set.
    outcomes = read_outcomes(evaluation if train == NATURAL else train)
    pair = outcomes[(outcomes["train"] == train) & (outcomes["evaluation"] == evaluation)]
    right = pair.assign(right=pair["predicted"] == pair["cls"]).pivot(
        index=["cls", "key"], columns="seed", values="right"
    )
    labels = right.index.get_level_values("cls").to_numpy()
    return asdict(mean_accuracy(right.to_numpy(dtype=bool).T, labels))


def main() -> None:
    claim_world(load_common().world)
    for table, folder in (("table1", layout.TABLE1), ("table2", layout.TABLE2)):
        lines = classifier_lines(table)
        write_rows(folder, {x.name: accuracy_row(x.train, x.evaluation) for x in lines})
    pairs = [(NATURAL, UNGUIDED), (UNGUIDED, NATURAL), (UNGUIDED, UNGUIDED)]
    write_rows(layout.EXTRA / UNGUIDED, {f"{a}_on_{b}": accuracy_row(a, b) for a, b in pairs})


if __name__ == "__main__":
    run_main(main)
