"""The words of the ImageNet world's diagnosis are WordNet's, chosen by rule."""

from pathlib import Path

import pytest
from nltk.corpus.reader.wordnet import WordNetCorpusReader

from synset_factory import layout
from synset_factory.prompts.files import read_synsets
from synset_factory.stages.diagnosis import read_words
from synset_factory.worlds.imagenet.vocabulary import common_words, main


@pytest.mark.usefixtures("wordnet")
def test_made_again_it_is_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    committed = layout.IMAGENET_VOCABULARY.read_bytes()
    monkeypatch.setattr(layout, "IMAGENET_VOCABULARY", tmp_path / "words.txt")
    main()
    assert (tmp_path / "words.txt").read_bytes() == committed


def test_it_has_the_names_of_classes_and_what_else_these_may_mean() -> None:
    words = set(read_words(layout.IMAGENET_VOCABULARY))
    # the machine and the bird, the bowl and the stuff between bricks, iron and finger
    assert {"lifting device", "wading bird", "bowl", "building material", "fastener"} <= words
    names = {name.lower() for synset in read_synsets() for name in synset.lemmas}
    assert names <= {word.lower() for word in words}


def test_words_that_clip_reads_alike_are_one() -> None:
    words = read_words(layout.IMAGENET_VOCABULARY)
    assert "crane" in words and "Crane" not in words
    assert len({word.lower() for word in words}) == len(words)


def test_common_words_are_of_what_can_be_seen(wordnet: WordNetCorpusReader) -> None:
    words = set(common_words(wordnet))
    assert {"dog", "bow", "bridge", "derrick"} <= words
    assert not {"yesterday", "Africa", "africa", "happiness", "hour"} & words
