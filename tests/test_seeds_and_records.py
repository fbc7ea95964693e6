"""The noise and the digest of an image depend on what they should, and on nothing else."""

from dataclasses import replace

import pytest

from synset_factory.records import ImageRow, ImageSettings, image_digest
from synset_factory.seeds import derive_seed

ROW = ImageRow(wnid="n01847000", split="train", number=7, prompt="a drake duck", seed=5)
SETTINGS = ImageSettings(
    negative_prompt="",
    guidance_scale=7.5,
    steps=15,
    scheduler="DPMSolverMultistepScheduler",
    height=32,
    width=32,
    dtype="float32",
    compile=False,
    safety_checker=False,
    batch_size=32,
    jpeg_quality=92,
    generator="abc",
    recipe=1,
)


def test_a_seed_is_the_same_for_ever() -> None:
    # Hand-copied: if this changes, every stored image set has another noise.
    assert derive_seed(0, "n01847000", "train", 7) == 8929349368795325148


def test_seeds_differ_by_every_part_and_fit_torch() -> None:
    seeds = {
        derive_seed(*parts)
        for parts in [(0, "a", "train", 1), (1, "a", "train", 1), (0, "b", "train", 1),
                      (0, "a", "validation", 1), (0, "a", "train", 11)]
    }  # fmt: skip
    assert len(seeds) == 5
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_a_key_has_no_dot_and_sorts_by_number() -> None:
    keys = [replace(ROW, number=number).key for number in (2, 10, 999_999)]
    assert keys == sorted(keys)
    assert not any("." in key for key in keys)


@pytest.mark.parametrize(
    "field", [name for name in ImageSettings.__dataclass_fields__ if name != "recipe"]
)
def test_every_setting_is_in_the_digest(field: str) -> None:
    value = getattr(SETTINGS, field)
    other = value + "x" if isinstance(value, str) else value + 1
    assert image_digest(ROW, replace(SETTINGS, **{field: other})) != image_digest(ROW, SETTINGS)


def test_prompt_seed_and_recipe_are_in_the_digest() -> None:
    digests = {
        image_digest(ROW, SETTINGS),
        image_digest(replace(ROW, prompt="drake"), SETTINGS),
        image_digest(replace(ROW, seed=6), SETTINGS),
        image_digest(ROW, replace(SETTINGS, recipe=2)),
    }
    assert len(digests) == 4
