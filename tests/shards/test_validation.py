"""Each kind of fault of an image set is named, a sound set has none, nothing is executed."""

import io
import json
import pickle
import tarfile
from collections.abc import Callable
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from synset_factory import layout
from synset_factory.prompts.files import Synset
from synset_factory.provenance import drawn_by_model
from synset_factory.records import ImageRow, ImageSettings, image_digest
from synset_factory.shards.validation import SetValidator
from synset_factory.shards.writer import Sample, encode_jpeg, write_class_tar, write_index

LABELS = {"n01580077": 17, "n01847000": 97}
CLASSES = [
    Synset(
        class_index=label,
        wnid=wnid,
        prompt=wnid,
        definition="",
        hypernym="",
        senses=1,
        clip_name="",
    )
    for wnid, label in LABELS.items()
]
SETTINGS = ImageSettings(
    negative_prompt="",
    guidance_scale=7.5,
    steps=2,
    scheduler="DPMSolverMultistepScheduler",
    height=8,
    width=8,
    dtype="float32",
    compile=False,
    safety_checker=False,
    batch_size=4,
    jpeg_quality=90,
    generator="tiny",
    recipe=1,
)
CLS, JPG, JSON, TXT = range(4)
NOISE = Image.effect_noise((8, 8), 50).convert("RGB")
Edit = Callable[[list[tuple[str, bytes]]], list[tuple[str, bytes]]]


def sample(wnid: str, split: str, number: int) -> Sample:
    row = ImageRow(wnid=wnid, split=split, number=number, prompt=f"a {wnid}", seed=number)
    pixels = np.random.default_rng([LABELS[wnid], len(split), number]).integers(0, 256, (8, 8, 3))
    told = {**asdict(row), **asdict(SETTINGS), "digest": image_digest(row, SETTINGS)}
    xmp = drawn_by_model("StableDiffusionPipeline", SETTINGS.generator)
    return Sample(
        key=row.key,
        jpg=encode_jpeg(Image.fromarray(pixels.astype(np.uint8)), 90, xmp),
        cls=LABELS[wnid],
        txt=row.prompt,
        json=told,
    )


