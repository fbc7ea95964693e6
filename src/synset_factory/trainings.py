"""The training of a set's classifiers, by the engine that params.yaml names."""

from collections.abc import Sequence
from dataclasses import asdict
from hashlib import sha256
from importlib.metadata import version
from typing import Any

import pandas as pd
import torch
from torch import nn

from synset_factory import layout
from synset_factory.checkpoints import Checkpoints, FileStore
from synset_factory.config import RAY, Common
from synset_factory.engine.ray_cluster import ray_cluster
from synset_factory.fingerprint import fingerprint
from synset_factory.models.classifier import ClassifierSettings
from synset_factory.models.training import train
from synset_factory.shards.reader import JpegDataset

CHECKPOINT_SECONDS = 60.0  # less is not worth the writing
LIBRARIES = ("numpy", "pillow", "timm", "torch", "torchvision")  # on which bytes depend


def trained_classifier(
    image_set: str,
    index: pd.DataFrame,
    settings: ClassifierSettings,
    seed: int,
    number: int,
    common: Common,
) -> nn.Module:
    """Return the `number`-th classifier of a set, trained on the images of an index from `seed`.

    A training that was interrupted goes on after its last checkpoint, and one that had ended is
    taken from there, if nothing that determines it has changed.

    Raises InputError as `train` does, and if a Ray cluster cannot do what is asked of it.
    """
    class_names = list(index.drop_duplicates("cls").sort_values("cls")["wnid"])
    checkpoints = Checkpoints(
        FileStore(layout.training(image_set, number).absolute()),
        _what_determines(index, class_names, settings, seed, common),
        CHECKPOINT_SECONDS,
    )
    label = f"{image_set} seed {number}"
    run, device = common.run, common.run.device
    # One process of this machine is this one as well: the bytes are the same.
    if run.engine == RAY and (run.address or run.replicas > 1):
        known = checkpoints.read()
        if known is None or known.epochs < settings.epochs:
            with ray_cluster(common):
                from synset_factory.engine.ray_training import train_on_cluster

                train_on_cluster(
                    image_set, index, class_names, settings, seed, common, checkpoints, label
                )
        device = "cpu"  # the training has ended, and only its end is read here
    return train(
        JpegDataset(image_set, index),
        class_names,
        settings,
        seed,
        device=device,
        workers=common.run.workers,
        label=label,
        checkpoints=checkpoints,
    )


def _what_determines(
    index: pd.DataFrame,
    class_names: Sequence[str],
    settings: ClassifierSettings,
    seed: int,
    common: Common,
) -> dict[str, Any]:
    """Return all on which the bytes of a classifier depend, the machine's kind left aside."""
    images = "\n".join(index["key"] + " " + index["sha256"])
    return {
        "settings": asdict(settings),
        "seed": seed,
        "class_names": class_names,
        "images": sha256(images.encode()).hexdigest(),
        "threads": common.threads,
        "device": torch.device(common.run.device).type,
        "processes": common.run.replicas,
        "code": fingerprint("synset_factory.models.training", "synset_factory.shards.reader"),
        "versions": {library: version(library) for library in LIBRARIES},
    }
