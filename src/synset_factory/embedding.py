"""Images and texts into CLIP space, batch by batch, on whatever engine."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from functools import partial

import numpy as np
import pandas as pd
from tqdm import tqdm

from synset_factory import layout
from synset_factory.config import Common
from synset_factory.engine.tasks import run_tasks
from synset_factory.engine.worker import MakeWorker
from synset_factory.models.clip import Batch, Clip
from synset_factory.shards.reader import read_range


def image_batches(image_set: str, index: pd.DataFrame, batch_size: int) -> Iterator[Batch]:
    """Yield the stored JPEGs of an index in its order; the set is in layout.SHARDS."""
    places = list(zip(index["tar"], index["offset"], index["size"], strict=True))
    root = layout.shards(image_set)
    for start in range(0, len(places), batch_size):
        batch = places[start : start + batch_size]
        yield [read_range(root / tar, int(offset), int(size)) for tar, offset, size in batch]


def text_batches(texts: Sequence[str], batch_size: int) -> Iterator[Batch]:
    """Yield the texts in their order."""
    for start in range(0, len(texts), batch_size):
        yield list(texts[start : start + batch_size])


def embed(batches: Iterable[Batch], count: int, label: str, common: Common) -> np.ndarray:
    """Return the embeddings of `count` images or texts in their order, [count, D] float32.

    They are the world's CLIP's, as it gives them. `label` is that of the progress bar. Raises
    InputError as `engine.tasks.run_tasks` does, and if there is no CLIP.
    """
    all_vectors, done = np.empty((0, 0), dtype=np.float32), 0
    make_worker: MakeWorker[Batch, np.ndarray] = partial(Clip, device=common.run.device)
    results = run_tasks(make_worker, layout.CLIP, batches, common)
    with closing(results), tqdm(total=count, desc=label, unit="vector") as bar:
        for vectors in results:
            assert vectors is not None  # no batch is empty
            if done == 0:
                all_vectors = np.empty((count, vectors.shape[1]), dtype=np.float32)
            # Copied at once: with Ray these lie in memory that the copies of the model need.
            all_vectors[done : done + len(vectors)] = vectors
            done += len(vectors)
            bar.update(len(vectors))
    return all_vectors
