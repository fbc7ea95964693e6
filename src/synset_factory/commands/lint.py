"""`synset-factory lint`: what is wrong with the words in prompts/?

`synset-factory check` stops at the first thing that the stages cannot use; lint goes on, and finds
what the stages would use in silence: a prompt that is cut off, or one that two classes share.
"""

import sys

from synset_factory import layout
from synset_factory.prompts.check import PromptCheck, check_prompt_files


def lint() -> None:
    """Read all prompts and modifiers, and print everything that is wrong with them."""
    check = check_prompt_files()
    faults = [*map(str, check.findings), check.broken_params]
    lines = [" ".join(line.splitlines()) for line in faults if line]
    if lines:
        print(*lines, "1 finding." if len(lines) == 1 else f"{len(lines)} findings.", sep="\n")
        sys.exit(1)
    print(_summary(check))


def _summary(check: PromptCheck) -> str:
    """Say what was read, where all of it could be."""
    assert check.synsets is not None and check.clarified is not None
    assert check.parts is not None and check.modifiers is not None
    words = sum(bool(word) for part in check.parts.values() for _, word in part)
    return (
        f"{layout.PROMPTS}/ is clean: {len(check.synsets):,} classes, {len(check.clarified):,} "
        f"clarified prompts, {words} modifiers, {check.modifiers.combinations:,} PromptAug "
        "prompts a class."
    )
