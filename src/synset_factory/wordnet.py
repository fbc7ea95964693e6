"""WordNet 3.0, read through nltk from nltk's own download or from Debian's package."""

import io
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nltk
from nltk.corpus.reader.wordnet import Synset, WordNetCorpusReader

from synset_factory.errors import InputError

VERSION = "3.0"  # a wnid is an offset into the noun file of this version and of no other
NLTK_RESOURCES = ("corpora/wordnet.zip/wordnet/", "corpora/wordnet")
DEBIAN_FOLDER = Path("/usr/share/wordnet")

# WordNet's own `lexnames` file as "name part-of-speech" in file order; Debian's package leaves
# it out, and nltk reads it before anything else.
LEXNAMES = (
    *("adj.all 3", "adj.pert 3", "adv.all 4"),
    *("noun.Tops 1", "noun.act 1", "noun.animal 1", "noun.artifact 1", "noun.attribute 1"),
    *("noun.body 1", "noun.cognition 1", "noun.communication 1", "noun.event 1", "noun.feeling 1"),
    *("noun.food 1", "noun.group 1", "noun.location 1", "noun.motive 1", "noun.object 1"),
    *("noun.person 1", "noun.phenomenon 1", "noun.plant 1", "noun.possession 1", "noun.process 1"),
    *("noun.quantity 1", "noun.relation 1", "noun.shape 1", "noun.state 1", "noun.substance 1"),
    *("noun.time 1", "verb.body 2", "verb.change 2", "verb.cognition 2", "verb.communication 2"),
    *("verb.competition 2", "verb.consumption 2", "verb.contact 2", "verb.creation 2"),
    *("verb.emotion 2", "verb.motion 2", "verb.perception 2", "verb.possession 2"),
    *("verb.social 2", "verb.stative 2", "verb.weather 2", "adj.ppl 3"),
)


@dataclass(frozen=True, kw_only=True)
class SynsetRow:
    """A class of ImageNet as WordNet describes it: a row of prompts/synsets.csv."""

    class_index: int  # ImageNet's label, 0 to 999
    wnid: str
    synset_prompt: str  # all lemmas of the synset, comma-separated: the paper's synset prompt
    definition: str
    hypernym: str  # the nearest that says something which the synset prompt does not
    senses: int  # of the first lemma as a noun: more than one, and the word is ambiguous


@dataclass(frozen=True, kw_only=True)
class Sense:
    """One meaning of a noun."""

    wnid: str
    names: tuple[str, ...]
    definition: str


class _Reader(WordNetCorpusReader):
    """nltk's reader, content with the files that Debian's wordnet-base has."""

    def open(self, file: str) -> Any:
        if file == "lexnames":
            return io.StringIO("\n".join(f"{i:02d} {line}" for i, line in enumerate(LEXNAMES)))
        return super().open(file)

    def map_wn(self, version: str = "wordnet") -> None:
        """No map to WordNet 3.0, which would need `index.sense`: this is WordNet 3.0."""


def imagenet_synsets(wnids: Sequence[str]) -> list[SynsetRow]:
    """Look up ImageNet's wnids, given in label order; a row each, in the same order.

    A wnid is "n" and the 8-digit offset of a WordNet 3.0 noun. Raises InputError where WordNet
    is missing, is another version, or has no such noun.
    """
    reader = open_wordnet()
    return [_row(reader, class_index, wnid) for class_index, wnid in enumerate(wnids)]


def noun_senses(reader: WordNetCorpusReader, word: str) -> list[Sense]:
    """Return the meanings of a noun, the commonest first."""
    return [
        Sense(
            wnid=f"n{synset.offset():08d}",
            names=tuple(name.replace("_", " ") for name in synset.lemma_names()),
            definition=synset.definition(),
        )
        for synset in reader.synsets(word.replace(" ", "_"), "n")
    ]


def open_wordnet() -> WordNetCorpusReader:
    """nltk's reader over the first WordNet found on this machine; InputError if not 3.0."""
    root = _find()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The multilingual functions are not available")
        reader = _Reader(root, omw_reader=None)
    if reader.get_version() != VERSION:
        raise InputError(
            f"{root} holds WordNet {reader.get_version()}, but ImageNet's wnids are offsets "
            f"into WordNet {VERSION}: get that one with `make wordnet`."
        )
    return reader


def _find() -> str | nltk.data.PathPointer:
    """The root of a WordNet: nltk's download, else Debian's folder."""
    for resource in NLTK_RESOURCES:
        try:
            return nltk.data.find(resource)
        except LookupError:
            continue
    if (DEBIAN_FOLDER / "data.noun").is_file():
        if str(DEBIAN_FOLDER) not in nltk.data.path:
            nltk.data.path.append(str(DEBIAN_FOLDER))  # nltk refuses to read from elsewhere
        return str(DEBIAN_FOLDER)
    raise InputError(
        f"WordNet {VERSION} is neither in nltk's data folders nor in {DEBIAN_FOLDER}: "
        "get it with `make wordnet`."
    )


def _row(reader: WordNetCorpusReader, class_index: int, wnid: str) -> SynsetRow:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="No WordNet synset found")  # said below
        synset = reader.synset_from_pos_and_offset("n", int(wnid[1:]))
    if synset is None:
        raise InputError(f"Class {class_index}, {wnid}, is no noun of WordNet {VERSION}.")
    lemmas = [name.replace("_", " ") for name in synset.lemma_names()]
    return SynsetRow(
        class_index=class_index,
        wnid=wnid,
        synset_prompt=", ".join(lemmas),
        definition=synset.definition(),
        hypernym=_informative_hypernym(synset),
        senses=len(reader.synsets(synset.lemma_names()[0], "n")),
    )


def _informative_hypernym(synset: Synset) -> str:
    """The name of the nearest hypernym with a word that the synset's own names lack.

    "bus" says nothing of "school bus", nor "truck" of "pickup, pickup truck": the next one above
    does. Of names equally near the first in the alphabet is taken: nltk gives them in no order.
    """
    known = _words(" ".join(synset.lemma_names()))
    level = synset.hypernyms()
    while level:
        names = sorted(hypernym.lemma_names()[0] for hypernym in level)
        for name in names:
            if _words(name) - known:
                return str(name).replace("_", " ")
        level = [above for hypernym in level for above in hypernym.hypernyms()]
    raise InputError(f"WordNet {VERSION} has no hypernym of {synset.name()} that says more.")


def _words(text: str) -> set[str]:
    return set(re.split(r"[_ ]+", text.lower()))
