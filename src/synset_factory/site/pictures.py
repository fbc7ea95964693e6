"""Pictures of the site: strips of a class's first training images, single ones as they are stored.

Number for number the pictures of two synthetic sets grow from the same noise.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pandas as pd
from PIL import Image, ImageOps

from synset_factory import layout
from synset_factory.config import NATURAL
from synset_factory.errors import InputError
from synset_factory.records import TRAIN
from synset_factory.shards.reader import read_index, read_range
from synset_factory.shards.writer import read_members
from synset_factory.site.config import ReportConfig
from synset_factory.tables import Undefined
from synset_factory.whole_files import whole_file

FOLDER = Path("pictures")  # below the site's top
JPEG_QUALITY = 90


@dataclass(frozen=True, kw_only=True)
class Strip:
    """A class's first training images of a set side by side, or why there are none."""

    label: str  # printed name of the set
    prompts: Sequence[str]  # of the images, each once; none of natural ones
    src: str = ""  # from the site's top
    images: int = 0
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One picture and what is said below it."""

    src: str  # from the site's top
    caption: str


class FirstImages:
    """The first training images of every class of a set."""

    def __init__(self, image_set: str, count: int, label: str) -> None:
        """Read the set's index and prompts; if it has not been made, there are no images."""
        self.image_set, self.label, self.why = image_set, label, ""
        self._rows: dict[str, pd.DataFrame] = {}
        self._prompts: dict[str, list[str]] = {}
        try:
            index = read_index(image_set, TRAIN)
        except InputError as error:
            self.why = str(error)
            return
        first = index.groupby("wnid", sort=False).head(count)
        self._rows = {str(wnid): rows for wnid, rows in first.groupby("wnid")}
        if image_set != NATURAL and layout.prompts(image_set).exists():
            prompts = pd.read_parquet(
                layout.prompts(image_set),
                columns=["wnid", "number", "prompt"],
                filters=[("split", "=", TRAIN), ("number", "<", count)],
            ).sort_values("number")
            for wnid, prompt in zip(prompts["wnid"], prompts["prompt"], strict=True):
                self._prompts.setdefault(wnid, []).append(prompt)

    def jpegs(self, wnid: str) -> list[bytes]:
        """Return the JPEGs of a class in the order of their numbers."""
        if wnid not in self._rows:
            return []
        root = layout.shards(self.image_set)
        rows = self._rows[wnid]
        places = zip(rows["tar"], rows["offset"], rows["size"], strict=True)
        return [read_range(root / tar, offset, size) for tar, offset, size in places]

    def prompts(self, wnid: str) -> list[str]:
        """Return the prompts of a class's images in the order of their numbers."""
        return self._prompts.get(wnid, [])

    def write_strip(self, site: Path, wnid: str, config: ReportConfig) -> Strip:
        """Write `pictures/<wnid>/<set>.jpg`."""
        prompts = list(dict.fromkeys(self.prompts(wnid)))
        try:
            pictures = [_small(jpeg, config.strip_pixels) for jpeg in self.jpegs(wnid)]
        except OSError:
            why = f"The pictures of {self.label} cannot be read: make the set with `dvc repro`."
            return Strip(label=self.label, prompts=prompts, why=why)
        if not pictures:
            why = self.why or f"{self.label} has no pictures of this class."
            return Strip(label=self.label, prompts=prompts, why=why)
        src = FOLDER / wnid / f"{self.image_set}.jpg"
        with whole_file(site / src) as partial:
            _side_by_side(pictures).save(
                partial, format="JPEG", quality=JPEG_QUALITY, subsampling=0
            )
        return Strip(label=self.label, prompts=prompts, src=src.as_posix(), images=len(pictures))


def write_pictures(
    site: Path, name: str, jpegs: Sequence[bytes], captions: Sequence[str]
) -> list[Picture]:
    """Write `pictures/<name>_<number>.jpg`, as they are stored."""
    pictures = []
    for number, (jpeg, caption) in enumerate(zip(jpegs, captions, strict=True)):
        src = FOLDER / f"{name}_{number}.jpg"
        with whole_file(site / src) as partial:
            partial.write_bytes(jpeg)
        pictures.append(Picture(src=src.as_posix(), caption=caption))
    return pictures


def tar_jpegs(tar: Path, count: int) -> list[bytes] | Undefined:
    """Return the first JPEGs of a class tar, or why there are none."""
    if not tar.exists():
        return Undefined(f"{tar} is missing: make it with `dvc repro`.")
    try:
        members = read_members(tar)[:count]
    except InputError as error:
        return Undefined(str(error))
    return [read_range(tar, each["offset"], each["size"]) for each in members]


def _small(jpeg: bytes, pixels: int) -> Image.Image:
    """Return a picture as a square of `pixels` at most; smaller ones stay as they are."""
    with Image.open(BytesIO(jpeg)) as image:
        image.draft("RGB", (pixels, pixels))  # JPEG is read smaller than it is, in a fraction of it
        side = min(pixels, *image.size)
        return ImageOps.fit(image.convert("RGB"), (side, side), Image.Resampling.BICUBIC)


def _side_by_side(pictures: Sequence[Image.Image]) -> Image.Image:
    side = max(picture.width for picture in pictures)
    strip = Image.new("RGB", (side * len(pictures), side), "white")
    for number, picture in enumerate(pictures):
        strip.paste(picture.resize((side, side)), (number * side, 0))
    return strip
