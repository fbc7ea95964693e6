"""What a concept of the miniature world looks like: one small function a concept or a backdrop.

A concept is drawn in its own frame, x to the right and y down, both about -1 to 1; the `Pen`
turns, squeezes and places it in the picture. Colours are RGB triples of 0 to 255.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable

from PIL import ImageDraw

Colour = tuple[int, int, int]
Point = tuple[float, float]

BLACK: Colour = (25, 25, 28)
WHITE: Colour = (245, 245, 245)
GLASS: Colour = (120, 165, 200)
STEEL: Colour = (140, 145, 155)
WOOD: Colour = (150, 100, 55)
SKIN: Colour = (205, 150, 115)
OVAL_CORNERS = 14  # an oval is a polygon, so that it can be turned and squeezed


def shade(colour: Colour, factor: float) -> Colour:
    """The colour made darker (factor below 1) or lighter (above 1), within 0 to 255."""
    red, green, blue = (max(0, min(255, round(part * factor))) for part in colour)
    return red, green, blue


class Pen:
    """Draws a concept's shapes into a picture, turned, squeezed, mirrored, placed and wobbling."""

    def __init__(
        self,
        draw: ImageDraw.ImageDraw,
        *,
        centre: Point,
        scale: float,
        angle: float,
        squeeze: float,
        mirrored: bool,
        wobble: float,
        rng: random.Random,
    ) -> None:
        """Centre and scale in pixels, angle in radians; squeeze and wobble are fractions of 1."""
        self._draw = draw
        self._centre = centre
        self._scale = scale
        self._cos, self._sin = math.cos(angle), math.sin(angle)
        self._width = squeeze * (-1.0 if mirrored else 1.0)
        self._wobble = wobble
        self._rng = rng

    def _place(self, point: Point) -> Point:
        x = point[0] * self._width
        y = point[1]
        if self._wobble:
            x += self._rng.gauss(0.0, self._wobble)
            y += self._rng.gauss(0.0, self._wobble)
        return (
            self._centre[0] + self._scale * (x * self._cos - y * self._sin),
            self._centre[1] + self._scale * (x * self._sin + y * self._cos),
        )

    def shape(self, colour: Colour, *points: Point) -> None:
        """A filled polygon."""
        self._draw.polygon([self._place(point) for point in points], fill=colour)

    def box(self, colour: Colour, left: float, top: float, right: float, bottom: float) -> None:
        """A filled rectangle."""
        self.shape(colour, (left, top), (right, top), (right, bottom), (left, bottom))

    def oval(self, colour: Colour, x: float, y: float, rx: float, ry: float) -> None:
        """A filled ellipse around (x, y) with radii rx and ry."""
        turns = [2.0 * math.pi * k / OVAL_CORNERS for k in range(OVAL_CORNERS)]
        self.shape(colour, *((x + rx * math.cos(t), y + ry * math.sin(t)) for t in turns))

    def stroke(self, colour: Colour, width: float, *points: Point) -> None:
        """A line through the points, `width` wide."""
        pixels = max(1, round(width * self._scale))
        placed = [self._place(point) for point in points]
        self._draw.line(placed, fill=colour, width=pixels, joint="curve")


# ---- birds and beasts --------------------------------------------------------------------------


def drake(pen: Pen, body: Colour) -> None:
    """A duck on the water line: grey body, green head, white collar, yellow bill."""
    pen.oval(body, -0.1, 0.2, 0.75, 0.36)
    pen.shape(shade(body, 0.6), (-0.75, 0.1), (-1.0, -0.15), (-0.5, 0.0))
    pen.oval(shade(body, 0.7), -0.15, 0.15, 0.4, 0.2)
    pen.stroke(WHITE, 0.2, (0.42, 0.05), (0.5, -0.15))
    pen.oval((20, 115, 55), 0.55, -0.35, 0.27, 0.25)
    pen.shape((240, 190, 30), (0.75, -0.42), (1.05, -0.28), (0.75, -0.2))


