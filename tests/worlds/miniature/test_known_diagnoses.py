"""Which cause should give which diagnosis, and the matrix of what was found."""

from pathlib import Path

import pandas as pd
import pytest

from synset_factory import layout
from synset_factory.config import ImageSet, load_common
from synset_factory.errors import InputError
from synset_factory.stages.diagnosis import NAMES, read_words
from synset_factory.worlds.miniature.causes import load_causes
from synset_factory.worlds.miniature.known_diagnoses import (
    confusion,
    expected_diagnosis,
    read_expected,
)

REPOSITORY = Path(__file__).parents[3]
SYNSET = ImageSet(prompts="synset", guidance_scale=7.5)
DISAMB = ImageSet(prompts="disamb", guidance_scale=7.5)
DISAMB25 = ImageSet(prompts="disamb", guidance_scale=2.5)


@pytest.mark.parametrize(
    ("wnid", "image_set", "expected"),
    [
        ("n01847000", SYNSET, "ambiguous word"),  # drake
        ("n01847000", DISAMB, "too little diversity"),
        ("n01847000", DISAMB25, ""),
        ("n03481172", SYNSET, "concept unknown"),  # hammer
        ("n03481172", DISAMB25, "concept unknown"),
        ("n03126707", SYNSET, ""),  # the crane that the word mostly means
        ("n04146614", ImageSet(prompts="disamb", guidance_scale=1.0), "too much diversity"),
    ],
)
def test_the_first_row_that_fits_says_what_is_expected(
    wnid: str, image_set: ImageSet, expected: str
) -> None:
    table = read_expected(REPOSITORY / layout.MINIATURE_DIAGNOSES)
    assert expected_diagnosis(table, wnid, image_set) == expected


def test_the_committed_table_names_classes_and_diagnoses_that_there_are() -> None:
    table = read_expected(REPOSITORY / layout.MINIATURE_DIAGNOSES)
    assert set(table["diagnosis"]) <= {"", *NAMES}
    assert set(table["wnid"]) <= {"*", *load_common(REPOSITORY / layout.PARAMS).wnids}
    with pytest.raises(InputError, match="no row fits n1"):
        expected_diagnosis(table.head(1), "n1", SYNSET)


def test_the_vocabulary_is_the_words_of_the_web() -> None:
    words = read_words(REPOSITORY / "worlds/miniature_vocabulary.txt")
    causes = load_causes(REPOSITORY / layout.MINIATURE_CAUSES)
    assert set(words) == {word for row in causes.words for word in row.words}


def test_the_matrix_counts_what_was_found_of_each_cause() -> None:
    found = pd.DataFrame(
        [("ambiguous word", "ambiguous word"), ("ambiguous word", "fine"),
         ("concept unknown", "fine"), ("ambiguous word", "ambiguous word")],
        columns=["expected", "diagnosis"],
    )  # fmt: skip
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in confusion(found).split("\n")
    ]
    assert rows[0] == ["put in", "ambiguous word", "fine"]
    assert rows[2:] == [["ambiguous word", "2", "1"], ["concept unknown", "0", "1"]]
