"""`synset-factory diff REV [REV]`: which images differ between two revisions, in words and seen."""

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from tqdm import tqdm

from synset_factory import layout
from synset_factory.config import load_params
from synset_factory.errors import InputError
from synset_factory.prompts.files import read_synsets
from synset_factory.whole_files import whole_file

if TYPE_CHECKING:
    from synset_factory.revisions.diff import SetDiff
    from synset_factory.revisions.revision import Revision

T = TypeVar("T")

SHEET = layout.DATA / "diff.png"  # git ignores data/, and no stage has it for an output
SHEET_ROWS = 12
PATIENCE = 3  # seconds before a progress bar is shown


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command line."""
    parser.add_argument("before", metavar="REV", help="a commit, branch or tag")
    parser.add_argument(
        "after", metavar="REV", nargs="?", help="what it is compared with (default: working tree)"
    )
    parser.add_argument(
        "--sheet",
        metavar="PNG",
        type=Path,
        default=SHEET,
        help="where pictures before and after are drawn (default: %(default)s)",
    )


def diff(*, before: str, after: str | None, sheet: Path) -> None:
    """Say which images differ between two revisions, and draw them before and after.

    By image set and class, with the prompts; and put the two reports side by side. What a revision
    had is read from DVC's cache, else from its remote; nothing is checked out.
    """
    # Imported here: these libraries take seconds, and --help needs none of them.
    from synset_factory.revisions.diff import describe
    from synset_factory.revisions.revision import Commit, WorkingTree, diff_set

    load_params()  # says so if this is not the top of the repository
    if sheet.is_dir():
        raise InputError(f"--sheet {sheet} is a folder: name a file.")
    names = {synset.wnid: synset.lemmas[0] for synset in read_synsets()}
    old, new = Commit(before), WorkingTree() if after is None else Commit(after)
    had, has = old.image_sets(), new.image_sets()
    if not had and not has:
        raise InputError(f"neither {old.name} nor {new.name} has an image set: nothing to compare.")
    unequal = [name for name in had if name in has and had[name] != has[name]]
    diffs = [diff_set(name, old, new) for name in _progress(unequal, "image sets")]
    diffs = [each for each in diffs if each.classes]

    print(f"{old.name} -> {new.name}")
    for each in diffs:
        print(describe(each, names))
    for name in [*had, *has]:
        if name not in has or name not in had:
            print(_only_in(name, new if name in has else old))
    differing = {each.image_set for each in diffs}
    same = [name for name in had if name in has and name not in differing]
    if same:
        print(f"Nothing differs in {', '.join(same)}.")
    if diffs:
        _draw(diffs, names, old, new, sheet)
    if old.has_report or new.has_report:
        _show_reports(old, new)


def _progress(items: list[T], what: str) -> Iterable[T]:
    return tqdm(items, desc=what, delay=PATIENCE, leave=False)


def _only_in(name: str, revision: "Revision") -> str:
    """Say what the other revision lacks."""
    index = revision.index(name)
    return (
        f"{name}: only in {revision.name}, {len(index):,} images of "
        f"{index['wnid'].nunique():,} classes"
    )


def _show_reports(old: "Revision", new: "Revision") -> None:
    """Write the page of the two reports; say why where a revision has none."""
    from synset_factory.site.side_by_side import write_page

    for why in write_page(old, new):
        print(why)
    print(f"Reports side by side: {layout.DIFF_PAGE}")


def _draw(
    diffs: "list[SetDiff]", names: dict[str, str], old: "Revision", new: "Revision", path: Path
) -> None:
    """Draw the first images of the first classes that differ. A class's sets are neighbours."""
    from synset_factory.revisions.sheet import draw_sheet, read_row

    found = [(diff.image_set, each) for diff in diffs for each in diff.classes]
    found.sort(key=lambda pair: pair[1].wnid)
    rows = [
        read_row(image_set, each, names.get(each.wnid, ""), old, new)
        for image_set, each in _progress(found[:SHEET_ROWS], "pictures")
    ]
    try:
        with whole_file(path) as partial:
            draw_sheet(rows, old.name, new.name).save(partial, format="PNG")
    except OSError as error:
        raise InputError(f"--sheet {path} cannot be written ({error}): choose another.") from None
    more = f", the first {len(rows)} of {len(found):,} rows" if len(found) > len(rows) else ""
    print(f"Pictures before and after: {path}{more}")