def crane_bird(pen: Pen, body: Colour) -> None:
    """A tall wading bird: long legs, long neck, red crown."""
    pen.stroke((90, 75, 65), 0.08, (-0.2, 0.2), (-0.2, 1.0))
    pen.stroke((90, 75, 65), 0.08, (0.0, 0.2), (0.05, 1.0))
    pen.oval(body, -0.15, 0.1, 0.48, 0.26)
    pen.shape(BLACK, (-0.5, 0.0), (-0.85, 0.35), (-0.4, 0.3))
    pen.stroke(body, 0.14, (0.2, 0.05), (0.42, -0.25), (0.32, -0.65), (0.42, -0.8))
    pen.oval((215, 30, 35), 0.42, -0.84, 0.13, 0.1)
    pen.stroke((70, 70, 50), 0.09, (0.5, -0.8), (0.85, -0.72))


def jay(pen: Pen, body: Colour) -> None:
    """A blue bird with a crest, a white belly and a long barred tail."""
    pen.shape(shade(body, 0.7), (-0.35, 0.1), (-1.0, 0.5), (-0.9, 0.7), (-0.25, 0.4))
    pen.oval(body, -0.05, 0.15, 0.48, 0.34)
    pen.oval(WHITE, 0.15, 0.28, 0.3, 0.22)
    pen.oval(body, 0.4, -0.25, 0.28, 0.26)
    pen.shape(body, (0.15, -0.3), (0.15, -0.85), (0.55, -0.42))
    pen.shape(BLACK, (0.64, -0.32), (0.95, -0.2), (0.64, -0.12))
    pen.stroke(BLACK, 0.07, (0.0, 0.45), (0.0, 0.8))


def quail(pen: Pen, body: Colour) -> None:
    """A plump round brown bird, nearly no tail, with a plume on its head."""
    pen.oval(body, -0.05, 0.2, 0.62, 0.5)
    pen.oval(shade(body, 1.5), 0.15, 0.35, 0.32, 0.28)
    for x, y in ((-0.4, 0.1), (-0.2, 0.3), (-0.25, -0.02)):
        pen.oval(shade(body, 0.5), x, y, 0.08, 0.06)
    pen.oval(shade(body, 0.6), 0.42, -0.38, 0.24, 0.22)
    pen.stroke(BLACK, 0.1, (0.42, -0.55), (0.5, -0.85), (0.7, -0.85))
    pen.stroke((120, 90, 50), 0.08, (0.0, 0.65), (0.0, 0.95))


def goldfinch(pen: Pen, body: Colour) -> None:
    """A small golden bird with a red face and a black wing with a yellow bar."""
    pen.shape(BLACK, (-0.45, 0.15), (-0.95, 0.4), (-0.4, 0.4))
    pen.oval(body, 0.0, 0.15, 0.52, 0.38)
    pen.shape(BLACK, (-0.6, 0.0), (0.15, 0.0), (-0.1, 0.4), (-0.5, 0.35))
    pen.stroke((245, 210, 40), 0.12, (-0.45, 0.2), (0.0, 0.2))
    pen.oval((205, 35, 35), 0.42, -0.25, 0.26, 0.25)
    pen.shape((230, 200, 170), (0.62, -0.32), (0.9, -0.2), (0.62, -0.12))
    pen.stroke(BLACK, 0.07, (0.05, 0.5), (0.05, 0.85))


def mamba(pen: Pen, body: Colour) -> None:
    """A green snake in waves."""
    waves = [(-0.95 + 0.1 * k, 0.38 * math.sin(0.75 * k)) for k in range(18)]
    pen.stroke(body, 0.24, *waves)
    x, y = waves[-1]
    pen.oval(shade(body, 0.75), x + 0.08, y, 0.22, 0.16)


