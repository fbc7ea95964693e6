"""The evidence of a diagnosis, from embeddings and outcomes made by hand and written to disk."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from synset_factory import layout
from synset_factory.config import Common, ImageSet, Run, Splits
from synset_factory.embedding_files import write_embeddings
from synset_factory.errors import InputError
from synset_factory.measures.diagnosis import Limits
from synset_factory.prompts.grammar import RECIPES, ClassPrompts
from synset_factory.records import image_key
from synset_factory.stages import diagnosis
from synset_factory.stages.diagnosis import (
    NAME_OF,
    NAMES,
    UNTOLD,
    Observer,
    Vocabulary,
    clarified_set,
    class_names,
    counts,
    diagnoses,
    read_words,
)
from synset_factory.table_rows import read_outcomes

LIMITS = Limits(missed=0.2, little_diversity=0.5, resamples=100)
NAMES_OF_CLASSES = {7: "duck", 9: "bus"}
# The vocabulary and two classes, 7 (a duck) and 9 (a bus), lie along axes.
DUCK, SINGER, BUS = np.eye(3, dtype=np.float32)
VOCABULARY = Vocabulary(
    ["duck", "singer", "bus"], {"duck": DUCK, "singer": SINGER, "bus": BUS, "goose": DUCK}
)


def write_set(name: str, ducks: list[np.ndarray], buses: list[np.ndarray]) -> None:
    """Both splits hold the same images; the prompts are a duck and a bus."""
    rows, vectors = [], []
    for split in ("train", "validation"):
        for wnid, label, images in (("n07", 7, ducks), ("n09", 9, buses)):
            rows += [("image", split, wnid, label, image_key(wnid, split, i))
                     for i in range(len(images))]  # fmt: skip
            vectors += images
    if name != "natural":
        rows += [("prompt", "train", "n07", 7, "a"), ("prompt", "train", "n09", 9, "b")]
        vectors += [DUCK, BUS]
    columns = ["modality", "split", "wnid", "cls", "key"]
    write_embeddings(name, pd.DataFrame(rows, columns=columns), np.array(vectors))
    layout.OUTCOMES.mkdir(parents=True, exist_ok=True)
    if name != "natural":
        pd.DataFrame(
            {
                "train": "natural",
                "evaluation": name,
                "seed": seed,
                "key": image_key(wnid, "validation", i),
                "cls": label,
                "predicted": label if seed == 0 or np.array_equal(image, DUCK) else 9,
            }
            for wnid, label, images in (("n07", 7, ducks), ("n09", 9, buses))
            for i, image in enumerate(images)
            for seed in (0, 1)
        ).to_parquet(layout.outcomes(name))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    read_outcomes.cache_clear()
    diagnosis._images.cache_clear()
    write_set("natural", [DUCK, DUCK + 0.2 * BUS, DUCK], [BUS, BUS + 0.2 * DUCK])


@pytest.mark.usefixtures("world")
def test_evidence_is_of_the_class_its_prompt_and_its_words() -> None:
    singer = SINGER + 0.1 * BUS
    write_set("synset", [singer, singer], [BUS, BUS + 0.1 * DUCK])
    write_set("disamb", [DUCK, DUCK], [BUS, BUS + 0.1 * DUCK])
    observed = Observer(VOCABULARY, seed=0).evidence("synset", NAMES_OF_CLASSES, "disamb")
    (_, duck, why_duck), (_, bus, why_bus) = observed
    assert list(duck.natural_by_itself) == [1, 1, 1]
    assert list(duck.natural_by_prompt) == [1, 1, 1]
    assert list(duck.synthetic_by_itself) == [1, 1]
    assert list(duck.recognised) == [0.5, 0.5]
    assert duck.recognised_clarified is not None
    assert list(duck.recognised_clarified) == [1.0, 1.0]
    assert list(duck.natural_by_other_word) == [0, 0, 0]
    assert list(duck.synthetic_by_other_word) == [1, 1]
    assert duck.diversity == pytest.approx(0.0, abs=1e-20)
    # Half the angle of the natural buses': codiff is a quarter, squared a sixteenth.
    assert bus.diversity == pytest.approx(1 / 16, rel=0.1)
    assert "100% lie nearer" not in why_bus
    assert "of the synthetic ones 100%, 0%, and 100% ('singer')" in why_duck
    assert "50% of these are recognised by classifiers of natural images (100% with" in why_duck


@pytest.mark.usefixtures("world")
def test_a_word_is_another_only_if_prompts_do_not_use_it() -> None:
    write_set("synset", [DUCK, DUCK + 0.1 * SINGER], [BUS, BUS])
    images = diagnosis._images("synset", "validation")
    own = VOCABULARY.probes(images, {7: "duck"})[7]
    assert (own.word, list(own.nearer)) == ("singer", [0, 0])
    # A name that the vocabulary lacks, though it says the same: neither is nearer.
    goose = VOCABULARY.probes(images, {7: "goose"})[7]
    assert (goose.word, list(goose.nearer)) == ("duck", [0, 0])


@pytest.mark.usefixtures("world")
def test_a_class_with_one_image_is_said_in_words() -> None:
    write_set("synset", [DUCK], [BUS, BUS])  # one image of the duck, two of the bus
    rows = list(diagnoses("synset", NAMES_OF_CLASSES, None, Observer(VOCABULARY, seed=0), LIMITS))
    assert [row["diagnosis"] for row in rows] == [UNTOLD, "too little diversity"]
    assert rows[0]["because"] == "a diagnosis needs at least two synthetic images of the class."
    found = counts(pd.DataFrame(rows))
    assert list(found) == [name.replace(" ", "_") for name in NAMES]
    assert (found["cannot_be_told"], found["too_little_diversity"], found["fine"]) == (1, 1, 0)


@pytest.mark.usefixtures("world")
def test_an_embedding_without_a_direction_is_said_in_words() -> None:
    write_set("synset", [DUCK, 0 * DUCK], [BUS, BUS])
    rows = list(diagnoses("synset", NAMES_OF_CLASSES, None, Observer(VOCABULARY, seed=0), LIMITS))
    assert {row["diagnosis"] for row in rows} == {UNTOLD}
    assert "has no direction" in str(rows[0]["because"])


@pytest.mark.usefixtures("world")
def test_a_set_that_is_not_yet_made_is_named() -> None:
    with pytest.raises(InputError, match=r"disamb\.parquet is missing"):
        list(diagnoses("disamb", NAMES_OF_CLASSES, None, Observer(VOCABULARY, seed=0), LIMITS))


@pytest.mark.usefixtures("world")
def test_natural_images_that_are_copies_tell_nothing_of_diversity() -> None:
    # Rounding leaves such a class a distance above 0: about 1e-32.
    rng = np.random.default_rng(0)
    for _ in range(20):
        copies = [rng.normal(size=3).astype(np.float32)] * 5
        write_set("natural", copies, [BUS, BUS + 0.2 * DUCK])
        write_set("synset", [DUCK, DUCK + 0.1 * SINGER], [BUS, BUS])
        diagnosis._images.cache_clear()
        rows = list(diagnoses("synset", NAMES_OF_CLASSES, None, Observer(VOCABULARY, 0), LIMITS))
        assert rows[0]["diagnosis"] == UNTOLD
        assert (
            rows[0]["because"] == "the natural training images of the class are one, or all alike."
        )


def test_every_recipe_says_which_name_it_uses() -> None:
    assert set(NAME_OF) == set(RECIPES)
    crane = ClassPrompts(
        wnid="n02012849",
        synset="crane",
        disamb="a crane bird",
        clip_name="crane bird",
        definition="large bird",
        hypernym="wading bird",
    )
    found = {
        recipe: class_names([crane], {"n02012849": 134}, recipe)[134]
        for recipe in ("hypernym", "promptaug", "a_photo_of")
    }
    assert found == {"hypernym": "crane", "promptaug": "a crane bird", "a_photo_of": "crane bird"}


def test_the_clarified_set_has_the_same_settings() -> None:
    sets = {
        "synset": ImageSet(prompts="synset", guidance_scale=7.5),
        "disamb25": ImageSet(prompts="disamb", guidance_scale=2.5),
        "disamb": ImageSet(prompts="disamb", guidance_scale=7.5),
        "synset10": ImageSet(prompts="synset", guidance_scale=1.0),
        "named25": ImageSet(prompts="clip_name", guidance_scale=2.5),
        "augmented25": ImageSet(prompts="promptaug", guidance_scale=2.5),
    }
    common = Common(
        world="miniature",
        world_stages={"miniature": ("miniature",)},
        seed=0,
        threads=1,
        wnids="all",
        splits=Splits(train=1, validation=1),
        sets=sets,
        run=Run(device="cpu", workers=0, engine="local", address="", replicas=1),
    )
    found = {name: clarified_set(name, common) for name in sets}
    assert {name: other for name, other in found.items() if other} == {
        "synset": "disamb",
        "named25": "disamb25",
    }


@pytest.mark.parametrize("text", ["", "one\n", "one\none\n", "one\n\ntwo\n"])
def test_a_vocabulary_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "words.txt"
    path.write_text(text)
    with pytest.raises(InputError, match=r"words\.txt: it must hold at least two words"):
        read_words(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_words(tmp_path / "none.txt")
