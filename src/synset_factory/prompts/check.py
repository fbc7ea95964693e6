"""All that lint knows of the prompt files as they stand: they are read, and every rule applied."""

from dataclasses import dataclass, field
from pathlib import Path

from synset_factory import layout
from synset_factory.config import load_common
from synset_factory.errors import InputError
from synset_factory.prompts.files import (
    DISAMBIGUATION_COLUMNS,
    SYNSET_COLUMNS,
    check_recipes,
    class_prompts,
    read_clip_templates,
    read_synsets,
    world_classes,
)
from synset_factory.prompts.grammar import Modifiers, Vocabulary
from synset_factory.prompts.lint import (
    EDITED_RECIPES,
    TextEncoder,
    by_wnid,
    lint_disambiguations,
    lint_lengths,
    lint_modifiers,
    lint_synsets,
)
from synset_factory.prompts.parsing import (
    Finding,
    Rows,
    Words,
    csv_rows,
    modifier_words,
    read_text,
)

FILES = (layout.SYNSETS, layout.DISAMBIGUATIONS, layout.MODIFIERS)
TOKENIZER = layout.TEXT_TO_IMAGE / "tokenizer"


@dataclass
class PromptCheck:
    """What could be read of the three files (None: nothing, and a finding says why) and found."""

    synsets: Rows | None
    clarified: Rows | None
    parts: dict[str, Words] | None  # of the modifiers
    findings: list[Finding] = field(default_factory=list)
    broken_params: str = ""  # why lengths could not be counted, if params.yaml is at fault

    @property
    def modifiers(self) -> Modifiers | None:
        """The vocabularies of PromptAug, if every part has its words."""
        if not self.parts or not all(self.parts.values()):
            return None
        return Modifiers(
            **{name: tuple(word for _, word in words) for name, words in self.parts.items()}
        )

    def of_class(self, wnid: str) -> list[Finding]:
        """Return what was found in the rows of one class."""
        tables = ((layout.SYNSETS, self.synsets), (layout.DISAMBIGUATIONS, self.clarified))
        places = {
            (path, line) for path, rows in tables for line, row in rows or [] if row["wnid"] == wnid
        }
        return [each for each in self.findings if (each.path, each.row) in places]


def check_prompt_files() -> PromptCheck:
    """Read the three files and apply every rule. Findings are in the order of files and rows."""
    check = _read_files()
    _check_words(check)
    try:
        _check_lengths(check)
    except InputError as error:
        check.broken_params = str(error)
    check.findings.sort(key=lambda each: (FILES.index(each.path), each.row or 0))
    return check


def text_encoder() -> TextEncoder:
    """Return the text encoder of the world's text-to-image model, where that is made already.

    Elsewhere it is that of the CLIP which open_clip and Stable Diffusion have in common.
    """
    # Imported here: these libraries take seconds, and --help needs none of them.
    if TOKENIZER.exists():
        from transformers import CLIPTokenizer

        world = CLIPTokenizer.from_pretrained(str(TOKENIZER), local_files_only=True)
        return TextEncoder(
            count=lambda text: len(world(text, verbose=False).input_ids),
            context=world.model_max_length,
        )
    from open_clip.tokenizer import SimpleTokenizer

    clip = SimpleTokenizer()
    return TextEncoder(
        count=lambda text: len(clip.encode(text)) + 2,  # start and end
        context=clip.context_length,
    )


def _read_files() -> PromptCheck:
    found: list[Finding] = []
    texts = {path: read_text(path, found) for path in FILES}

    def rows(path: Path, columns: tuple[str, ...]) -> Rows | None:
        text = texts[path]
        return None if text is None else csv_rows(path, text, columns, found)

    modifiers = texts[layout.MODIFIERS]
    return PromptCheck(
        synsets=rows(layout.SYNSETS, SYNSET_COLUMNS),
        clarified=rows(layout.DISAMBIGUATIONS, DISAMBIGUATION_COLUMNS),
        parts=None if modifiers is None else modifier_words(layout.MODIFIERS, modifiers, found),
        findings=found,
    )


def _check_words(check: PromptCheck) -> None:
    if check.synsets is not None:
        lint_synsets(layout.SYNSETS, check.synsets, check.findings)
    if check.clarified is not None:
        known = None if check.synsets is None else by_wnid(check.synsets, "synset_prompt")
        lint_disambiguations(layout.DISAMBIGUATIONS, check.clarified, known, check.findings)
    if check.parts is not None:
        lint_modifiers(layout.MODIFIERS, check.parts, check.findings)


def _check_lengths(check: PromptCheck) -> None:
    """Find the prompts that are too long. Raises InputError for what else they are made of."""
    broken = any(each.path == layout.SYNSETS for each in check.findings)
    if broken or check.clarified is None or check.modifiers is None:
        return  # nobody knows what the prompts are
    classes = read_synsets()
    recipes = set(EDITED_RECIPES)
    if layout.PARAMS.exists():
        common = load_common()
        check_recipes(common, check.modifiers)
        recipes |= {image_set.prompts for image_set in common.sets.values()}
    if TOKENIZER.exists():  # a world's model draws no classes but its own
        classes = world_classes(classes)
    clarified = {w: text for w, text in by_wnid(check.clarified, "prompt").items() if text}
    lint_lengths(
        {layout.SYNSETS: check.synsets or [], layout.DISAMBIGUATIONS: check.clarified},
        class_prompts(classes, clarified),
        Vocabulary(modifiers=check.modifiers, clip_templates=read_clip_templates()),
        sorted(recipes),
        text_encoder(),
        check.findings,
    )