@pytest.fixture(autouse=True)
def image_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sound set of two classes, 3 training and 2 validation images each."""
    monkeypatch.chdir(tmp_path)
    for wnid in LABELS:
        for split, count in (("train", 3), ("validation", 2)):
            samples = [sample(wnid, split, number) for number in range(count)]
            write_class_tar(layout.shard("tiny", split, wnid), samples)
    write_index(layout.shards("tiny"), "tiny", LABELS, "A set for tests.")
    return layout.shards("tiny")


def faults() -> list[str]:
    validator = SetValidator("tiny", CLASSES)
    found = [*validator.check_folder(), *validator.check_beside()]
    for tar in validator.tars():
        found += validator.check_tar(tar)
    return [str(each) for each in [*found, *validator.repeated()]]


def rewrite(edit: Edit, image_set: Path, *, index: bool = True) -> None:
    """Write the first training tar anew with other members, and the index of what it is then."""
    path = image_set / "train" / "n01580077.tar"
    with tarfile.open(path) as tar:
        members = [(m.name, tar.extractfile(m).read()) for m in tar]
    with tarfile.open(path, "w") as tar:
        for name, content in edit(members):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    if index:
        write_index(image_set, "tiny", LABELS, "A set for tests.")


def members_of(image_set: Path) -> list[bytes]:
    """The members of the first training image, in their order."""
    with tarfile.open(image_set / "train" / "n01580077.tar") as tar:
        return [tar.extractfile(member).read() for member in tar.getmembers()[:4]]


def with_jpeg(jpeg: bytes) -> Edit:
    """Another JPEG for the first image, of which its .json tells the hash."""

    def edit(members: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
        told = json.loads(members[JSON][1]) | {"sha256": sha256(jpeg).hexdigest()}
        return with_member(JSON, json.dumps(told).encode())(with_member(JPG, jpeg)(members))

    return edit


def with_member(position: int, content: bytes) -> Edit:
    def edit(members: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
        changed = list(members)
        changed[position] = (members[position][0], content)
        return changed

    return edit


def jpeg_of(colour: tuple[int, int, int]) -> bytes:
    return encode_jpeg(Image.new("RGB", (8, 8), colour), 90, drawn_by_model("a", "b"))


def test_a_sound_set_has_no_fault() -> None:
    assert faults() == []


@pytest.mark.parametrize(
    ("edit", "fault"),
    [
        (with_member(CLS, b"97"), "its label is b'97', but n01580077 is 17"),
        (with_jpeg(jpeg_of((0, 0, 0))), "its picture is blank"),
        (with_jpeg(b"\xff\xd8no picture\xff\xd9"), "its JPEG cannot be read"),
        (with_jpeg(encode_jpeg(NOISE, 90)), "its JPEG does not say that it is trainedAlgorithmic"),
        (with_member(TXT, b"another prompt"), "its .txt is not the prompt of its .json"),
    ],
)
def test_a_fault_of_an_image_is_named_with_its_key(image_set: Path, edit: Edit, fault: str) -> None:
    rewrite(edit, image_set)
    (found,) = faults()
    assert found.startswith("data/shards/tiny/train/n01580077.tar: n01580077_train_000000: ")
    assert fault in found


def test_a_json_that_tells_something_else_than_its_digest_is_named(image_set: Path) -> None:
    image = sample("n01580077", "train", 0)
    told = image.json | {"guidance_scale": 2.5, "sha256": sha256(image.jpg).hexdigest()}
    rewrite(with_member(JSON, json.dumps(told).encode()), image_set)
    assert faults()[0].endswith("its digest is not that of what its .json tells.")


def test_a_picture_that_is_there_twice_is_named_with_its_places(image_set: Path) -> None:
    rewrite(with_jpeg(sample("n01580077", "train", 1).jpg), image_set)
    (found,) = faults()
    first, second = "train/n01580077.tar n01580077_train_000000", "n01580077_train_000001"
    assert f"the same picture 2 times: {first}" in found and second in found


def test_an_index_of_another_state_is_named(image_set: Path) -> None:
    rewrite(with_member(TXT, b"x" * 2000), image_set, index=False)
    found = faults()
    assert len(found) == 2  # the prompt is another one, and all that comes later lies elsewhere
    assert "says something else of 2 of its images, from n01580077_train_000001 on" in found[1]
    index = pd.read_parquet(image_set / "index.parquet")
    index.iloc[1:].to_parquet(image_set / "index.parquet", index=False)
    assert any("sizes.json: its counts are not those of the index" in f for f in faults())
    assert any("_info.json: its counts are not those of the index" in f for f in faults())


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("../outside.jpg", "'../outside.jpg' has no place in it"),
        ("/etc/passwd.txt", "'/etc/passwd.txt' has no place in it"),
        ("n01580077_train_000003.pkl", "has no place in it"),
        ("n01580077_train_000003.pyd", "has no place in it"),
        ("n01580077_train_000003.jpeg", "has no place in it"),
        ("n01580077.train.000003.jpg", "'n01580077.train.000003.jpg' has no place in it"),
    ],
)
def test_hostile_or_stray_members_are_named_and_nothing_is_executed(
    image_set: Path, name: str, said: str
) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (Path("exploded"),))  # type: ignore[return-value]

    rewrite(lambda members: [*members, (name, pickle.dumps(Bomb()))], image_set, index=False)
    (found,) = faults()
    assert said in found
    assert not Path("exploded").exists() and not Path("../outside.jpg").exists()


def test_a_link_or_a_device_in_a_tar_is_named(image_set: Path) -> None:
    path = image_set / "train" / "n01580077.tar"
    with tarfile.open(path, "a") as tar:
        link = tarfile.TarInfo("n01580077_train_000003.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    assert any("'n01580077_train_000003.jpg' has no place in it" in found for found in faults())


def test_a_tar_that_was_cut_off_or_is_missing_or_strange_is_named(image_set: Path) -> None:
    cut = image_set / "train" / "n01580077.tar"
    cut.write_bytes(cut.read_bytes()[:-5000])
    (image_set / "validation" / "n01847000.tar").unlink()
    (image_set / "train" / "n02012849.tar").write_bytes(b"")
    assert faults() == [
        "data/shards/tiny/train/n02012849.tar: it does not belong to the set; delete it.",
        "data/shards/tiny/validation/n01847000.tar: it is missing; make it with `dvc repro`.",
        "data/shards/tiny/train/n01580077.tar: it was cut off; delete it and run `dvc repro`.",
    ]


@pytest.mark.parametrize(
    ("place", "said"),
    [(0.0, "its JPEG cannot be read"), (0.95, "a byte has changed")],
)
def test_a_flipped_bit_in_a_jpeg_is_named_even_where_it_still_decodes(
    image_set: Path, place: float, said: str
) -> None:
    first = pd.read_parquet(image_set / "index.parquet").iloc[0]
    path = image_set / first["tar"]
    content = bytearray(path.read_bytes())
    content[int(first["offset"] + place * first["size"])] ^= 1
    path.write_bytes(content)
    assert any(said in found for found in faults())


def test_a_card_that_names_no_tars_is_named(image_set: Path) -> None:
    (image_set / "README.md").write_text("# A set\n")
    (found,) = faults()
    assert "README.md: it does not name the tars: datasets would read index.parquet" in found


def test_metadata_of_another_index_is_named(image_set: Path) -> None:
    path = image_set / "croissant.json"
    about = json.loads(path.read_text())
    about["distribution"][0]["sha256"] = sha256(b"").hexdigest()
    path.write_text(json.dumps(about))
    (found,) = faults()
    assert "croissant.json: it has not the SHA-256 of index.parquet" in found


def test_a_synthetic_image_that_does_not_tell_its_origin_is_named(image_set: Path) -> None:
    told = json.loads(members_of(image_set)[JSON])
    del told["steps"], told["seed"]
    rewrite(with_member(JSON, json.dumps(told).encode()), image_set)
    (found,) = faults()
    assert "its .json does not tell seed, steps" in found


@pytest.mark.parametrize("name", ["_info.json", "train/sizes.json", "README.md", "croissant.json"])
@pytest.mark.parametrize("content", [b"5", b"[1]", b"[" * 100_000, b"\xff\xfe"])
def test_damage_beside_the_tars_is_named(image_set: Path, name: str, content: bytes) -> None:
    (image_set / name).write_bytes(content)
    (found,) = faults()
    assert found.startswith(f"data/shards/tiny/{name}: ")


def test_a_member_that_nests_without_end_is_named(image_set: Path) -> None:
    rewrite(with_member(JSON, b"[" * 100_000), image_set, index=False)
    assert any("its .json is none, or has no digest" in found for found in faults())
