"""A prompt tried out: a few images of a class drawn from it, at the class's own seeds."""

from collections import Counter, OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from io import BytesIO
from threading import Lock

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import nn

from synset_factory import layout
from synset_factory.classifier_outcomes import load_classifiers
from synset_factory.config import NATURAL, Common, load_section
from synset_factory.drawing import GenerateConfig, image_settings
from synset_factory.generation_plan import read_rows
from synset_factory.models import classifier
from synset_factory.models.text_to_image import TextToImage
from synset_factory.prompts.files import Synset, read_synsets, world_classes
from synset_factory.records import TRAIN, ImageRow
from synset_factory.stages.ambiguity import SYNSET

REMEMBERED = 64  # trials


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What came of a prompt, beside what the synset prompt gave at the same seeds."""

    prompt: str
    jpegs: tuple[bytes, ...]
    taken_for: tuple[Synset, ...]  # of each image, by most of the classifiers
    accuracy: float  # percent, mean over the classifiers of natural images
    accuracy_before: float  # of the same image numbers, drawn from the synset prompt


class Trials:
    """Draws and classifies as the stages do: same generator, settings, seeds, JPEGs, classifiers.

    The models are loaded at the first trial and kept. One trial runs at a time; the last ones are
    remembered, so that a kept prompt need not be drawn again for each comparison.
    """

    def __init__(self, common: Common, outcomes: pd.DataFrame) -> None:
        self.common = common
        self.outcomes = outcomes  # of stage `ambiguity`
        self.lock = Lock()
        self.remembered: OrderedDict[tuple[str, str], Trial] = OrderedDict()

    @cached_property
    def classes(self) -> list[Synset]:
        """The classes of the world, in the order of labels 0 to C-1."""
        return world_classes(read_synsets())

    @cached_property
    def generator(self) -> TextToImage:
        """The world's text-to-image model with the settings of the set `synset`."""
        config = load_section(GenerateConfig, "generate")
        synset = self.common.sets[SYNSET]
        settings = image_settings(synset.guidance_scale, config, synset.shortcuts)
        return TextToImage(layout.TEXT_TO_IMAGE, settings, self.common.run.device)

    @cached_property
    def classifiers(self) -> list[nn.Module]:
        """The classifiers trained on natural images."""
        wnids = [synset.wnid for synset in self.classes]
        return [model for _, model in load_classifiers(NATURAL, wnids)]

    @cached_property
    def rows(self) -> dict[str, list[ImageRow]]:
        """The training images of each class, in the order of their numbers."""
        rows: dict[str, list[ImageRow]] = {}
        for row in read_rows(SYNSET):
            if row.split == TRAIN:
                rows.setdefault(row.wnid, []).append(row)
        return rows

    def run(self, synset: Synset, prompt: str) -> Trial:
        """Draw one batch of a class's first training images from a prompt, and classify them.

        Raises InputError if a model is missing, knows other classes, or draws NaN.
        """
        with self.lock:
            asked = (synset.wnid, prompt)
            if asked not in self.remembered:
                self.remembered[asked] = self._run(synset, prompt)
                while len(self.remembered) > REMEMBERED:
                    self.remembered.popitem(last=False)
            return self.remembered[asked]

    def stored_verdicts(self, synset: Synset) -> dict[str, Synset]:
        """Return what most classifiers take each asked image of the synset prompt for, by key."""
        of_class = self.outcomes[self.outcomes["cls"] == synset.class_index]
        by_label = {each.class_index: each for each in self.classes}
        return {
            str(key): by_label[_commonest(said)]
            for key, said in of_class.groupby("key")["predicted"]
        }

    def _run(self, synset: Synset, prompt: str) -> Trial:
        torch.set_num_threads(self.common.threads)
        settings, asked = self.generator.settings, set(self.stored_verdicts(synset))
        # Those alone that stage `ambiguity` asked of can be compared.
        rows = [
            replace(row, prompt=prompt)
            for row in self.rows[synset.wnid][: settings.batch_size]
            if row.key in asked
        ]
        prompts, seeds = [row.prompt for row in rows], [row.seed for row in rows]
        jpegs = tuple(self.generator.draw_jpegs(prompts, seeds))
        ranks = self._classify(jpegs)  # [S, N]
        before = self.outcomes[self.outcomes["key"].isin({row.key for row in rows})]
        return Trial(
            prompt=prompt,
            jpegs=jpegs,
            taken_for=tuple(self.classes[_commonest(votes)] for votes in ranks.T),
            accuracy=float(100.0 * (ranks == self.classes.index(synset)).mean()),
            accuracy_before=float(100.0 * (before["predicted"] == before["cls"]).mean()),
        )

    def _classify(self, jpegs: tuple[bytes, ...]) -> np.ndarray:
        """Return the label, 0 to C-1, of each image by each classifier, [S, N]."""
        images = [(Image.open(BytesIO(jpeg)).convert("RGB"), 0) for jpeg in jpegs]
        return np.stack(
            [
                classifier.predict(
                    model,
                    images,
                    len(images),
                    device=self.common.run.device,
                    workers=0,
                    label=f"trial, classifier {number} of {len(self.classifiers)}",
                )
                for number, model in enumerate(self.classifiers, start=1)
            ]
        )


def _commonest(labels: Iterable[int]) -> int:
    """Return the label that occurs most; of several such the lowest."""
    counts = Counter(int(label) for label in labels)
    return min(counts, key=lambda label: (-counts[label], label))
