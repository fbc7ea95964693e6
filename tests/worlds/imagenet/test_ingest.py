"""ImageNet in any layout becomes one and the same set, its files bit for bit, oddities counted."""

import io
import json
import os
import random
import subprocess
import sys
import tarfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import timm.data
import webdataset
from filelock import FileLock
from PIL import Image
from scipy.io import savemat

from synset_factory import layout
from synset_factory.commands.export import export
from synset_factory.commands.validate import validate
from synset_factory.errors import InputError
from synset_factory.real_labels import labels_of_keys, real_labels
from synset_factory.shards.reader import JpegDataset, read_index
from synset_factory.shards.set_card import CROISSANT
from synset_factory.worlds.imagenet import class_tars, hub_parquet
from synset_factory.worlds.imagenet.ingest import main
from synset_factory.worlds.imagenet.pictures import BrokenPictureError, examine
from tests.imagenet_copies import (
    LABELS,
    LAYOUTS,
    PHOTOGRAPHS,
    Photographs,
    hashes,
    noise,
    noise_photographs,
    real_photographs,
    source,
    tar_bytes,
    write_world,
)

WNIDS = ["n03126707", "n01580077", "n03804744"]  # not in the order of labels
MODULES = (class_tars, hub_parquet)  # that examine pictures


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path


def photographs(kind: str) -> Photographs:
    if kind == "noise":
        return noise_photographs(WNIDS)
    if not PHOTOGRAPHS.exists():
        pytest.skip(f"{PHOTOGRAPHS} is not there")
    return real_photographs(WNIDS, most=8)


def ingested(name: str, copy: Photographs, here: Path, wnids: list[str] = WNIDS) -> None:
    """Lay a copy out, and ingest it where we stand."""
    write_world(LAYOUTS[name](copy, here / name), wnids)
    main()


def examined(monkeypatch: pytest.MonkeyPatch, most: int = 10**6) -> "Counter[str]":
    """Count which pictures are looked at from now on, by their bytes; Ctrl-C comes after `most`."""
    seen: Counter[str] = Counter()

    def counting(content: bytes) -> Any:
        if seen.total() == most:
            raise KeyboardInterrupt
        seen[sha256(content).hexdigest()] += 1
        return examine(content)

    for module in MODULES:
        monkeypatch.setattr(module, "examine", counting)
    return seen


