"""What captions on the web say: one or two things, in PromptAug's grammar and beyond it."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace

from synset_factory.worlds.miniature.causes import Causes, Word
from synset_factory.worlds.miniature.staging import Description, draw_things


@dataclass(frozen=True, kw_only=True)
class Captioned:
    """A caption and what its picture shows."""

    caption: str
    things: tuple[str, ...]  # concepts
    description: Description
    cluttered: bool
    glossy: bool


def caption_text(words: str, description: Description, causes: Causes) -> str:
    """Put a caption together.

    The order is PromptAug's (Figure 4), with colour, backdrop, companion and viewpoint, which
    PromptAug never names, around the words: "ugly, very uncommon, small purple school bus in a
    jungle with a dog, partially occluded. Blurry."
    """
    said = description
    front = f"{said.looks}, " if said.looks else ""
    front += f"{said.extent_of_typical} {said.typical}, " if said.typical else ""
    front += f"{said.extent_of_size} {said.size} " if said.size else ""
    front += f"{said.colour} " if said.colour else ""
    text = front + words
    text += f" {causes.backdrops[said.backdrop]}" if said.backdrop else ""
    text += f" {causes.companions[said.companion]}" if said.companion else ""
    text += f" {said.viewpoint}" if said.viewpoint else ""
    text += f", {said.location}" if said.location else ""
    if said.style:
        text += f". {said.style[:1].upper()}{said.style[1:]}."
    elif said.modified:
        text += "."
    return " ".join(text.split())


def draw_caption(causes: Causes, rng: random.Random) -> Captioned:
    """Draw one caption of the web, and what its picture shows."""
    word = _draw_word(causes, rng)
    words, things = rng.choice(word.words), draw_things(word.shows, rng)
    if rng.random() < causes.web.two_words and len(things) == 1 and not word.clutter:
        second = _draw_word(causes, rng)
        second_things = draw_things(second.shows, rng)
        if len(second_things) == 1:
            words, things = f"{words}, {rng.choice(second.words)}", (things[0], second_things[0])
    description = draw_description(causes, rng)
    if rng.random() < causes.web.mismatched:
        words = rng.choice(_draw_word(causes, rng).words)
    glossy = causes.web.glossy_modified if description.modified else causes.web.glossy
    return Captioned(
        caption=caption_text(words, description, causes),
        things=things,
        description=description,
        cluttered=rng.random() < word.clutter,
        glossy=rng.random() < glossy,
    )


def draw_description(causes: Causes, rng: random.Random) -> Description:
    """Draw what a caption says besides naming things."""
    web = causes.web
    chance = 0.0
    if rng.random() < web.modified:
        chance = 1.0 if rng.random() < web.fully_modified else web.one_modifier
    description = Description(
        looks=_maybe(causes.looks, chance, rng),
        extent_of_typical=rng.choice(sorted(causes.extent)),
        typical=_maybe(causes.typical, chance, rng),
        extent_of_size=rng.choice(sorted(causes.extent)),
        size=_maybe(causes.size, chance, rng),
        location=_maybe(causes.location, chance, rng),
        style=_maybe(causes.style, chance, rng),
    )
    return replace(
        description,
        colour=_maybe(causes.colours, web.colour, rng),
        backdrop=_maybe(causes.backdrops, web.backdrop, rng),
        companion=_maybe(causes.companions, web.companion, rng),
        viewpoint=_maybe(causes.viewpoints, web.viewpoint, rng),
    )


def _maybe(choices: Mapping[str, object], chance: float, rng: random.Random) -> str | None:
    pick = rng.choice(sorted(choices))
    return pick if rng.random() < chance else None


def _draw_word(causes: Causes, rng: random.Random) -> Word:
    return rng.choices(causes.words, [word.weight for word in causes.words])[0]
