"""The prompt files that people edit, and the table of synsets: read, checked, put together."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from synset_factory import layout
from synset_factory.config import Common, load_common
from synset_factory.errors import InputError
from synset_factory.prompts.grammar import (
    NAME_PLACE,
    RECIPES,
    ClassPrompts,
    Modifiers,
    Vocabulary,
)
from synset_factory.prompts.parsing import (
    Finding,
    Rows,
    csv_rows,
    modifier_words,
    read_text,
)

T = TypeVar("T")

SYNSET_COLUMNS = (
    *("class_index", "wnid", "synset_prompt", "definition", "hypernym", "senses", "clip_name"),
)
DISAMBIGUATION_COLUMNS = ("wnid", "prompt", "reason", "note", "source")


@dataclass(frozen=True, kw_only=True)
class Synset:
    """One class of ImageNet-1K."""

    class_index: int  # ImageNet's label, 0 ... 999
    wnid: str
    prompt: str  # all lemmas, comma-separated: the paper's Synset prompt
    definition: str  # WordNet's
    hypernym: str  # the nearest of WordNet's that says more than the prompt
    senses: int  # of the first lemma, a noun, in WordNet
    clip_name: str  # the class's short name in CLIP's list

    @property
    def lemmas(self) -> list[str]:
        """The names of the synset, the commonest first."""
        return self.prompt.split(", ")


def read_synsets(path: Path = layout.SYNSETS) -> list[Synset]:
    """Return ImageNet's classes in label order. Raises InputError naming the file and row."""
    synsets = []
    for number, row in _rows(path, _text(path), SYNSET_COLUMNS):
        fault = next((f"no {column}" for column in SYNSET_COLUMNS if not row[column].strip()), None)
        for column in ("class_index", "senses"):
            if not row[column].isdecimal():
                fault = fault or f"the {column} '{row[column]}'"
        if fault:
            raise InputError(
                f"{path}, row {number}: class {row['wnid']} has {fault}; "
                f"restore the file with `git checkout {path}`."
            )
        synsets.append(
            Synset(
                class_index=int(row["class_index"]),
                wnid=row["wnid"],
                prompt=row["synset_prompt"],
                definition=row["definition"],
                hypernym=row["hypernym"],
                senses=int(row["senses"]),
                clip_name=row["clip_name"],
            )
        )
    return synsets


def read_disambiguations(
    known: Iterable[str], path: Path = layout.DISAMBIGUATIONS
) -> dict[str, str]:
    """Return the clarified prompt of each clarified class.

    Raises InputError naming the file and row, for a wnid that is not among `known` (ImageNet's)
    or occurs twice, and for an empty prompt.
    """
    return parse_disambiguations(_text(path), known, path)


def parse_disambiguations(text: str, known: Iterable[str], path: Path) -> dict[str, str]:
    """Do the same from the file's text, of whatever revision."""
    known = set(known)
    prompts: dict[str, str] = {}
    for number, row in _rows(path, text, DISAMBIGUATION_COLUMNS):
        wnid, prompt = row["wnid"], row["prompt"].strip()
        where = f"{path}, row {number}"
        if wnid not in known:
            raise InputError(f"{where}: wnid '{wnid}' is not in ImageNet-1K; correct it.")
        if wnid in prompts:
            raise InputError(f"{where}: wnid '{wnid}' occurs twice; remove one of its rows.")
        if not prompt:
            raise InputError(f"{where}: class {wnid} has no prompt; write one or remove the row.")
        prompts[wnid] = prompt
    return prompts


def class_prompts(synsets: Iterable[Synset], clarified: dict[str, str]) -> list[ClassPrompts]:
    """Return what the prompts of every class are made of, in the order of `synsets`."""
    return [
        ClassPrompts(
            wnid=s.wnid,
            synset=s.prompt,
            disamb=clarified.get(s.wnid, s.prompt),
            definition=s.definition,
            hypernym=s.hypernym,
            clip_name=s.clip_name,
        )
        for s in synsets
    ]


def read_modifiers(path: Path = layout.MODIFIERS) -> Modifiers:
    """Return the vocabularies of PromptAug. Raises InputError naming the part at fault."""
    found: list[Finding] = []
    parts = _first_raised(modifier_words(path, _text(path), found), found)
    words = {name: tuple(word for _, word in part) for name, part in parts.items()}
    for name, part in words.items():
        if len(set(part)) != len(part):
            raise InputError(f"{path}: part '{name}' has a word twice; remove one.")
    return Modifiers(**words)


def read_vocabulary() -> Vocabulary:
    """Return the words that prompts of any class are made with.

    Raises InputError naming the file, and what of it is at fault.
    """
    return Vocabulary(modifiers=read_modifiers(), clip_templates=read_clip_templates())


def read_clip_templates(path: Path = layout.CLIP_TEMPLATES) -> tuple[str, ...]:
    """Return CLIP's templates. Raises InputError for a line without a place for the name."""
    templates = tuple(_text(path).splitlines())
    for number, template in enumerate(templates, start=1):
        if template.count(NAME_PLACE) != 1:
            raise InputError(
                f"{path}, row {number}: it must have one {NAME_PLACE} for the class's name; "
                f"restore the file with `git checkout {path}`."
            )
    if not templates:
        raise InputError(f"{path} is empty: restore it with `git checkout {path}`.")
    return templates


def check_recipes(common: Common, modifiers: Modifiers) -> None:
    """Check that the sets of params.yaml can have their prompts.

    Raises InputError for an unknown recipe, or for vocabularies that make too few prompts.
    """
    wanted = common.splits.train + common.splits.validation
    for name, image_set in common.sets.items():
        if image_set.prompts not in RECIPES:
            raise InputError(
                f"{layout.PARAMS}: sets.{name}.prompts '{image_set.prompts}' is unknown; choose "
                f"one of {', '.join(RECIPES)}."
            )
        if image_set.prompts == "promptaug" and wanted > modifiers.combinations:
            raise InputError(
                f"{layout.MODIFIERS}: its words make {modifiers.combinations:,} different "
                f"prompts, but '{name}' needs {wanted:,} a class; add words or lower splits."
            )


def world_classes(synsets: Iterable[Synset]) -> list[Synset]:
    """Return the classes of the active world (params.yaml: wnids), in label order.

    Raises InputError naming a wnid that is not in ImageNet or occurs twice.
    """
    wnids = load_common().wnids
    synsets = list(synsets)
    if wnids == "all":
        return synsets
    if isinstance(wnids, str):
        raise InputError(f"{layout.PARAMS}: wnids must be a list of wnids or the word 'all'.")
    known = {synset.wnid for synset in synsets}
    for wnid in wnids:
        if wnid not in known:
            raise InputError(
                f"{layout.PARAMS}: wnid '{wnid}' is not in ImageNet-1K; correct or remove it."
            )
        if wnids.count(wnid) > 1:
            raise InputError(f"{layout.PARAMS}: wnid '{wnid}' occurs twice; remove one.")
    return [synset for synset in synsets if synset.wnid in set(wnids)]


def _text(path: Path) -> str:
    found: list[Finding] = []
    text = read_text(path, found)
    return _first_raised(text, found)


def _rows(path: Path, text: str, columns: tuple[str, ...]) -> Rows:
    found: list[Finding] = []
    rows = csv_rows(path, text, columns, found)
    return _first_raised(rows, found)


def _first_raised(parsed: T | None, found: list[Finding]) -> T:
    """Return what was parsed, if nothing was wrong with it. Raises InputError for what was."""
    if parsed is None or found:
        raise InputError(str(found[0]))
    return parsed
