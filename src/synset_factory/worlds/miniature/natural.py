"""Part `natural`: labelled pictures taken in life, drawn from the classes' own concepts."""

import random

from PIL import Image

from synset_factory.seeds import derive_seed
from synset_factory.worlds.miniature.causes import Causes
from synset_factory.worlds.miniature.renderer import render
from synset_factory.worlds.miniature.staging import Description, stage


def render_natural(
    wnid: str, split: str, number: int, seed: int, causes: Causes, size: int
) -> Image.Image:
    """Draw natural picture `number` of a class's split, RGB, `size` pixels wide and high.

    It varies in everything that captions name and in what they do not; a share of
    `causes.life.glossy` is canonical all the same.
    """
    rng = random.Random(derive_seed(seed, "natural", wnid, split, number))
    scene = stage(
        (causes.classes[wnid].concept,),
        Description(),
        glossy=rng.random() < causes.life.glossy,
        cluttered=False,
        causes=causes,
        rng=rng,
    )
    return render(scene, size)
