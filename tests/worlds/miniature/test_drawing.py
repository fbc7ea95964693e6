"""Pictures are determined by their description, and every concept looks like something."""

import math
import random

import numpy as np
import pytest

from synset_factory.worlds.miniature.causes import load_causes
from synset_factory.worlds.miniature.drawing import BACKDROPS, CONCEPTS
from synset_factory.worlds.miniature.natural import render_natural
from synset_factory.worlds.miniature.renderer import render
from synset_factory.worlds.miniature.staging import STUDIO, Description, stage
from synset_factory.worlds.miniature.web import render_web

CAUSES = load_causes()


def glossy_picture(concept: str, description: Description, seed: int = 0) -> np.ndarray:
    scene = stage(
        (concept,),
        description,
        glossy=True,
        cluttered=False,
        causes=CAUSES,
        rng=random.Random(seed),
    )
    return np.asarray(render(scene, 32), dtype=float)


def test_same_number_same_picture() -> None:
    assert render_web(7, 0, CAUSES, 32) == render_web(7, 0, CAUSES, 32)
    assert render_web(7, 0, CAUSES, 32) != render_web(8, 0, CAUSES, 32)
    assert render_web(7, 0, CAUSES, 32) != render_web(7, 1, CAUSES, 32)
    pictures = [
        render_natural("n01580077", split, number, 0, CAUSES, 32).tobytes()
        for split, number in (("train", 0), ("train", 0), ("train", 1), ("validation", 0))
    ]
    assert pictures[0] == pictures[1]
    assert len(set(pictures)) == 3


@pytest.mark.parametrize("concept", sorted(CONCEPTS))
def test_every_concept_stands_out_from_the_backdrop(concept: str) -> None:
    picture = glossy_picture(concept, Description())
    background = np.median(picture.reshape(-1, 3), axis=0)
    differs = np.abs(picture - background).max(axis=2) > 40
    assert 0.02 < differs.mean() < 0.75


def test_no_two_concepts_look_alike() -> None:
    pictures = {concept: glossy_picture(concept, Description()) for concept in CONCEPTS}
    names = sorted(pictures)
    for i, one in enumerate(names):
        for other in names[i + 1 :]:
            assert np.abs(pictures[one] - pictures[other]).mean() > 2.0, (one, other)


def test_every_backdrop_that_captions_name_is_drawn() -> None:
    assert set(CAUSES.backdrops) | {STUDIO} == set(BACKDROPS)


def test_what_is_said_shows() -> None:
    bright = glossy_picture("piano", Description(style="overexposed")).mean()
    dark = glossy_picture("piano", Description(style="underexposed")).mean()
    assert dark < glossy_picture("piano", Description()).mean() < bright

    def covered(size: str) -> float:
        picture = glossy_picture("piano", Description(size=size, extent_of_size="extremely"))
        return float((picture.max(axis=2) < 130).mean())

    # `size` is the logarithm of a length, and an area goes with the square.
    strength = CAUSES.extent["extremely"]
    ratio = math.exp(2.0 * strength * (CAUSES.size["large"] - CAUSES.size["small"]))
    assert covered("large") / covered("small") == pytest.approx(ratio, rel=0.3)
    purple = glossy_picture("school_bus", Description(colour="purple"))
    yellow = glossy_picture("school_bus", Description(colour="yellow"))
    assert ((purple[..., 2] - purple[..., 1]) > 60).sum() > 50  # blue above green
    assert ((yellow[..., 0] - yellow[..., 2]) > 60).sum() > 50  # red above blue
