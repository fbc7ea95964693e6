"""Stage `review_list`: the classes to look at, with what is known of each, as a table to read."""

import numpy as np

from synset_factory import layout
from synset_factory.config import claim_world, load_common, load_section
from synset_factory.errors import run_main
from synset_factory.markdown import markdown_table
from synset_factory.review_list import (
    CAUSES,
    ReviewEntry,
    ReviewListConfig,
    accuracies,
    read_ambiguity,
    review_list,
)
from synset_factory.tables import Row, write_row
from synset_factory.whole_files import write_text

MISTAKES = 3  # printed of each class


def table_row(rank: int, entry: ReviewEntry) -> list[str]:
    """Return a class's line of the printed list."""
    taken = [f"{o.lemmas[0]} {p:.0f}%" for o, p in entry.mistaken_for[:MISTAKES]]
    return [
        str(rank),
        entry.synset.wnid,
        entry.synset.prompt,
        f"{entry.accuracy:.1f}",
        ", ".join(taken),
        str(entry.synset.senses),
        ", ".join(o.wnid for o in entry.same_name),
        entry.cause,
        entry.clarified or "",
        " ".join(entry.findings),
    ]


def list_text(entries: list[ReviewEntry], classes: int) -> str:
    """Return metrics/review_list.md."""
    header = ["", "wnid", "synset prompt", "accuracy", "taken for", "senses", "same name"]
    header += ["looks like", "clarified prompt", "lint"]
    rows = [table_row(rank, entry) for rank, entry in enumerate(entries, start=1)]
    return f"""# Prompts worth a look

Of {classes} classes the {len(entries)} whose images, drawn from the synset prompt alone, the
classifiers of natural images recognise worst (accuracy in percent, {entries[0].images} images
each). `looks like` goes by the words alone. `word`: several noun senses in WordNet, or another
class of one of its names. `synonyms`: several names in one prompt. `generator`: neither, so the
words are not to blame. `synset-factory review` shows the pictures and tries other prompts.

{markdown_table(header, rows)}
"""


def summary(entries: list[ReviewEntry], accuracy: dict[int, float]) -> Row:
    """Return metrics/ambiguity.json: accuracies in percent, and counts of classes."""
    row: Row = {
        "classes": len(accuracy),
        "accuracy": float(np.mean(list(accuracy.values()))),
        "listed": len(entries),
        "listed_accuracy": float(np.mean([entry.accuracy for entry in entries])),
        "listed_clarified": sum(entry.clarified is not None for entry in entries),
    }
    return row | {f"listed_{c}": sum(entry.cause == c for entry in entries) for c in CAUSES}


def main() -> None:
    claim_world(load_common().world)
    config = load_section(ReviewListConfig, "review_list")
    outcomes = read_ambiguity()
    entries = review_list(outcomes, config.share)
    accuracy = accuracies(outcomes)
    write_text(layout.REVIEW_LIST, list_text(entries, len(accuracy)))
    write_row(layout.AMBIGUITY_SUMMARY, summary(entries, accuracy))


if __name__ == "__main__":
    run_main(main)
