"""What git remembers of the clarified prompts."""

import csv
import subprocess
from collections import defaultdict
from dataclasses import dataclass

from synset_factory import layout
from synset_factory.tables import Undefined


@dataclass(frozen=True, kw_only=True)
class Change:
    """A commit that gave a class another prompt."""

    date: str  # of the commit, YYYY-MM-DD
    commit: str  # its first seven digits
    prompt: str  # "" where the clarification was taken out


def prompt_history() -> dict[str, list[Change]] | Undefined:
    """Return the changes of each clarified class's prompt by wnid, the newest first."""
    path = layout.DISAMBIGUATIONS.as_posix()
    # This line of commits only: in a merge two histories would contradict each other.
    log = _git("log", "--first-parent", "--reverse", "--format=%H %cs", "--", path)
    if isinstance(log, Undefined):
        return log
    history: defaultdict[str, list[Change]] = defaultdict(list)
    before: dict[str, str] = {}
    for line in log.splitlines():
        commit, date = line.split()
        text = _git("show", f"{commit}:{path}")
        # A commit that deletes the file has none to show.
        prompts = {} if isinstance(text, Undefined) else _prompts(text)
        for wnid in {**before, **prompts}:
            if prompts.get(wnid) != before.get(wnid):
                change = Change(date=date, commit=commit[:7], prompt=prompts.get(wnid, ""))
                history[wnid].insert(0, change)
        before = prompts
    return dict(history)


def _prompts(text: str) -> dict[str, str]:
    """Read prompts as leniently as the history of a file that people edit needs."""
    rows = csv.DictReader(text.splitlines())
    return {
        wnid: (row.get("prompt") or "").strip() for row in rows if (wnid := row.get("wnid") or "")
    }


def _git(*words: str) -> str | Undefined:
    try:
        done = subprocess.run(["git", *words], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return Undefined("git has no history of the prompts here: this is no clone, or has no git.")
    return done.stdout.decode("utf-8", errors="replace")
