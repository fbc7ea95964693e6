"""ImageNet as people have it on disk, in small: the same pictures laid out in every form."""

import io
import os
import random
import shutil
import tarfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from PIL import Image
from scipy.io import savemat

from synset_factory import layout

REPOSITORY = Path(__file__).parents[1]
# Real photographs with ImageNet's labels; they are not in the repository.
PHOTOGRAPHS = Path(
    os.environ.get("SYNSET_FACTORY_PHOTOGRAPHS", REPOSITORY.parent / "shared" / "natural")
)
LABELS = {  # ImageNet's, of the 1,000 classes
    wnid: int(label)
    for label, wnid in pd.read_csv(REPOSITORY / layout.SYNSETS)[["class_index", "wnid"]].to_numpy()
}
Split = dict[str, list[tuple[str, bytes]]]  # by class: names and contents of its files


@dataclass
class Photographs:
    """What a copy of ImageNet holds. Of validation pictures the place in the list is the number."""

    train: Split = field(default_factory=dict)
    validation: list[tuple[str, bytes]] = field(default_factory=list)  # wnid, content

    @property
    def wnids(self) -> list[str]:
        return sorted(self.train)

    def validation_split(self) -> Split:
        return {
            wnid: [
                (f"ILSVRC2012_val_{number:08d}.JPEG", content)
                for number, (of, content) in enumerate(self.validation, start=1)
                if of == wnid
            ]
            for wnid in dict.fromkeys(of for of, _ in self.validation)
        }


def noise(*seed: object, mode: str = "RGB", form: str = "JPEG", **options: Any) -> bytes:
    """A small picture that no other seed gives."""
    rng = random.Random(repr(seed))
    width, height = rng.randrange(20, 40), rng.randrange(20, 40)
    image = Image.frombytes("RGB", (width, height), rng.randbytes(width * height * 3))
    stream = io.BytesIO()
    image.convert(mode).save(stream, form, **options)
    return stream.getvalue()


def noise_photographs(wnids: Iterable[str], train: int = 5, validation: int = 3) -> Photographs:
    """Pictures of noise. File names are not in the order of their numbers, as ImageNet's."""
    found = Photographs()
    for wnid in wnids:
        names = [f"{wnid}_{number}.JPEG" for number in range(7, 7 + train)]
        found.train[wnid] = [(name, noise(name)) for name in names]
        found.validation += [(wnid, noise(wnid, "val", i)) for i in range(validation)]
    random.Random(0).shuffle(found.validation)
    return found


def real_photographs(wnids: Iterable[str] | None = None, most: int = 1000) -> Photographs:
    """Photographs of shared/natural: its 64x64 ones, and those at their own sizes in training."""
    found = Photographs()
    for path in sorted((PHOTOGRAPHS / "tiny-imagenet").glob("*.tar")):
        if wnids is None or path.stem in wnids:
            members = _members(path)
            found.train[path.stem] = _of(members, "train/")[:most]
            found.validation += [(path.stem, each) for _, each in _of(members, "val/")[:most]]
    for name, content in _of(_members(PHOTOGRAPHS / "full-resolution" / "paper17.tar"), ""):
        wnid = name.partition("_")[0]
        if wnids is None or wnid in wnids:
            if wnid not in found.train:  # it has no validation pictures: its first is one
                found.validation.append((wnid, content))
            found.train.setdefault(wnid, []).append((name, content))
    random.Random(0).shuffle(found.validation)
    return found


