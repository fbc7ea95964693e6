"""CLIP embeddings of a set on disk: one file a set, its images and its prompts."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from synset_factory import layout
from synset_factory.errors import InputError
from synset_factory.whole_files import whole_file

IMAGE = "image"
PROMPT = "prompt"
# Columns of the file besides the embedding itself.
COLUMNS = ["modality", "split", "wnid", "cls", "key"]


@dataclass(frozen=True, kw_only=True)
class Embeddings:
    """Embeddings of one modality and one split of a set, in the order of the classes."""

    vectors: np.ndarray  # [N, D] float32, as CLIP gives them
    labels: np.ndarray  # [N] ImageNet's labels, 0 ... 999
    keys: np.ndarray  # [N] keys of the images, of prompts the key of the first image drawn from it


def write_embeddings(image_set: str, table: pd.DataFrame, vectors: np.ndarray) -> None:
    """Write the file of a set: `table` has COLUMNS, `vectors` [N, D] the same rows."""
    flat = pa.array(np.ascontiguousarray(vectors, dtype=np.float32).reshape(-1))
    columns = pa.Table.from_pandas(table[COLUMNS], preserve_index=False).append_column(
        "embedding", pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
    )
    with whole_file(layout.embeddings(image_set)) as partial:
        pq.write_table(columns, partial)


def read_embeddings(image_set: str, modality: str, split: str) -> Embeddings:
    """Read one modality and split of a set.

    Raises InputError if the file is not there or holds none such (`natural` has no prompts).
    """
    path = layout.embeddings(image_set)
    if not path.exists():
        raise InputError(f"{path} is missing: make it with `dvc repro`.")
    table = pq.read_table(path, filters=[("modality", "=", modality), ("split", "=", split)])
    if table.num_rows == 0:
        raise InputError(f"{path} holds no {modality} embeddings of split '{split}'.")
    embedding = table["embedding"].combine_chunks()
    width = embedding.type.list_size
    return Embeddings(
        vectors=embedding.flatten().to_numpy().reshape(-1, width),
        labels=table["cls"].to_numpy(),
        keys=np.asarray(table["key"].to_pylist()),
    )


def read_wnids(image_set: str) -> dict[int, str]:
    """Return the wnid of every class of a set by ImageNet's label, in their order.

    Raises InputError if the set has no embeddings yet.
    """
    path = layout.embeddings(image_set)
    if not path.exists():
        raise InputError(f"{path} is missing: make it with `dvc repro`.")
    table = pq.read_table(path, columns=["cls", "wnid"]).group_by(["cls", "wnid"]).aggregate([])
    return dict(sorted(zip(table["cls"].to_pylist(), table["wnid"].to_pylist(), strict=True)))
