"""A clarified prompt, checked and written into prompts/disambiguations.csv: one row, at once."""

import csv
import io
import json
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from filelock import FileLock

from synset_factory import layout
from synset_factory.errors import InputError
from synset_factory.prompts.files import (
    DISAMBIGUATION_COLUMNS,
    Synset,
    class_prompts,
    read_vocabulary,
)
from synset_factory.prompts.lint import (
    EDITED_RECIPES,
    TextEncoder,
    lint_disambiguations,
    lint_lengths,
    lint_prompt,
)
from synset_factory.prompts.parsing import Finding, Rows, csv_rows, read_text
from synset_factory.whole_files import write_text

OURS = "reconstructed"  # the source of a prompt that is not the paper's


class StaleError(InputError):
    """The row is no longer what the person saw who wants to change it."""


@dataclass(frozen=True, kw_only=True)
class Clarification:
    """What a person wants a class's row to say."""

    wnid: str
    prompt: str
    reason: str  # one of prompts.lint.REASONS
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


def row_of(rows: Rows, wnid: str) -> dict[str, str]:
    """Return the row of a class; empty if it has none."""
    return next((row for _, row in rows if row["wnid"] == wnid), {})


def row_digest(row: dict[str, str]) -> str:
    """Return what tells one state of a row from another."""
    return sha256(json.dumps(row, sort_keys=True).encode()).hexdigest()


def faults_of_prompt(synset: Synset, prompt: str, encoder: TextEncoder) -> list[str]:
    """Return what keeps a prompt from being drawn: it is empty, not plain text, or too long."""
    found: list[Finding] = []
    lint_prompt(layout.DISAMBIGUATIONS, 0, synset.wnid, prompt, found)
    if not found:
        _lint_length(synset, prompt, [], ("disamb",), encoder, found)
    return [_sentence(each) for each in found]


def faults_of_row(
    rows: Rows, synset: Synset, synsets: list[Synset], encoder: TextEncoder
) -> list[str]:
    """Return what lint finds wrong with the row of a class, if it has one."""
    row = row_of(rows, synset.wnid)
    if not row:
        return []
    # The class comes last: of two classes with one prompt it is the one to blame.
    ordered = sorted(rows, key=lambda numbered: numbered[1]["wnid"] == synset.wnid)
    line, prompts = ordered[-1][0], {each.wnid: each.prompt for each in synsets}
    found: list[Finding] = []
    lint_disambiguations(layout.DISAMBIGUATIONS, ordered, prompts, found)
    for recipe in EDITED_RECIPES:  # PromptAug's is the longer one: one of the two is enough
        if not any(each.row == line for each in found):
            _lint_length(synset, row["prompt"].strip(), rows, (recipe,), encoder, found)
    return [_sentence(each) for each in found if each.row == line]


def keep(
    clarification: Clarification, shown: str, synsets: list[Synset], encoder: TextEncoder
) -> None:
    """Write the row of a class, new or in the place of its old one.

    All other rows stay as they are, byte for byte; a new one goes to its place in the order of
    ImageNet's labels. `shown` is the `row_digest` of the row that the person last saw.

    Raises StaleError if the row is another one by now, and InputError if there is nothing to
    change, for what lint would find wrong with the row, or if the file cannot be read. Nothing is
    written then.
    """
    with FileLock(layout.EDIT_LOCK):
        text, rows = read_rows()
        old = row_of(rows, clarification.wnid)
        if row_digest(old) != shown:
            now = f"its prompt is {old['prompt']!a} now" if old else "it has none any more"
            raise StaleError(
                f"Meanwhile somebody changed this class's row in {layout.DISAMBIGUATIONS}, {now}: "
                "nothing was written; compare the two, and keep yours again if it is the better "
                "one."
            )
        new = _row(clarification, old)
        if new == old:
            raise InputError("Nothing was written: this is what the row says already.")
        changed = _with_row(text, rows, new, synsets)
        _check(changed, clarification.wnid, synsets, encoder)
        write_text(layout.DISAMBIGUATIONS, changed.replace("\n", _line_end()))


def _row(clarification: Clarification, old: dict[str, str]) -> dict[str, str]:
    """Return the new row. A prompt of the paper's stays the paper's until it is changed."""
    same = old.get("prompt") == clarification.prompt
    return {
        "wnid": clarification.wnid,
        "prompt": clarification.prompt,
        "reason": clarification.reason,
        "note": " ".join(clarification.note.split()),
        "source": old["source"] if same else OURS,
    }


def _with_row(text: str, rows: Rows, new: dict[str, str], synsets: list[Synset]) -> str:
    """Return the file's text with the class's row."""
    label = {synset.wnid: synset.class_index for synset in synsets}
    lines = io.StringIO(text).readlines()
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    starts = [line - 1 for line, _ in rows] + [len(lines)]
    place, end = len(lines), len(lines)
    for (_, row), start, next_start in zip(rows, starts[:-1], starts[1:], strict=True):
        if row["wnid"] == new["wnid"]:
            place, end = start, next_start
            break
        if place == len(lines) and label.get(row["wnid"], -1) > label[new["wnid"]]:
            place = end = start  # unless the class has a row farther down
    stream = io.StringIO()
    csv.DictWriter(stream, DISAMBIGUATION_COLUMNS, lineterminator="\n").writerow(new)
    return "".join([*lines[:place], stream.getvalue(), *lines[end:]])


def _check(text: str, wnid: str, synsets: list[Synset], encoder: TextEncoder) -> None:
    """Raise InputError for what is wrong with the row of a class in a text of the file."""
    rows = csv_rows(layout.DISAMBIGUATIONS, text, DISAMBIGUATION_COLUMNS, []) or []
    synset = next(synset for synset in synsets if synset.wnid == wnid)
    faults = faults_of_row(rows, synset, synsets, encoder)
    if faults:
        raise InputError(" ".join(["Nothing was written.", *faults]))


def _line_end() -> str:
    """Return how the lines of the file end: an editor on Windows ends them otherwise."""
    return "\r\n" if b"\r\n" in layout.DISAMBIGUATIONS.read_bytes() else "\n"


def _lint_length(
    synset: Synset,
    prompt: str,
    rows: Rows,
    recipes: tuple[str, ...],
    encoder: TextEncoder,
    found: list[Finding],
) -> None:
    classes = class_prompts([synset], {synset.wnid: prompt})
    tables: dict[Path, Rows] = {layout.SYNSETS: [], layout.DISAMBIGUATIONS: rows}
    lint_lengths(tables, classes, read_vocabulary(), recipes, encoder, found)


def _sentence(finding: Finding) -> str:
    """Say it without its place: the person is looking at it."""
    return f"{finding.fault[0].upper()}{finding.fault[1:]}; {finding.remedy}."
