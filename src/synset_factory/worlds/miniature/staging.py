"""How a picture comes about: what its caption says shows, the rest is gloss or life."""

import math
import random
from dataclasses import dataclass

from synset_factory.worlds.miniature.causes import Causes, Location, things_of
from synset_factory.worlds.miniature.drawing import Colour
from synset_factory.worlds.miniature.renderer import Occluder, Scene, Thing

STUDIO = "studio"  # the backdrop of glossy pictures
SIDE_BY_SIDE = 0.26  # distance of two things from the middle, in picture widths
SIDE_BY_SIDE_SCALE = 0.65  # their scale, against that of one thing
COMPANION_SCALE = 0.45
OTHER_SCALE = 0.38


@dataclass(frozen=True, kw_only=True)
class Description:
    """What a caption says of its picture, besides naming things. None: it says nothing."""

    looks: str | None = None
    extent_of_typical: str = ""
    typical: str | None = None
    extent_of_size: str = ""
    size: str | None = None
    location: str | None = None
    style: str | None = None
    colour: str | None = None
    backdrop: str | None = None
    companion: str | None = None
    viewpoint: str | None = None

    @property
    def modified(self) -> bool:
        """Whether it uses any of PromptAug's modifiers."""
        parts = (self.looks, self.typical, self.size, self.location, self.style)
        return any(part is not None for part in parts)


def stage(
    things: tuple[str, ...],
    description: Description,
    *,
    glossy: bool,
    cluttered: bool,
    causes: Causes,
    rng: random.Random,
) -> Scene:
    """Arrange a picture of the things: as described, and else as gloss or life has it."""
    place = _location(description, glossy, cluttered, causes, rng)
    main = _main_things(things, description, place, glossy, causes, rng)
    behind = [_other(causes, rng) for _ in range(place.others)]
    companion = _companion(description, glossy, causes, rng)
    brightness, contrast, saturation, blur = _exposure(description, glossy, causes, rng)
    return Scene(
        things=(*behind, *main, *companion),
        backdrop=_backdrop(description, glossy, causes, rng),
        haze=causes.haze,
        occluder=_occluder(rng) if rng.random() < place.occluded else None,
        brightness=brightness,
        contrast=contrast,
        saturation=saturation,
        blur=blur,
        seed=rng.getrandbits(62),
    )


def _location(
    description: Description, glossy: bool, cluttered: bool, causes: Causes, rng: random.Random
) -> Location:
    if description.location is not None:
        place = causes.location[description.location]
    elif glossy:
        place = Location(spread=causes.glossy.spread, aside=0.0, occluded=0.0, others=0)
    else:
        others = causes.life.number_of_others if rng.random() < causes.life.others else 0
        place = Location(
            spread=causes.life.spread, aside=0.0, occluded=causes.life.occluded, others=others
        )
    if cluttered:
        others = place.others + causes.life.number_of_others
        place = Location(
            spread=causes.life.spread, aside=place.aside, occluded=place.occluded, others=others
        )
    return place


def _main_things(
    things: tuple[str, ...],
    description: Description,
    place: Location,
    glossy: bool,
    causes: Causes,
    rng: random.Random,
) -> list[Thing]:
    scale = causes.standard_scale * _size(description, glossy, causes, rng)
    x = 0.5 + rng.gauss(0.0, place.spread) + rng.choice((-1, 1)) * place.aside
    y = 0.5 + rng.gauss(0.0, place.spread) + rng.choice((-1, 1)) * place.aside
    if len(things) == 1:
        return [_thing(things[0], x, y, scale, description, glossy, causes, rng)]
    left = rng.choice((-1, 1))
    return [
        _thing(
            concept,
            x + side * left * SIDE_BY_SIDE,
            y + rng.gauss(0.0, 0.05),
            scale * SIDE_BY_SIDE_SCALE,
            description,
            glossy,
            causes,
            rng,
        )
        for concept, side in zip(things, (-1, 1), strict=True)
    ]


def _size(description: Description, glossy: bool, causes: Causes, rng: random.Random) -> float:
    """The scale of the main thing against the standard one."""
    if description.size is not None:
        strength = causes.extent[description.extent_of_size]
        return math.exp(strength * causes.size[description.size] + rng.gauss(0.0, 0.03))
    manner = causes.glossy if glossy else causes.life
    return rng.uniform(manner.scale_low, manner.scale_high)


def _thing(
    concept: str,
    x: float,
    y: float,
    scale: float,
    description: Description,
    glossy: bool,
    causes: Causes,
    rng: random.Random,
) -> Thing:
    manner = causes.glossy if glossy else causes.life
    oddity = _oddity(description, causes)
    angle = rng.gauss(0.0, manner.tilt)
    squeeze = rng.uniform(manner.squeeze_low, 1.0)
    if oddity is not None:
        angle = rng.gauss(0.0, causes.glossy.tilt) + rng.choice((-1, 1)) * 0.8 * oddity
        squeeze = 1.0 - rng.uniform(0.0, 0.5 * oddity)
    if description.viewpoint is not None:
        view = causes.viewpoints[description.viewpoint]
        angle, squeeze = rng.choice((-1, 1)) * view.tilt + rng.gauss(0.0, 0.05), view.squeeze
    return Thing(
        concept=concept,
        colour=_colour(concept, description, oddity, glossy, causes, rng),
        x=x,
        y=y,
        scale=scale,
        angle=angle,
        squeeze=squeeze,
        mirrored=rng.random() < manner.mirrored,
        wobble=manner.wobble,
    )