def chameleon(pen: Pen, body: Colour) -> None:
    """A lizard on a branch: high back, curled tail, casqued head."""
    pen.stroke((115, 80, 50), 0.14, (-1.0, 0.62), (1.0, 0.5))
    curl = [(-0.45, 0.3), (-0.8, 0.2), (-0.95, -0.1), (-0.75, -0.3), (-0.6, -0.12), (-0.75, 0.0)]
    pen.stroke(shade(body, 0.8), 0.13, *curl)
    pen.shape(body, (-0.5, 0.4), (-0.35, -0.2), (0.05, -0.4), (0.4, -0.1), (0.45, 0.35))
    pen.shape(body, (0.3, -0.05), (0.4, -0.65), (0.65, -0.35), (0.95, 0.05), (0.4, 0.3))
    pen.oval((245, 235, 150), 0.6, -0.15, 0.11, 0.11)
    pen.stroke(shade(body, 0.7), 0.12, (-0.25, 0.35), (-0.2, 0.62))
    pen.stroke(shade(body, 0.7), 0.12, (0.25, 0.3), (0.3, 0.58))


def shark(pen: Pen, body: Colour) -> None:
    """A fish with a fin and a broad head."""
    pen.oval(body, 0.0, 0.1, 0.75, 0.25)
    pen.shape(body, (-0.1, 0.0), (0.0, -0.5), (0.25, -0.05))
    pen.shape(body, (-0.6, 0.1), (-1.0, -0.3), (-0.85, 0.1), (-1.0, 0.45))
    pen.box(body, 0.6, -0.3, 0.85, 0.5)


def dog(pen: Pen, body: Colour) -> None:
    """A dog from the side."""
    for x in (-0.5, -0.3, 0.2, 0.4):
        pen.stroke(shade(body, 0.8), 0.14, (x, 0.2), (x, 0.85))
    pen.box(body, -0.6, -0.15, 0.5, 0.35)
    pen.stroke(body, 0.12, (-0.55, -0.1), (-0.9, -0.45))
    pen.oval(body, 0.6, -0.35, 0.26, 0.24)
    pen.box(shade(body, 0.7), 0.7, -0.35, 0.98, -0.15)
    pen.oval(shade(body, 0.6), 0.45, -0.4, 0.1, 0.22)


# ---- vehicles and machines ---------------------------------------------------------------------


def _wheels(pen: Pen, *places: float, y: float = 0.5, radius: float = 0.2) -> None:
    for x in places:
        pen.oval(BLACK, x, y, radius, radius)
        pen.oval(STEEL, x, y, radius * 0.4, radius * 0.4)


def school_bus(pen: Pen, body: Colour) -> None:
    """A long bus with a bonnet, a row of windows and a black stripe."""
    pen.shape(body, (-1.0, -0.5), (0.6, -0.5), (0.65, -0.05), (1.0, 0.0), (1.0, 0.45), (-1.0, 0.45))
    for x in (-0.9, -0.6, -0.3, 0.0):
        pen.box(GLASS, x, -0.38, x + 0.22, -0.1)
    pen.shape(GLASS, (0.32, -0.38), (0.52, -0.38), (0.56, -0.08), (0.32, -0.08))
    pen.box(BLACK, -1.0, 0.1, 0.65, 0.2)
    _wheels(pen, -0.6, 0.6)


def minibus(pen: Pen, body: Colour) -> None:
    """A short rounded bus with a sloping front and three windows."""
    pen.shape(
        body, (-0.8, -0.45), (0.35, -0.5), (0.7, -0.1), (0.8, 0.05), (0.8, 0.45), (-0.8, 0.45)
    )
    for x in (-0.68, -0.3):
        pen.box(GLASS, x, -0.32, x + 0.3, -0.02)
    pen.shape(GLASS, (0.1, -0.34), (0.32, -0.36), (0.58, -0.02), (0.1, -0.02))
    pen.box(WHITE, -0.8, 0.12, 0.8, 0.22)
    _wheels(pen, -0.45, 0.45)


def pickup(pen: Pen, body: Colour) -> None:
    """A truck with a cab and an open bed."""
    pen.shape(
        body,
        (-1.0, 0.0),
        (-0.15, 0.0),
        (-0.05, -0.45),
        (0.4, -0.45),
        (0.6, -0.02),
        (1.0, 0.05),
        (1.0, 0.45),
        (-1.0, 0.45),
    )
    pen.shape(GLASS, (0.02, -0.33), (0.34, -0.33), (0.48, -0.02), (-0.03, -0.02))
    pen.box(shade(body, 0.55), -0.92, 0.03, -0.22, 0.15)
    _wheels(pen, -0.6, 0.6, radius=0.24)


