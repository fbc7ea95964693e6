"""Which tables the site shows: this run beside the paper, and what the paper has no table for."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from synset_factory import layout
from synset_factory.claims import differences, read_claims, verdict
from synset_factory.config import Common
from synset_factory.query_images import query_name
from synset_factory.site.captions import CAPTIONS, of_classifiers, of_distance, of_space
from synset_factory.site.cells import (
    Cell,
    MetricsTable,
    Table,
    TableRow,
    figure_cell,
    figures_of,
    folder_rows,
    metrics_table,
    text_cell,
    told,
)
from synset_factory.site.config import ReportConfig
from synset_factory.tables import (
    PAPER_SETS,
    TABLE3,
    TABLE4_CLASSES,
    TABLE5,
    Row,
    Undefined,
    classifier_lines,
    experiments,
    further_classifier_pairs,
    further_clip_pairs,
    further_sets,
    image_experiments,
    paper_appendix_b,
    paper_averages,
    paper_centroid_distances,
    read_measured,
    table4_lines,
)

CLIP_FIGURES = {
    "centroid_accuracy": "Centroid Accuracy",
    "knn1_accuracy": "k-nn, k=1",
    "knn5_accuracy": "k-nn, k=5",
    "avg_cosine_similarity": "average cosine",
}
CLASSIFIER_FIGURES = {"accuracy": "accuracy", "seed_sd": "sd over seeds", "n": "images"}
CLASSIFIER_HEADS = ("line", "trained on", "evaluated on")
CLIP_HEADS = ("#", "reference", "query")
POOLED = "pooled_"
UNTOLD = "cannot be told"
CONTRIBUTIONS = TableRow(name=layout.CONTRIBUTIONS.stem, heads=("all classes",))


def paper_tables(config: ReportConfig) -> list[Table]:
    """Return the counterparts of the paper's tables, in its order."""
    short = ("centroid_accuracy", "avg_cosine_similarity")
    return [
        _classifier_table("table1", layout.TABLE1, config),
        _classifier_table("table2", layout.TABLE2, config),
        _clip_table("table3", TABLE3, short, config),
        _table4(config),
        _clip_table("table5", TABLE5, short, config),
        _with_averages(_clip_table("table6", range(1, 37), tuple(CLIP_FIGURES), config)),
        _distances(config),
        _appendix_b(),
    ]


def further_tables(common: Common, config: ReportConfig) -> list[Table]:
    """Return the tables of what the paper tells in words, or not at all."""
    alternative = layout.CLASSIFIER_SPACE
    in_both = [each.number for each in image_experiments()]
    return [
        _folder("frechet", layout.FRECHET, config),
        _folder("frechet_correlation", layout.FRECHET_CORRELATION, config),
        _folder("separability", layout.SEPARABILITY, config),
        _folder("centroid_shift", layout.CENTROID_SHIFT, config),
        _folder("error_split", layout.ERROR_SPLIT, config),
        _all_figures(
            "contributions",
            layout.METRICS,
            [CONTRIBUTIONS],
        ),
        _folder("quality", layout.QUALITY, config, lambda key: not key.startswith(POOLED)),
        _folder("quality_pooled", layout.QUALITY, config, lambda key: key.startswith(POOLED)),
        _folder("classifier_distance", alternative / "centroid_distance", config),
        _clip_table("classifier_space", in_both, tuple(CLIP_FIGURES), config),
        _folder("diagnosis", layout.DIAGNOSIS_COUNTS, config),
        *(each for name in further_sets(common.sets) for each in _further(name, config)),
    ]


