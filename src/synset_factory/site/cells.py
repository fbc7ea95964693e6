"""Tables of the site: rows of metrics as cells, with the paper's figures, intervals and reasons."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from synset_factory import layout
from synset_factory.site.captions import Caption
from synset_factory.tables import TABLE4_CLASSES, Row, Undefined, read_measured

LOW, HIGH = "_low", "_high"  # what an interval's ends are called, after the figure
LARGE = 1000  # from here on figures have a comma
SHORT = 24  # characters of a name that is not broken into lines
PERCENT = {"seed_sd", "average", *TABLE4_CLASSES}  # besides whatever is called an accuracy


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What one place of a table shows."""

    text: str
    sort: float | str = ""  # what the column is sorted by; "" goes last
    paper: str = ""  # the paper's figure
    interval: str = ""  # 95%, of the figure
    href: str = ""
    kind: str = ""  # how it looks: a class of report.css
    span: int = 1  # columns


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table as the page shows it."""

    name: str  # its anchor in the page
    caption: Caption
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    why: str = ""  # where there are no rows
    notes: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class TableRow:
    """A row of metrics, and what is printed beside it."""

    name: str  # of its file in the folder, without .json
    heads: tuple[str, ...]  # the leading cells
    paper: Row = field(default_factory=dict)  # the paper's figures, keyed as ours


@dataclass(frozen=True, kw_only=True)
class MetricsTable:
    """A folder of rows, and how it becomes a table."""

    name: str
    caption: Caption
    folder: Path
    heads: tuple[str, ...]  # headings of the leading cells
    rows: Sequence[TableRow]
    figures: Mapping[str, str]  # key of the rows -> heading


def folder_rows(folder: Path, labels: Mapping[str, str]) -> list[TableRow]:
    """Return every row that a folder has under a name for people, sets in the order of `labels`."""
    order = {name: place for place, name in enumerate(labels)}

    def key(name: str) -> tuple[list[int], str]:
        sets = [part.removesuffix("_im").removesuffix("_prmt") for part in name.split("_vs_")]
        return [order.get(image_set, len(order)) for image_set in sets], name

    names = sorted((path.stem for path in folder.glob("*.json")), key=key)
    return [TableRow(name=name, heads=(readable(name, labels),)) for name in names]


def readable(name: str, labels: Mapping[str, str]) -> str:
    """Return a row's name for people: `natural_vs_synset_im` is `natural vs Synset-IM`."""
    return " vs ".join(_readable_part(part, labels) for part in name.split("_vs_"))


def _readable_part(part: str, labels: Mapping[str, str]) -> str:
    for suffix in ("_im", "_prmt"):
        image_set = part.removesuffix(suffix)
        if image_set != part and image_set in labels:
            return f"{labels[image_set]}-{suffix[1:].upper()}"
    return labels.get(part, part.replace("_", " "))


def figures_of(folder: Path, rows: Sequence[TableRow]) -> dict[str, str]:
    """Return the keys that the rows of a folder have, in their order, as headings."""
    found: dict[str, str] = {}
    for each in rows:
        row = read_measured(folder, each.name)
        if not isinstance(row, Undefined):
            found |= {key: key.replace("_", " ") for key in row}
    return found


def metrics_table(spec: MetricsTable) -> Table:
    """Read the rows of a table. A row without figures says why at its place."""
    missing = "" if spec.rows else f"{spec.folder} holds no rows yet: make them with `dvc repro`."
    return Table(
        name=spec.name,
        caption=spec.caption,
        columns=[*spec.heads, *spec.figures.values()],
        rows=[_row_cells(spec, each) for each in spec.rows],
        why=missing,
    )


def _row_cells(spec: MetricsTable, each: TableRow) -> list[Cell]:
    heads = [text_cell(head) for head in each.heads]
    row = read_measured(spec.folder, each.name)
    if isinstance(row, Undefined):
        return [*heads, Cell(text=row.why, kind="why", span=max(len(spec.figures), 1))]
    interval = interval_of(spec.folder / each.name, row)
    return [*heads, *(figure_cell(key, row, each.paper, interval) for key in spec.figures)]


def interval_of(path: Path, row: Row) -> Row:
    """Return the ends of a row's 95% intervals: its own, else those of stage `certainty`."""
    own = {"accuracy" + LOW: "ci95_low", "accuracy" + HIGH: "ci95_high"}
    if all(key in row for key in own.values()):
        return {name: row[key] for name, key in own.items()}
    if any(key + LOW in row for key in row):
        return row
    stored = read_measured(layout.INTERVALS / path.parent.relative_to(layout.METRICS), path.name)
    return {} if isinstance(stored, Undefined) else stored


def figure_cell(key: str, row: Row, paper: Row, interval: Row) -> Cell:
    """Return the cell of one figure; empty where the row has none such."""
    printed = told(key, paper[key]) if key in paper else ""
    if key not in row:
        return Cell(text="", paper=printed)
    ends = [interval[key + end] for end in (LOW, HIGH) if key + end in interval]
    between = f"[{', '.join(told(key, end) for end in ends)}]" if len(ends) == 2 else ""
    return Cell(
        text=told(key, row[key]), sort=row[key], paper=printed, interval=between, kind="figure"
    )


def told(key: str, value: float) -> str:
    """Return a figure for people: accuracies in percent with one decimal, the rest as it needs."""
    if value == int(value) and (isinstance(value, int) or abs(value) >= LARGE):
        return f"{value:,.0f}"
    if "accuracy" in key or key in PERCENT or abs(value) >= LARGE:
        return f"{value:,.1f}"
    return f"{value:.4f}" if "cosine" in key else f"{value:.4g}"


def text_cell(text: str, href: str = "") -> Cell:
    """Return a cell of words; a number in words sorts as a number."""
    kind = "name" if len(text) <= SHORT else ""
    try:
        return Cell(text=text, sort=float(text), href=href, kind=kind)
    except ValueError:
        return Cell(text=text, sort=text.lower(), href=href, kind=kind)