def garbage_truck(pen: Pen, body: Colour) -> None:
    """A truck with a sloped ribbed hopper behind and a cab in front."""
    pen.shape(body, (-0.7, -0.65), (0.35, -0.65), (0.35, 0.45), (-1.0, 0.45), (-1.0, 0.0))
    for x in (-0.55, -0.25, 0.05):
        pen.box(shade(body, 0.6), x, -0.6, x + 0.1, 0.35)
    pen.shape(BLACK, (-1.0, 0.05), (-0.7, 0.05), (-0.7, 0.4), (-1.0, 0.4))
    pen.shape(WHITE, (0.42, -0.35), (0.95, -0.35), (0.98, 0.45), (0.42, 0.45))
    pen.box(GLASS, 0.62, -0.25, 0.9, 0.05)
    _wheels(pen, -0.6, 0.65)


def crane_machine(pen: Pen, body: Colour) -> None:
    """A tower crane: mast, jib, cable and load."""
    pen.stroke(body, 0.17, (-0.3, 1.0), (-0.3, -0.75))
    pen.stroke(body, 0.14, (-0.8, -0.6), (1.0, -0.6))
    pen.stroke(body, 0.07, (-0.75, -0.6), (-0.3, -0.95), (0.8, -0.6))
    pen.box(shade(body, 0.5), -0.85, -0.6, -0.6, -0.3)
    pen.stroke(BLACK, 0.06, (0.7, -0.6), (0.7, 0.1))
    pen.box((110, 110, 115), 0.52, 0.1, 0.88, 0.35)
    pen.box(shade(body, 0.6), -0.55, 0.85, -0.05, 1.0)


def car(pen: Pen, body: Colour) -> None:
    """A low round car."""
    pen.oval(body, 0.0, -0.05, 0.6, 0.42)
    pen.box(body, -0.95, 0.0, 0.95, 0.4)
    pen.oval(GLASS, 0.0, -0.1, 0.42, 0.26)
    _wheels(pen, -0.5, 0.5, y=0.42)


# ---- tools and metal ---------------------------------------------------------------------------


def hammer(pen: Pen, body: Colour) -> None:
    """A claw hammer, upright."""
    pen.stroke(body, 0.2, (0.0, -0.4), (0.0, 1.0))
    pen.box(STEEL, -0.6, -0.75, 0.2, -0.4)
    pen.shape(STEEL, (0.15, -0.75), (0.75, -0.45), (0.7, -0.35), (0.15, -0.42))
    pen.box(shade(STEEL, 0.6), -0.65, -0.8, -0.45, -0.35)


def nail(pen: Pen, body: Colour) -> None:
    """A smooth thin shank, a flat head, a point."""
    pen.stroke(body, 0.13, (0.0, -0.8), (0.0, 0.7))
    pen.shape(body, (-0.065, 0.65), (0.065, 0.65), (0.0, 1.0))
    pen.box(shade(body, 0.8), -0.28, -0.95, 0.28, -0.8)


def screw(pen: Pen, body: Colour) -> None:
    """A tapered shank with threads under a domed, slotted head."""
    pen.oval(body, 0.0, -0.7, 0.45, 0.28)
    pen.box(shade(body, 0.3), -0.06, -0.98, 0.06, -0.68)
    pen.shape(body, (-0.24, -0.5), (0.24, -0.5), (0.0, 1.0))
    for k in range(4):
        y, half = -0.35 + 0.3 * k, 0.36 - 0.07 * k
        pen.stroke(shade(body, 0.55), 0.1, (-half, y), (half, y + 0.12))


