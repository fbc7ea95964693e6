"""Stage `evaluate`: what classifiers say of validation images, for the pairs that a set brings.

A synthetic set brings three pairs: trained on it and evaluated on natural images and on itself,
and trained on natural images and evaluated on it. So a further set changes no other's outcomes.
"""

from dataclasses import dataclass

import pandas as pd

from synset_factory import layout
from synset_factory.classifier_outcomes import classifier_outcomes
from synset_factory.config import load_section
from synset_factory.errors import run_main
from synset_factory.records import VALIDATION
from synset_factory.set_stage import begin_set_stage
from synset_factory.shards.reader import read_index
from synset_factory.tables import classifier_pairs
from synset_factory.whole_files import whole_file


@dataclass(frozen=True, kw_only=True)
class EvaluateConfig:
    """How classifiers are asked."""

    batch_size: int  # images at once


def main() -> None:
    name, common = begin_set_stage(__doc__, natural=True, by_engine=False)
    config = load_section(EvaluateConfig, "evaluate")
    tables = [
        outcomes
        for train, evaluation in classifier_pairs(name)
        for outcomes in classifier_outcomes(
            train, evaluation, read_index(evaluation, VALIDATION), config.batch_size, common.run
        )
    ]
    with whole_file(layout.outcomes(name)) as partial:
        pd.concat(tables, ignore_index=True).to_parquet(partial, index=False)


if __name__ == "__main__":
    run_main(main)
