"""A kept prompt is one row: in its place, whole, and no other row changes by a byte."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synset_factory import layout
from synset_factory.errors import InputError
from synset_factory.prompts.files import read_disambiguations, read_synsets
from synset_factory.prompts.lint import TextEncoder
from synset_factory.review.clarification import (
    Clarification,
    StaleError,
    faults_of_prompt,
    keep,
    read_rows,
    row_digest,
    row_of,
)

REPOSITORY = Path(__file__).parents[2]
SYNSETS = read_synsets(REPOSITORY / layout.SYNSETS)
ENCODER = TextEncoder(count=lambda text: len(text.split()) + 2, context=40)
HEADER = "wnid,prompt,reason,note,source\n"
JAY = 'n01580077,a bird of type jay,homonym,"a letter,\nand a name",paper\n'
CRANE = "n02012849,a crane bird,near_equal_class,,paper\n"
PRINTABLE = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=40)


@pytest.fixture
def prompts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the committed prompt files, and two clarified classes."""
    monkeypatch.chdir(tmp_path)
    layout.PROMPTS.mkdir()
    layout.DATA.mkdir()
    for path in (layout.SYNSETS, layout.MODIFIERS, layout.CLIP_TEMPLATES):
        path.write_bytes((REPOSITORY / path).read_bytes())
    layout.DISAMBIGUATIONS.write_text(HEADER + JAY + CRANE)
    return layout.DISAMBIGUATIONS


def drake(prompt: str = "drake duck", note: str = "") -> Clarification:
    return Clarification(wnid="n01847000", prompt=prompt, reason="homonym", note=note)


def keep_it(clarification: Clarification, shown: dict[str, str] | None = None) -> int:
    """Keep it as somebody who has just looked; return the line of the row."""
    seen = row_of(read_rows()[1], clarification.wnid) if shown is None else shown
    keep(clarification, row_digest(seen), SYNSETS, ENCODER)
    return next(line for line, row in read_rows()[1] if row["wnid"] == clarification.wnid)


def test_a_new_row_goes_to_its_place_in_the_order_of_labels(prompts: Path) -> None:
    assert keep_it(drake()) == 4  # the note of the jay goes on for a second line
    row = "n01847000,drake duck,homonym,,reconstructed\n"
    assert prompts.read_text() == HEADER + JAY + row + CRANE


def test_the_first_and_the_last_row_have_their_places(prompts: Path) -> None:
    tench = Clarification(wnid="n01440764", prompt="tench fish", reason="homonym", note="")
    paper = Clarification(wnid="n15075141", prompt="paper roll", reason="too_general", note="")
    prompts.write_text((HEADER + JAY + CRANE).rstrip("\n"))  # an editor that ends no last line
    assert (keep_it(tench), keep_it(paper)) == (2, 6)
    assert [row["wnid"] for _, row in read_rows()[1]] == [
        "n01440764",
        "n01580077",
        "n02012849",
        "n15075141",
    ]


def test_an_old_row_is_replaced_where_it_stands(prompts: Path) -> None:
    jay = Clarification(wnid="n01580077", prompt="jay bird", reason="homonym", note="a, \n b")
    assert keep_it(jay) == 2
    # Not the paper's prompt any more, and a note is one line.
    row = 'n01580077,jay bird,homonym,"a, b",reconstructed\n'
    assert prompts.read_text() == HEADER + row + CRANE


@pytest.mark.parametrize(
    "theirs",
    [drake("male duck"), replace(drake(), note="a singer"), replace(drake(), reason="repetition")],
)
def test_what_somebody_else_wrote_meanwhile_is_not_overwritten(
    prompts: Path, theirs: Clarification
) -> None:
    keep_it(drake("drake duck"))
    shown = row_of(read_rows()[1], "n01847000")
    keep_it(theirs)
    before = prompts.read_bytes()
    with pytest.raises(StaleError, match=f"its prompt is '{theirs.prompt}' now"):
        keep_it(drake("duck, male"), shown)
    assert prompts.read_bytes() == before
    keep_it(drake("duck, male"))
    assert "duck, male" in prompts.read_text()


def test_a_row_that_somebody_took_out_meanwhile_is_told(prompts: Path) -> None:
    jay = Clarification(wnid="n01580077", prompt="jay bird", reason="homonym", note="")
    shown = row_of(read_rows()[1], "n01580077")
    prompts.write_text(HEADER + CRANE)
    with pytest.raises(StaleError, match="it has none any more"):
        keep_it(jay, shown)


def test_a_prompt_of_the_papers_stays_the_papers_until_it_is_changed(prompts: Path) -> None:
    same = Clarification(
        wnid="n01580077", prompt="a bird of type jay", reason="homonym", note="letter"
    )
    keep_it(same)
    assert prompts.read_text() == HEADER + JAY.replace('"a letter,\nand a name"', "letter") + CRANE
    with pytest.raises(InputError, match="this is what the row says already"):
        keep_it(same)