def bolt(pen: Pen, body: Colour) -> None:
    """A bolt with a hexagonal head, and a nut on it."""
    pen.box(body, -0.17, -0.5, 0.17, 0.95)
    pen.shape(
        shade(body, 0.8), (-0.55, -0.7), (-0.4, -0.95), (0.4, -0.95), (0.55, -0.7), (0.4, -0.45),
        (-0.4, -0.45),
    )  # fmt: skip
    pen.shape(
        shade(body, 0.6), (-0.5, 0.4), (-0.38, 0.2), (0.38, 0.2), (0.5, 0.4), (0.38, 0.6),
        (-0.38, 0.6),
    )  # fmt: skip


def toolbox(pen: Pen, body: Colour) -> None:
    """A box with a handle."""
    pen.stroke(BLACK, 0.1, (-0.4, -0.2), (-0.4, -0.5), (0.4, -0.5), (0.4, -0.2))
    pen.box(body, -0.85, -0.2, 0.85, 0.6)
    pen.box(shade(body, 0.6), -0.85, -0.2, 0.85, 0.05)
    pen.box(STEEL, -0.12, -0.05, 0.12, 0.2)


def cannon(pen: Pen, body: Colour) -> None:
    """The gun that is called a mortar: a slanted tube on a bipod and a base plate."""
    pen.box(shade(body, 0.6), -0.95, 0.6, -0.15, 0.8)
    pen.stroke(shade(body, 0.7), 0.1, (0.1, -0.1), (0.55, 0.8))
    pen.stroke(shade(body, 0.7), 0.1, (0.1, -0.1), (0.2, 0.8))
    pen.stroke(body, 0.32, (-0.55, 0.6), (0.5, -0.8))
    pen.oval(BLACK, 0.52, -0.82, 0.14, 0.1)


def bricks(pen: Pen, body: Colour) -> None:
    """The cement that is called mortar: a wall of bricks with pale joints."""
    pen.box((225, 220, 210), -0.95, -0.7, 0.95, 0.7)
    for row, top in enumerate((-0.62, -0.18, 0.26)):
        for left in (-0.9, -0.3, 0.3) if row % 2 == 0 else (-0.6, 0.0, 0.6):
            pen.box(body, left, top, min(left + 0.5, 0.95), top + 0.34)


# ---- vessels, food and other artefacts ---------------------------------------------------------


def mortar(pen: Pen, body: Colour) -> None:
    """A bowl on a foot with a pestle standing in it."""
    pen.stroke(shade(body, 1.25), 0.22, (0.05, -0.1), (0.55, -0.9))
    pen.oval(shade(body, 0.5), 0.0, -0.12, 0.7, 0.2)
    pen.shape(body, (-0.7, -0.1), (0.7, -0.1), (0.42, 0.6), (-0.42, 0.6))
    pen.box(shade(body, 0.8), -0.5, 0.6, 0.5, 0.8)


def teapot(pen: Pen, body: Colour) -> None:
    """A round pot with a spout, a handle and a lid."""
    pen.stroke(shade(body, 0.75), 0.14, (-0.5, -0.1), (-0.9, -0.1), (-0.9, 0.4), (-0.45, 0.5))
    pen.shape(body, (0.4, 0.3), (0.7, -0.35), (1.0, -0.4), (0.6, 0.55))
    pen.oval(body, 0.0, 0.2, 0.62, 0.52)
    pen.oval(shade(body, 0.7), 0.0, -0.28, 0.36, 0.1)
    pen.oval(shade(body, 0.6), 0.0, -0.45, 0.12, 0.12)


def glass_jug(pen: Pen, body: Colour) -> None:
    """What the web calls a whiskey jug: a broad glass bottle, half full."""
    pen.box((110, 75, 45), -0.12, -0.9, 0.12, -0.65)
    pen.shape(GLASS, (-0.15, -0.68), (0.15, -0.68), (0.6, -0.3), (-0.6, -0.3))
    pen.box(GLASS, -0.6, -0.32, 0.6, 0.85)
    pen.box(body, -0.52, 0.0, 0.52, 0.78)
    pen.box(shade(GLASS, 1.3), -0.5, -0.25, -0.38, 0.75)


