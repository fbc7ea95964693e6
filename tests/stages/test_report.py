"""A picture lies in its class's row and its set's column, a figure in its row."""

from pathlib import Path

import pytest
from PIL import Image

from synset_factory import layout, report_sheet
from synset_factory.prompts.grammar import ClassPrompts
from synset_factory.report_sheet import GAP, figure5
from synset_factory.report_tables import further_set
from synset_factory.site.config import ReportConfig
from synset_factory.tables import (
    PAPER_SETS,
    Row,
    further_classifier_pairs,
    further_clip_pairs,
    write_rows,
)

SIZE, IMAGES = 48, 3
CLASSES = [
    ClassPrompts(wnid=wnid, synset=synset, disamb=disamb, definition="", hypernym="", clip_name="")
    for wnid, synset, disamb in (("n1", "crane", "a crane bird"), ("n2", "quail", "quail"))
]
CONFIG = ReportConfig(
    labels={name: name for name in PAPER_SETS},
    sheet_classes=2,
    sheet_images=IMAGES,
    sheet_pixels=SIZE,
    strip_images=1,
    strip_pixels=SIZE,
    projected=1,
    figure1_class="n1",
    figure7_classes=(),
)


def colour(image_set: str, wnid: str, number: int) -> tuple[int, int, int]:
    return 20 * PAPER_SETS.index(image_set), 100 if wnid == "n1" else 200, 50 * number


def test_every_picture_lies_in_its_row_and_column(monkeypatch: pytest.MonkeyPatch) -> None:
    def pictures(image_set: str, wnid: str, count: int) -> list[Image.Image]:
        return [Image.new("RGB", (4, 4), colour(image_set, wnid, i)) for i in range(count)]

    monkeypatch.setattr(report_sheet, "_pictures", pictures)
    sheet = figure5(CLASSES, CONFIG)
    cell, left, top = IMAGES * SIZE + 2 * GAP, 4 * SIZE, SIZE // 2
    assert sheet.size == (left + cell * len(PAPER_SETS), top + 2 * (SIZE + GAP))
    for column, image_set in enumerate(PAPER_SETS):
        for row, prompts in enumerate(CLASSES):
            for i in range(IMAGES):
                # The lower right corner: no label reaches it.
                x = left + column * cell + (i + 1) * SIZE - 1
                y = top + row * (SIZE + GAP) + SIZE - 1
                assert sheet.getpixel((x, y)) == colour(image_set, prompts.wnid, i)


def test_a_further_set_without_a_label_is_printed_with_its_name_and_its_own_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    spread = {"ci95_low": 1.0, "ci95_high": 2.0, "seed_sd": 0.5, "n": 1234}
    rows: dict[str, Row] = {"centroid_distance": {"centroid_distance": 0.04321}}
    for i, pair in enumerate(further_classifier_pairs("warm")):
        rows[pair.name] = {"accuracy": 10.0 + i, **spread}
    for i, comparison in enumerate(further_clip_pairs("warm")):
        row: Row = {"centroid_accuracy": 70.0 + i, "avg_cosine_similarity": 0.5}
        if comparison.query.modality == "image":
            row |= {"knn1_accuracy": 60.0, "knn5_accuracy": 50.0}
        rows[comparison.name] = row
    write_rows(layout.FURTHER_SETS / "warm", rows)
    lines = further_set("warm", CONFIG).splitlines()
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    assert lines[0] == "### warm"
    assert ["warm", "natural", "11.0", "1.0 - 2.0", "0.5", "1,234"] in cells
    assert ["natural-IM", "warm-IM", "72.0", "60.0", "50.0", "0.5000"] in cells
    assert ["warm-IM", "warm-PRMT", "76.0", "", "", "0.5000"] in cells
    assert lines[-1] == "Centroid Distance: 0.0432"
