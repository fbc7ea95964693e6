"""A classifier of ImageNet that others have trained, in the place of those trained here."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from synset_factory.errors import InputError
from synset_factory.models import classifier

IMAGENET_CLASSES = 1000


def pretrained_classifier(
    folder: Path, class_indices: Sequence[int], class_names: Sequence[str]
) -> nn.Module:
    """Return timm's classifier in `folder`, which knows ImageNet-1K, asked for some classes only.

    class_indices: ImageNet's labels 0 to 999 of the classes, in the order that labels 0 to C-1 are
    to have; class_names: their names. Of the last layer the rows of other classes are left out,
    which is what a choice among these classes alone comes to.

    Raises InputError if there is no classifier, or a damaged one, or none of 1,000 classes.
    """
    remedy = (
        "fetch the classifier with `dvc repro fetch_models`, or name another in train.natural_from"
    )
    model: Any = classifier.read(folder, remedy)  # timm's, which has more than a module
    name = model.pretrained_cfg["classifier"]
    last = model.get_submodule(name) if isinstance(name, str) else None
    if not isinstance(last, nn.Linear) or last.out_features != IMAGENET_CLASSES:
        raise InputError(
            f"{folder} is no classifier of ImageNet's {IMAGENET_CLASSES:,} classes by one linear "
            "layer: name another in train.natural_from."
        )
    chosen = nn.Linear(last.in_features, len(class_indices), bias=last.bias is not None)
    with torch.no_grad():
        chosen.weight.copy_(last.weight[list(class_indices)])
        if last.bias is not None:
            chosen.bias.copy_(last.bias[list(class_indices)])
    model.set_submodule(name, chosen)
    model.num_classes = len(class_indices)
    ours = {"num_classes": len(class_indices), "label_names": tuple(class_names)}
    model.pretrained_cfg = {**model.pretrained_cfg, **ours, "label_descriptions": None}
    loaded: nn.Module = model.eval()
    return loaded