def clay_jar(pen: Pen, body: Colour) -> None:
    """What ImageNet calls a whiskey jug: a two-coloured clay jar with a label."""
    pen.stroke(shade(body, 0.5), 0.13, (0.15, -0.7), (0.55, -0.65), (0.5, -0.3))
    pen.box((90, 60, 40), -0.14, -1.0, 0.14, -0.6)
    pen.shape(shade(body, 0.45), (-0.2, -0.7), (0.2, -0.7), (0.62, -0.15), (-0.62, -0.15))
    pen.box(body, -0.62, -0.17, 0.62, 0.85)
    pen.box(BLACK, -0.36, 0.05, 0.36, 0.55)
    pen.box(WHITE, -0.28, 0.13, 0.28, 0.25)
    pen.box(WHITE, -0.28, 0.35, 0.28, 0.45)


def banana(pen: Pen, body: Colour) -> None:
    """A bent yellow fruit."""
    arc = [(0.8 * math.cos(t), -0.45 + 0.85 * math.sin(t)) for t in (0.1, 0.6, 1.1, 1.6, 2.1, 2.6)]
    pen.stroke(body, 0.38, *arc)
    pen.stroke((90, 70, 30), 0.16, arc[0], (0.88, -0.6))
    pen.oval((90, 70, 30), arc[-1][0] - 0.05, arc[-1][1] - 0.05, 0.12, 0.12)


def burrito(pen: Pen, body: Colour) -> None:
    """A rolled tortilla, cut open at one end."""
    pen.shape(body, (-0.85, -0.32), (0.55, -0.4), (0.6, 0.4), (-0.85, 0.35))
    pen.oval(body, -0.83, 0.02, 0.17, 0.33)
    pen.stroke(shade(body, 0.75), 0.08, (-0.6, -0.33), (-0.1, 0.36))
    pen.oval((120, 65, 40), 0.58, 0.0, 0.24, 0.4)
    pen.oval((70, 160, 55), 0.56, -0.15, 0.13, 0.12)
    pen.oval((215, 50, 40), 0.6, 0.14, 0.12, 0.12)


def piano(pen: Pen, body: Colour) -> None:
    """A grand piano with its lid up and white keys in front."""
    for x in (-0.7, 0.65):
        pen.stroke(body, 0.12, (x, 0.3), (x, 0.95))
    pen.shape(shade(body, 1.8), (-0.85, 0.0), (-0.6, -0.9), (0.55, -0.65), (0.85, 0.0))
    pen.stroke(BLACK, 0.06, (0.4, 0.0), (0.3, -0.55))
    pen.box(body, -0.9, -0.02, 0.9, 0.4)
    pen.box(WHITE, -0.85, 0.2, 0.4, 0.34)


def breastplate(pen: Pen, body: Colour) -> None:
    """A steel cuirass: neck and arm holes, a ridge down the middle."""
    pen.shape(
        body, (-0.55, -0.85), (-0.25, -0.7), (0.25, -0.7), (0.55, -0.85), (0.5, -0.4),
        (0.75, -0.05), (0.5, 0.6), (0.7, 0.9), (-0.7, 0.9), (-0.5, 0.6), (-0.75, -0.05),
        (-0.5, -0.4),
    )  # fmt: skip
    pen.stroke(shade(body, 0.55), 0.1, (0.0, -0.65), (0.0, 0.6))
    pen.stroke(shade(body, 1.3), 0.1, (-0.3, -0.35), (-0.3, 0.35))
    pen.stroke((190, 150, 60), 0.14, (-0.55, 0.6), (0.55, 0.6))


def shield(pen: Pen, body: Colour) -> None:
    """The shield that is called an aegis: round, with a rim and a boss."""
    pen.oval(shade(body, 0.6), 0.0, 0.0, 0.85, 0.85)
    pen.oval(body, 0.0, 0.0, 0.68, 0.68)
    pen.box((190, 40, 45), -0.12, -0.66, 0.12, 0.66)
    pen.box((190, 40, 45), -0.66, -0.12, 0.66, 0.12)
    pen.oval(shade(body, 0.5), 0.0, 0.0, 0.22, 0.22)


