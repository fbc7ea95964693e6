"""What can be wrong with the words of the prompt files. Pure: texts in, findings out.

The stages stop at the first row that they cannot use (`files`); lint goes on and finds every
row that is doubtful. Each function appends what it finds to `found`.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from itertools import product
from pathlib import Path

from synset_factory.prompts.grammar import RECIPES, ClassPrompts, Modifiers, Vocabulary
from synset_factory.prompts.parsing import Finding, Rows, Words
from synset_factory.records import TRAIN

REASONS = (
    "homonym",
    "proper_name",
    "near_equal_class",
    "repetition",
    "too_general",
    "dataset_bias",
)
SOURCES = ("paper", "reconstructed")


def _adjectives(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Every modifier is put before every class, so the paper has none of these: "No adjectives
# describing color, texture, or feel were used as they inevitably would be inappropriate for some
# objects." The lists hold what a person would think of first.
COLOURS = _adjectives(
    "black blue brown colorful colourful crimson golden gray green grey orange pink purple red "
    "scarlet silver violet white yellow"
)
TEXTURES = _adjectives(
    "bumpy coarse fluffy furry fuzzy glossy hairy matte polished rough shiny silky smooth spiky "
    "striped textured velvety woolly wrinkled"
)
FEELS = _adjectives("cold damp dry firm hard hot moist prickly slimy slippery soft sticky warm wet")
FORBIDDEN = {"colour": COLOURS, "texture": TEXTURES, "feel": FEELS}


EDITED_RECIPES = ("disamb", "promptaug")  # what people write in prompts/ goes into these
MAY_BE_EMPTY = "extent"  # of the parts of the modifiers
NAMED = 5  # characters of one text that are no plain text
QUOTED = 60  # characters of a text that a finding repeats
LONGEST_NOTE = 200  # characters


@dataclass(frozen=True)
class TextEncoder:
    """What a text-to-image model reads its prompts with."""

    count: Callable[[str], int]  # the tokens of a text, those of start and end included
    context: int  # how many it reads


def quoted(text: str) -> str:
    """Return the beginning of a text in quotes and plain ASCII, as a finding repeats it."""
    return ascii(text if len(text) <= QUOTED else text[:QUOTED] + "...")


def by_wnid(rows: Rows, column: str) -> dict[str, str]:
    """Return one column of a table by the class, without blanks around it."""
    return {row["wnid"]: row[column].strip() for _, row in rows}


def lint_synsets(path: Path, rows: Rows, found: list[Finding]) -> None:
    """Find what is wrong with the synset prompts. Nobody edits them, so the remedy is one."""
    faults: list[Finding] = []
    _lint_wnids(path, rows, faults)
    for line, row in rows:
        lint_prompt(path, line, row["wnid"], row["synset_prompt"], faults)
    restore = f"restore the file with `git checkout {path.as_posix()}`"
    found += [Finding(each.path, each.row, each.fault, restore) for each in faults]


def lint_disambiguations(
    path: Path, rows: Rows, synsets: dict[str, str] | None, found: list[Finding]
) -> None:
    """Find what is wrong with the clarified classes, beside `synsets`: the prompts by wnid.

    Where those could not be read, None, the rows are held against each other alone.
    """
    _lint_wnids(path, rows, found)
    for line, row in rows:
        wnid, prompt = row["wnid"], row["prompt"]
        if synsets is not None and wnid not in synsets:
            fault = f"wnid {quoted(wnid)} is not in ImageNet-1K"
            found.append(Finding(path, line, fault, "correct it"))
        lint_prompt(path, line, wnid, prompt, found)
        if synsets and prompt.strip() and _same(prompt) == _same(synsets.get(wnid, "")):
            fault = f"the prompt {quoted(prompt)} is the synset prompt of class {wnid} itself"
            found.append(Finding(path, line, fault, "write another or remove the row"))
        _lint_note(path, line, row["note"], found)
        for column, allowed in (("reason", REASONS), ("source", SOURCES)):
            if row[column] not in allowed:
                fault = f"the {column} {quoted(row[column])} is unknown"
                found.append(Finding(path, line, fault, f"write one of {', '.join(allowed)}"))
    _lint_shared_prompts(path, rows, synsets or {}, found)


def lint_prompt(path: Path, line: int, wnid: str, prompt: str, found: list[Finding]) -> None:
    """Find what is wrong with the text of one prompt."""
    if prompt.strip():
        _lint_text(path, line, f"the prompt {quoted(prompt)}", prompt, found)
    else:
        fault = f"class {wnid} has no prompt"
        found.append(Finding(path, line, fault, "write one or remove the row"))


def lint_modifiers(path: Path, parts: dict[str, Words], found: list[Finding]) -> None:
    """Find what is wrong with the words of PromptAug."""
    for name, words in parts.items():
        seen: set[str] = set()
        for line, word in words:
            if word in seen:
                fault = f"part '{name}' has the word {quoted(word)} twice"
                found.append(Finding(path, line, fault, "remove one"))
            seen.add(word)
            if not word.strip() and name != MAY_BE_EMPTY:
                fault = f"part '{name}' has an empty word"
                found.append(Finding(path, line, fault, "write one or remove it"))
            _lint_text(path, line, f"the modifier {quoted(word)}", word, found)
            for kind, forbidden in FORBIDDEN.items():
                for adjective in sorted(forbidden.intersection(re.findall("[a-z]+", word.lower()))):
                    fault = f"'{adjective}' is an adjective of {kind}, wrong for some objects"
                    found.append(Finding(path, line, fault, "remove it"))


def lint_lengths(
    tables: dict[Path, Rows],
    classes: Iterable[ClassPrompts],
    vocabulary: Vocabulary,
    recipes: Iterable[str],
    encoder: TextEncoder,
    found: list[Finding],
) -> None:
    """Find the prompts that are longer than a text encoder reads: the rest is never seen.

    `tables` are the synset and the clarified prompts, by file; each finding is put at the row
    of the words that are at fault. Of each recipe the longest prompt is looked at.
    """
    (synsets, synset_lines), (clarified, clarified_lines) = (
        (path, {row["wnid"]: line for line, row in rows}) for path, rows in tables.items()
    )
    longest = longest_vocabulary(vocabulary, encoder)
    for each, recipe in product(classes, recipes):
        (prompt,) = RECIPES[recipe](each, longest, TRAIN, 1, 0)
        tokens = encoder.count(prompt)
        if tokens <= encoder.context:
            continue
        name = "prompt" if recipe == "disamb" else f"longest {recipe} prompt"
        fault = (
            f"the {name} of class {each.wnid} has {tokens} tokens, of which the text encoder "
            f"reads {encoder.context}"
        )
        if recipe in EDITED_RECIPES:
            path, line = clarified, clarified_lines.get(each.wnid)
            remedy = "clarify it with a shorter prompt"
        else:
            path, line = synsets, synset_lines.get(each.wnid)
            remedy = "give its set another recipe in params.yaml"
        found.append(Finding(path, line, fault, remedy))


def longest_vocabulary(vocabulary: Vocabulary, encoder: TextEncoder) -> Vocabulary:
    """Return the vocabulary with nothing but the words of most tokens."""
    names = [field.name for field in fields(Modifiers)]
    return Vocabulary(
        modifiers=Modifiers(
            **{
                name: (max(getattr(vocabulary.modifiers, name), key=encoder.count),)
                for name in names
            }
        ),
        clip_templates=(max(vocabulary.clip_templates, key=encoder.count),),
    )


def _same(prompt: str) -> str:
    """Return a prompt as a text encoder reads it: case and further blanks make no difference."""
    return " ".join(prompt.lower().split())


def _lint_wnids(path: Path, rows: Rows, found: list[Finding]) -> None:
    first: dict[str, int] = {}
    for line, row in rows:
        if first.setdefault(row["wnid"], line) != line:
            fault = f"wnid {quoted(row['wnid'])} occurs twice, first in row {first[row['wnid']]}"
            found.append(Finding(path, line, fault, "remove one of its rows"))


def _lint_text(path: Path, line: int, name: str, text: str, found: list[Finding]) -> None:
    strange = [f"U+{ord(each):04X}" for each in sorted(set(text)) if not " " <= each <= "~"]
    if strange:
        those = ", ".join(strange[:NAMED]) + (" and others" if len(strange) > NAMED else "")
        fault = f"{name} has the character{'s' if len(strange) > 1 else ''} {those}"
        found.append(Finding(path, line, fault, "write it in plain ASCII"))
    if text != text.strip(" ") or "  " in text:
        fault = f"{name} has a leading, trailing or doubled blank"
        found.append(Finding(path, line, fault, "remove it"))


def _lint_note(path: Path, line: int, note: str, found: list[Finding]) -> None:
    if len(note) > LONGEST_NOTE or not note.replace("\n", " ").isprintable():
        fault = f"the note {quoted(note)} is longer than {LONGEST_NOTE} characters, or no text"
        found.append(Finding(path, line, fault, "write a few words"))


def _lint_shared_prompts(
    path: Path, rows: Rows, synsets: dict[str, str], found: list[Finding]
) -> None:
    """Find the clarified prompts that another class has among the Disamb prompts.

    Two classes that nobody clarified may share theirs: ImageNet has such pairs.
    """
    clarified = {row["wnid"] for _, row in rows}
    owners = {_same(prompt): wnid for wnid, prompt in synsets.items() if wnid not in clarified}
    for line, row in rows:
        wnid, prompt = row["wnid"], row["prompt"]
        if prompt.strip() and owners.setdefault(_same(prompt), wnid) != wnid:
            fault = f"the prompt {quoted(prompt)} is that of class {owners[_same(prompt)]} as well"
            found.append(Finding(path, line, fault, "write another"))
