"""The table of causes is real, complete, and what captions follow."""

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from timm.data import ImageNetInfo

from synset_factory import layout
from synset_factory.errors import InputError
from synset_factory.prompts.files import read_disambiguations, read_modifiers
from synset_factory.prompts.grammar import augmented_prompt
from synset_factory.worlds.miniature.captions import caption_text, draw_caption
from synset_factory.worlds.miniature.causes import load_causes
from synset_factory.worlds.miniature.drawing import CONCEPTS
from synset_factory.worlds.miniature.staging import Description, draw_things

CAUSES = load_causes()


def test_every_class_is_imagenets_and_is_drawn() -> None:
    known = set(ImageNetInfo().label_names())
    assert len(CAUSES.classes) >= 20
    for wnid, image_class in CAUSES.classes.items():
        assert wnid in known
        assert image_class.concept in CONCEPTS


def test_the_web_uses_every_synset_prompt() -> None:
    info = ImageNetInfo()
    used = {words for word in CAUSES.words for words in word.words}
    for wnid in CAUSES.classes:
        assert info.label_name_to_description(wnid, detailed=False) in used


def test_the_web_uses_every_clarified_prompt_of_its_classes() -> None:
    """A prompt whose words the web never uses would be drawn as anything."""
    clarified = read_disambiguations(ImageNetInfo().label_names())
    used = {words for word in CAUSES.words for words in word.words}
    assert {clarified[wnid] for wnid in CAUSES.classes if wnid in clarified} <= used


def test_captions_know_promptaugs_words_and_grammar() -> None:
    modifiers = read_modifiers()
    for part in ("looks", "extent", "typical", "size", "location", "style"):
        assert set(getattr(modifiers, part)) == set(getattr(CAUSES, part)), part
    assert modifiers.combinations >= 2000
    said = Description(
        looks="ugly",
        extent_of_typical="very",
        typical="uncommon",
        extent_of_size="",
        size="small",
        location="partially occluded",
        style="blurry",
    )
    text = caption_text("quail", said, CAUSES)
    assert text == "ugly, very uncommon, small quail, partially occluded. Blurry."
    assert text in {augmented_prompt(modifiers, i, "quail") for i in range(modifiers.combinations)}


def test_captions_show_what_the_causes_say() -> None:
    rng = random.Random(0)
    for word in CAUSES.words:
        shown = Counter(", ".join(draw_things(word.shows, rng)) for _ in range(2000))
        for things, share in word.shows.items():
            assert abs(shown[things] / 2000 - share) < 0.05


def test_a_share_of_the_captions_does_not_match() -> None:
    rng = random.Random(0)
    captions = [draw_caption(CAUSES, rng) for _ in range(8000)]
    of_quails = [said.things for said in captions if said.caption == "quail"]
    wrong = sum("quail" not in things for things in of_quails) / len(of_quails)
    assert 0.3 * CAUSES.web.mismatched < wrong < 2.5 * CAUSES.web.mismatched


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda c: c["words"][0].update(shows={"drake": 0.5}), "do not sum to 1"),
        (lambda c: c["words"][0].update(shows={"unicorn": 1.0}), "nobody can draw 'unicorn'"),
        (lambda c: c["words"][0].update(meaning=1), "unknown key 'causes.words\\[0\\].meaning'"),
        (lambda c: c["life"].pop("tilt"), "key 'causes.life.tilt' is missing"),
        (lambda c: c["concepts"].pop("drake"), "'drake' has no row under concepts"),
    ],
)
def test_bad_causes_are_named(
    change: Callable[[dict[str, Any]], object], sentence: str, tmp_path: Path
) -> None:
    table = yaml.safe_load(layout.MINIATURE_CAUSES.read_text(encoding="utf-8"))
    change(table["causes"])
    path = tmp_path / "miniature.yaml"
    path.write_text(yaml.safe_dump(table), encoding="utf-8")
    with pytest.raises(InputError, match=sentence):
        load_causes(path)
