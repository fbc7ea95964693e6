"""Stage `synsets`: ImageNet's 1,000 classes in label order, and what prompts are made of.

The synset prompt is the paper's: all lemmas of the class's WordNet 3.0 synset, comma-separated.
Beside it what other recipes need: WordNet's definition and hypernym, CLIP's short name of the
class, and CLIP's templates in a file of their own. The stage is frozen and its files are kept in
git, so that a fresh clone needs no WordNet and a new version of a library changes no prompt.
"""

import argparse
import csv
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from open_clip.zero_shot_metadata import IMAGENET_CLASSNAMES, OPENAI_IMAGENET_TEMPLATES
from timm.data import ImageNetInfo

from synset_factory import layout
from synset_factory.errors import InputError, run_main
from synset_factory.prompts.files import SYNSET_COLUMNS
from synset_factory.whole_files import whole_file, write_text
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


def write_synsets(rows: Iterable[SynsetRow], clip_names: Iterable[str], path: Path) -> None:
    """Write the rows as CSV under a temporary name, then put the file in place whole."""
    with whole_file(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, SYNSET_COLUMNS, lineterminator="\n")
        writer.writeheader()
        for row, clip_name in zip(rows, clip_names, strict=True):
            writer.writerow({**asdict(row), "clip_name": clip_name})


def write_templates(templates: Iterable[Callable[[str], str]], path: Path) -> None:
    """Write CLIP's templates, one a line, with `{}` where the name of a class goes."""
    write_text(path, "".join(template("{}") + "\n" for template in templates))


def main() -> None:
    """Write prompts/synsets.csv and prompts/clip_templates.txt, or both into --folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--folder",
        type=Path,
        default=layout.PROMPTS,
        help="where to write the two files (default: %(default)s)",
    )
    folder: Path = parser.parse_args().folder
    if not folder.is_dir():
        raise InputError(f"--folder {folder}: make this folder first.")
    info = ImageNetInfo()
    rows = imagenet_synsets(info.label_names())
    check_rows(rows, info.label_names(), info.label_descriptions())
    write_synsets(rows, IMAGENET_CLASSNAMES, folder / layout.SYNSETS.name)
    write_templates(OPENAI_IMAGENET_TEMPLATES, folder / layout.CLIP_TEMPLATES.name)


if __name__ == "__main__":
    run_main(main)