def claims_table() -> Table:
    """Return the paper's claims with the two numbers of each, and whether it holds in this run."""
    rows = []
    for claim in read_claims() if layout.CLAIMS.exists() else ():
        heads = [text_cell(part) for part in (claim.name, claim.place, claim.claim)]
        rows.append([*heads, *_claim_cells(read_measured(layout.CLAIMS, claim.name))])
    return Table(
        name="claims",
        caption=CAPTIONS["claims"],
        columns=["#", "place", "claim", "in this run", "larger", "smaller", "difference"],
        rows=rows,
        why="" if rows else f"{layout.CLAIMS} holds no rows yet: make them with `dvc repro`.",
        notes=[_summary([row[3].text for row in rows])] if rows else [],
    )


def differences_table() -> Table:
    """Return the differences between lines of the tables, and which are inside their noise."""
    rows = []
    for each in differences() if layout.DIFFERENCES.exists() else ():
        row = read_measured(layout.DIFFERENCES, each.name)
        cells = _claim_cells(row)
        if not isinstance(row, Undefined):
            noise = "inside its noise" if row.get("certain") == 0 else ""
            cells[0] = Cell(text=noise, sort=noise, kind="verdict" if noise else "")
        rows.append([text_cell(each.words), *cells])
    return Table(
        name="differences",
        caption=CAPTIONS["differences"],
        columns=["first - second", "", "first", "second", "difference"],
        rows=rows,
        why="" if rows else f"{layout.DIFFERENCES} holds no rows yet: make them with `dvc repro`.",
    )


def _summary(verdicts: list[str]) -> str:
    """Say how many claims have each verdict, the commonest first."""
    counts = Counter(verdicts).most_common()
    return f"Of {len(verdicts)} claims: {'; '.join(f'{name} {count}' for name, count in counts)}."


def _claim_cells(row: Row | Undefined) -> list[Cell]:
    if isinstance(row, Undefined):
        return [Cell(text=UNTOLD, sort=UNTOLD), Cell(text=row.why, kind="why", span=3)]
    numbers = [figure_cell(key, row, {}, row) for key in ("larger", "smaller", "difference")]
    said = verdict(row)
    kind = f"verdict {said.replace(',', '')}"  # holds or fails, and perhaps "inside its noise"
    return [Cell(text=said, sort=said, kind=kind), *numbers]


def _classifier_table(name: str, folder: Path, config: ReportConfig) -> Table:
    rows = [
        TableRow(
            name=line.name,
            heads=(str(line.line), config.label(line.train), config.label(line.evaluation)),
            paper={"accuracy": line.paper},
        )
        for line in classifier_lines(name)
    ]
    return metrics_table(
        MetricsTable(
            name=name,
            caption=CAPTIONS[name],
            folder=folder,
            heads=CLASSIFIER_HEADS,
            rows=rows,
            figures=CLASSIFIER_FIGURES,
        )
    )


def _clip_table(
    name: str, numbers: Iterable[int], figures: tuple[str, ...], config: ReportConfig
) -> Table:
    """Return some experiments of Table 6: in CLIP space, or in the classifier's beside no paper."""
    by_number = {each.number: each for each in experiments()}
    in_clip = name != "classifier_space"
    rows = [
        TableRow(
            name=each.name,
            heads=(str(each.number), *config.source_labels(each)),
            paper=each.paper if in_clip else {},
        )
        for each in (by_number[number] for number in numbers)
    ]
    return metrics_table(
        MetricsTable(
            name=name,
            caption=CAPTIONS[name],
            folder=layout.TABLE6 if in_clip else layout.CLASSIFIER_SPACE / "table6",
            heads=CLIP_HEADS,
            rows=rows,
            figures={key: CLIP_FIGURES[key] for key in figures},
        )
    )


def _with_averages(table: Table) -> Table:
    mean, paper = read_measured(layout.TABLE6_AVERAGES, "averages"), paper_averages()
    if isinstance(mean, Undefined):
        said = mean.why
    else:
        figures = (
            f"{CLIP_FIGURES[key]} {told(key, mean[key])} (the paper {told(key, paper[key])})"
            for key in paper
        )
        said = f"{'; '.join(figures)}."
    return replace(table, notes=[f"Averages of the rows with k-nn: {said}"])