@pytest.mark.parametrize("kind", ["noise", "photographs"])
def test_every_layout_gives_the_same_bytes(
    kind: str, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy, found = photographs(kind), {}
    for name in LAYOUTS:
        (here / f"in {name}").mkdir()
        monkeypatch.chdir(here / f"in {name}")
        ingested(name, copy, here)
        found[name] = hashes()
    assert len(found["tars"]) == 2 * len(WNIDS) + 8
    assert all(each == found["tars"] for each in found.values())


@pytest.mark.parametrize("name", LAYOUTS)
def test_pictures_are_the_files_bit_for_bit_in_the_order_of_their_names(
    name: str, here: Path
) -> None:
    copy = photographs("noise")
    ingested(name, copy, here)
    index = pd.read_parquet(layout.index("natural"))
    for split, files in {"train": copy.train, "validation": copy.validation_split()}.items():
        for wnid in WNIDS:
            rows = index[(index["split"] == split) & (index["wnid"] == wnid)]
            assert list(rows["key"]) == [f"{wnid}_{split}_{n:06d}" for n in range(len(rows))]
            assert set(rows["cls"]) == {LABELS[wnid]}
            content = layout.shard("natural", split, wnid).read_bytes()
            stored = [content[row.offset :][: row.size] for row in rows.itertuples()]
            assert list(zip(rows["source"], stored, strict=True)) == sorted(files[wnid])


def test_validation_pictures_have_their_real_labels(here: Path) -> None:
    copy = photographs("noise")
    ingested("parquet", copy, here)
    index = pd.read_parquet(layout.index("natural")).set_index("key")
    found = labels_of_keys()
    assert len(found) == len(copy.validation)
    for number, (_, content) in enumerate(copy.validation, start=1):
        key = index.index[index["sha256"] == sha256(content).hexdigest()][0]
        assert found[key] == real_labels()[number]


def test_only_the_first_pictures_by_name_are_taken_where_fewer_are_wanted(here: Path) -> None:
    copy = photographs("noise")
    for name in ("class folders", "parquet"):
        ingest = LAYOUTS[name](copy, here / name)
        ingest["train"]["images"] = 2
        write_world(ingest, WNIDS)
        main()
        index = pd.read_parquet(layout.index("natural"))
        rows = index[index["split"] == "train"]
        for wnid in WNIDS:
            expected = sorted(file for file, _ in copy.train[wnid])[:2]
            assert list(rows.loc[rows["wnid"] == wnid, "source"]) == expected


# ---- faults ----

EXIF_TURNED = Image.Exif()
EXIF_TURNED[0x0112] = 6


def damaged(content: bytes) -> bytes:
    """The header of a picture claims more than follows, but the file has its full length."""
    return content[: len(content) // 2] + bytes(len(content) - len(content) // 2)


def faulty(copy: Photographs) -> dict[str, int]:
    """Seed one picture or more of each kind in the training split; return what is to be counted."""
    jay, crane = copy.train["n01580077"], copy.train["n03126707"]
    good = noise("good")
    jay += [
        ("n01580077_2.JPEG", noise("grey", mode="L")),
        ("n01580077_3.JPEG", noise("grey 2", mode="L")),
        ("n01580077_4.JPEG", noise("cmyk", mode="CMYK")),
        ("n01580077_5.JPEG", noise("turned", exif=EXIF_TURNED)),
        ("n01580077_6.JPEG", noise("png", form="PNG")),
        ("n01580077_61.JPEG", noise("palette", mode="P", form="PNG")),
    ]
    crane += [
        ("n03126707_1.JPEG", good[:-20]),
        ("n03126707_2.JPEG", b""),
        ("n03126707_3.JPEG", b"<html>404</html>"),
        ("n03126707_4.JPEG", noise("gif", mode="P", form="GIF")),
        ("n03126707_5.JPEG", noise("cut png", form="PNG")[:-60]),
        ("n03126707_6.JPEG", good),
        ("n03126707_61.JPEG", good),
        ("checksums.txt", b"not a picture"),
        ("._n03126707_6.JPEG", b"what macOS leaves"),
    ]
    copy.train["n99999999"] = [("n99999999_1.JPEG", good)]
    return {
        **{"greyscale": 2, "cmyk": 1, "exif_rotated": 1, "png": 2, "other_mode": 1},
        **{"broken": 5, "duplicates": 1, "other_files": 2, "unknown_classes": 1},
        **{"classes": 3, "pictures": 3 * 5 + 6 + 2, "repeated_names": 0},
    }


@pytest.mark.parametrize("name", LAYOUTS)
def test_faults_are_counted_and_named_and_the_rest_is_kept_as_it_is(
    name: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = photographs("noise")
    expected = faulty(copy)
    ingested(name, copy, here)
    counts = json.loads(layout.INGEST_COUNTS.read_text())["train"]
    assert {kind: counts[kind] for kind in expected} == expected
    report = layout.INGEST_REPORT.read_text()
    assert report in capsys.readouterr().out
    for number in range(1, 6):
        assert f"n03126707/n03126707_{number}.JPEG: left out, " in report
    assert "png: n01580077/n01580077_6.JPEG" in report
    assert "cmyk: n01580077/n01580077_4.JPEG" in report
    index = read_index("natural", "train")
    left_out = {f"n03126707_{n}.JPEG" for n in range(1, 6)} | {"checksums.txt"}
    kept = {
        sha256(content).hexdigest()
        for wnid in WNIDS
        for file, content in copy.train[wnid]
        if file not in left_out and not file.startswith("._")
    }
    assert set(index["sha256"]) == kept
    # Numbers are those of all pictures by name: what was left out leaves a gap.
    names = sorted(file for file, _ in copy.train["n03126707"] if file.startswith("n"))
    crane = index.loc[index["wnid"] == "n03126707", "key"]
    numbers = [number for number, file in enumerate(names) if file not in left_out]
    assert list(crane) == [f"n03126707_train_{number:06d}" for number in numbers]


@pytest.mark.parametrize("name", LAYOUTS)
def test_faults_of_the_validation_split_are_counted_in_any_layout(name: str, here: Path) -> None:
    copy = photographs("noise")
    copy.validation += [
        ("n01580077", noise("grey", mode="L")),
        ("n01580077", noise("good")[:-20]),
        ("n03126707", b""),
        ("n03804744", copy.validation[0][1]),
    ]
    ingested(name, copy, here)
    counts = json.loads(layout.INGEST_COUNTS.read_text())
    expected = {"pictures": 9 + 2, "greyscale": 1, "broken": 2, "duplicates": 1, "other_files": 0}
    assert {kind: counts["validation"][kind] for kind in expected} == expected
    assert counts["train"]["broken"] == 0
    for number, wnid in ((11, "n01580077"), (12, "n03126707")):
        picture = f"{wnid}/ILSVRC2012_val_{number:08d}.JPEG"
        assert f"{picture}: left out, " in layout.INGEST_REPORT.read_text()


STRAYS = [
    ("checksums.txt", b"not a picture"),
    ("._ILSVRC2012_val_00000001.JPEG", b"what macOS leaves"),
    ("ILSVRC2012_val_1.JPEG", b"no number as ImageNet has them"),
]


@pytest.mark.parametrize("name", ["class folders", "tars", "devkit"])
def test_files_in_no_class_are_counted(name: str, here: Path) -> None:
    copy = photographs("noise")
    ingest = LAYOUTS[name](copy, here / name)
    write_world(ingest, WNIDS)
    main()
    tars = {path: content for path, content in hashes().items() if path.endswith(".tar")}
    for split in ("train", "validation"):
        path = Path(ingest[split]["path"])
        if path.is_dir():
            for file, content in STRAYS:
                (path / file).write_bytes(content)
        else:
            with tarfile.open(path, "a") as tar:
                for file, content in STRAYS:
                    member = tarfile.TarInfo(file)
                    member.size = len(content)
                    tar.addfile(member, io.BytesIO(content))
    main()
    counts = json.loads(layout.INGEST_COUNTS.read_text())
    assert (counts["train"]["other_files"], counts["validation"]["other_files"]) == (3, 3)
    assert tars.items() <= hashes().items()


def test_a_set_with_odd_pictures_is_sound_and_all_readers_read_it(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = photographs("noise")
    faulty(copy)
    ingested("class folders", copy, here)
    validate(image_set="natural")
    assert "is sound" in capsys.readouterr().out
    index = pd.read_parquet(layout.index("natural"))
    index = index[index["split"] == "train"].reset_index(drop=True)
    ours = JpegDataset("natural", index)
    expected = Counter(pixels(ours[i][0]) for i in range(len(ours)))
    export(image_set="natural", folder=None, images_per_tar=10)
    tars = [str(tar) for tar in sorted((layout.shards("natural") / "train").glob("*.tar"))]
    by_webdataset = webdataset.WebDataset(tars, shardshuffle=False).decode("pilrgb", only="jpg")
    by_timm = timm.data.create_dataset("wds/", root=str(layout.EXPORTS / "natural"), split="train")
    by_datasets = datasets.load_dataset(
        str(layout.shards("natural")), cache_dir=str(here / "cache"), split="train"
    )
    assert Counter(pixels(each["jpg"]) for each in by_webdataset) == expected  # open_clip's way too
    assert Counter(pixels(each) for each, _ in by_timm) == expected
    fields = json.loads((layout.shards("natural") / CROISSANT).read_text())["recordSet"][0]["field"]
    assert [each["name"] for each in fields] == list(index.columns)
    # Of these four readers it alone turns what EXIF says is turned.
    turned = Counter(pixels(each) for each in by_datasets["jpg"]) - expected
    assert turned.total() == 1
    place = index["source"].tolist().index("n01580077_5.JPEG")
    assert turned[pixels(ours[place][0].transpose(Image.Transpose.ROTATE_270))] == 1


def pixels(image: Image.Image) -> tuple[tuple[int, int], bytes]:
    return image.size, image.convert("RGB").tobytes()


def test_a_picture_that_is_cut_off_anywhere_is_left_out_or_has_all_its_pixels() -> None:
    for kind in ({}, {"progressive": True}, {"mode": "L"}, {"mode": "CMYK"}, {"form": "PNG"}):
        content = noise("cut", **kind)
        pixels = Image.open(io.BytesIO(content)).tobytes()
        refused = 0
        for end in [*range(0, len(content), 7), *range(len(content) - 30, len(content))]:
            try:
                examine(content[:end])
            except BrokenPictureError:
                refused += 1
            else:
                assert Image.open(io.BytesIO(content[:end])).tobytes() == pixels
        assert refused > len(content) // 7


def test_no_bytes_whatever_end_an_ingestion() -> None:
    rng = np.random.default_rng(0)
    for form in ("JPEG", "PNG"):
        content = bytearray(noise("changed", form=form, exif=EXIF_TURNED))
        for _ in range(1500):
            changed = content.copy()
            for place in rng.integers(0, len(content), 3):
                changed[place] = rng.integers(256)
            try:
                facts = examine(bytes(changed))
            except BrokenPictureError:
                continue
            assert facts.mode in {"RGB", "L", "CMYK", "P", "LA", "RGBA", "1", "I;16"}


def test_a_second_file_of_one_name_is_left_out(here: Path) -> None:
    copy = photographs("noise")
    jay = copy.train["n01580077"]
    jay.append((jay[0][0], noise("another")))
    for name in ("tars", "parquet"):
        ingested(name, copy, here)
        counts = json.loads(layout.INGEST_COUNTS.read_text())["train"]
        assert (counts["repeated_names"], counts["pictures"]) == (1, 15)
        assert f"n01580077/{jay[0][0]}: left out, a second" in layout.INGEST_REPORT.read_text()


def test_a_validation_picture_that_is_in_training_too_is_counted(here: Path) -> None:
    copy = photographs("noise")
    copy.validation[0] = ("n01580077", copy.train["n01580077"][0][1])
    ingested("devkit", copy, here)
    counts = json.loads(layout.INGEST_COUNTS.read_text())
    assert (counts["train"]["duplicates"], counts["validation"]["duplicates"]) == (0, 1)


def test_a_photographs_json_does_not_excuse_another_content(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ingested("class folders", photographs("noise"), here)
    path = layout.shard("natural", "train", "n01580077")
    content = path.read_bytes()
    for told, expected in (
        (b"WEBP", "tells of the format 'WEBP'"),
        (b" PNG", "of the format ' PN"),
    ):
        path.write_bytes(content.replace(b'"format": "JPEG"', b'"format": "' + told + b'"', 1))
        with pytest.raises(SystemExit):
            validate(image_set="natural")
        assert expected in capsys.readouterr().out
    path.write_bytes(content.replace(b'"format": "JPEG"', b'"format":  "PNG"', 1))
    with pytest.raises(SystemExit):
        validate(image_set="natural")
    assert "its PNG cannot be read (it is none)" in capsys.readouterr().out


def test_a_second_run_does_not_write_beside_the_first(here: Path) -> None:
    write_world(LAYOUTS["tars"](photographs("noise"), here / "copy"), WNIDS)
    layout.SHARDS.mkdir(parents=True)
    with FileLock(layout.shards_lock("natural")), pytest.raises(InputError, match="another run"):
        main()


# ---- runs that are cut off ----


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("most", [3, 13])
def test_a_run_that_is_cut_off_goes_on_where_it_was(
    name: str, most: int, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = photographs("noise")
    ingested(name, copy, here)
    expected = hashes()
    (here / "again").mkdir()
    monkeypatch.chdir(here / "again")
    write_world(json.loads(json.dumps(LAYOUTS[name](copy, here / "again" / "source"))), WNIDS)
    with monkeypatch.context() as patched:
        examined(patched, most)
        with pytest.raises(KeyboardInterrupt):
            main()
    whole = sorted(layout.shards("natural").rglob("*.tar"))
    seen = examined(monkeypatch)
    main()
    assert hashes() == expected
    # Each class, and each of the Parquet's files, has 5 of the training pictures.
    assert seen.total() == 24 - 5 * (most // 5)
    assert len(whole) == (0 if name == "parquet" else most // 5)
    assert not layout.INGEST_FACTS.exists()


@pytest.mark.parametrize("name", LAYOUTS)
def test_what_is_there_is_not_written_again(
    name: str, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = photographs("noise")
    copy.train["n01580077"][2] = ("n01580077_9.JPEG", b"broken")
    ingested(name, copy, here)
    before = hashes()
    inodes = {path: path.stat().st_ino for path in layout.shards("natural").rglob("*.tar")}
    seen = examined(monkeypatch)
    main()
    assert hashes() == before
    assert inodes == {path: path.stat().st_ino for path in layout.shards("natural").rglob("*.tar")}
    # The one that is missing there is looked at again, so that the report is whole.
    assert seen == {sha256(b"broken").hexdigest(): 1}


def changed_copies(copy: Photographs) -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    jay = copy.train["n01580077"]
    yield "another size", [*jay[:-1], (jay[-1][0], noise("another picture"))]
    yield "another name", [*jay[:-1], ("n01580077_99.JPEG", jay[-1][1])]
    yield "one more", [*jay, ("n01580077_99.JPEG", noise("one more"))]
    yield "one less", jay[1:]
    yield "mended", [*jay[:2], (jay[2][0], noise("mended")), *jay[3:]]


@pytest.mark.parametrize("name", ["class folders", "parquet"])
def test_a_class_that_changed_in_the_source_is_written_anew(
    name: str, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = photographs("noise")
    jay = copy.train["n01580077"]
    jay[2] = (jay[2][0], b"broken")
    ingested(name, copy, here)
    for what, files in changed_copies(copy):
        changed = Photographs(copy.train | {"n01580077": files}, copy.validation)
        ingest = LAYOUTS[name](changed, here / what)
        write_world(ingest, WNIDS)
        main()
        updated = hashes()
        (here / f"fresh {what}").mkdir()
        monkeypatch.chdir(here / f"fresh {what}")
        write_world(ingest, WNIDS)
        main()
        assert hashes() == updated, what
        monkeypatch.chdir(here / "work")


@pytest.mark.parametrize("damage", ["cut off", "a byte changed", "no tar"])
def test_a_damaged_class_tar_is_written_anew(damage: str, here: Path) -> None:
    ingested("tars", photographs("noise"), here)
    expected = hashes()
    path = layout.shard("natural", "train", "n01580077")
    content = bytearray(path.read_bytes())
    content[1100] ^= 1
    path.write_bytes({"cut off": content[:4096], "a byte changed": content}.get(damage, b"x"))
    main()
    assert hashes() == expected


def test_what_another_run_left_behind_is_deleted(here: Path) -> None:
    ingested("class folders", photographs("noise"), here)
    ingested("tars", photographs("noise"), here, wnids=WNIDS[:2])
    left = {path.stem for path in layout.shards("natural").rglob("*.tar")}
    assert left == set(WNIDS[:2])


# A run of which no process gets beyond 70 pictures: of 60 in a class or file, one is done then.
# The processes that it starts import it, so that this holds for them as well.
UNENDING = """
import time
from itertools import count
from synset_factory.worlds.imagenet import class_tars, hub_parquet, ingest
from synset_factory.worlds.imagenet.pictures import examine

examined = count(1)

def examine_few(content):
    if next(examined) > 70:
        time.sleep(3600)
    return examine(content)

class_tars.examine = hub_parquet.examine = examine_few

if __name__ == "__main__":
    ingest.main()
"""


@pytest.mark.parametrize("name", ["class folders", "parquet"])
def test_a_killed_run_ends_its_processes_and_the_next_goes_on(
    name: str, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = noise_photographs(WNIDS, train=60)
    ingest = LAYOUTS[name](copy, here / name)
    write_world(ingest, WNIDS, workers=2)
    script = here / "run.py"
    script.write_text(UNENDING)
    run = subprocess.Popen([sys.executable, script], stderr=subprocess.DEVNULL)
    try:
        while not (list(layout.SHARDS.rglob("*.tar")) or layout.INGEST_FACTS.exists()):
            assert run.poll() is None
            time.sleep(0.01)
        children = children_of(run.pid)
    finally:
        run.kill()
        run.wait()
    assert len(children) >= 2
    main()
    several = hashes()
    (here / "alone").mkdir()
    monkeypatch.chdir(here / "alone")
    write_world(ingest, WNIDS, workers=1)
    main()
    assert hashes() == several
    until = time.monotonic() + 60
    while any(is_alive(pid) for pid in children):
        assert time.monotonic() < until
        time.sleep(0.1)


def children_of(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in found.split()]


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


# ---- input that is no ImageNet ----


def cut_tar(here: Path) -> dict[str, Any]:
    copy = photographs("noise")
    ingest = LAYOUTS["tars"](copy, here / "cut")
    path = Path(ingest["train"]["path"])
    os.truncate(path, path.stat().st_size - 20_000)
    return ingest


def fifth_header_of(split: str, content: bytes = b"\x55") -> Callable[[Path], dict[str, Any]]:
    """Damage the header of a picture in the middle: of a flat tar, or of a class's inner one."""

    def changing(here: Path) -> dict[str, Any]:
        ingest = LAYOUTS["tars"](photographs("noise"), here / "copy")
        path = Path(ingest[split]["path"])
        with path.open("r+b") as stream, tarfile.open(path) as tar:
            member = tar.getmembers()[4 if split == "validation" else 1]
            start = member.offset
            if split == "train":
                with tarfile.open(fileobj=tar.extractfile(member)) as inner:
                    start = member.offset_data + inner.getmembers()[4].offset
            stream.seek(start)
            stream.write(content * (tarfile.BLOCKSIZE // len(content)))
        return ingest

    return changing


def cut_class_tar(here: Path) -> dict[str, Any]:
    """The outer tar is whole, but the last picture of an inner one is cut off."""
    copy = photographs("noise")
    ingest = LAYOUTS["tars"](copy, here / "copy")
    inner = {wnid: tar_bytes(files) for wnid, files in copy.train.items()}
    with tarfile.open(fileobj=io.BytesIO(inner["n01580077"])) as tar:
        inner["n01580077"] = inner["n01580077"][: tar.getmembers()[-1].offset_data + 700]
    path = Path(ingest["train"]["path"])
    path.write_bytes(tar_bytes((f"{wnid}.tar", content) for wnid, content in inner.items()))
    return ingest


def devkit_that_lost_a_byte(here: Path) -> dict[str, Any]:
    """It is lost within a file, where zlib finds out, not tarfile."""
    ingest = LAYOUTS["tars"](photographs("noise"), here / "copy")
    path = Path(ingest["validation"]["devkit"])
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        member = tarfile.TarInfo("ILSVRC2012_devkit_t12/data/meta.mat")
        member.size = 1_000_000
        tar.addfile(member, io.BytesIO(random.Random(0).randbytes(member.size)))
    content = bytearray(stream.getvalue())
    # Deflate stores noise as it is, in blocks with lengths: a byte less breaks their chain.
    del content[500_000]
    path.write_bytes(content)
    return ingest


def with_source(split: str, **changed: Any) -> Callable[[Path], dict[str, Any]]:
    def changing(here: Path) -> dict[str, Any]:
        ingest = LAYOUTS["devkit"](photographs("noise"), here / "copy")
        return ingest | {split: ingest[split] | changed}

    return changing


def without_a_class(here: Path) -> dict[str, Any]:
    return LAYOUTS["tars"](noise_photographs(WNIDS[:2]), here / "copy")


def parquet_with(change: Callable[[Path], None]) -> Callable[[Path], dict[str, Any]]:
    def changing(here: Path) -> dict[str, Any]:
        ingest = LAYOUTS["parquet"](photographs("noise"), here / "copy")
        change(here / "copy" / "data")
        return ingest

    return changing


def relabel(folder: Path) -> None:
    path = folder / "train-00001-of-00003.parquet"
    table = pq.read_table(path)
    labels = pa.array([(label + 1) % 1000 for label in table["label"].to_pylist()])
    pq.write_table(table.set_column(1, "label", labels), path)


def compressed_tar(here: Path) -> dict[str, Any]:
    ingest = LAYOUTS["tars"](photographs("noise"), here / "copy")
    with tarfile.open(here / "packed.tar.gz", "w:gz") as tar:
        tar.add(ingest["train"]["path"], "train.tar")
    return ingest | {"train": source("tar_of_tars", here / "packed.tar.gz")}


def devkit_without_meta(here: Path) -> dict[str, Any]:
    ingest = LAYOUTS["devkit"](photographs("noise"), here / "copy")
    (Path(ingest["validation"]["devkit"]) / "data" / "meta.mat").write_bytes(b"no MATLAB")
    return ingest


def devkit_of_matlab_7(here: Path) -> dict[str, Any]:
    ingest = LAYOUTS["devkit"](photographs("noise"), here / "copy")
    head = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM"  # of version 2, which is HDF5
    (Path(ingest["validation"]["devkit"]) / "data" / "meta.mat").write_bytes(head + bytes(512))
    return ingest


def devkit_with_a_damaged_number(here: Path) -> dict[str, Any]:
    ingest = LAYOUTS["devkit"](photographs("noise"), here / "copy")
    fields = [("ILSVRC2012_ID", "O"), ("WNID", "O")]
    synsets = np.array([(1e300, "n01580077"), (2.0, "n03126707")], dtype=fields)
    savemat(Path(ingest["validation"]["devkit"]) / "data" / "meta.mat", {"synsets": synsets})
    return ingest


def cut_ground_truth(here: Path) -> dict[str, Any]:
    ingest = LAYOUTS["devkit"](photographs("noise"), here / "copy")
    path = Path(ingest["validation"]["devkit"]) / "data/ILSVRC2012_validation_ground_truth.txt"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    return ingest


def class_of_broken_files(here: Path) -> dict[str, Any]:
    copy = photographs("noise")
    copy.train["n01580077"] = [("n01580077_1.JPEG", b"broken")]
    return LAYOUTS["tars"](copy, here / "copy")


WRONG = [
    (with_source("train", layout="webdataset"), "ingest.train.layout must be one of class_folders"),
    (with_source("train", path="nowhere"), "ingest.train.path: nowhere does not exist; name"),
    (
        with_source("train", path="~nosuchuser/a"),
        "~nosuchuser/a cannot be reached",
    ),
    (with_source("train", path="x" * 300), "xxx cannot be reached ("),
    (with_source("validation", devkit="~nosuchuser"), "ingest.validation.devkit: ~nosuchuser can"),
    (with_source("train", path="params.yaml"), "params.yaml is no folder of class folders"),
    (with_source("train", images=-1), "ingest.train.images must be 0"),
    (with_source("train", devkit="devkit"), "ingest.train.devkit must be"),
    (with_source("validation", devkit=""), "ingest.validation.devkit must be"),
    (
        with_source("validation", devkit="nowhere"),
        "validation.devkit: nowhere does not exist",
    ),
    (with_source("validation", devkit="params.yaml"), "params.yaml cannot be read as the devkit"),
    (with_source("validation", path="prompts"), "holds no ILSVRC2012_val_<number>.JPEG"),
    (with_source("train", layout="tar_of_tars", path="params.yaml"), "cannot be read as a plain"),
    (with_source("train", layout="parquet", path="prompts"), "prompts holds no train-*.parquet"),
    (cut_tar, "ILSVRC2012_img_train.tar cannot be read as a plain tar (unexpected end of data)"),
    (compressed_tar, "packed.tar.gz cannot be read as a plain tar"),
    (fifth_header_of("validation"), "ILSVRC2012_img_val.tar is damaged at byte "),
    (fifth_header_of("validation", b"\0"), "ILSVRC2012_img_val.tar is damaged at byte "),
    (fifth_header_of("train"), "ILSVRC2012_img_train.tar is damaged at byte "),
    (cut_class_tar, "ILSVRC2012_img_train.tar was cut off in n01580077_11.JPEG"),
    (
        devkit_that_lost_a_byte,
        "ILSVRC2012_devkit_t12.tar.gz cannot be read as the devkit (Error",
    ),
    (devkit_without_meta, "data/meta.mat does not tell which wnid"),
    (devkit_of_matlab_7, "data/meta.mat does not tell which wnid"),
    (devkit_with_a_damaged_number, "data/meta.mat does not tell which wnid"),
    (
        cut_ground_truth,
        "copy/val holds ILSVRC2012_val_00000009.JPEG, but the devkit's ground truth tells the "
        "classes of 1 to 8: get the devkit again",
    ),
    (without_a_class, "ingest.train.path has no class n03804744: get what is missing"),
    (class_of_broken_files, "class n01580077 of the train split has no picture that can be read"),
    (
        parquet_with(lambda folder: (folder / "train-00001-of-00003.parquet").unlink()),
        "train-00001-of-00003.parquet is missing",
    ),
    (
        parquet_with(lambda folder: (folder / "train-00000-of-00002.parquet").write_bytes(b"")),
        "holds train-*.parquet of several versions",
    ),
    (
        parquet_with(lambda folder: os.truncate(folder / "train-00001-of-00003.parquet", 900)),
        "train-00001-of-00003.parquet cannot be read as the hub's ImageNet",
    ),
    (parquet_with(relabel), "labels are not in ImageNet's order"),
]


def test_a_class_tar_without_its_end_is_whole(here: Path) -> None:
    copy = photographs("noise")
    ingested("tars", copy, here)
    expected = hashes()
    inner = {}
    for wnid, files in copy.train.items():
        content = tar_bytes(files)
        with tarfile.open(fileobj=io.BytesIO(content)) as tar:
            last = tar.getmembers()[-1]
        inner[f"{wnid}.tar"] = content[: last.offset_data + -(-last.size // 512) * 512]
    (here / "tars/ILSVRC2012_img_train.tar").write_bytes(tar_bytes(inner.items()))
    main()
    assert hashes() == expected


@pytest.mark.parametrize(("copy", "sentence"), WRONG)
def test_input_that_is_no_imagenet_is_refused_by_name(
    copy: Callable[[Path], dict[str, Any]], sentence: str, here: Path
) -> None:
    write_world(copy(here), WNIDS)
    with pytest.raises(InputError) as caught:
        main()
    assert sentence in str(caught.value)
    assert not layout.index("natural").exists()


def test_folders_that_may_not_be_read_are_refused_by_name(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_world(LAYOUTS["devkit"](photographs("noise"), here / "copy"), WNIDS)

    scandir = os.scandir

    def refuse(path: str) -> Any:  # root may read everything, so it is not left to the disk
        if Path(path) == here / "copy/train":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(InputError, match=r"copy/train cannot be read \(.*Permission denied"):
        main()


def test_a_damaged_picture_in_parquet_pages_is_no_traceback(here: Path) -> None:
    ingest = LAYOUTS["parquet"](photographs("noise"), here / "copy")
    path = here / "copy" / "data" / "train-00001-of-00003.parquet"
    content = bytearray(path.read_bytes())
    content[4:2000] = bytes(1996)
    path.write_bytes(content)
    write_world(ingest, WNIDS)
    with pytest.raises(InputError, match="00001-of-00003"):
        main()
