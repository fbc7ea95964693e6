"""Stage `report`: the tables for reading, this run beside the paper, and the sheet of Figure 5."""

from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from synset_factory import layout
from synset_factory.config import claim_world, load_common, load_section
from synset_factory.errors import run_main
from synset_factory.markdown import markdown_table
from synset_factory.prompt_files import (
    class_prompts,
    read_disambiguations,
    read_synsets,
    world_classes,
)
from synset_factory.prompt_grammar import ClassPrompts
from synset_factory.records import TRAIN
from synset_factory.shard_reader import JpegDataset, read_index
from synset_factory.tables import (
    PAPER_SETS,
    ClipPair,
    Row,
    classifier_lines,
    experiments,
    further_classifier_pairs,
    further_clip_pairs,
    further_sets,
    paper_centroid_distances,
    read_row,
)
from synset_factory.whole_files import whole_file, write_text

GAP = 4  # pixels between cells
ACCURACY_SPREAD = ["95% interval", "sd over seeds", "images"]
CLIP_FIGURES = ("centroid_accuracy", "knn1_accuracy", "knn5_accuracy")
CLIP_HEADER = ["reference", "query", "Centroid Accuracy", "k-nn k=1", "k-nn k=5", "avg cosine"]


@dataclass(frozen=True, kw_only=True)
class ReportConfig:
    """How results are shown. No result depends on it."""

    labels: dict[str, str]  # printed name of an image set; without one, the name it has
    sheet_classes: int  # classes on the sheet of Figure 5, at most
    sheet_images: int  # pictures of each class and set
    sheet_pixels: int  # width of a picture on the sheet

    def label(self, image_set: str) -> str:
        """Return the printed name of an image set."""
        return self.labels.get(image_set, image_set)


def _accuracy_cells(row: Row) -> list[str]:
    return [
        f"{row['accuracy']:.1f}",
        f"{row['ci95_low']:.1f} - {row['ci95_high']:.1f}",
        f"{row['seed_sd']:.1f}",
        f"{row['n']:,}",
    ]


def _source_labels(pair: ClipPair, config: ReportConfig) -> list[str]:
    return [
        f"{config.label(source.image_set)}-{'IM' if source.modality == 'image' else 'PRMT'}"
        for source in (pair.reference, pair.query)
    ]


def classifier_table(config: ReportConfig) -> str:
    """Return Tables 1 and 2."""
    header = ["line", "train on", "evaluate on", "this run", *ACCURACY_SPREAD, "paper"]
    rows = []
    for table, folder in (("table1", layout.TABLE1), ("table2", layout.TABLE2)):
        for line in classifier_lines(table):
            names = [config.label(line.train), config.label(line.evaluation)]
            cells = _accuracy_cells(read_row(folder, line.name))
            rows.append([f"{table[-1]}.{line.line}", *names, *cells, f"{line.paper:.1f}"])
    return markdown_table(header, rows)


def further_set(image_set: str, config: ReportConfig) -> str:
    """Return the rows of a set that no table of the paper names, under its printed name."""
    folder = layout.FURTHER_SETS / image_set
    accuracies = []
    for pair in further_classifier_pairs(image_set):
        names = [config.label(pair.train), config.label(pair.evaluation)]
        accuracies.append([*names, *_accuracy_cells(read_row(folder, pair.name))])
    comparisons = []
    for comparison in further_clip_pairs(image_set):
        row = read_row(folder, comparison.name)
        cells = [f"{row[f]:.1f}" if f in row else "" for f in CLIP_FIGURES]
        cells.append(f"{row['avg_cosine_similarity']:.4f}")
        comparisons.append([*_source_labels(comparison, config), *cells])
    distance = read_row(folder, "centroid_distance")
    header = ["train on", "evaluate on", "accuracy", *ACCURACY_SPREAD]
    return f"""### {config.label(image_set)}

{markdown_table(header, accuracies)}

{markdown_table(CLIP_HEADER, comparisons)}

Centroid Distance: {distance["centroid_distance"]:.4f}"""


