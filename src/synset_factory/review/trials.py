"""A prompt tried out: a few images of a class drawn from it, at the class's own seeds."""

from dataclasses import dataclass, replace
from functools import cached_property
from io import BytesIO
from threading import Lock

import numpy as np
import pandas as pd
import torch
from PIL import Image

from synset_factory import layout
from synset_factory.config import NATURAL, Common, load_section
from synset_factory.errors import InputError
from synset_factory.models import classifier
from synset_factory.models.text_to_image import TextToImage
from synset_factory.prompt_files import Synset, read_synsets, world_classes
from synset_factory.records import TRAIN, ImageRow
from synset_factory.shard_writer import encode_jpeg
from synset_factory.stages.ambiguity import SYNSET
from synset_factory.stages.generate import GenerateConfig, image_settings, read_rows


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

    The models are loaded at the first trial and kept. One trial runs at a time.
    """

    def __init__(self, common: Common, outcomes: pd.DataFrame) -> None:
        self.common = common
        self.outcomes = outcomes  # of stage `ambiguity`
        self.lock = Lock()

    @cached_property
    def generator(self) -> TextToImage:
        """The world's text-to-image model with the settings of the set `synset`."""
        config = load_section(GenerateConfig, "generate")
        settings = image_settings(self.common.sets[SYNSET], config)
        return TextToImage(layout.TEXT_TO_IMAGE, settings, self.common.run.device)

    @cached_property
    def classifiers(self) -> list[torch.nn.Module]:
        """The classifiers trained on natural images. Raises InputError if there are none."""
        folders = sorted(layout.classifiers(NATURAL).glob("seed*"))
        if not folders:
            raise InputError(f"{layout.classifiers(NATURAL)} holds no classifier: `dvc repro`.")
        return [classifier.load(folder) for folder in folders]

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

        Raises InputError if a model is missing or draws NaN.
        """
        with self.lock:
            torch.set_num_threads(self.common.threads)
            classes = world_classes(read_synsets())
            settings = self.generator.settings
            asked = self._numbers_asked(synset)
            rows = [
                replace(row, prompt=prompt)
                for row in self.rows[synset.wnid][: settings.batch_size]
                if row.key in asked
            ]
            images = self.generator.draw([row.prompt for row in rows], [row.seed for row in rows])
            jpegs = [encode_jpeg(image, settings.jpeg_quality) for image in images]
            ranks = self._classify(jpegs)  # [S, N]
        right = np.array([each == synset for each in classes])[ranks]
        before = self.outcomes[self.outcomes["key"].isin({row.key for row in rows})]
        return Trial(
            prompt=prompt,
            jpegs=tuple(jpegs),
            taken_for=tuple(classes[int(np.bincount(votes).argmax())] for votes in ranks.T),
            accuracy=float(100.0 * right.mean()),
            accuracy_before=float(100.0 * (before["predicted"] == before["cls"]).mean()),
        )

    def _numbers_asked(self, synset: Synset) -> set[str]:
        """Return the keys that stage `ambiguity` asked of: those alone can be compared."""
        return set(self.outcomes.loc[self.outcomes["cls"] == synset.class_index, "key"])

    def _classify(self, jpegs: list[bytes]) -> np.ndarray:
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
