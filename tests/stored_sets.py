"""A tiny stored run: six sets of embeddings, their classifiers' outcomes, Table 6's outcomes."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from synset_factory import layout
from synset_factory.config import NATURAL
from synset_factory.embedding_files import Embeddings
from synset_factory.tables import PAPER_SETS, experiments
from tests.drawn_embeddings import embeddings, store

REPOSITORY = Path(__file__).parents[1]
CLASSES, IMAGES, HELD_OUT = 4, 12, 7  # labels 0, 7, 14, 21; images a class
Change = Callable[[Embeddings], Embeddings]


def stored_parts() -> dict[str, dict[tuple[str, str], Embeddings]]:
    """Embeddings [., 16] by set, modality and split; a class has one prompt, but in PromptAug."""
    found = {}
    for i, name in enumerate(PAPER_SETS):
        parts = {
            ("image", "train"): embeddings(10 * i, CLASSES, IMAGES),
            ("image", "validation"): embeddings(10 * i + 1, CLASSES, HELD_OUT),
        }
        if name != NATURAL:
            of_class = 3 if name == "promptaug" else 1
            prompts = embeddings(10 * i + 2, CLASSES, of_class)
            parts |= {("prompt", "train"): prompts, ("prompt", "validation"): prompts}
        found[name] = parts
    return found


def store_sets(change: Change = lambda each: each) -> None:
    """Write a run's embeddings, each part changed, outcomes and params.yaml where we stand."""
    shutil.copy(REPOSITORY / "params.yaml", layout.PARAMS)
    for name, parts in stored_parts().items():
        store(name, {place: change(each) for place, each in parts.items()})
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(CLASSES) * 7, 3)
    layout.OUTCOMES.mkdir(parents=True, exist_ok=True)
    for name in PAPER_SETS[1:]:
        table = pd.DataFrame(
            {
                "train": name,
                "evaluation": NATURAL,
                "seed": 0,
                "key": [f"key{i}" for i in range(len(labels))],
                "cls": labels,
                "predicted": np.where(rng.random(len(labels)) < 0.5, labels, 999),
            }
        )
        table.to_parquet(layout.outcomes(name), index=False)
    queries = pd.DataFrame({"key": np.arange(len(labels)).astype(str), "cls": labels})
    table6 = pd.concat(
        [
            queries.assign(experiment=each.number, centroid_accuracy=rng.random(len(labels)) < 0.5)
            for each in experiments()
        ]
    )
    layout.CLIP_OUTCOMES.parent.mkdir(parents=True, exist_ok=True)
    table6.to_parquet(layout.CLIP_OUTCOMES, index=False)


def of_label(label: int, change: Callable[[np.ndarray], np.ndarray]) -> Change:
    """Return what changes the vectors of one class and leaves all others as they are."""

    def changed(each: Embeddings) -> Embeddings:
        vectors = each.vectors.copy()
        vectors[each.labels == label] = change(vectors[each.labels == label])
        return Embeddings(vectors=vectors, labels=each.labels, keys=each.keys)

    return changed


def only_first_of(label: int) -> Change:
    """Return what leaves a class one image."""

    def changed(each: Embeddings) -> Embeddings:
        kept = each.labels != label
        kept[np.argmax(each.labels == label)] = True
        return Embeddings(
            vectors=each.vectors[kept], labels=each.labels[kept], keys=each.keys[kept]
        )

    return changed


def shuffled(each: Embeddings) -> Embeddings:
    """The same embeddings in another order."""
    order = np.random.default_rng(len(each.labels)).permutation(len(each.labels))
    return Embeddings(vectors=each.vectors[order], labels=each.labels[order], keys=each.keys[order])


def rotated(each: Embeddings) -> Embeddings:
    """The same embeddings, turned as a whole."""
    rotation, _ = np.linalg.qr(np.random.default_rng(7).normal(size=(16, 16)))
    vectors = (each.vectors @ rotation).astype(np.float32)
    return Embeddings(vectors=vectors, labels=each.labels, keys=each.keys)


def constant(each: Embeddings) -> Embeddings:
    """Embeddings of a CLIP that says the same of everything."""
    return Embeddings(vectors=np.ones_like(each.vectors), labels=each.labels, keys=each.keys)
