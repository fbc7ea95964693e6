"""From the description of a scene to a picture. Pure: the same scene gives the same pixels."""

import random
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

from synset_factory.worlds.miniature.drawing import BACKDROPS, CONCEPTS, Colour, Pen

SUPERSAMPLING = 4  # pictures are drawn this many times as large, then reduced


@dataclass(frozen=True, kw_only=True)
class Thing:
    """One thing in a picture. Lengths are in picture widths, origin at the upper left."""

    concept: str  # of drawing.CONCEPTS
    colour: Colour
    x: float  # of its centre
    y: float
    scale: float  # half its size
    angle: float  # radians
    squeeze: float  # 1 is seen from the front, less is foreshortened
    mirrored: bool
    wobble: float  # of its outline, in units of its own size


@dataclass(frozen=True, kw_only=True)
class Occluder:
    """A plain bar in front of everything. Lengths are in picture widths."""

    left: float
    top: float
    width: float
    colour: Colour


@dataclass(frozen=True, kw_only=True)
class Scene:
    """All that determines a picture."""

    things: tuple[Thing, ...]  # drawn in this order
    backdrop: str  # of drawing.BACKDROPS
    haze: float  # share of white in the backdrop
    occluder: Occluder | None
    brightness: float  # factors, 1 leaves the picture as it is
    contrast: float
    saturation: float
    blur: float  # radius in pixels
    seed: int  # of backdrop and outlines


def render(scene: Scene, size: int) -> Image.Image:
    """Draw the scene as an RGB picture `size` pixels wide and high."""
    rng = random.Random(scene.seed)
    canvas = size * SUPERSAMPLING
    image = Image.new("RGB", (canvas, canvas))
    draw = ImageDraw.Draw(image)
    BACKDROPS[scene.backdrop](draw, canvas, rng)
    image.paste(Image.blend(image, Image.new("RGB", image.size, "white"), scene.haze))
    for thing in scene.things:
        _draw_thing(draw, thing, canvas, rng)
    if scene.occluder is not None:
        bar = scene.occluder
        corners = (bar.left, bar.top, bar.left + bar.width, 1.0)
        draw.rectangle([corner * canvas for corner in corners], fill=bar.colour)
    return _expose(image.reduce(SUPERSAMPLING), scene)


def _draw_thing(draw: ImageDraw.ImageDraw, thing: Thing, canvas: int, rng: random.Random) -> None:
    pen = Pen(
        draw,
        centre=(thing.x * canvas, thing.y * canvas),
        scale=thing.scale * canvas,
        angle=thing.angle,
        squeeze=thing.squeeze,
        mirrored=thing.mirrored,
        wobble=thing.wobble,
        rng=rng,
    )
    CONCEPTS[thing.concept](pen, thing.colour)


def _expose(image: Image.Image, scene: Scene) -> Image.Image:
    image = ImageEnhance.Color(image).enhance(scene.saturation)
    image = ImageEnhance.Contrast(image).enhance(scene.contrast)
    image = ImageEnhance.Brightness(image).enhance(scene.brightness)
    return image.filter(ImageFilter.GaussianBlur(scene.blur)) if scene.blur else image