def letter(pen: Pen, body: Colour) -> None:
    """The letter J on a card."""
    pen.stroke(body, 0.34, (0.25, -0.8), (0.25, 0.4), (0.05, 0.75), (-0.3, 0.75), (-0.5, 0.4))
    pen.stroke(body, 0.28, (-0.25, -0.8), (0.65, -0.8))


def performer(pen: Pen, body: Colour) -> None:
    """A singer with a microphone."""
    for x in (-0.16, 0.16):
        pen.stroke((50, 55, 95), 0.2, (x, 0.3), (x * 1.2, 1.0))
    pen.shape(body, (-0.42, -0.35), (0.42, -0.35), (0.3, 0.4), (-0.3, 0.4))
    pen.stroke(SKIN, 0.14, (0.38, -0.25), (0.6, -0.1), (0.3, -0.4))
    pen.oval(SKIN, 0.0, -0.65, 0.25, 0.28)
    pen.oval(BLACK, 0.0, -0.83, 0.26, 0.14)
    pen.oval(BLACK, 0.28, -0.48, 0.11, 0.11)


def tree(pen: Pen, body: Colour) -> None:
    """A round tree on a trunk."""
    pen.box(WOOD, -0.12, 0.2, 0.12, 1.0)
    pen.oval(body, 0.0, -0.25, 0.65, 0.6)


def house(pen: Pen, body: Colour) -> None:
    """A house with a roof, a door and a window."""
    pen.box(body, -0.7, -0.1, 0.7, 0.85)
    pen.shape((150, 60, 45), (-0.9, -0.1), (0.0, -0.85), (0.9, -0.1))
    pen.box(WOOD, -0.15, 0.3, 0.2, 0.85)
    pen.box(GLASS, 0.3, 0.1, 0.58, 0.4)


def ball(pen: Pen, body: Colour) -> None:
    """A ball with a light spot."""
    pen.oval(body, 0.0, 0.0, 0.75, 0.75)
    pen.oval(shade(body, 1.5), -0.25, -0.28, 0.22, 0.18)


def flower(pen: Pen, body: Colour) -> None:
    """A flower on a stalk."""
    pen.stroke((60, 140, 60), 0.1, (0.0, 0.0), (0.0, 1.0))
    for k in range(6):
        turn = math.pi * k / 3.0
        pen.oval(body, 0.42 * math.cos(turn), -0.35 + 0.42 * math.sin(turn), 0.26, 0.26)
    pen.oval((245, 205, 60), 0.0, -0.35, 0.24, 0.24)


CONCEPTS: dict[str, Callable[[Pen, Colour], None]] = {
    function.__name__: function
    for function in (
        drake, crane_bird, jay, quail, goldfinch, mamba, chameleon, shark, dog, school_bus,
        minibus, pickup, garbage_truck, crane_machine, car, hammer, nail, screw, bolt,
        toolbox, cannon, bricks, mortar, teapot, glass_jug, clay_jar, banana, burrito,
        piano, breastplate, shield, letter, performer, tree, house, ball, flower,
    )
}  # fmt: skip


# ---- backdrops: they fill the whole picture, `size` pixels wide and high -------------------------


def _tint(rng: random.Random, colour: Colour, spread: float) -> Colour:
    light = rng.gauss(0.0, spread)
    parts = (max(0, min(255, round(c + light + rng.gauss(0.0, spread / 2)))) for c in colour)
    red, green, blue = parts
    return red, green, blue


def _bands(draw: ImageDraw.ImageDraw, size: int, split: float, top: Colour, bottom: Colour) -> None:
    draw.rectangle((0, 0, size, size * split), fill=top)
    draw.rectangle((0, size * split, size, size), fill=bottom)


def _blobs(
    draw: ImageDraw.ImageDraw, size: int, rng: random.Random, number: int, colour: Colour,
    top: float, bottom: float,
) -> None:  # fmt: skip
    for _ in range(number):
        x, y = rng.random() * size, rng.uniform(top, bottom) * size
        rx, ry = rng.uniform(0.04, 0.16) * size, rng.uniform(0.03, 0.1) * size
        draw.ellipse((x - rx, y - ry, x + rx, y + ry), fill=_tint(rng, colour, 14.0))