def test_an_editors_line_ends_are_kept(prompts: Path) -> None:
    windows = (HEADER + CRANE).replace("\n", "\r\n").encode()
    prompts.write_bytes(windows)
    keep_it(drake())
    row = b"n01847000,drake duck,homonym,,reconstructed\r\n"
    header, crane = windows.splitlines(keepends=True)
    assert prompts.read_bytes() == header + row + crane


def test_of_two_at_the_same_time_one_is_kept_and_the_other_told(prompts: Path) -> None:
    def attempt(prompt: str) -> str:
        try:
            keep(drake(prompt), row_digest({}), SYNSETS, ENCODER)
        except StaleError:
            return "stale"
        return "kept"

    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(attempt, [f"drake duck {n}" for n in range(8)]))
    assert sorted(said) == ["kept"] + ["stale"] * 7
    assert len(read_rows()[1]) == 3


@pytest.mark.parametrize(
    ("prompt", "fault"),
    [
        ("", "has no prompt"),
        ("Drake", "is the synset prompt of class n01847000 itself"),
        ("A crane bird", "is that of class n02012849 as well"),
        ("dr\u00e4ke duck", r"has the character U\+00E4"),
        ("duck " * 50 + "duck", "of which the text encoder reads 40; clarify it with a shorter"),
    ],
)
def test_what_lint_would_find_is_not_written(prompts: Path, prompt: str, fault: str) -> None:
    before = prompts.read_bytes()
    with pytest.raises(InputError, match=f"Nothing was written.*{fault}"):
        keep_it(drake(prompt))
    assert prompts.read_bytes() == before


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (replace(drake(), reason="mood"), "The reason 'mood' is unknown"),
        (replace(drake(), note="\x00"), "is longer than 200 characters, or no text"),
        (replace(drake(), note="word " * 50), "is longer than 200 characters, or no text"),
    ],
)
def test_an_unknown_reason_or_a_wild_note_is_not_written(
    prompts: Path, row: Clarification, fault: str
) -> None:
    before = prompts.read_bytes()
    with pytest.raises(InputError, match=fault):
        keep_it(row)
    assert prompts.read_bytes() == before


def test_a_file_that_cannot_be_read_is_left_alone(prompts: Path) -> None:
    prompts.write_text(HEADER + "n01580077,jay\n")
    with pytest.raises(InputError, match="row 2: it has 2 fields, not 5"):
        keep_it(drake())
    assert prompts.read_text() == HEADER + "n01580077,jay\n"


def test_faults_of_others_rows_do_not_keep_anybody_from_working(prompts: Path) -> None:
    prompts.write_text(HEADER + "n01580077,jay,homonym,,paper\n")  # unchanged: a finding of lint
    assert keep_it(drake()) == 3


def test_a_prompt_is_tried_if_it_can_be_read_even_where_it_could_not_be_kept(
    prompts: Path,
) -> None:
    synset = next(s for s in SYNSETS if s.wnid == "n01847000")
    assert faults_of_prompt(synset, "drake", ENCODER) == []
    assert faults_of_prompt(synset, "a crane bird", ENCODER) == []
    (fault,) = faults_of_prompt(synset, "", ENCODER)
    assert fault == "Class n01847000 has no prompt; write one or remove the row."
    # PromptAug would be too long with it, which is no reason not to draw it once.
    assert faults_of_prompt(synset, "duck " * 35 + "duck", ENCODER) == []
    (fault,) = faults_of_prompt(synset, "duck " * 2_000 + "duck", ENCODER)
    assert fault.startswith("The prompt of class n01847000 has 2003 tokens, of which")
    (fault,) = faults_of_prompt(synset, "\u9d28" * 10_000, ENCODER)
    assert fault.endswith("has the character U+9D28; write it in plain ASCII.") and len(fault) < 500


@given(prompt=PRINTABLE, note=PRINTABLE)
def test_whatever_is_kept_reads_back(
    tmp_path_factory: pytest.TempPathFactory, prompt: str, note: str
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("kept")
        patch.chdir(folder)
        (folder / "prompts").mkdir()
        (folder / "data").mkdir()
        for path in (layout.MODIFIERS, layout.CLIP_TEMPLATES):
            path.write_bytes((REPOSITORY / path).read_bytes())
        layout.DISAMBIGUATIONS.write_text(HEADER + JAY + CRANE)
        text = "drake " + " ".join(prompt.split()) + "."
        keep_it(drake(text, note))
        kept = read_disambiguations([s.wnid for s in SYNSETS])
        assert kept == {
            "n01580077": "a bird of type jay",
            "n01847000": text,
            "n02012849": "a crane bird",
        }
        rows = {row["wnid"]: row["note"] for _, row in read_rows()[1]}
        assert rows["n01847000"] == " ".join(note.split())
