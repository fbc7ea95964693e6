"""Embeddings drawn at random: classes around means that every call shares."""

import numpy as np
import pandas as pd

from synset_factory.embedding_files import COLUMNS, Embeddings, write_embeddings


def embeddings(seed: int, classes: int, each: int) -> Embeddings:
    """Return `each` vectors [16] of every class, labels 0, 7, 14, ..."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes) * 7, each)
    means = np.random.default_rng(99).normal(size=(classes, 16))
    vectors = means[np.repeat(np.arange(classes), each)] + 1.2 * rng.normal(size=(len(labels), 16))
    return Embeddings(
        vectors=vectors.astype(np.float32),
        labels=labels,
        keys=np.array([f"key{i}" for i in range(len(labels))]),
    )


def store(image_set: str, parts: dict[tuple[str, str], Embeddings]) -> None:
    """Write the embeddings of a set, by modality and split."""
    rows = [
        (modality, split, f"n{label}", label, key)
        for (modality, split), each in parts.items()
        for label, key in zip(each.labels, each.keys, strict=True)
    ]
    vectors = np.concatenate([each.vectors for each in parts.values()])
    write_embeddings(image_set, pd.DataFrame(rows, columns=COLUMNS), vectors)
