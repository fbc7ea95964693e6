"""The words that the stage `diagnosis` holds pictures against, from WordNet 3.0.

Made by hand, `python -m synset_factory.worlds.imagenet vocabulary` (`make wordnet` first), and
kept in git. Two parts: common nouns for what can be seen, and whatever the names of ImageNet's
classes may mean besides the class. Not all of WordNet: among 80,000 words the one nearest to a
picture is nearly always a rarer name of the same thing, which tells nothing.
"""

from collections.abc import Iterable, Iterator

from nltk.corpus.reader.wordnet import WordNetCorpusReader

from synset_factory import layout
from synset_factory.prompts.files import read_synsets
from synset_factory.whole_files import write_text
from synset_factory.wordnet import open_wordnet

# WordNet's lexicographer files of what a picture can show.
VISIBLE = {
    *("noun.animal", "noun.artifact", "noun.body", "noun.food", "noun.object", "noun.person"),
    *("noun.phenomenon", "noun.plant", "noun.shape", "noun.substance"),
}
SENSE_COUNTS = "cntlist.rev"  # how often a sense occurs in the texts that are tagged with senses


def common_words(reader: WordNetCorpusReader) -> Iterator[str]:
    """Yield the nouns of visible things that texts tagged with WordNet's senses use as such."""
    with reader.open(SENSE_COUNTS) as counts:
        tagged = {line.split()[0] for line in counts}
    # A key is lemma%part_of_speech:..., and the part of speech of nouns is 1.
    for word in sorted(key.partition("%")[0] for key in tagged if "%1:" in key):
        for synset in reader.synsets(word, "n"):
            if synset.lexname() in VISIBLE:
                for lemma in synset.lemmas():
                    # Proper names show nothing that has not a common name too.
                    if lemma.key() in tagged and lemma.name().islower():
                        yield lemma.name()


def words_of_senses(reader: WordNetCorpusReader, names: Iterable[str]) -> Iterator[str]:
    """Yield the names of everything that nouns may mean, and of the kind that each is of."""
    for name in names:
        for synset in reader.synsets(name.replace(" ", "_"), "n"):
            yield from synset.lemma_names()
            yield from (above.lemma_names()[0] for above in synset.hypernyms())


def vocabulary(reader: WordNetCorpusReader, names: Iterable[str]) -> list[str]:
    """Return the words, each once, in the order of the alphabet. `names`: of ImageNet's classes."""
    found = {*common_words(reader), *words_of_senses(reader, names)}
    # CLIP reads no capitals: to it Crane is crane.
    told_apart = {word.lower(): word for word in sorted(found)}
    return sorted(word.replace("_", " ") for word in told_apart.values())


def main() -> None:
    names = [name for synset in read_synsets() for name in synset.lemmas]
    words = vocabulary(open_wordnet(), names)
    write_text(layout.IMAGENET_VOCABULARY, "".join(f"{word}\n" for word in words))
    print(f"{layout.IMAGENET_VOCABULARY}: {len(words):,} words.")
