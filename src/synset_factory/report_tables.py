"""metrics/tables.md: this run beside the paper. A row that has no figures says why at its place."""

from pathlib import Path

from synset_factory import layout
from synset_factory.markdown import markdown_table
from synset_factory.site.config import ReportConfig
from synset_factory.tables import (
    PAPER_SETS,
    Row,
    Undefined,
    classifier_lines,
    experiments,
    further_classifier_pairs,
    further_clip_pairs,
    paper_averages,
    paper_centroid_distances,
    read_measured,
)

ACCURACY_SPREAD = ["95% interval", "sd over seeds", "images"]
CLIP_FIGURES = ("centroid_accuracy", "knn1_accuracy", "knn5_accuracy")
CLIP_HEADER = ["reference", "query", "Centroid Accuracy", "k-nn k=1", "k-nn k=5", "avg cosine"]


def _accuracy_cells(folder: Path, name: str) -> list[str]:
    row = read_measured(folder, name)
    if isinstance(row, Undefined):
        return [row.why, *[""] * len(ACCURACY_SPREAD)]
    return [
        f"{row['accuracy']:.1f}",
        f"{row['ci95_low']:.1f} - {row['ci95_high']:.1f}",
        f"{row['seed_sd']:.1f}",
        f"{row['n']:,}",
    ]


def _clip_cells(row: Row | Undefined, paper: Row) -> list[str]:
    """Return the figures of a row of Table 6, the paper's behind them where there are any."""
    figures = [*CLIP_FIGURES, "avg_cosine_similarity"]
    if isinstance(row, Undefined):
        return [row.why, *[""] * (len(figures) - 1)]
    cells = []
    for figure in figures:
        decimals = 4 if "cosine" in figure else 1
        cell = f"{row[figure]:.{decimals}f}" if figure in row else ""
        cells.append(f"{cell} ({paper[figure]:.{decimals}f})" if figure in paper else cell)
    return cells


def _distance(folder: Path, name: str) -> str:
    row = read_measured(folder, name)
    return row.why if isinstance(row, Undefined) else f"{row['centroid_distance']:.4f}"


def classifier_table(config: ReportConfig) -> str:
    """Return Tables 1 and 2."""
    header = ["line", "train on", "evaluate on", "this run", *ACCURACY_SPREAD, "paper"]
    rows = []
    for table, folder in (("table1", layout.TABLE1), ("table2", layout.TABLE2)):
        for line in classifier_lines(table):
            names = [config.label(line.train), config.label(line.evaluation)]
            cells = _accuracy_cells(folder, line.name)
            rows.append([f"{table[-1]}.{line.line}", *names, *cells, f"{line.paper:.1f}"])
    return markdown_table(header, rows)


def further_set(image_set: str, config: ReportConfig) -> str:
    """Return the rows of a set that no table of the paper names, under its printed name."""
    folder = layout.FURTHER_SETS / image_set
    accuracies = []
    for pair in further_classifier_pairs(image_set):
        names = [config.label(pair.train), config.label(pair.evaluation)]
        accuracies.append([*names, *_accuracy_cells(folder, pair.name)])
    comparisons = []
    for comparison in further_clip_pairs(image_set):
        cells = _clip_cells(read_measured(folder, comparison.name), {})
        comparisons.append([*config.source_labels(comparison), *cells])
    header = ["train on", "evaluate on", "accuracy", *ACCURACY_SPREAD]
    return f"""### {config.label(image_set)}

{markdown_table(header, accuracies)}

{markdown_table(CLIP_HEADER, comparisons)}

Centroid Distance: {_distance(folder, "centroid_distance")}"""


def distance_table(config: ReportConfig) -> str:
    """Return Figure 5's Centroid Distances."""
    paper = paper_centroid_distances()
    rows = []
    for name in PAPER_SETS:
        printed = f"{paper[name]:.2e}" if name in paper else "n/a"
        rows.append([config.label(name), _distance(layout.CENTROID_DISTANCE, name), printed])
    return markdown_table(["image set", "this run", "paper"], rows)


def clip_table(config: ReportConfig) -> str:
    """Return Table 6, each figure as `this run (paper)`."""
    rows = []
    for experiment in experiments():
        cells = _clip_cells(read_measured(layout.TABLE6, experiment.name), experiment.paper)
        rows.append([str(experiment.number), *config.source_labels(experiment), *cells])
    cells = _clip_cells(read_measured(layout.TABLE6_AVERAGES, "averages"), paper_averages())
    rows.append(["", "averages of the rows with k-nn", "", *cells])
    return markdown_table(["#", *CLIP_HEADER], rows)


def tables_text(further: list[str], config: ReportConfig, note: str) -> str:
    """Return metrics/tables.md; `further` are the sets that no table of the paper names.

    `note` is what a reader must know of the rows trained on natural images, if anything.
    """
    noted = f"{note}\n\n" if note else ""
    others = "\n\n".join(further_set(image_set, config) for image_set in further)
    return f"""# This run beside the paper

## Tables 1 and 2: accuracy in percent

The mean over classifier seeds. The interval covers other images of these classes and other
seeds; it does not cover other classes or image sets made anew.

{noted}{classifier_table(config)}

## Other sets

The sets that no table of the paper names: accuracies as in Tables 1 and 2, CLIP space as in
Table 6, Centroid Distance as in Figure 5.

{others}

## Figure 5: Centroid Distance

The formula as the paper prints it. The paper's own numbers cannot come from it on this scale
(its cosines alone force 0.0167 at the least): compare order and ratios.

{distance_table(config)}

## Table 6: CLIP space, this run (paper)

References are training splits, queries validation splits. Row 8 of the paper looks like a slip:
82.0 is row 15's figure.

{clip_table(config)}
"""
