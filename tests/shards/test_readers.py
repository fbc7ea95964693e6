"""What timm, datasets, open_clip, webdataset and tarfile read is what the index says, no more.

Each opens a set as it is, its export, and cross-evaluation roots of two sets and of two exports.
"""

import io
import tarfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import open_clip_train.data
import pytest
import timm.data
import torch
import webdataset
from open_clip_train.params import parse_args
from PIL import Image
from webdataset.tariterators import tar_file_expander

from synset_factory import layout
from synset_factory.commands.cross_evaluation import cross_evaluation
from synset_factory.commands.export import export
from synset_factory.records import SPLITS
from tests.small_sets import IMAGES, LABELS, contents, sample, write_params, write_small_set

ROOTS = ("set", "export", "sets crossed", "exports crossed")


@dataclass(frozen=True)
class Root:
    """A folder that readers open."""

    folder: Path
    image_sets: dict[str, str]  # by split: the set that it is of
    exported: bool  # so that keys begin with the set's name

    def tars(self, split: str) -> list[str]:
        return [str(tar) for tar in sorted((self.folder / split).glob("*.tar"))]

    def key(self, split: str, key: str) -> str:
        return f"{self.image_sets[split]}_{key}" if self.exported else key

    def expected(self, split: str) -> "Counter[tuple[str, int, bytes]]":
        """Key, label and JPEG of each image, from the index of the set."""
        found = contents(self.image_sets[split], split)
        assert found.total() == len(LABELS) * IMAGES[split]
        return Counter(
            {(self.key(split, key), label, jpeg): n for (key, label, jpeg), n in found.items()}
        )


