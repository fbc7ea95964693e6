"""Embeddings of a set on disk: one file a set, its images and, in CLIP space, its prompts."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from synset_factory import layout
from synset_factory.errors import InputError
from synset_factory.whole_files import whole_file

IMAGE = "image"
PROMPT = "prompt"
# Columns of the file besides the embedding itself.
COLUMNS = ["modality", "split", "wnid", "cls", "key"]
EMBEDDING = "embedding"
BLOCK = 8192  # rows read or written at once: 24 MiB of 768 dimensions


@dataclass(frozen=True, kw_only=True)
class Embeddings:
    """Embeddings of one modality and one split of a set, in the order of the classes."""

    vectors: np.ndarray  # [N, D] float32, as the model gives them
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


def write_batches(path: Path, table: pd.DataFrame, batches: Iterable[np.ndarray]) -> None:
    """Write a file as `write_embeddings` does, holding no more than a block of it at once.

    `batches` are the vectors [n, D] of the rows of `table`, in order.
    """
    table, first = table[COLUMNS], 0
    with whole_file(path) as partial, ExitStack() as stack:
        writer: pq.ParquetWriter | None = None
        for vectors in _blocks(batches):
            flat = pa.array(np.ascontiguousarray(vectors, dtype=np.float32).reshape(-1))
            rows = table.iloc[first : first + len(vectors)]
            columns = pa.Table.from_pandas(rows, preserve_index=False).append_column(
                EMBEDDING, pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
            )
            writer = writer or stack.enter_context(pq.ParquetWriter(partial, columns.schema))
            writer.write_table(columns)
            first += len(vectors)
        if first != len(table):
            raise ValueError(f"{path}: {first} embeddings of {len(table)} rows")


def _blocks(batches: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Batches put together until they are BLOCK rows or more."""
    parts: list[np.ndarray] = []
    for batch in batches:
        parts.append(batch)
        if sum(map(len, parts)) >= BLOCK:
            yield np.concatenate(parts)
            parts = []
    if parts:
        yield np.concatenate(parts)


def read_embeddings(image_set: str, modality: str, split: str) -> Embeddings:
    """Read one modality and split of a set in CLIP space.

    Raises InputError if the file is not there or holds none such (`natural` has no prompts).
    """
    return read_file(layout.embeddings(image_set), modality, split)


def read_file(path: Path, modality: str, split: str) -> Embeddings:
    """Read one modality and split of a file.

    The vectors are mapped from a scratch file beside it, which vanishes with them: a set of the
    paper's size (1.2 million x 768, 3.4 GiB) takes disk, and of memory what is worked on.

    Raises InputError if the file is not there or holds none such.
    """
    if not path.exists():
        raise InputError(f"{path} is missing: make it with `dvc repro`.")
    with pq.ParquetFile(path, memory_map=True) as file:
        table = file.read(columns=["modality", "split", "cls", "key"])
        chosen = pc.and_(pc.equal(table["modality"], modality), pc.equal(table["split"], split))
        table = table.filter(chosen)
        if table.num_rows == 0:
            raise InputError(f"{path} holds no {modality} embeddings of split '{split}'.")
        return Embeddings(
            vectors=_mapped_vectors(file, chosen.to_numpy(), path.parent),
            labels=table["cls"].to_numpy(),
            keys=np.asarray(table["key"].to_pylist()),
        )


def _mapped_vectors(file: pq.ParquetFile, chosen: np.ndarray, folder: Path) -> np.ndarray:
    """The embeddings of the `chosen` rows (bool [N]), in a file of `folder` without a name."""
    width, first = file.schema_arrow.field(EMBEDDING).type.list_size, 0
    with TemporaryFile(dir=folder) as scratch:
        for batch in file.iter_batches(BLOCK, columns=[EMBEDDING]):
            block = batch.column(0).flatten().to_numpy().reshape(-1, width)
            scratch.write(block[chosen[first : first + len(block)]].tobytes())
            first += len(block)
        scratch.flush()
        mapped = np.memmap(scratch, np.float32, "r", shape=(int(chosen.sum()), width))
    return mapped.view(np.ndarray)


def read_wnids(image_set: str) -> dict[int, str]:
    """Return the wnid of every class of a set by ImageNet's label, in their order.

    Raises InputError if the set has no embeddings yet.
    """
    path = layout.embeddings(image_set)
    if not path.exists():
        raise InputError(f"{path} is missing: make it with `dvc repro`.")
    table = pq.read_table(path, columns=["cls", "wnid"]).group_by(["cls", "wnid"]).aggregate([])
    return dict(sorted(zip(table["cls"].to_pylist(), table["wnid"].to_pylist(), strict=True)))
