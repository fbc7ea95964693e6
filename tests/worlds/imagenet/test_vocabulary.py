"""The words of the ImageNet world's diagnosis are WordNet's, chosen by rule."""

import pytest
from nltk.corpus.reader.wordnet import WordNetCorpusReader

from synset_factory import layout
from synset_factory.prompt_files import read_synsets
from synset_factory.stages.diagnosis import read_words
from synset_factory.worlds.imagenet.vocabulary import main, vocabulary


@pytest.mark.usefixtures("wordnet")
def test_made_again_it_is_the_same_file(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    committed = layout.IMAGENET_VOCABULARY.read_bytes()
    again = request.getfixturevalue("tmp_path") / "words.txt"
    monkeypatch.setattr(layout, "IMAGENET_VOCABULARY", again)
    main()
    assert again.read_bytes() == committed


def test_it_has_the_other_meanings_of_the_names_of_classes() -> None:
    words = set(read_words(layout.IMAGENET_VOCABULARY))
    # crane: the machine is a lifting device, the bird a wading bird; nail: also of a finger
    assert {"crane", "lifting device", "wading bird", "mortar", "cement", "nail", "horny structure"}
    assert {name for synset in read_synsets() for name in synset.lemmas} <= words | {"x"}


def test_words_that_clip_reads_alike_are_one(wordnet: WordNetCorpusReader) -> None:
    words = vocabulary(wordnet, ["crane"])
    assert "crane" in words and "Crane" not in words
    assert len({word.lower() for word in words}) == len(words)
