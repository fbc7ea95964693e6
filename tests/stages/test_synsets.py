"""Invariant: prompts/synsets.csv is what WordNet 3.0 gives, and what timm lists, to the byte."""

import csv
import sys
from dataclasses import replace
from pathlib import Path

import open_clip
import pytest
from timm.data import ImageNetInfo

from synset_factory import layout
from synset_factory.errors import InputError
from synset_factory.stages.synsets import check_rows, main, write_synsets
from synset_factory.wordnet import SynsetRow

WNIDS = ["n01440764", "n01443537"]
LEMMAS = ["tench, Tinca tinca", "goldfish, Carassius auratus"]
ROWS = [
    SynsetRow(
        class_index=i,
        wnid=wnid,
        synset_prompt=lemmas,
        definition=f'a "fish", no. {i}',
        hypernym="cyprinid",
        senses=1,
    )
    for i, (wnid, lemmas) in enumerate(zip(WNIDS, LEMMAS, strict=True))
]


def test_the_committed_file_is_timms_list() -> None:
    with layout.SYNSETS.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    info = ImageNetInfo()
    assert [int(row["class_index"]) for row in rows] == list(range(1000))
    assert [row["wnid"] for row in rows] == info.label_names()
    assert [row["synset_prompt"] for row in rows] == info.label_descriptions()
    assert [row["clip_name"] for row in rows] == list(open_clip.IMAGENET_CLASSNAMES)
    assert all(row["definition"] and row["hypernym"] and int(row["senses"]) > 0 for row in rows)


def test_the_committed_templates_are_clips() -> None:
    lines = layout.CLIP_TEMPLATES.read_text(encoding="utf-8").splitlines()
    assert [line.format("x") for line in lines] == [
        template("x") for template in open_clip.OPENAI_IMAGENET_TEMPLATES
    ]


@pytest.mark.usefixtures("wordnet")
def test_made_again_it_is_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["synsets", "--folder", str(tmp_path)])
    main()
    for path in (layout.SYNSETS, layout.CLIP_TEMPLATES):
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()


def test_rows_equal_to_timms_pass() -> None:
    check_rows(ROWS, WNIDS, LEMMAS)


@pytest.mark.parametrize(
    "wrong", [{"class_index": 7}, {"wnid": "n01443538"}, {"synset_prompt": "goldfish"}]
)
def test_a_row_that_differs_is_named(wrong: dict[str, int | str]) -> None:
    rows = [ROWS[0], replace(ROWS[1], **wrong)]
    with pytest.raises(InputError, match="Class 1:"):
        check_rows(rows, WNIDS, LEMMAS)


def test_labels_must_follow_the_wnids() -> None:
    swapped = [replace(row, class_index=i) for i, row in enumerate(reversed(ROWS))]
    with pytest.raises(InputError, match="Class 1: n01440764 follows n01443537"):
        check_rows(swapped, WNIDS[::-1], LEMMAS[::-1])


def test_a_missing_class_is_an_error() -> None:
    with pytest.raises(InputError, match="1 synsets"):
        check_rows(ROWS[:1], WNIDS, LEMMAS)


def test_what_is_written_reads_back_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "synsets.csv"
    write_synsets(ROWS, ["tench", "goldfish"], path)
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["synset_prompt"] for row in rows] == LEMMAS
    assert [row["definition"] for row in rows] == [row.definition for row in ROWS]
    assert [row["clip_name"] for row in rows] == ["tench", "goldfish"]
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_write_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "synsets.csv"
    path.write_text("old")
    with pytest.raises(TypeError):
        write_synsets([ROWS[0], None], ["tench", "goldfish"], path)
    assert path.read_text() == "old"


def test_a_missing_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["synsets", "--folder", str(tmp_path / "none")])
    with pytest.raises(InputError, match="make this folder"):
        main()