def _members(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as tar:
        return {each.name: tar.extractfile(each).read() for each in tar if each.isreg()}


def _of(members: dict[str, bytes], start: str) -> list[tuple[str, bytes]]:
    return [
        (name.rpartition("/")[2], content)
        for name, content in members.items()
        if name.startswith(start)
    ]


def write_class_folders(split: Split, folder: Path) -> None:
    for wnid, files in split.items():
        (folder / wnid).mkdir(parents=True)
        for name, content in files:
            (folder / wnid / name).write_bytes(content)


def tar_bytes(files: Iterable[tuple[str, bytes]]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, content in files:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def write_tar_of_tars(split: Split, path: Path) -> None:
    """Files in another order than by name, as tar(1) leaves them."""
    path.write_bytes(
        tar_bytes((f"{wnid}.tar", tar_bytes(reversed(files))) for wnid, files in split.items())
    )


def write_devkit(validation: list[tuple[str, bytes]], folder: Path) -> None:
    """The devkit's numbers are ImageNet's labels in another order; behind them come hypernyms."""
    wnids = list(LABELS)
    random.Random(1).shuffle(wnids)
    numbers = {wnid: number for number, wnid in enumerate(wnids, start=1)}
    wnids += [f"n{number:08d}" for number in range(860)]
    fields = [("ILSVRC2012_ID", "O"), ("WNID", "O"), ("words", "O"), ("num_children", "O")]
    synsets = np.array(
        [(float(i), wnid, "words", 0.0) for i, wnid in enumerate(wnids, start=1)], dtype=fields
    ).reshape(-1, 1)
    (folder / "data").mkdir(parents=True)
    savemat(folder / "data" / "meta.mat", {"synsets": synsets})
    lines = "".join(f"{numbers[wnid]}\n" for wnid, _ in validation)
    (folder / "data" / "ILSVRC2012_validation_ground_truth.txt").write_text(lines)


def flat_files(photographs: Photographs) -> list[tuple[str, bytes]]:
    return [
        (f"ILSVRC2012_val_{number:08d}.JPEG", content)
        for number, (_, content) in enumerate(photographs.validation, start=1)
    ]


def write_parquet(split: Split, name: str, folder: Path, files: int = 3) -> None:
    """Classes mixed, in files of several row groups, the class at the end of each name."""
    rows = []
    for wnid, pictures in split.items():
        for file, content in pictures:
            stem, _, ending = file.rpartition(".")
            image = {"bytes": content, "path": f"{stem}_{wnid}.{ending}"}
            rows.append({"image": image, "label": LABELS.get(wnid, -1)})
    random.Random(2).shuffle(rows)
    kind = pa.schema(
        {"image": pa.struct({"bytes": pa.binary(), "path": pa.string()}), "label": pa.int64()}
    )
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(files):
        table = pa.Table.from_pylist(rows[number::files], kind)
        path = folder / f"{name}-{number:05d}-of-{files:05d}.parquet"
        pq.write_table(table, path, row_group_size=5)


def source(form: str, path: object, devkit: object = "", images: int = 0) -> dict[str, Any]:
    """A section of `ingest`."""
    return {"layout": form, "path": str(path), "devkit": str(devkit), "images": images}


def as_folders(copy: Photographs, at: Path) -> dict[str, Any]:
    write_class_folders(copy.train, at / "train")
    write_class_folders(copy.validation_split(), at / "val")
    return {
        "train": source("class_folders", at / "train"),
        "validation": source("class_folders", at / "val"),
    }


def as_tars(copy: Photographs, at: Path) -> dict[str, Any]:
    at.mkdir()
    write_tar_of_tars(copy.train, at / "ILSVRC2012_img_train.tar")
    (at / "ILSVRC2012_img_val.tar").write_bytes(tar_bytes(flat_files(copy)))
    write_devkit(copy.validation, at / "ILSVRC2012_devkit_t12")
    with tarfile.open(at / "ILSVRC2012_devkit_t12.tar.gz", "w:gz") as tar:
        tar.add(at / "ILSVRC2012_devkit_t12", "ILSVRC2012_devkit_t12")
    shutil.rmtree(at / "ILSVRC2012_devkit_t12")
    devkit = at / "ILSVRC2012_devkit_t12.tar.gz"
    return {
        "train": source("tar_of_tars", at / "ILSVRC2012_img_train.tar"),
        "validation": source("flat", at / "ILSVRC2012_img_val.tar", devkit),
    }


def as_devkit(copy: Photographs, at: Path) -> dict[str, Any]:
    write_class_folders(copy.train, at / "train")
    write_class_folders({"val": flat_files(copy)}, at)
    write_devkit(copy.validation, at / "ILSVRC2012_devkit_t12")
    return {
        "train": source("class_folders", at / "train"),
        "validation": source("flat", at / "val", at / "ILSVRC2012_devkit_t12"),
    }


def as_parquet(copy: Photographs, at: Path) -> dict[str, Any]:
    write_parquet(copy.train, "train", at / "data")
    write_parquet(copy.validation_split(), "validation", at / "data")
    return {
        "train": source("parquet", at / "data"),
        "validation": source("parquet", at / "data"),
    }


LAYOUTS: dict[str, Callable[[Photographs, Path], dict[str, Any]]] = {
    "class folders": as_folders,
    "tars": as_tars,
    "devkit": as_devkit,
    "parquet": as_parquet,
}


def write_world(ingest: dict[str, Any], wnids: list[str] | str, workers: int = 1) -> None:
    """Put params.yaml and prompts/ of an ImageNet world where we stand."""
    params = yaml.safe_load((REPOSITORY / layout.PARAMS).read_text())
    names = ("seed", "threads", "splits", "sets", "run")
    stages = {"miniature": [], "imagenet": ["imagenet"]}
    params = {
        "world": "imagenet",
        "world_stages": stages,
        "wnids": wnids,
        **{name: params[name] for name in names},
    }
    params["run"]["workers"] = workers
    layout.PARAMS.write_text(yaml.safe_dump(params | {"ingest": ingest}))
    layout.PROMPTS.mkdir(exist_ok=True)
    shutil.copy(REPOSITORY / layout.SYNSETS, layout.SYNSETS)


def hashes(*, beside: bool = True) -> dict[str, str]:
    """SHA-256 of every file of the natural set and of the report."""
    root = layout.shards("natural")
    paths = [path for path in root.rglob("*") if path.is_file()]
    paths += [layout.INGEST_COUNTS, layout.INGEST_REPORT]
    return {
        str(path): sha256(path.read_bytes()).hexdigest()
        for path in paths
        if path.exists() and (beside or path.suffix == ".tar")
    }
