"""The prompt files as rows and words, with what cannot be read of them as findings.

The stages stop at the first finding (`files`), `synset-factory lint` goes on to the last.
Each function appends what it finds to `found`.
"""

import csv
import io
from dataclasses import dataclass, fields
from pathlib import Path

import yaml

from synset_factory.prompts.grammar import Modifiers

Rows = list[tuple[int, dict[str, str]]]  # of a CSV, each with its line number
Words = list[tuple[int, str]]  # of a part of the modifiers, each with its line number


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, and where."""

    path: Path
    row: int | None  # the line number that an editor shows; None: the file as a whole
    fault: str
    remedy: str

    def __str__(self) -> str:
        place = f"{self.path}, row {self.row}" if self.row else f"{self.path}"
        return f"{place}: {self.fault}; {self.remedy}."


def read_text(path: Path, found: list[Finding]) -> str | None:
    """Return a file's text, or None if the file is missing or not UTF-8."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        restore = f"restore it with `git checkout {path.as_posix()}`"
        found.append(Finding(path, None, "it is missing", restore))
        return None
    return _decode(path, content, found)


def csv_rows(path: Path, text: str, columns: tuple[str, ...], found: list[Finding]) -> Rows | None:
    """Return the rows of a CSV that have all their fields, or None if its columns are others."""
    reader = csv.reader(io.StringIO(text), strict=True)
    rows: Rows = []
    line = 1  # where a row begins: a field in quotes may go on for several lines
    try:
        if tuple(next(reader, ())) != columns:
            remedy = f"they must be {','.join(columns)}"
            found.append(Finding(path, 1, "these are not the columns", remedy))
            return None
        line = reader.line_num + 1
        for row in reader:
            if len(row) == len(columns):
                rows.append((line, dict(zip(columns, row, strict=True))))
            elif row:
                fault = f"it has {len(row)} fields, not {len(columns)}"
                found.append(Finding(path, line, fault, "put quotes around one that holds a comma"))
            line = reader.line_num + 1
    except csv.Error as error:
        fault = f"it and what follows cannot be read as CSV ({error})"
        found.append(Finding(path, line, fault, "correct its quotes"))
    return rows


def modifier_words(path: Path, text: str, found: list[Finding]) -> dict[str, Words] | None:
    """Return the words of each part of the modifiers, or None if its parts are others."""
    try:
        top = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "no YAML"
        fault = f"it cannot be read as YAML ({problem})"
        found.append(Finding(path, mark.line + 1 if mark else None, fault, "correct it"))
        return None
    parts = top.value if isinstance(top, yaml.MappingNode) else []
    names = [field.name for field in fields(Modifiers)]
    if sorted(str(key.value) for key, _ in parts) != sorted(names):
        remedy = f"they must be {', '.join(names)}, each once"
        found.append(Finding(path, None, "these are not the parts", remedy))
        return None
    return {key.value: _words_of_part(path, key.value, node, found) for key, node in parts}


def _words_of_part(path: Path, name: str, node: yaml.Node, found: list[Finding]) -> Words:
    items = node.value if isinstance(node, yaml.SequenceNode) else []
    if not items:
        fault = f"part '{name}' is no list of words"
        found.append(Finding(path, node.start_mark.line + 1, fault, "write at least one word"))
    words: Words = []
    for item in items:
        line = item.start_mark.line + 1
        if item.tag == "tag:yaml.org,2002:str":
            words.append((line, item.value))
        else:  # YAML takes `no` for false and `a: b` for a mapping
            fault = f"part '{name}' has something that is no word"
            found.append(Finding(path, line, fault, "put quotes around it"))
    return words


def _decode(path: Path, content: bytes, found: list[Finding]) -> str | None:
    """Return a file's text, with every end of line as `\\n`, or None if it is not UTF-8."""
    try:
        return io.TextIOWrapper(io.BytesIO(content), encoding="utf-8").read()
    except UnicodeDecodeError:
        lines = content.splitlines()
        row = next((n for n, line in enumerate(lines, start=1) if not _is_utf8(line)), None)
        found.append(Finding(path, row, "it is not UTF-8", "save the file as UTF-8"))
        return None


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
