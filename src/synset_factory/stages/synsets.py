"""Stage `synsets`: ImageNet's 1,000 classes in label order, each with its synset prompt.

The synset prompt is the paper's: all lemmas of the class's WordNet 3.0 synset, comma-separated.
The stage is frozen and its file kept in git, so that a fresh clone needs no WordNet.
"""

import argparse
import csv
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from timm.data import ImageNetInfo

from synset_factory import layout
from synset_factory.errors import InputError, run_main
from synset_factory.prompt_files import SYNSET_COLUMNS
from synset_factory.wordnet import SynsetRow, imagenet_synsets


def check_rows(rows: Sequence[SynsetRow], wnids: Sequence[str], lemmas: Sequence[str]) -> None:
    """Hold the rows against timm's wnids and lemma strings, both in label order.

    Raises InputError naming the first row that differs. The labels follow the sorted wnids,
    which is checked too: it is the one test of the order that does not rest on timm's list.
    """
    if len(rows) != len(wnids):
        raise InputError(f"WordNet gave {len(rows)} synsets, but timm lists {len(wnids)} classes.")
    for label, (row, wnid, lemma) in enumerate(zip(rows, wnids, lemmas, strict=True)):
        found = (row.class_index, row.wnid, row.synset_prompt)
        if found != (label, wnid, lemma):
            raise InputError(f"Class {label}: WordNet gives {found}, timm {(label, wnid, lemma)}.")
        if label > 0 and wnid <= wnids[label - 1]:
            raise InputError(
                f"Class {label}: {wnid} follows {wnids[label - 1]}, but ImageNet's labels are "
                "in the order of their wnids."
            )


def write_synsets(rows: Iterable[SynsetRow], path: Path) -> None:
    """Write the rows as CSV under a temporary name, then put the file in place whole."""
    partial = layout.partial(path)
    with partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, SYNSET_COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)
    os.replace(partial, path)


def main() -> None:
    """Write prompts/synsets.csv, or the file named by --output."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--output",
        type=Path,
        default=layout.SYNSETS,
        help="where to write the table (default: %(default)s)",
    )
    output: Path = parser.parse_args().output
    if not output.parent.is_dir():
        raise InputError(f"--output {output}: make the folder {output.parent} first.")
    info = ImageNetInfo()
    rows = imagenet_synsets(info.label_names())
    check_rows(rows, info.label_names(), info.label_descriptions())
    write_synsets(rows, output)


if __name__ == "__main__":
    run_main(main)