@pytest.fixture(params=ROOTS)
def root(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Root:
    monkeypatch.chdir(tmp_path)
    write_params()
    for name in ("disamb", "natural"):
        write_small_set(name)
        export(image_set=name, folder=None, images_per_tar=10)
    cross_evaluation(train="disamb", validation="natural", folder=Path("crossed"))
    cross_evaluation(train="exports/disamb", validation="exports/natural", folder=None)
    alone = {"train": "disamb", "validation": "disamb"}
    crossed = {"train": "disamb", "validation": "natural"}
    return {
        "set": Root(layout.shards("disamb"), alone, exported=False),
        "export": Root(Path("exports/disamb"), alone, exported=True),
        "sets crossed": Root(Path("crossed"), crossed, exported=False),
        "exports crossed": Root(Path("exports/disamb_on_natural"), crossed, exported=True),
    }[request.param]


def pixels(image: Any) -> bytes:
    return np.asarray(image, dtype=np.uint8).tobytes()


def decoded(jpeg: bytes) -> bytes:
    return pixels(Image.open(io.BytesIO(jpeg)).convert("RGB"))


@pytest.mark.parametrize("split", SPLITS)
def test_tarfile(root: Root, split: str) -> None:
    found: Counter[tuple[str, int, bytes]] = Counter()
    for path in root.tars(split):
        with tarfile.open(path) as tar:
            content = {member.name: tar.extractfile(member).read() for member in tar}
        for key in {name.partition(".")[0] for name in content}:
            found[key, int(content[f"{key}.cls"]), content[f"{key}.jpg"]] += 1
    assert found == root.expected(split)


@pytest.mark.parametrize("split", SPLITS)
def test_webdataset(root: Root, split: str) -> None:
    dataset = webdataset.WebDataset(root.tars(split), shardshuffle=False)
    found = Counter((s["__key__"], int(s["cls"]), s["jpg"]) for s in dataset)
    assert found == root.expected(split)


@pytest.mark.parametrize("split", SPLITS)
def test_timm(root: Root, split: str) -> None:
    dataset = timm.data.create_dataset("wds/", root=str(root.folder), split=split)
    assert dataset.reader.num_samples == len(dataset) == len(LABELS) * IMAGES[split]
    found = Counter((label, pixels(image)) for image, label in dataset)
    assert found == without_keys(root, split)


def test_timm_gives_each_image_once_in_an_epoch_of_training(root: Root) -> None:
    dataset = timm.data.create_dataset(
        "wds/", root=str(root.folder), split="train", is_training=True, batch_size=20
    )
    found = Counter((label, pixels(image)) for image, label in dataset)
    assert found == without_keys(root, "train")


def without_keys(root: Root, split: str) -> "Counter[tuple[int, bytes]]":
    counts: Counter[tuple[int, bytes]] = Counter()
    for (_, label, jpeg), n in root.expected(split).items():
        counts[label, decoded(jpeg)] += n
    return counts


def check_datasets(root: Root, split: str, dataset: datasets.Dataset) -> None:
    assert dataset.num_rows == len(LABELS) * IMAGES[split]
    rows = list(dataset.cast_column("jpg", datasets.Image(decode=False)))
    found = Counter((row["__key__"], row["cls"], row["jpg"]["bytes"]) for row in rows)
    assert found == root.expected(split)
    image_set = root.image_sets[split]
    told = {
        root.key(split, each.key): (each.txt, each.json | {"sha256": sha256(each.jpg).hexdigest()})
        for wnid, label in LABELS.items()
        for each in (sample(image_set, wnid, label, split, n) for n in range(IMAGES[split]))
    }
    assert {row["__key__"]: (row["txt"], row["json"]) for row in rows} == told


def test_datasets_by_the_folder(root: Root, tmp_path: Path) -> None:
    loaded = datasets.load_dataset(str(root.folder), cache_dir=str(tmp_path / "cache"))
    assert set(loaded) == set(SPLITS)
    for split in SPLITS:
        check_datasets(root, split, loaded[split])


@pytest.mark.parametrize("split", SPLITS)
def test_datasets_by_its_tars(root: Root, split: str, tmp_path: Path) -> None:
    files = {split: str(root.folder / split / "*.tar")}
    cache = str(tmp_path / "cache")
    loaded = datasets.load_dataset("webdataset", data_files=files, cache_dir=cache)
    check_datasets(root, split, loaded[split])


def read_by_open_clip(options: Iterable[str], *, is_train: bool) -> Iterator[tuple[str, bytes]]:
    """Yield the text and the pixels of each image of an epoch."""
    arguments = parse_args([*options, "--batch-size=4", "--workers=0"])
    arguments.world_size = 1  # as open_clip_train.main sets it
    loaded = open_clip_train.data.get_wds_dataset(
        arguments,
        lambda image: torch.from_numpy(np.array(image)),
        is_train,
        tokenizer=lambda text: [text],
    )
    for images, texts in loaded.dataloader:
        yield from zip(texts, map(pixels, images), strict=True)


def with_texts(root: Root, split: str) -> "Counter[tuple[str, bytes]]":
    image_set = root.image_sets[split]
    each = [
        sample(image_set, wnid, label, split, number)
        for wnid, label in LABELS.items()
        for number in range(IMAGES[split])
    ]
    return Counter((one.txt, decoded(one.jpg)) for one in each)


def test_open_clip_trains_on_the_number_in_sizes_json(
    root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    # open_clip[training] 3.3 asks for webdataset 0.2.86 at the latest: its training fails on the
    # marks between tars that 0.2.96 brought. Without them webdataset reads as it did before.
    unmarked = partial(tar_file_expander, eof_value=None)
    monkeypatch.setattr(open_clip_train.data, "tar_file_expander", unmarked)
    options = [f"--train-data={'::'.join(root.tars('train'))}"]
    found = Counter(read_by_open_clip(options, is_train=True))
    assert found == with_texts(root, "train")


def test_open_clip_validates(root: Root) -> None:
    options = [f"--val-data={'::'.join(root.tars('validation'))}"]
    assert Counter(read_by_open_clip(options, is_train=False)) == with_texts(root, "validation")