def _table4(config: ReportConfig) -> Table:
    rows = [
        TableRow(
            name=line.name,
            heads=(str(line.line), *config.source_labels(line)),
            paper=line.paper,
        )
        for line in table4_lines()
    ]
    return metrics_table(
        MetricsTable(
            name="table4",
            caption=CAPTIONS["table4"],
            folder=layout.TABLE4,
            heads=CLIP_HEADS,
            rows=rows,
            figures={name: name for name in ("average", *TABLE4_CLASSES)},
        )
    )


def _distances(config: ReportConfig) -> Table:
    paper, key = paper_centroid_distances(), "centroid_distance"
    rows = [
        TableRow(
            name=name,
            heads=(config.label(name),),
            paper={key: paper[name]} if name in paper else {},
        )
        for name in PAPER_SETS
    ]
    return metrics_table(
        MetricsTable(
            name=key,
            caption=CAPTIONS[key],
            folder=layout.CENTROID_DISTANCE,
            heads=("image set",),
            rows=rows,
            figures={key: "Centroid Distance"},
        )
    )


def _appendix_b() -> Table:
    rows = [
        TableRow(name=query_row(number, query), heads=(query,), paper=paper)
        for number, (query, paper) in enumerate(paper_appendix_b().items(), start=1)
    ]
    return metrics_table(
        MetricsTable(
            name="appendix_b",
            caption=CAPTIONS["appendix_b"],
            folder=layout.APPENDIX_B,
            heads=("query",),
            rows=rows,
            figures={
                "centroid_accuracy": "Centroid Accuracy",
                "centroid_distance": "Centroid Distance",
                "centroid_shift": "centroid-shift",
            },
        )
    )


def query_row(number: int, query: str) -> str:
    """Return the name of a row of Appendix B."""
    return f"{number}_{query_name(query)}"


def _folder(
    name: str, folder: Path, config: ReportConfig, keep: Callable[[str], bool] = lambda key: True
) -> Table:
    """Return a table of all rows that a folder has."""
    return _all_figures(name, folder, folder_rows(folder, config.labels), keep)


def _all_figures(
    name: str,
    folder: Path,
    rows: Sequence[TableRow],
    keep: Callable[[str], bool] = lambda key: True,
) -> Table:
    """Return a table with every figure that its rows have and `keep` takes."""
    figures = figures_of(folder, rows)
    return metrics_table(
        MetricsTable(
            name=name,
            caption=CAPTIONS[name],
            folder=folder,
            heads=("of",),
            rows=rows,
            figures={key: heading for key, heading in figures.items() if keep(key)},
        )
    )


def _further(image_set: str, config: ReportConfig) -> list[Table]:
    """Return what a set has that no table of the paper names."""
    folder, label = layout.FURTHER_SETS / image_set, config.label(image_set)
    accuracies = [
        TableRow(name=pair.name, heads=(config.label(pair.train), config.label(pair.evaluation)))
        for pair in further_classifier_pairs(image_set)
    ]
    comparisons = [
        TableRow(name=pair.name, heads=config.source_labels(pair))
        for pair in further_clip_pairs(image_set)
    ]
    parts = (
        ("set", of_classifiers(label), CLASSIFIER_HEADS, accuracies, CLASSIFIER_FIGURES),
        ("space", of_space(label), CLIP_HEADS, comparisons, CLIP_FIGURES),
        (
            "distance",
            of_distance(label),
            ("", "image set"),
            [TableRow(name="centroid_distance", heads=(label,))],
            {"centroid_distance": "Centroid Distance"},
        ),
    )
    return [
        metrics_table(
            MetricsTable(
                name=f"{part}_{image_set}",
                caption=caption,
                folder=folder,
                heads=heads[1:],
                rows=rows,
                figures=figures,
            )
        )
        for part, caption, heads, rows, figures in parts
    ]
