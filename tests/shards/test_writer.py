"""Shards: equal inputs give equal bytes, and what was written is what is read."""

import json
import os
import shutil
import tarfile
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import webdataset
from PIL import Image

from synset_factory import layout
from synset_factory.errors import InputError
from synset_factory.shards import writer
from synset_factory.shards.reader import JpegDataset, read_index
from synset_factory.shards.writer import (
    Sample,
    encode_jpeg,
    prune,
    read_members,
    write_class_tar,
    write_index,
)

WNIDS = ["n02895154", "n01580077"]  # breastplate (461) before jay (17): not in label order
LABELS = {"n02895154": 461, "n01580077": 17}


def picture(seed: int) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def samples(wnid: str, split: str, count: int) -> list[Sample]:
    return [
        Sample(
            key=f"{wnid}_{split}_{number:06d}",
            jpg=encode_jpeg(picture(LABELS[wnid] + number), 90),
            cls=LABELS[wnid],
            txt=f"prompt {number}, é",
            json={"digest": f"{wnid}{split}{number}", "number": number},
        )
        for number in range(count)
    ]


@pytest.fixture
def image_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A set of two classes, 3 training and 2 validation images each."""
    monkeypatch.chdir(tmp_path)
    for wnid in WNIDS:
        for split, count in (("train", 3), ("validation", 2)):
            write_class_tar(layout.shard("tiny", split, wnid), samples(wnid, split, count))
    write_index(layout.shards("tiny"), "tiny", WNIDS, "A set for tests.")
    return "tiny"


def test_equal_inputs_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("a.tar", "b.tar"):
        write_class_tar(tmp_path / name, samples("n01580077", "train", 3))
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()


def test_members_of_a_sample_are_adjacent_and_named_as_readers_want(image_set: str) -> None:
    with tarfile.open(layout.shard(image_set, "train", "n01580077")) as tar:
        names = tar.getnames()
    extensions = ("cls", "jpg", "json", "txt")
    assert names == [f"n01580077_train_{n:06d}.{e}" for n in range(3) for e in extensions]


def test_webdataset_reads_what_was_written(image_set: str) -> None:
    path = layout.shard(image_set, "train", "n01580077")
    found = list(webdataset.WebDataset(str(path), shardshuffle=False))
    expected = samples("n01580077", "train", 3)
    assert [s["__key__"] for s in found] == [s.key for s in expected]
    assert [s["jpg"] for s in found] == [s.jpg for s in expected]
    assert [int(s["cls"]) for s in found] == [17, 17, 17]
    assert [s["txt"].decode() for s in found] == [s.txt for s in expected]
    told = [s.json | {"sha256": sha256(s.jpg).hexdigest()} for s in expected]
    assert [json.loads(s["json"]) for s in found] == told


def test_the_index_locates_every_jpeg(image_set: str) -> None:
    index = read_index(image_set)
    assert len(index) == 2 * (3 + 2)
    assert index["key"].is_unique
    for row in index.itertuples():
        tar = (layout.shards(image_set) / row.tar).read_bytes()
        jpeg = tar[row.offset : row.offset + row.size]
        number = int(row.key.rsplit("_", 1)[1])
        assert jpeg == encode_jpeg(picture(row.cls + number), 90)
        assert row.sha256 == sha256(jpeg).hexdigest()
        assert row.digest == f"{row.wnid}{row.split}{number}"


def test_the_dataset_gives_every_image_with_its_rank_as_label(image_set: str) -> None:
    index = read_index(image_set, "train")
    dataset = JpegDataset(image_set, index)
    assert dataset.class_indices == [17, 461]
    assert list(dataset.labels) == [1, 1, 1, 0, 0, 0]
    for i, row in enumerate(index.itertuples()):
        image, label = dataset[i]
        expected = Image.open(BytesIO(encode_jpeg(picture(row.cls + i % 3), 90)))
        assert np.array_equal(np.asarray(image), np.asarray(expected.convert("RGB")))
        assert label == dataset.labels[i]


def test_what_lies_beside_the_tars_counts_them(image_set: str) -> None:
    root = layout.shards(image_set)
    info = json.loads((root / "_info.json").read_text())["splits"]
    for split, count in (("train", 3), ("validation", 2)):
        sizes = json.loads((root / split / "sizes.json").read_text())
        assert sizes == {f"{wnid}.tar": count for wnid in WNIDS}
    assert info["train"]["num_samples"] == 6
    assert info["validation"]["shard_lengths"] == [2, 2]


def rewritten_index(name: str) -> bytes:
    write_index(layout.shards(name), name, WNIDS, "A set for tests.")
    return layout.index(name).read_bytes()


def tars_read(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Return a list that will hold the tars that are read from now on."""
    read: list[Path] = []

    def read_and_tell(tar: Path) -> list[dict[str, Any]]:
        read.append(tar)
        return read_members(tar)

    monkeypatch.setattr(writer, "read_members", read_and_tell)
    return read


def test_an_index_is_the_same_whether_tars_are_read_or_vouched_for(
    image_set: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = layout.index(image_set).read_bytes()
    read = tars_read(monkeypatch)
    assert rewritten_index(image_set) == first and not read
    layout.index(image_set).unlink()
    assert rewritten_index(image_set) == first and len(read) == 4


@pytest.mark.parametrize("way", ["written", "copied", "renamed"])
def test_a_changed_tar_is_read_however_it_came_and_no_other(
    way: str, image_set: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy or a renamed file may bring a time of change that lies before the index."""
    tar, other = layout.shard(image_set, "train", "n01580077"), tmp_path / "other.tar"
    write_class_tar(other, samples("n01580077", "train", 5))
    os.utime(other, ns=(0, 0))
    if way == "written":
        tar.write_bytes(other.read_bytes())
    elif way == "copied":
        shutil.copy2(other, tar)
    else:
        other.replace(tar)
    read = tars_read(monkeypatch)
    by_vouching = rewritten_index(image_set)
    assert read == [tar]
    assert len(read_index(image_set)) == 2 * (3 + 2) + 2
    layout.index(image_set).unlink()
    assert rewritten_index(image_set) == by_vouching


def test_a_tar_that_was_cut_off_is_not_vouched_for(image_set: str) -> None:
    tar = layout.shard(image_set, "train", "n01580077")
    tar.write_bytes(tar.read_bytes()[:700])
    os.utime(layout.index(image_set))  # it is later than the tar now
    with pytest.raises(InputError, match=r"n01580077\.tar is damaged"):
        rewritten_index(image_set)


def test_a_class_that_fails_leaves_no_tar(tmp_path: Path) -> None:
    def failing() -> object:
        yield samples("n01580077", "train", 1)[0]
        raise RuntimeError("no more")

    path = tmp_path / "n01580077.tar"
    with pytest.raises(RuntimeError):
        write_class_tar(path, failing())
    assert not path.exists()


def test_a_truncated_tar_is_named(image_set: str) -> None:
    path = layout.shard(image_set, "train", "n01580077")
    path.write_bytes(path.read_bytes()[:700])
    with pytest.raises(InputError, match=r"n01580077\.tar is damaged"):
        read_members(path)


def test_prune_takes_what_does_not_belong(image_set: str) -> None:
    root = layout.shards(image_set)
    (root / "train" / "n01580077.tar.tmp").touch()
    prune(root, ["n02895154"])
    assert [path.name for path in sorted((root / "train").iterdir())] == [
        "n02895154.tar",
        "sizes.json",
    ]


def test_a_set_that_was_not_made_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="make the set 'disamb'"):
        read_index("disamb")