def studio(draw: ImageDraw.ImageDraw, size: int, rng: random.Random) -> None:
    """A nearly white cloth, a little darker below."""
    _bands(draw, size, rng.uniform(0.7, 0.8), _tint(rng, (244, 244, 246), 3.0), (228, 228, 232))


def meadow(draw: ImageDraw.ImageDraw, size: int, rng: random.Random) -> None:
    """Sky over grass."""
    split = rng.uniform(0.25, 0.6)
    _bands(draw, size, split, _tint(rng, (160, 200, 235), 14), _tint(rng, (95, 155, 65), 18))
    _blobs(draw, size, rng, 8, (75, 130, 55), split, 1.0)


def beach(draw: ImageDraw.ImageDraw, size: int, rng: random.Random) -> None:
    """Sea over sand."""
    split = rng.uniform(0.3, 0.6)
    _bands(draw, size, split, _tint(rng, (60, 150, 190), 16), _tint(rng, (225, 200, 150), 16))
    _blobs(draw, size, rng, 5, (205, 180, 130), split, 1.0)


def jungle(draw: ImageDraw.ImageDraw, size: int, rng: random.Random) -> None:
    """Dark green leaves everywhere."""
    draw.rectangle((0, 0, size, size), fill=_tint(rng, (30, 75, 35), 8))
    _blobs(draw, size, rng, 22, (45, 110, 45), 0.0, 1.0)
    _blobs(draw, size, rng, 8, (85, 140, 55), 0.0, 1.0)


def street(draw: ImageDraw.ImageDraw, size: int, rng: random.Random) -> None:
    """Houses with windows over a grey road."""
    split = rng.uniform(0.55, 0.75)
    _bands(draw, size, split, _tint(rng, (165, 150, 140), 20), _tint(rng, (95, 95, 100), 12))
    window = _tint(rng, (90, 95, 115), 15)
    for k in range(5):
        for row in (0.12, 0.36):
            x, y = (k + 0.25) * size / 5, row * size
            draw.rectangle((x, y, x + size * 0.09, y + size * 0.13), fill=window)


def night(draw: ImageDraw.ImageDraw, size: int, rng: random.Random) -> None:
    """A dark blue sky with a few lights."""
    _bands(draw, size, 0.7, _tint(rng, (22, 26, 60), 7), _tint(rng, (35, 33, 45), 7))
    for _ in range(7):
        x, y = rng.random() * size, rng.random() * size
        draw.ellipse((x, y, x + size * 0.04, y + size * 0.04), fill=(235, 215, 140))


def snow(draw: ImageDraw.ImageDraw, size: int, rng: random.Random) -> None:
    """A grey sky over bluish snow."""
    split = rng.uniform(0.3, 0.6)
    _bands(draw, size, split, _tint(rng, (150, 160, 175), 14), _tint(rng, (215, 225, 240), 10))
    _blobs(draw, size, rng, 5, (190, 205, 228), split, 1.0)


def table(draw: ImageDraw.ImageDraw, size: int, rng: random.Random) -> None:
    """Wooden planks seen from above."""
    for k in range(5):
        plank = _tint(rng, (165, 115, 70), 12)
        draw.rectangle((0, size * k / 5, size, size * (k + 1) / 5 - 2), fill=plank)


def room(draw: ImageDraw.ImageDraw, size: int, rng: random.Random) -> None:
    """A coloured wall over a floor."""
    wall: Colour = (rng.randint(70, 225), rng.randint(70, 225), rng.randint(70, 225))
    _bands(draw, size, rng.uniform(0.5, 0.85), wall, _tint(rng, (130, 105, 90), 20))
    if rng.random() < 0.5:
        x, y = rng.uniform(0.0, 0.7) * size, rng.uniform(0.0, 0.2) * size
        draw.rectangle((x, y, x + size * 0.25, y + size * 0.25), fill=_tint(rng, wall, 45.0))


BACKDROPS: dict[str, Callable[[ImageDraw.ImageDraw, int, random.Random], None]] = {
    function.__name__: function
    for function in (studio, meadow, beach, jungle, street, night, snow, table, room)
}
