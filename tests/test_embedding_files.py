"""Embeddings come back as they were given, however they were written and read."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from synset_factory import embedding_files, layout
from synset_factory.embedding_files import (
    COLUMNS,
    IMAGE,
    PROMPT,
    read_embeddings,
    read_file,
    write_batches,
    write_embeddings,
)
from synset_factory.errors import InputError

PARTS = [(IMAGE, "train", 13), (IMAGE, "validation", 5), (PROMPT, "train", 9)]
ROWS = [
    (modality, split, f"n{i // 4}", i // 4, f"{modality}_{split}_{i}")
    for modality, split, count in PARTS
    for i in range(count)
]
TABLE = pd.DataFrame(ROWS, columns=COLUMNS)
VECTORS = np.random.default_rng(0).normal(size=(len(TABLE), 3)).astype(np.float32)


@pytest.fixture(autouse=True)
def _somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("block", [1, 4, 13, 14, 1000])
@pytest.mark.parametrize(("modality", "split", "count"), PARTS)
def test_a_part_is_read_whatever_the_blocks(
    modality: str, split: str, count: int, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding_files, "BLOCK", block)
    # In the file the parts lie among each other.
    order = np.random.default_rng(1).permutation(len(TABLE))
    write_embeddings("mixed", TABLE.iloc[order], VECTORS[order])
    rows = order[[ROWS[i][:2] == (modality, split) for i in order]]
    found = read_embeddings("mixed", modality, split)
    assert len(rows) == count
    assert np.array_equal(found.vectors, VECTORS[rows]) and found.vectors.dtype == np.float32
    assert list(found.keys) == [ROWS[i][4] for i in rows]
    assert list(found.labels) == [ROWS[i][3] for i in rows]


@pytest.mark.parametrize("block", [1, 5, 8192])
@pytest.mark.parametrize("batch", [1, 4, 27, 100])
def test_batches_make_the_file_that_all_at_once_makes(
    batch: int, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding_files, "BLOCK", block)
    write_embeddings("whole", TABLE, VECTORS)
    batches = (VECTORS[i : i + batch] for i in range(0, len(VECTORS), batch))
    write_batches(Path("apart/parts.parquet"), TABLE, batches)
    whole, parts = (pq.read_table(p) for p in (layout.embeddings("whole"), "apart/parts.parquet"))
    assert parts.equals(whole)


def test_the_scratch_file_has_no_name_and_the_vectors_do_not_need_it() -> None:
    write_embeddings("tiny", TABLE, VECTORS)
    path = layout.embeddings("tiny")
    found = read_file(path, IMAGE, "train")
    assert list(path.parent.iterdir()) == [path]
    path.unlink()
    assert np.array_equal(found.vectors, VECTORS[:13])


def test_fewer_embeddings_than_rows_make_no_file() -> None:
    with pytest.raises(ValueError, match="26 embeddings of 27 rows"):
        write_batches(Path("short.parquet"), TABLE, [VECTORS[:-1]])
    assert not Path("short.parquet").exists()


def test_what_is_not_there_is_named() -> None:
    with pytest.raises(InputError, match=r"embeddings/tiny\.parquet is missing"):
        read_embeddings("tiny", IMAGE, "train")
    write_embeddings("tiny", TABLE, VECTORS)
    with pytest.raises(InputError, match="holds no prompt embeddings of split 'validation'"):
        read_embeddings("tiny", PROMPT, "validation")
