"""A clarified prompt, checked and written into prompts/disambiguations.csv: one row, at once."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from synset_factory import layout
from synset_factory.errors import InputError
from synset_factory.prompt_check import EDITED_RECIPES
from synset_factory.prompt_files import (
    DISAMBIGUATION_COLUMNS,
    Synset,
    class_prompts,
    read_vocabulary,
)
from synset_factory.prompt_lint import (
    TextEncoder,
    lint_disambiguations,
    lint_lengths,
    lint_prompt,
)
from synset_factory.prompt_parsing import Finding, Rows, csv_rows, read_text
from synset_factory.whole_files import write_text

LOCK = layout.DATA / "disambiguations.lock"
SOURCE = "reconstructed"  # whatever the paper's own prompt was, this one is not the paper's


class StaleError(InputError):
    """The row is no longer what the person saw who wants to change it."""


@dataclass(frozen=True, kw_only=True)
class Clarification:
    """What a person wants a class's row to say."""

    wnid: str
    prompt: str
    reason: str  # one of prompt_lint.REASONS
    note: str


def read_rows() -> tuple[str, Rows]:
    """Return the text of disambiguations.csv and its rows, each with the line it begins at.

    Raises InputError if it cannot be read, naming the row.
    """
    found: list[Finding] = []
    path = layout.DISAMBIGUATIONS
    text = read_text(path, found)
    rows = None if text is None else csv_rows(path, text, DISAMBIGUATION_COLUMNS, found)
    if text is None or rows is None or found:
        raise InputError(str(found[0]))
    return text, rows


def faults_of_prompt(synset: Synset, prompt: str, encoder: TextEncoder) -> list[str]:
    """Return what keeps a prompt from being drawn: it is empty, not plain text, or too long."""
    found: list[Finding] = []
    lint_prompt(layout.DISAMBIGUATIONS, 0, synset.wnid, prompt, found)
    _lint_length(synset, prompt, [], encoder, found)
    return [_sentence(each) for each in found]


def keep(
    clarification: Clarification, shown: str, synsets: list[Synset], encoder: TextEncoder
) -> int:
    """Write the row of a class, new or in the place of its old one, and return its line number.

    All other rows stay as they are, byte for byte; a new one goes to its place in the order of
    ImageNet's labels. `shown` is the class's prompt in the file when the person last saw it, empty
    if it had no row.

    Raises StaleError if the file says something else by now, and InputError for what lint would
    find wrong with the row, or if the file cannot be read. Nothing is written then.
    """
    with FileLock(LOCK):
        text, rows = read_rows()
        by_wnid = {row["wnid"]: row for _, row in rows}
        now = by_wnid.get(clarification.wnid, {}).get("prompt", "")
        if now != shown:
            raise StaleError(
                f"Meanwhile {layout.DISAMBIGUATIONS} has got another prompt for this class, "
                f"{now!a}: nothing was written; compare the two, and keep yours again if it is "
                "the better one."
            )
        changed = _with_row(text, rows, clarification, synsets)
        line = _check(changed, clarification, synsets, encoder)
        write_text(layout.DISAMBIGUATIONS, changed)
    return line


def _with_row(text: str, rows: Rows, clarification: Clarification, synsets: list[Synset]) -> str:
    """Return the file's text with the class's row."""
    label = {synset.wnid: synset.class_index for synset in synsets}
    lines = io.StringIO(text).readlines()
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    starts = [line - 1 for line, _ in rows] + [len(lines)]
    place, end = len(lines), len(lines)
    for (_, row), start, next_start in zip(rows, starts[:-1], starts[1:], strict=True):
        if row["wnid"] == clarification.wnid:
            place, end = start, next_start
            break
        if place == len(lines) and label.get(row["wnid"], -1) > label[clarification.wnid]:
            place = end = start  # unless the class has a row farther down
    return "".join([*lines[:place], _line(clarification), *lines[end:]])


def _line(clarification: Clarification) -> str:
    stream = io.StringIO()
    note = " ".join(clarification.note.split())
    csv.writer(stream, lineterminator="\n").writerow(
        [clarification.wnid, clarification.prompt, clarification.reason, note, SOURCE]
    )
    return stream.getvalue()


def _check(
    text: str, clarification: Clarification, synsets: list[Synset], encoder: TextEncoder
) -> int:
    """Return the line of the class's row. Raises InputError for what is wrong with it."""
    found: list[Finding] = []
    rows = csv_rows(layout.DISAMBIGUATIONS, text, DISAMBIGUATION_COLUMNS, found) or []
    # The class comes last: of two classes with one prompt it is the one to blame.
    rows.sort(key=lambda numbered: numbered[1]["wnid"] == clarification.wnid)
    line = rows[-1][0]
    prompts = {synset.wnid: synset.prompt for synset in synsets}
    lint_disambiguations(layout.DISAMBIGUATIONS, rows, prompts, found)
    synset = next(synset for synset in synsets if synset.wnid == clarification.wnid)
    _lint_length(synset, clarification.prompt, rows, encoder, found)
    faults = [_sentence(each) for each in found if each.row == line]
    if faults:
        raise InputError(" ".join(["Nothing was written.", *faults]))
    return line


def _lint_length(
    synset: Synset, prompt: str, rows: Rows, encoder: TextEncoder, found: list[Finding]
) -> None:
    classes = class_prompts([synset], {synset.wnid: prompt})
    tables: dict[Path, Rows] = {layout.SYNSETS: [], layout.DISAMBIGUATIONS: rows}
    lint_lengths(tables, classes, read_vocabulary(), EDITED_RECIPES, encoder, found)


def _sentence(finding: Finding) -> str:
    """Say it without its place: the person is looking at it."""
    return f"{finding.fault[0].upper()}{finding.fault[1:]}; {finding.remedy}."
