"""Stage `train`: classifiers trained on one image set's training split, one for each seed."""

import argparse
from dataclasses import dataclass

import torch

from synset_factory import layout
from synset_factory.config import claim_world, load_common, load_section
from synset_factory.errors import run_main
from synset_factory.models import classifier
from synset_factory.models.classifier import ClassifierSettings
from synset_factory.records import TRAIN
from synset_factory.seeds import derive_seed
from synset_factory.shard_reader import JpegDataset, read_index


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How many classifiers are trained on each set, and how."""

    seeds: int  # classifiers a set; tables give their mean
    classifier: ClassifierSettings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("image_set", help="name of a set in params.yaml, or 'natural'")
    name = parser.parse_args().image_set
    common = load_common()
    claim_world(common.world)
    config = load_section(TrainConfig, "train")
    torch.set_num_threads(common.threads)

    index = read_index(name, TRAIN)
    class_names = list(index.drop_duplicates("cls").sort_values("cls")["wnid"])
    print(
        f"{name}: {config.seeds} classifiers of {len(class_names)} classes, {len(index):,} images"
    )
    dataset = JpegDataset(name, index)
    for number in range(config.seeds):
        # The seed does not name the set: classifiers of all sets start from the same weights.
        model = classifier.train(
            dataset,
            class_names,
            config.classifier,
            derive_seed(common.seed, "classifier", number),
            device=common.run.device,
            workers=common.run.workers,
            label=f"{name} seed {number}",
        )
        classifier.save(model, layout.classifiers(name) / f"seed{number}")


if __name__ == "__main__":
    run_main(main)
