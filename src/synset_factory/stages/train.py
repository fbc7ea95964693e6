"""Stage `train`: classifiers trained on one image set's training split, one for each seed."""

from dataclasses import dataclass

from synset_factory import layout
from synset_factory.config import load_section
from synset_factory.errors import run_main
from synset_factory.models import classifier
from synset_factory.models.classifier import ClassifierSettings
from synset_factory.records import TRAIN
from synset_factory.seeds import derive_seed
from synset_factory.set_stage import begin_set_stage
from synset_factory.shard_reader import JpegDataset, read_index


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How many classifiers are trained on each set, and how."""

    natural_from: str  # folder that the natural ones come from: of images, or of a classifier
    seeds: int  # classifiers a set; tables give their mean
    classifier: ClassifierSettings


def main() -> None:
    name, common = begin_set_stage(__doc__, natural=True)
    config = load_section(TrainConfig, "train")

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
