"""A picture on the sheet lies in its class's row and its set's column."""

import pytest
from PIL import Image

from synset_factory.prompt_grammar import ClassPrompts
from synset_factory.stages import report
from synset_factory.stages.report import GAP, SHEET_SETS, ReportConfig, figure5

SIZE, IMAGES = 48, 3
CLASSES = [
    ClassPrompts(wnid=wnid, synset=synset, disamb=disamb, definition="", hypernym="", clip_name="")
    for wnid, synset, disamb in (("n1", "crane", "a crane bird"), ("n2", "quail", "quail"))
]
CONFIG = ReportConfig(
    labels={name: name for name in SHEET_SETS},
    sheet_classes=2,
    sheet_images=IMAGES,
    sheet_pixels=SIZE,
)


def colour(image_set: str, wnid: str, number: int) -> tuple[int, int, int]:
    return 20 * SHEET_SETS.index(image_set), 100 if wnid == "n1" else 200, 50 * number


def test_every_picture_lies_in_its_row_and_column(monkeypatch: pytest.MonkeyPatch) -> None:
    def pictures(image_set: str, wnid: str, count: int) -> list[Image.Image]:
        return [Image.new("RGB", (4, 4), colour(image_set, wnid, i)) for i in range(count)]

    monkeypatch.setattr(report, "_pictures", pictures)
    sheet = figure5(CLASSES, CONFIG)
    cell, left, top = IMAGES * SIZE + 2 * GAP, 4 * SIZE, SIZE // 2
    assert sheet.size == (left + cell * len(SHEET_SETS), top + 2 * (SIZE + GAP))
    for column, image_set in enumerate(SHEET_SETS):
        for row, prompts in enumerate(CLASSES):
            for i in range(IMAGES):
                # The lower right corner: no label reaches it.
                x = left + column * cell + (i + 1) * SIZE - 1
                y = top + row * (SIZE + GAP) + SIZE - 1
                assert sheet.getpixel((x, y)) == colour(image_set, prompts.wnid, i)
