"""The reports of two revisions on one page, which keeps them at the same place."""

from dataclasses import dataclass

from synset_factory import layout
from synset_factory.errors import InputError
from synset_factory.revisions.revision import INDEX_PAGE, Revision
from synset_factory.site.templates import templates
from synset_factory.whole_files import write_text


@dataclass(frozen=True, kw_only=True)
class Side:
    """One of the two reports, or why there is none."""

    name: str  # of the revision
    folder: str  # of its report, from the page's
    why: str = ""


def write_page(old: Revision, new: Revision) -> list[str]:
    """Write data/diff.html; return a sentence for each revision that has no report."""
    sides = [_side(revision) for revision in (old, new)]
    page = templates().get_template("diff.html").render(sides=sides, index=INDEX_PAGE)
    write_text(layout.DIFF_PAGE, page)
    return [side.why for side in sides if side.why]


def _side(revision: Revision) -> Side:
    try:
        folder = revision.report().relative_to(layout.DIFF_PAGE.parent)
    except InputError as error:
        return Side(name=revision.name, folder="", why=str(error))
    return Side(name=revision.name, folder=folder.as_posix())
