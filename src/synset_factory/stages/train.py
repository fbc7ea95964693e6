"""Stage `train`: classifiers trained on one image set's training split, one for each seed.

Each is kept under data/trainings as it grows, and at its end until all of the set are there: a
run that was interrupted goes on after the last epoch that was kept. On a CPU, trained by one
process or by two, the bytes are the same as without a break; more add up gradients in an order that
a break changes. With Ray and one replica the bytes are the same as without Ray; with more replicas
sums are rounded otherwise, and batch norm's running statistics are those of one replica.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from synset_factory import layout
from synset_factory.config import NATURAL, Common, load_section
from synset_factory.errors import run_main
from synset_factory.models import classifier
from synset_factory.models.classifier import ClassifierSettings
from synset_factory.models.pretrained import pretrained_classifier
from synset_factory.natural_classifiers import pretrained_folder
from synset_factory.records import TRAIN
from synset_factory.seeds import derive_seed
from synset_factory.set_stage import begin_set_stage
from synset_factory.shards.reader import read_index
from synset_factory.trainings import trained_classifier
from synset_factory.whole_files import sole_writer


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How many classifiers are trained on each set, and how."""

    natural_from: str  # folder that the natural ones come from: of images, or of a classifier
    seeds: int  # classifiers a set; tables give their mean
    classifier: ClassifierSettings


def save_pretrained(folder: Path, index: pd.DataFrame) -> None:
    """Take a classifier that others have trained for the natural one; there is but one seed of it.

    Raises InputError if there is none.
    """
    classes = index.drop_duplicates("cls").sort_values("cls")
    print(f"{NATURAL}: the classifier in {folder}, asked for {len(classes):,} classes")
    model = pretrained_classifier(folder, list(classes["cls"]), list(classes["wnid"]))
    classifier.save(model, layout.classifiers(NATURAL) / "seed0")


def train_all(name: str, index: pd.DataFrame, config: TrainConfig, common: Common) -> None:
    """Train a set's classifiers, one for each seed, and save each when it is there.

    Raises InputError as `trained_classifier` does.
    """
    print(
        f"{name}: {config.seeds} classifiers of {index['cls'].nunique()} classes, "
        f"{len(index):,} images"
    )
    for number in range(config.seeds):
        # The seed does not name the set: classifiers of all sets start from the same weights.
        seed = derive_seed(common.seed, "classifier", number)
        model = trained_classifier(name, index, config.classifier, seed, number, common)
        classifier.save(model, layout.classifiers(name) / f"seed{number}")


def main() -> None:
    name, common = begin_set_stage(__doc__, natural=True, by_engine=True)
    config = load_section(TrainConfig, "train")

    index = read_index(name, TRAIN)
    pretrained = pretrained_folder(config.natural_from)
    with sole_writer(layout.classifiers(name), layout.trainings_lock(name)):
        if name == NATURAL and pretrained:
            save_pretrained(pretrained, index)
        else:
            train_all(name, index, config, common)
        shutil.rmtree(layout.trainings(name), ignore_errors=True)


if __name__ == "__main__":
    run_main(main)
