"""The table of causes, worlds/miniature_causes.yaml, as frozen dataclasses."""

from dataclasses import dataclass
from math import isclose
from pathlib import Path

from synset_factory import layout
from synset_factory.config import load_section
from synset_factory.errors import InputError
from synset_factory.worlds.miniature.drawing import BACKDROPS, CONCEPTS


@dataclass(frozen=True, kw_only=True)
class ImageClass:
    """A class: what its natural pictures show."""

    concept: str
    says: str  # why the class is here


@dataclass(frozen=True, kw_only=True)
class Word:
    """What the web means by some words."""

    words: tuple[str, ...]  # each as likely as the other
    weight: float  # how often the web uses them, relative to the other rows
    shows: dict[str, float]  # things, separated by commas -> share; the shares sum to 1
    clutter: float  # share of the pictures that are full of other things
    paper: str  # the sentence of the paper that this cause stands for


@dataclass(frozen=True, kw_only=True)
class Palette:
    """What colours a concept has."""

    colours: tuple[tuple[int, ...], ...]  # RGB, 0 ... 255
    any_colour: float  # share of pictures taken in life with one of the named colours instead


@dataclass(frozen=True, kw_only=True)
class Viewpoint:
    """What words about the viewpoint show."""

    squeeze: float  # foreshortening, 1 is none
    tilt: float  # radians


@dataclass(frozen=True, kw_only=True)
class Look:
    """What PromptAug's `looks` show, as factors."""

    brightness: float
    saturation: float


@dataclass(frozen=True, kw_only=True)
class Location:
    """What PromptAug's `location` shows. Lengths are in picture widths."""

    spread: float  # standard deviation of the place
    aside: float  # distance from the middle, to both sides
    occluded: float  # share of the pictures with something in front
    others: int  # further things in the picture


@dataclass(frozen=True, kw_only=True)
class Style:
    """What PromptAug's `style` shows: factors, and a blur in pixels."""

    brightness: float
    contrast: float
    blur: float


@dataclass(frozen=True, kw_only=True)
class WebShares:
    """How captions on the web are made; all are shares."""

    glossy: float
    glossy_modified: float
    mismatched: float
    modified: float
    fully_modified: float
    one_modifier: float
    colour: float
    backdrop: float
    companion: float
    viewpoint: float
    two_words: float


@dataclass(frozen=True, kw_only=True)
class Life:
    """How pictures that nobody arranged vary."""

    glossy: float  # share of natural pictures that are canonical all the same
    scale_low: float  # of the standard size
    scale_high: float
    spread: float  # of places, in picture widths
    tilt: float  # radians, standard deviation
    squeeze_low: float  # narrowest foreshortening
    mirrored: float  # share of the things that look to the other side
    occluded: float  # share
    companion: float  # share
    others: float  # share of the pictures with further things
    number_of_others: int
    brightness_low: float
    brightness_high: float
    saturation_low: float
    saturation_high: float
    blurred: float  # share
    blur: float  # pixels
    tint: float  # standard deviation of a thing's own colour, of 255
    wobble: float  # of outlines, in units of a thing's size


@dataclass(frozen=True, kw_only=True)
class Glossy:
    """How arranged pictures vary."""

    scale_low: float  # of the standard size
    scale_high: float
    spread: float  # of places, in picture widths
    tilt: float  # radians, standard deviation
    squeeze_low: float
    mirrored: float  # share of the things that look to the other side
    brightness_low: float
    brightness_high: float
    saturation: float
    tint: float  # standard deviation of a thing's own colour, of 255
    wobble: float  # of outlines, in units of a thing's size


@dataclass(frozen=True, kw_only=True)
class Causes:
    """All that the miniature world is made from."""

    classes: dict[str, ImageClass]  # by wnid
    words: tuple[Word, ...]
    concepts: dict[str, Palette]
    colours: dict[str, tuple[int, ...]]  # RGB, 0 ... 255
    backdrops: dict[str, str]  # backdrop -> how captions say it
    companions: dict[str, str]  # concept -> how captions say it
    viewpoints: dict[str, Viewpoint]
    looks: dict[str, Look]
    extent: dict[str, float]  # multiplies the strength of `typical` and `size`
    typical: dict[str, float]  # oddity of colour and posture
    size: dict[str, float]  # logarithm of the scale
    location: dict[str, Location]
    style: dict[str, Style]
    web: WebShares
    life: Life
    glossy: Glossy
    haze: float  # share of white in every backdrop
    standard_scale: float  # half the size of a thing of standard size, in picture widths


def things_of(shown: str) -> tuple[str, ...]:
    """Return the concepts that a key of `Word.shows` names: "a, b" is two."""
    return tuple(name.strip() for name in shown.split(","))


def load_causes(path: Path = layout.MINIATURE_CAUSES) -> Causes:
    """Read and check the table of causes.

    Raises InputError naming the key, if one is missing, unknown, of another type, or names
    something that nobody can draw, or if shares do not sum to 1.
    """
    causes = load_section(Causes, "causes", path)
    drawn = {concept for word in causes.words for key in word.shows for concept in things_of(key)}
    drawn |= {image_class.concept for image_class in causes.classes.values()}
    for concept in sorted(drawn | set(causes.companions)):
        if concept not in CONCEPTS:
            raise InputError(f"{path}: nobody can draw '{concept}'; add it to drawing.py.")
        if concept not in causes.concepts:
            raise InputError(f"{path}: '{concept}' has no row under concepts; add its colours.")
    for backdrop in causes.backdrops:
        if backdrop not in BACKDROPS:
            raise InputError(f"{path}: nobody can draw the backdrop '{backdrop}'.")
    for word in causes.words:
        if not isclose(sum(word.shows.values()), 1.0):
            raise InputError(f"{path}: the shares of {list(word.words)} do not sum to 1.")
    return causes
