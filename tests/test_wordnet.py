"""Invariant: a wnid is the offset of a WordNet 3.0 noun, found wherever that WordNet lies."""

from pathlib import Path

import nltk
import pytest
from nltk.corpus.reader.wordnet import WordNetCorpusReader

from synset_factory import wordnet as module
from synset_factory.errors import InputError
from synset_factory.wordnet import LEXNAMES, imagenet_synsets, open_wordnet


@pytest.fixture
def no_wordnet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine on which no WordNet can be found."""
    monkeypatch.setattr(nltk.data, "path", [])
    monkeypatch.setattr(module, "DEBIAN_FOLDER", tmp_path)


@pytest.mark.usefixtures("wordnet")
def test_two_classes_of_one_name_keep_their_own_meaning() -> None:
    bird, machine = imagenet_synsets(["n02012849", "n03126707"])
    assert (bird.class_index, bird.wnid, bird.synset_prompt) == (0, "n02012849", "crane")
    assert (machine.class_index, machine.wnid, machine.synset_prompt) == (1, "n03126707", "crane")
    assert "wading bird" in bird.definition
    assert "lifts and moves heavy objects" in machine.definition


@pytest.mark.usefixtures("wordnet")
def test_all_lemmas_with_spaces_for_underscores() -> None:
    (pickup,) = imagenet_synsets(["n03930630"])
    assert pickup.synset_prompt == "pickup, pickup truck"


@pytest.mark.usefixtures("wordnet")
@pytest.mark.parametrize(
    ("wnid", "hypernym", "senses"),
    [
        ("n02012849", "wading bird", 5),  # crane: two birds' worth of meanings and a machine's
        ("n04146614", "public transport", 1),  # school bus: "bus" says nothing new
        ("n03930630", "motor vehicle", 9),  # pickup, pickup truck: nor does "truck"
        ("n01749939", "black mamba", 1),  # green mamba: WordNet's own oddity is kept
    ],
)
def test_the_hypernym_is_the_nearest_that_adds_a_word(
    wnid: str, hypernym: str, senses: int
) -> None:
    (row,) = imagenet_synsets([wnid])
    assert (row.hypernym, row.senses) == (hypernym, senses)


@pytest.mark.usefixtures("wordnet")
def test_a_number_that_is_no_noun_is_named() -> None:
    with pytest.raises(InputError, match=r"Class 1, n00000005, is no noun of WordNet 3\.0\."):
        imagenet_synsets(["n03930630", "n00000005"])


def test_the_names_of_the_lexicographer_files(wordnet: WordNetCorpusReader) -> None:
    assert len(LEXNAMES) == 45
    for name, part_of_speech in (line.split() for line in LEXNAMES):
        assert "nvar"[int(part_of_speech) - 1] == {"adj": "a", "adv": "r"}.get(name[:3], name[0])
    found = {synset.name(): synset.lexname() for synset in wordnet.synsets("dog", "n")}
    assert found["dog.n.01"] == "noun.animal"
    assert found["cad.n.01"] == "noun.person"


@pytest.mark.usefixtures("no_wordnet")
def test_a_missing_wordnet_names_the_remedy() -> None:
    with pytest.raises(InputError, match="make wordnet"):
        open_wordnet()


def test_another_version_is_refused(
    wordnet: WordNetCorpusReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(wordnet), "get_version", lambda self: "3.1")
    with pytest.raises(InputError, match=r"holds WordNet 3\.1"):
        open_wordnet()
