"""A sheet of pictures: classes down, on the left as they were, on the right as they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import fill

from PIL import Image, ImageDraw, ImageFont, ImageOps

from synset_factory.revisions.diff import AFTER, BEFORE, ClassDiff, first_prompt, places
from synset_factory.revisions.revision import Revision

PICTURES = 6  # of each class on each side
SIZE = 96  # width and height of a picture, pixels
STEP = SIZE + 4  # from one picture to the next
LABEL = 180  # width of what is said of a class
GAP = 8  # between rows, and around what is written
MIDDLE = 20  # between before and after
FONT_SIZE = 13
LINE = 16  # height of a line of text
HEADER = LINE + GAP
CAPTION = 2 * LINE  # height of the prompts over the pictures
ROW = CAPTION + SIZE + 2 * GAP
LABEL_CHARACTERS, CAPTION_CHARACTERS = 24, 84  # that fit into a line
ABSENT = "#e8e8e8"  # where the other side alone has a picture


@dataclass(frozen=True, kw_only=True)
class Side:
    """A class in one of two revisions."""

    caption: str  # what was asked for
    pictures: Sequence[Image.Image | None]  # PICTURES at most, None where there is none


@dataclass(frozen=True, kw_only=True)
class SheetRow:
    """A class of an image set before and after: pictures in one place are of one number."""

    label: Sequence[str]  # a line each, as far as it fits
    before: Side
    after: Side


def read_row(
    image_set: str, each: ClassDiff, name: str, before: Revision, after: Revision
) -> SheetRow:
    """Read the first images of a class that differ. Raises InputError if one cannot be read."""
    return SheetRow(
        label=(name, each.wnid, image_set, each.counts),
        before=_read_side(image_set, each, BEFORE, before, each.prompts_before),
        after=_read_side(image_set, each, AFTER, after, each.prompts_after),
    )


def _read_side(
    image_set: str, each: ClassDiff, side: str, revision: Revision, prompts: tuple[str, ...]
) -> Side:
    images = each.images.head(PICTURES)
    pictures = revision.pictures(image_set, places(images, side))
    return Side(caption=first_prompt(prompts), pictures=[pictures.get(i) for i in images.index])


def side_left(side: int) -> int:
    """Return where the pictures of a side begin, in pixels: 0 is before, 1 is after."""
    return LABEL + side * (PICTURES * STEP + MIDDLE)


def row_top(row: int) -> int:
    """Return where the pictures of a row begin, in pixels."""
    return HEADER + row * ROW + CAPTION


def draw_sheet(rows: Sequence[SheetRow], before: str, after: str) -> Image.Image:
    """Return the sheet; `before` and `after` are the names of the revisions."""
    width = side_left(1) + PICTURES * STEP + GAP
    sheet = Image.new("RGB", (width, HEADER + ROW * len(rows)), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(FONT_SIZE)
    for side, name in enumerate((before, after)):
        draw.text((side_left(side), GAP // 2), name, fill="black", font=font)
    for number, row in enumerate(rows):
        top = row_top(number)
        draw.line((0, top - CAPTION - GAP // 2, width, top - CAPTION - GAP // 2), fill=ABSENT)
        label = "\n".join(_lines(line, LABEL_CHARACTERS) for line in row.label)
        draw.text((GAP, top - CAPTION), label, fill="black", font=font)
        for side, content in enumerate((row.before, row.after)):
            caption, left = _lines(content.caption, CAPTION_CHARACTERS), side_left(side)
            draw.text((left, top - 3), caption, fill="#404040", font=font, anchor="ld")
            for i, picture in enumerate(content.pictures):
                sheet.paste(_cell(picture), (left + i * STEP, top))
    return sheet


def _cell(picture: Image.Image | None) -> Image.Image:
    """Return a picture at its size on the sheet, all of it, or a grey square for none."""
    if picture is None:
        return Image.new("RGB", (SIZE, SIZE), ABSENT)
    return ImageOps.pad(picture, (SIZE, SIZE), Image.Resampling.BICUBIC, color="white")


def _lines(text: str, characters: int) -> str:
    """Return the first two lines of a text."""
    return fill(text, characters, max_lines=2, placeholder=" ...")
