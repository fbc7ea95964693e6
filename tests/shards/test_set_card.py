"""What lies beside the tars is valid by the libraries that read it, and agrees with the index."""

import json
import subprocess
from hashlib import sha256
from pathlib import Path

import mlcroissant
import pytest
from huggingface_hub import DatasetCard
from PIL import Image

from synset_factory import layout
from synset_factory.errors import InputError
from synset_factory.provenance import TRAINED_MODEL, drawn_by_model, has_source_type, rendered
from synset_factory.shards.reader import read_index
from synset_factory.shards.set_card import Split, read_split, set_card, splits_of
from synset_factory.shards.writer import Sample, encode_jpeg, write_class_tar, write_index
from tests.external import require

LABELS = {"n01580077": 17, "n01847000": 97}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A set of two classes, three training images and one for validation each."""
    monkeypatch.chdir(tmp_path)
    for wnid, label in LABELS.items():
        for split, count in (("train", 3), ("validation", 1)):
            samples = [
                Sample(
                    key=f"{wnid}_{split}_{number:06d}",
                    jpg=encode_jpeg(Image.new("RGB", (8, 8), (label, number, 0)), 90),
                    cls=label,
                    txt="a prompt",
                    json={"digest": f"{wnid}{split}{number}"},
                )
                for number in range(count)
            ]
            write_class_tar(layout.shard("tiny", split, wnid), samples)
    write_index(layout.shards("tiny"), "tiny", LABELS, 'Drawn by a "model".', TRAINED_MODEL)
    return layout.shards("tiny")


def test_croissant_is_valid_and_its_records_are_the_index(root: Path) -> None:
    dataset = mlcroissant.Dataset(jsonld=root / "croissant.json")
    assert not dataset.metadata.ctx.issues.errors
    records = [
        {name.removeprefix("images/"): value for name, value in record.items()}
        for record in dataset.records("images")
    ]
    text = [
        {name: v.decode() if isinstance(v, bytes) else v for name, v in record.items()}
        for record in records
    ]
    assert text == read_index("tiny").to_dict("records")


def test_croissant_names_the_hash_of_the_index(root: Path) -> None:
    about = json.loads((root / "croissant.json").read_text())
    assert about["digitalSourceType"].endswith("/digitalsourcetype/trainedAlgorithmicMedia")
    (index, _) = about["distribution"]
    assert index["sha256"] == sha256((root / "index.parquet").read_bytes()).hexdigest()


def test_the_card_is_one_that_the_hub_takes(root: Path) -> None:
    data = DatasetCard.load(root / "README.md").data
    assert data.pretty_name == "Image set tiny"
    assert data.size_categories == ["n<1K"]
    assert "(XMP, IPTC): `trainedAlgorithmicMedia` (train)," in (root / "README.md").read_text()
    assert data.task_categories == ["image-classification"]
    assert "synthetic" in data.tags
    (config,) = data.configs
    assert {each["split"]: each["path"] for each in config["data_files"]} == {
        "train": "train/*.tar",
        "validation": "validation/*.tar",
    }


@pytest.mark.parametrize(
    ("images", "category"),
    [(999, "n<1K"), (1_000, "1K<n<10K"), (1_250_000, "1M<n<10M"), (10_000_000, "10M<n<100M")],
)
def test_the_size_category_is_the_hubs(images: int, category: str) -> None:
    splits = {"train": Split(lengths={"n01580077.tar": images}, classes=[17], source_type=None)}
    assert f"size_categories:\n- {category}\n" in set_card("large", "A set.", splits)


def test_splits_are_counted_by_tar(root: Path) -> None:
    expected = {
        split: Split(
            lengths={"n01580077.tar": count, "n01847000.tar": count},
            classes=[17, 97],
            source_type=TRAINED_MODEL,
        )
        for split, count in (("train", 3), ("validation", 1))
    }
    assert splits_of(read_index("tiny"), TRAINED_MODEL) == expected
    assert {split: read_split(root, split) for split in expected} == expected


def test_a_damaged_count_is_named(root: Path) -> None:
    for content in ("5", "[" * 100_000, '{"splits": {"train": {"classes": null}}}'):
        (root / "_info.json").write_text(content)
        with pytest.raises(InputError, match=r"_info\.json has no train split, is damaged, or"):
            read_split(root, "train")


def test_exiftool_reads_what_drew_a_picture(tmp_path: Path) -> None:
    exiftool = require("exiftool")
    jpeg = encode_jpeg(Image.new("RGB", (8, 8)), 90, drawn_by_model('Pipe & "Line"', "5f97"))
    (tmp_path / "drawn.jpg").write_bytes(jpeg)
    done = subprocess.run(
        [exiftool, "-j", "-n", "-XMP-iptcExt:all", tmp_path / "drawn.jpg"],
        capture_output=True,
        check=True,
    )
    (told,) = json.loads(done.stdout)
    assert told["DigitalSourceType"] == (
        "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
    )
    assert (told["AISystemUsed"], told["AISystemVersionUsed"]) == ('Pipe & "Line"', "5f97")


def test_a_rendered_picture_does_not_claim_a_trained_model(tmp_path: Path) -> None:
    path = tmp_path / "rendered.jpg"
    path.write_bytes(encode_jpeg(Image.new("RGB", (8, 8)), 90, rendered()))
    with Image.open(path) as image:
        xmp = image.getxmp()["xmpmeta"]["RDF"]["Description"]
        assert xmp["DigitalSourceType"].endswith("/algorithmicMedia")
        assert not has_source_type(image.info["xmp"], TRAINED_MODEL)


def test_the_mark_changes_no_pixel() -> None:
    picture = Image.effect_noise((16, 16), 60).convert("RGB")
    plain, marked = encode_jpeg(picture, 90), encode_jpeg(picture, 90, rendered())
    assert marked != plain
    assert marked.endswith(plain[20:])  # after JFIF's header the stream is the same
