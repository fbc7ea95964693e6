"""`synset-factory lint`: is anything wrong with the words that people edit?

`check` stops at the first thing that a stage could not use. This names everything, and also what
the stages would use in silence: a prompt that is cut off, or one that two classes share.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

from synset_factory import layout
from synset_factory.errors import InputError
from synset_factory.prompt_files import (
    DISAMBIGUATION_COLUMNS,
    SYNSET_COLUMNS,
    Synset,
    class_prompts,
    world_classes,
)
from synset_factory.prompt_grammar import Modifiers
from synset_factory.prompt_lint import (
    TextEncoder,
    by_wnid,
    lint_disambiguations,
    lint_lengths,
    lint_modifiers,
    lint_synsets,
)
from synset_factory.prompt_parsing import (
    Finding,
    Rows,
    Words,
    csv_rows,
    modifier_words,
    read_text,
)

FILES = (layout.SYNSETS, layout.DISAMBIGUATIONS, layout.MODIFIERS)
TOKENIZER = layout.TEXT_TO_IMAGE / "tokenizer"


@dataclass(frozen=True)
class Files:
    """What could be read of the three files. None: nothing, and a finding says why."""

    synsets: Rows | None
    clarified: Rows | None
    parts: dict[str, Words] | None  # of the modifiers

    @property
    def modifiers(self) -> Modifiers | None:
        """The vocabularies of PromptAug, if every part has its words."""
        if not self.parts or not all(self.parts.values()):
            return None
        return Modifiers(
            **{name: tuple(word for _, word in words) for name, words in self.parts.items()}
        )


def lint() -> None:
    """Read all prompts and modifiers, and print everything that is wrong with them."""
    found: list[Finding] = []
    files = _read_files(found)
    _lint_words(files, found)
    broken_params = []
    try:
        _lint_lengths(files, found)
    except InputError as error:  # params.yaml does not tell the classes of the world
        broken_params = [str(error)]
    found.sort(key=lambda each: (FILES.index(each.path), each.row or 0))
    lines = [" ".join(line.splitlines()) for line in [*map(str, found), *broken_params]]
    if lines:
        print(*lines, "1 finding." if len(lines) == 1 else f"{len(lines)} findings.", sep="\n")
        sys.exit(1)
    print(_summary(files))


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


def _read_files(found: list[Finding]) -> Files:
    texts = {path: read_text(path, found) for path in FILES}

    def rows(path: Path, columns: tuple[str, ...]) -> Rows | None:
        text = texts[path]
        return None if text is None else csv_rows(path, text, columns, found)

    modifiers = texts[layout.MODIFIERS]
    return Files(
        synsets=rows(layout.SYNSETS, SYNSET_COLUMNS),
        clarified=rows(layout.DISAMBIGUATIONS, DISAMBIGUATION_COLUMNS),
        parts=None if modifiers is None else modifier_words(layout.MODIFIERS, modifiers, found),
    )


def _lint_words(files: Files, found: list[Finding]) -> None:
    if files.synsets is not None:
        lint_synsets(layout.SYNSETS, files.synsets, found)
    if files.clarified is not None:
        known = None if files.synsets is None else by_wnid(files.synsets, "synset_prompt")
        lint_disambiguations(layout.DISAMBIGUATIONS, files.clarified, known, found)
    if files.parts is not None:
        lint_modifiers(layout.MODIFIERS, files.parts, found)


def _lint_lengths(files: Files, found: list[Finding]) -> None:
    """Find the prompts that are too long. Raises InputError for wnids of params.yaml."""
    if files.synsets is None or files.clarified is None:
        return  # without one of them, nobody knows what the prompts are
    classes = [
        Synset(class_index=label, wnid=wnid, prompt=prompt)
        for label, (wnid, prompt) in enumerate(by_wnid(files.synsets, "synset_prompt").items())
    ]
    if TOKENIZER.exists():  # a world's model draws no classes but its own
        classes = world_classes(classes)
    clarified = by_wnid(files.clarified, "prompt")
    prompts = class_prompts(classes, {wnid: text for wnid, text in clarified.items() if text})
    path, encoder = layout.DISAMBIGUATIONS, text_encoder()
    lint_lengths(path, files.clarified, prompts, files.modifiers, encoder, found)


def _summary(files: Files) -> str:
    """Say what was read, where all of it could be."""
    assert files.synsets is not None and files.clarified is not None
    assert files.parts is not None and files.modifiers is not None
    words = sum(bool(word) for part in files.parts.values() for _, word in part)
    return (
        f"{layout.PROMPTS}/ is clean: {len(files.synsets):,} classes, {len(files.clarified):,} "
        f"clarified prompts, {words} modifiers, {files.modifiers.combinations:,} PromptAug "
        "prompts a class."
    )
