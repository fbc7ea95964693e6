"""Which tables the site shows: this run beside the paper, and what the paper has no table for."""

import csv
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path

from synset_factory import layout
from synset_factory.config import Common
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
    TABLE5,
    ClipPair,
    Row,
    Undefined,
    classifier_lines,
    experiments,
    further_classifier_pairs,
    further_clip_pairs,
    further_sets,
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
CLASSIFIER_HEADS = ("line", "trained on", "evaluated on")
CLIP_HEADS = ("#", "reference", "query")


def paper_tables(config: ReportConfig) -> list[Table]:
    """Return the counterparts of the paper's tables, in its order."""
    return [
        *(_classifier_table(number, config) for number in (1, 2)),
        _clip_table(3, TABLE3, ("centroid_accuracy", "avg_cosine_similarity"), config),
        _table4(config),
        _clip_table(5, TABLE5, ("centroid_accuracy", "avg_cosine_similarity"), config),
        _clip_table(6, [each.number for each in experiments()], tuple(CLIP_FIGURES), config),
        _distances(config),
        _appendix_b(),
    ]


def further_tables(common: Common, config: ReportConfig) -> list[Table]:
    """Return the tables of what the paper tells in words, or not at all."""
    tables = [
        _folder(
            "frechet",
            "Fréchet distance in CLIP space",
            layout.FRECHET,
            config,
            "Both terms apart, between the training splits of every two sets. The mean term is "
            "how far the sets' centres lie apart, the covariance term how their shapes differ.",
        ),
        _folder(
            "frechet_correlation",
            "Fréchet distance and accuracy",
            layout.FRECHET_CORRELATION,
            config,
            "The paper: the first term strongly correlates with accuracy, the second does "
            "not. A negative correlation says: the farther from natural images, the less accurate.",
        ),
        _folder(
            "separability",
            "Are prompts and images linearly separable?",
            layout.SEPARABILITY,
            config,
            "Accuracy of a linear classifier on embeddings that it was not trained on, in "
            "percent. The paper: they are separable.",
        ),
        _folder(
            "centroid_shift",
            "Centroid-shift between every two sets",
            layout.CENTROID_SHIFT,
            config,
            "1 minus the cosine of the two centroids of a class, averaged over classes.",
        ),
        _folder(
            "error_split",
            "The error, split into diversity and centroid-shift",
            layout.ERROR_SPLIT,
            config,
            "Percentage points of all queries. The paper (Disamb2.5): "
            "25.1 = 18.0 (diversity) + 7.1 (centroid-shift).",
        ),
        _single(
            "contributions",
            "Diffusion and CLIP: which causes more of the error?",
            "The paper: diffusion is a larger contributor to error than CLIP.",
        ),
        _folder(
            "quality",
            "What a dataset engineer asks beside it",
            layout.QUALITY,
            config,
            "Against natural images: means over classes, and of all classes pooled. Precision and "
            "density fall when pictures are unlike natural ones, recall and coverage when natural "
            "pictures are missed; KID and CMMD are distances. The row of natural images, one split "
            "against the other, is the yardstick.",
        ),
        _folder(
            "classifier_distance",
            "Another embedding: Centroid Distance",
            layout.CLASSIFIER_SPACE / "centroid_distance",
            config,
            "In the penultimate features of a classifier of natural images instead of CLIP.",
        ),
        _classifier_space(config),
        _folder(
            "diagnosis",
            "Diagnosis: how many classes of each set fail in which way",
            layout.DIAGNOSIS_COUNTS,
            config,
            "Each class of each set gets one name, from measured quantities alone.",
        ),
    ]
    return tables + [
        table for name in further_sets(common.sets) for table in _further(name, config)
    ]


def claims_table() -> Table:
    """Return the paper's claims with the two numbers of each, and whether it holds in this run."""
    claims = {row["number"]: row for row in _paper_claims()}
    names = sorted(path.stem for path in layout.CLAIMS.glob("*.json"))
    rows = []
    for name in names:
        claim = claims.get(name) or claims.get(name.lstrip("0")) or {}
        heads = [
            text_cell(name),
            text_cell(claim.get("place", "")),
            text_cell(claim.get("claim", "")),
        ]
        rows.append([*heads, *_claim_cells(read_measured(layout.CLAIMS, name))])
    return Table(
        name="claims",
        title="The paper's claims",
        caption="Each claim as an inequality: the first number is to be larger than the second. A "
        "difference whose 95% interval holds 0 is inside its noise: another draw of images could "
        "turn it round.",
        columns=["#", "place", "claim", "larger", "smaller", "difference", "in this run"],
        rows=rows,
        why="" if rows else f"{layout.CLAIMS} holds no rows yet: make them with `dvc repro`.",
    )


