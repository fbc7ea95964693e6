"""Embeddings drawn at random: classes around means that every call shares."""

import numpy as np

from synset_factory.embedding_files import Embeddings


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