def distance_table(config: ReportConfig) -> str:
    """Return Figure 5's Centroid Distances."""
    paper = paper_centroid_distances()
    rows = []
    for name in PAPER_SETS:
        distance = read_row(layout.CENTROID_DISTANCE, name)["centroid_distance"]
        printed = f"{paper[name]:.2e}" if name in paper else "n/a"
        rows.append([config.label(name), f"{distance:.4f}", printed])
    return markdown_table(["image set", "this run", "paper"], rows)


def clip_table(config: ReportConfig) -> str:
    """Return Table 6, each figure as `this run (paper)`."""
    rows = []
    for experiment in experiments():
        row, paper = read_row(layout.TABLE6, experiment.name), experiment.paper
        cells = [f"{row[f]:.1f} ({paper[f]:.1f})" if f in row else "" for f in CLIP_FIGURES]
        key = "avg_cosine_similarity"
        cells.append(f"{row[key]:.4f} ({paper[key]:.4f})")
        rows.append([str(experiment.number), *_source_labels(experiment, config), *cells])
    mean = read_row(layout.TABLE6_AVERAGES, "averages")
    printed = {f: [e.paper[f] for e in experiments() if e.has_knn] for f in CLIP_FIGURES}
    cells = [f"{mean[f]:.1f} ({sum(printed[f]) / len(printed[f]):.1f})" for f in CLIP_FIGURES]
    rows.append(["", "averages of the rows with k-nn", "", *cells, ""])
    return markdown_table(["#", *CLIP_HEADER], rows)


def tables_text(further: list[str], config: ReportConfig) -> str:
    """Return metrics/tables.md; `further` are the sets that no table of the paper names."""
    others = "\n\n".join(further_set(image_set, config) for image_set in further)
    return f"""# This run beside the paper

## Tables 1 and 2: accuracy in percent

The mean over classifier seeds. The interval covers other images of these classes and other
seeds; it does not cover other classes or image sets made anew.

{classifier_table(config)}

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


def _pictures(image_set: str, wnid: str, count: int) -> list[Image.Image]:
    index = read_index(image_set, TRAIN)
    dataset = JpegDataset(image_set, index[index["wnid"] == wnid].head(count))
    return [dataset[i][0] for i in range(len(dataset))]


def _row_label(prompts: ClassPrompts) -> str:
    first = prompts.synset.split(", ")[0]
    return first if prompts.disamb == prompts.synset else f"{first}\n> {prompts.disamb}"


def figure5(classes: list[ClassPrompts], config: ReportConfig) -> Image.Image:
    """Draw the sheet of Figure 5: classes down, sets across, the same noise in each column.

    Clarified classes come first, as the paper shows them.
    """
    size, images = config.sheet_pixels, config.sheet_images
    cell, label_width, header = images * size + 2 * GAP, 4 * size, size // 2
    sheet = Image.new(
        "RGB",
        (label_width + cell * len(PAPER_SETS), header + (size + GAP) * len(classes)),
        "white",
    )
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(max(10, size // 5))
    for column, name in enumerate(PAPER_SETS):
        left = label_width + column * cell
        draw.text((left, GAP), config.label(name), fill="black", font=font)
        for line, prompts in enumerate(classes):
            top = header + line * (size + GAP)
            for i, picture in enumerate(_pictures(name, prompts.wnid, images)):
                sheet.paste(
                    picture.resize((size, size), Image.Resampling.BICUBIC), (left + i * size, top)
                )
    for line, prompts in enumerate(classes):
        top = header + line * (size + GAP)
        draw.text((GAP, top), _row_label(prompts), fill="black", font=font)
    return sheet


def main() -> None:
    common = load_common()
    claim_world(common.world)
    config = load_section(ReportConfig, "report")
    synsets = read_synsets()
    clarified = read_disambiguations(synset.wnid for synset in synsets)
    classes = class_prompts(world_classes(synsets), clarified)
    classes.sort(key=lambda prompts: prompts.synset == prompts.disamb)

    text = tables_text(further_sets(common.sets), config)
    write_text(layout.TABLES, text)
    sheet = figure5(classes[: config.sheet_classes], config)
    # 256 colours: the sheet is kept in git, anew with each run.
    with whole_file(layout.FIGURE5) as partial:
        sheet.quantize(256).save(partial, format="PNG", optimize=True)


if __name__ == "__main__":
    run_main(main)