def source_labels(pair: ClipPair, config: ReportConfig) -> tuple[str, str]:
    """Return the names of a reference and a query set as the paper prints them."""
    reference, query = (
        f"{config.label(source.image_set)}-{'IM' if source.modality == 'image' else 'PRMT'}"
        for source in (pair.reference, pair.query)
    )
    return reference, query


def _claim_cells(row: Row | Undefined) -> list[Cell]:
    if isinstance(row, Undefined):
        return [Cell(text=row.why, kind="why", span=3), Cell(text="cannot be told", sort="cannot")]
    numbers = [
        figure_cell(key, row, {}, row if key == "difference" else {})
        for key in ("larger", "smaller", "difference")
    ]
    verdict = "holds" if row["holds"] else "fails"
    certain = row.get("certain", 1)
    kind = f"verdict {verdict}" + ("" if certain else " noise")
    return [
        *numbers,
        Cell(text=verdict + ("" if certain else ", inside its noise"), sort=verdict, kind=kind),
    ]


def _paper_claims() -> list[dict[str, str]]:
    path = files("synset_factory") / "paper" / "claims.csv"
    return list(csv.DictReader(path.read_text("utf-8").splitlines())) if path.is_file() else []


def _classifier_table(number: int, config: ReportConfig) -> Table:
    lines = classifier_lines(f"table{number}")
    return metrics_table(
        MetricsTable(
            name=f"table{number}",
            title=f"Table {number}: classifiers trained on one set, evaluated on another",
            caption="Accuracy in percent, the mean over classifier seeds. The interval covers other "
            "images of these classes and other seeds; not other classes, not image sets made anew.",
            folder=(layout.TABLE1, layout.TABLE2)[number - 1],
            heads=CLASSIFIER_HEADS,
            rows=tuple(
                TableRow(
                    name=line.name,
                    heads=(str(line.line), config.label(line.train), config.label(line.evaluation)),
                    paper={"accuracy": line.paper},
                )
                for line in lines
            ),
            figures={"accuracy": "accuracy", "seed_sd": "sd over seeds", "n": "images"},
        )
    )


def _clip_table(
    number: int, wanted: Iterable[int], figures: tuple[str, ...], config: ReportConfig
) -> Table:
    by_number = {each.number: each for each in experiments()}
    captions = {
        3: "Natural and synthetic images by their prompt, and synthetic ones by their own centroids.",
        5: "Similarity is high within a modality and low across; accuracy hardly follows.",
        6: "All pairs of reference (training split) and query (validation split). Row 8 of the paper "
        "looks like a slip: 82.0 is row 15's figure.",
    }
    table = metrics_table(
        MetricsTable(
            name=f"table{number}",
            title=f"Table {number}: Centroid Accuracy and average cosine"
            + (", and k-nn" if number == 6 else ""),
            caption=captions[number],
            folder=layout.TABLE6,
            heads=CLIP_HEADS,
            rows=tuple(
                TableRow(
                    name=e.name, heads=(str(e.number), *source_labels(e, config)), paper=e.paper
                )
                for e in (by_number[i] for i in wanted)
            ),
            figures={key: CLIP_FIGURES[key] for key in figures},
        )
    )
    return table if number != 6 else _with_averages(table)


def _with_averages(table: Table) -> Table:
    mean, paper = read_measured(layout.TABLE6_AVERAGES, "averages"), paper_averages()
    note = "Averages of the rows with k-nn: "
    if isinstance(mean, Undefined):
        note += mean.why
    else:
        note += (
            "; ".join(
                f"{CLIP_FIGURES[key]} {told(key, mean[key])} (paper {told(key, paper[key])})"
                for key in paper
            )
            + "."
        )
    return Table(**{**vars(table), "notes": [note]})