def _oddity(description: Description, causes: Causes) -> float | None:
    """How far from typical the caption says the thing is; None if it says nothing."""
    if description.typical is None:
        return None
    return causes.typical[description.typical] * causes.extent[description.extent_of_typical]


def _colour(
    concept: str,
    description: Description,
    oddity: float | None,
    glossy: bool,
    causes: Causes,
    rng: random.Random,
) -> Colour:
    palette = causes.concepts[concept]
    usual = palette.any_colour * (0.3 if glossy else 1.0)
    odd = usual if oddity is None else min(1.0, oddity) if palette.any_colour else 0.0
    if description.colour is not None:
        base = causes.colours[description.colour]
    elif rng.random() < odd:
        base = causes.colours[rng.choice(sorted(causes.colours))]
    else:
        base = rng.choice(palette.colours)
    spread = (causes.glossy if glossy else causes.life).tint
    light = rng.gauss(0.0, spread * 0.7)
    parts = [max(0, min(255, round(c + light + rng.gauss(0.0, spread * 0.7)))) for c in base]
    return parts[0], parts[1], parts[2]


def _other(causes: Causes, rng: random.Random) -> Thing:
    """Something that stands about and that no caption names."""
    concept = rng.choice(sorted(causes.concepts))
    return Thing(
        concept=concept,
        colour=_colour(concept, Description(), None, False, causes, rng),
        x=rng.choice((rng.uniform(0.05, 0.25), rng.uniform(0.75, 0.95))),
        y=rng.uniform(0.05, 0.95),
        scale=causes.standard_scale * OTHER_SCALE * rng.uniform(0.8, 1.2),
        angle=rng.gauss(0.0, causes.life.tilt),
        squeeze=rng.uniform(causes.life.squeeze_low, 1.0),
        mirrored=rng.random() < causes.life.mirrored,
        wobble=causes.life.wobble,
    )


def _companion(
    description: Description, glossy: bool, causes: Causes, rng: random.Random
) -> list[Thing]:
    concept = description.companion
    if concept is None:
        if glossy or rng.random() >= causes.life.companion:
            return []
        concept = rng.choice(sorted(causes.companions))
    manner = causes.glossy if glossy else causes.life
    return [
        Thing(
            concept=concept,
            colour=_colour(concept, Description(), None, glossy, causes, rng),
            x=rng.choice((0.16, 0.84)) + rng.gauss(0.0, 0.03),
            y=rng.uniform(0.55, 0.8),
            scale=causes.standard_scale * COMPANION_SCALE * rng.uniform(0.85, 1.15),
            angle=rng.gauss(0.0, causes.glossy.tilt),
            squeeze=1.0,
            mirrored=rng.random() < manner.mirrored,
            wobble=manner.wobble,
        )
    ]


def _backdrop(description: Description, glossy: bool, causes: Causes, rng: random.Random) -> str:
    if description.backdrop is not None:
        return description.backdrop
    return STUDIO if glossy else rng.choice(sorted(causes.backdrops))


def _occluder(rng: random.Random) -> Occluder:
    grey = rng.randint(40, 190)
    colour = [max(0, min(255, grey + rng.randint(-35, 35))) for _ in range(3)]
    return Occluder(
        left=rng.uniform(0.15, 0.65),
        top=rng.uniform(0.1, 0.35),
        width=rng.uniform(0.16, 0.26),
        colour=(colour[0], colour[1], colour[2]),
    )


def _exposure(
    description: Description, glossy: bool, causes: Causes, rng: random.Random
) -> tuple[float, float, float, float]:
    """Brightness, contrast, saturation (factors) and blur (pixels)."""
    if glossy:
        brightness = rng.uniform(causes.glossy.brightness_low, causes.glossy.brightness_high)
        saturation, contrast, blur = causes.glossy.saturation, 1.0, 0.0
    else:
        life = causes.life
        brightness = rng.uniform(life.brightness_low, life.brightness_high)
        saturation, contrast = rng.uniform(life.saturation_low, life.saturation_high), 1.0
        blur = life.blur * rng.random() if rng.random() < life.blurred else 0.0
    if description.style is not None:
        style = causes.style[description.style]
        brightness = style.brightness * rng.uniform(0.95, 1.05)
        contrast, blur = style.contrast, style.blur
    if description.looks is not None:
        look = causes.looks[description.looks]
        brightness, saturation = brightness * look.brightness, look.saturation
    return brightness, contrast, saturation, blur


def draw_things(shows: dict[str, float], rng: random.Random) -> tuple[str, ...]:
    """Draw what a word shows this time."""
    keys = list(shows)
    return things_of(rng.choices(keys, [shows[key] for key in keys])[0])
