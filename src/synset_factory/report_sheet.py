"""The sheet of Figure 5: classes down, image sets across, the same noise in each column."""

from PIL import Image, ImageDraw, ImageFont

from synset_factory import layout
from synset_factory.prompts.grammar import ClassPrompts
from synset_factory.records import TRAIN
from synset_factory.shards.reader import JpegDataset, read_index
from synset_factory.site.config import ReportConfig
from synset_factory.tables import PAPER_SETS

GAP = 4  # pixels between cells


def _pictures(image_set: str, wnid: str, count: int) -> list[Image.Image]:
    if not layout.index(image_set).exists():
        return []
    index = read_index(image_set, TRAIN)
    dataset = JpegDataset(image_set, index[index["wnid"] == wnid].head(count))
    try:
        return [dataset[i][0] for i in range(len(dataset))]
    except OSError:
        return []  # a tar that was not pulled: the class's page says so


def _row_label(prompts: ClassPrompts) -> str:
    first = prompts.synset.split(", ")[0]
    return first if prompts.disamb == prompts.synset else f"{first}\n> {prompts.disamb}"


def figure5(classes: list[ClassPrompts], config: ReportConfig) -> Image.Image:
    """Draw the sheet of Figure 5: classes down, sets across, the same noise in each column.

    Clarified classes come first, as the paper shows them.
    """
    size, images = config.sheet_pixels, config.sheet_images
    cell, label_width, header = images * size + 2 * GAP, 4 * size, size // 2
    sheet = Image.new(
        "RGB",
        (label_width + cell * len(PAPER_SETS), header + (size + GAP) * len(classes)),
        "white",
    )
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(max(10, size // 5))
    for column, name in enumerate(PAPER_SETS):
        left = label_width + column * cell
        draw.text((left, GAP), config.label(name), fill="black", font=font)
        for line, prompts in enumerate(classes):
            top = header + line * (size + GAP)
            for i, picture in enumerate(_pictures(name, prompts.wnid, images)):
                sheet.paste(
                    picture.resize((size, size), Image.Resampling.BICUBIC), (left + i * size, top)
                )
    for line, prompts in enumerate(classes):
        top = header + line * (size + GAP)
        draw.text((GAP, top), _row_label(prompts), fill="black", font=font)
    return sheet