def _table4(config: ReportConfig) -> Table:
    return metrics_table(
        MetricsTable(
            name="table4",
            title="Table 4: two ways to fail, hammer and nail",
            caption="Centroid Accuracy in percent, of all classes and of these two. The paper: the "
            "prompt finds neither natural nor synthetic hammers; of nails it finds the synthetic ones.",
            folder=layout.TABLE4,
            heads=CLIP_HEADS,
            rows=tuple(
                TableRow(
                    name=line.name,
                    heads=(str(line.line), *source_labels(line, config)),
                    paper=line.paper,
                )
                for line in table4_lines()
            ),
            figures={"average": "average", "hammer": "hammer", "nail": "nail"},
        )
    )


def _distances(config: ReportConfig) -> Table:
    paper = paper_centroid_distances()
    return metrics_table(
        MetricsTable(
            name="centroid_distance",
            title="Figure 5: Centroid Distance",
            caption="The formula as the paper prints it. The paper's own numbers cannot come from it "
            "on this scale (its cosines alone force 0.0167 at the least): compare order and ratios.",
            folder=layout.CENTROID_DISTANCE,
            heads=("image set",),
            rows=tuple(
                TableRow(
                    name=name,
                    heads=(config.label(name),),
                    paper={"centroid_distance": paper[name]} if name in paper else {},
                )
                for name in PAPER_SETS
            ),
            figures={"centroid_distance": "Centroid Distance"},
        )
    )


def _appendix_b() -> Table:
    rows = tuple(
        TableRow(name=f"{number}_{query.replace(' ', '_')}", heads=(query,), paper=paper)
        for number, (query, paper) in enumerate(paper_appendix_b().items(), start=1)
    )
    return metrics_table(
        MetricsTable(
            name="appendix_b",
            title="Appendix B: school buses as queries",
            caption="New images of each prompt, compared with Disamb2.5's centroids. A narrower prompt "
            "takes diversity away, an unusual one shifts the centroid.",
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


def _folder(name: str, title: str, folder: Path, config: ReportConfig, caption: str) -> Table:
    """Return a table of all rows of a folder, with every figure that they have."""
    rows = folder_rows(folder, config.labels)
    return metrics_table(
        MetricsTable(
            name=name,
            title=title,
            caption=caption,
            folder=folder,
            heads=("",),
            rows=rows,
            figures=figures_of(folder, rows),
        )
    )


def _single(name: str, title: str, caption: str) -> Table:
    """Return the table of a row that has no folder of its own: metrics/<name>.json."""
    rows = (TableRow(name=name, heads=("all classes",)),)
    return metrics_table(
        MetricsTable(
            name=name,
            title=title,
            caption=caption,
            folder=layout.METRICS,
            heads=("",),
            rows=rows,
            figures=figures_of(layout.METRICS, rows),
        )
    )


def _classifier_space(config: ReportConfig) -> Table:
    return metrics_table(
        MetricsTable(
            name="classifier_space",
            title="Another embedding: the image-on-image rows of Table 6",
            caption="In the penultimate features of a classifier of natural images; prompts have no "
            "such embedding. The paper: no benefit over CLIP.",
            folder=layout.CLASSIFIER_SPACE / "table6",
            heads=CLIP_HEADS,
            rows=tuple(
                TableRow(name=e.name, heads=(str(e.number), *source_labels(e, config)))
                for e in experiments()
                if {e.reference.modality, e.query.modality} == {"image"}
            ),
            figures=CLIP_FIGURES,
        )
    )


def _further(image_set: str, config: ReportConfig) -> list[Table]:
    folder, label = layout.FURTHER_SETS / image_set, config.label(image_set)
    accuracies = metrics_table(
        MetricsTable(
            name=f"set_{image_set}",
            title=f"{label}: classifiers",
            caption="A set that no table of the paper names; accuracy in percent as in Tables 1 and 2.",
            folder=folder,
            heads=CLASSIFIER_HEADS[1:],
            rows=tuple(
                TableRow(name=p.name, heads=(config.label(p.train), config.label(p.evaluation)))
                for p in further_classifier_pairs(image_set)
            ),
            figures={"accuracy": "accuracy", "seed_sd": "sd over seeds", "n": "images"},
        )
    )
    space = metrics_table(
        MetricsTable(
            name=f"space_{image_set}",
            title=f"{label}: CLIP space",
            caption="As in Table 6.",
            folder=folder,
            heads=CLIP_HEADS[1:],
            rows=tuple(
                TableRow(name=p.name, heads=source_labels(p, config))
                for p in further_clip_pairs(image_set)
            ),
            figures=CLIP_FIGURES,
        )
    )
    return [accuracies, space]
