"""Faults in what people edit are named by file and row."""

from pathlib import Path

import pytest

from synset_factory.errors import InputError
from synset_factory.prompts.files import (
    class_prompts,
    read_disambiguations,
    read_modifiers,
    read_synsets,
)

REPOSITORY = Path(__file__).parents[2]
HEADER = "wnid,prompt,reason,note,source\n"
SYNSET_HEADER = "class_index,wnid,synset_prompt,definition,hypernym,senses,clip_name\n"


def disambiguations(tmp_path: Path, text: str) -> dict[str, str]:
    path = tmp_path / "disambiguations.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_disambiguations(["n01580077", "n02012849"], path)


def test_a_clarified_prompt_replaces_the_synset_prompt_and_no_other(tmp_path: Path) -> None:
    synsets = read_synsets(REPOSITORY / "prompts/synsets.csv")
    clarified = disambiguations(
        tmp_path, HEADER + "n01580077,a bird of type jay,homonym,the letter,paper\n"
    )
    changed = [p for p in class_prompts(synsets, clarified) if p.synset != p.disamb]
    assert [(p.wnid, p.synset, p.disamb) for p in changed] == [
        ("n01580077", "jay", "a bird of type jay")
    ]


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("n99999999,duck,homonym,,paper", "row 2: wnid 'n99999999' is not in ImageNet-1K"),
        ("n01580077,,homonym,,paper", "row 2: class n01580077 has no prompt"),
        ("n01580077,a,b,,paper\nn01580077,c,b,,paper", "row 3: wnid 'n01580077' occurs twice"),
        ("n01580077,a bird, of type jay,homonym,,paper", "row 2: it has 6 fields, not 5"),
        ("n01580077,a bird", "row 2: it has 2 fields, not 5"),
        ('n01580077,"a "bird,homonym,,paper', "row 2: it and what follows cannot be read as CSV"),
    ],
)
def test_a_fault_is_named_by_row(tmp_path: Path, row: str, sentence: str) -> None:
    with pytest.raises(InputError) as error:
        disambiguations(tmp_path, HEADER + row + "\n")
    assert f"disambiguations.csv, {sentence}" in str(error.value)


def test_missing_columns_and_other_encodings_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"row 1: these .* must be wnid,prompt,reason,note,source"):
        disambiguations(tmp_path, "wnid,prompt\n")
    path = tmp_path / "latin.csv"
    path.write_bytes(HEADER.encode() + "n01580077,caf\xe9,homonym,,paper\n".encode("latin-1"))
    with pytest.raises(InputError, match="row 2: it is not UTF-8"):
        read_disambiguations(["n01580077"], path)


def test_a_class_without_a_synset_prompt_is_named(tmp_path: Path) -> None:
    path = tmp_path / "synsets.csv"
    path.write_text(SYNSET_HEADER + "0,n01440764,,a fish,cyprinid,1,tench\n")
    with pytest.raises(InputError, match="row 2: class n01440764 has no synset_prompt"):
        read_synsets(path)


def test_the_committed_modifiers_serve_the_papers_number_of_images() -> None:
    assert read_modifiers(REPOSITORY / "prompts/modifiers.yaml").combinations >= 1_250


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("looks: [a]\n", "these are not the parts; they must be looks"),
        (
            "{looks: [a, a], extent: [''], typical: [b], size: [c], location: [d], style: [e]}",
            "part 'looks' has a word twice",
        ),
        (
            "{looks: [], extent: [''], typical: [b], size: [c], location: [d], style: [e]}",
            "row 1: part 'looks' is no list of words",
        ),
    ],
)
def test_faults_of_the_modifiers_are_named(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "modifiers.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=sentence):
        read_modifiers(path)


def test_modifiers_that_are_no_yaml_are_named(tmp_path: Path) -> None:
    path = tmp_path / "modifiers.yaml"
    path.write_text("looks: [ugly\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"modifiers\.yaml, row 2: it cannot be read as YAML"):
        read_modifiers(path)


def test_a_label_that_is_no_number_is_named(tmp_path: Path) -> None:
    path = tmp_path / "synsets.csv"
    path.write_text(SYNSET_HEADER + "x,n01440764,tench,a fish,cyprinid,1,tench\n")
    with pytest.raises(InputError, match="row 2: class n01440764 has the class_index 'x'"):
        read_synsets(path)
