"""The counterparts of the paper's ten figures: pictures, prompts and numbers for the page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from synset_factory import layout
from synset_factory.config import NATURAL
from synset_factory.errors import InputError
from synset_factory.prompts.files import Synset, read_modifiers
from synset_factory.query_images import query_name
from synset_factory.site.cells import Cell, figure_cell, interval_of
from synset_factory.site.charts import Spec, plane_chart
from synset_factory.site.config import ReportConfig
from synset_factory.site.pictures import FirstImages, Picture, Strip, tar_jpegs, write_pictures
from synset_factory.site.projection import Plane, clusters, joint_space
from synset_factory.site.sections import query_row
from synset_factory.tables import Undefined, paper_appendix_b, read_measured

DRAKE, WHISKEY_JUG = "n01847000", "n04579145"
HAMMER, NAIL, QUAIL = "n03481172", "n03804744", "n01806567"
SAMPLES = 3  # pictures of a row in Figures 3, 9 and 10, as in the paper
PROMPTS_SHOWN = 4  # of PromptAug's, in Figure 4

Strips = Mapping[tuple[str, str], Strip]  # by wnid and set


@dataclass(frozen=True, kw_only=True)
class Group:
    """Strips of one class under its name."""

    heading: str
    wnid: str
    strips: Sequence[Strip]
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class PictureRow:
    """Pictures under a heading, with figures beside them; or why there are none."""

    heading: str
    pictures: Sequence[Picture]
    why: str = ""
    cells: Sequence[Cell] = ()


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A chart, or why there is none."""

    spec: Spec | None
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class Grammar:
    """The vocabularies of PromptAug and prompts made of them."""

    parts: Mapping[str, Sequence[str]]
    samples: PictureRow
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class PaperFigures:
    """What the page shows for Figures 1 to 10; Figure 5 is the sheet."""

    figure1: list[Group]
    figure2: list[Group]
    figure3: list[tuple[str, list[PictureRow]]]  # a class, and its pictures at each guidance scale
    figure4: Grammar
    figure6: Group
    figure6_chart: Chart
    figure7_left: Chart
    figure7_right: Chart
    figure8: list[Group]
    figure9: list[PictureRow]
    figure10: list[PictureRow]


@dataclass(frozen=True, kw_only=True)
class Material:
    """What figures are made of."""

    site: Path  # the folder that is being written
    classes: Sequence[Synset]
    config: ReportConfig
    images: Mapping[str, FirstImages]  # by set
    strips: Strips

    def group(self, wnid: str, *image_sets: str) -> Group:
        """Return a class's strips of some sets, or why there are none."""
        synset = next((each for each in self.classes if each.wnid == wnid), None)
        if synset is None:
            why = f"This world has no class {wnid}: `wnids` of params.yaml leaves it out."
            return Group(heading=wnid, wnid="", strips=(), why=why)
        strips = [self.strips[wnid, name] for name in image_sets if (wnid, name) in self.strips]
        return Group(heading=synset.lemmas[0], wnid=wnid, strips=strips)

    def samples(self, name: str, image_set: str, wnid: str, count: int) -> PictureRow:
        """Return a class's first pictures of a set, each with its prompt."""
        images = self.images.get(image_set)
        if images is None:
            why = f"params.yaml has no set '{image_set}'."
            return PictureRow(heading=self.config.label(image_set), pictures=(), why=why)
        prompts = images.prompts(wnid)[:count]
        try:
            jpegs = images.jpegs(wnid)[:count]
        except OSError:
            jpegs = []
        captions = prompts if len(prompts) == len(jpegs) else [""] * len(jpegs)
        why = "" if jpegs else images.why or f"{images.label} has no pictures of class {wnid}."
        pictures = write_pictures(self.site, name, jpegs, captions)
        return PictureRow(heading=images.label, pictures=pictures, why=why)


def paper_figures(material: Material) -> PaperFigures:
    """Return all of them; what cannot be shown says why."""
    config = material.config
    joint = joint_space(material.classes, config)
    return PaperFigures(
        figure1=[material.group(config.figure1_class, NATURAL, "synset")],
        figure2=[material.group(wnid, NATURAL, "synset") for wnid in (DRAKE, WHISKEY_JUG)],
        figure3=figure3(material),
        figure4=figure4(material),
        figure6=material.group(config.figure1_class, NATURAL, "disamb25"),
        figure6_chart=_chart(_of_class(joint, config.figure1_class), "kind", "kind"),
        figure7_left=_chart(clusters(material.classes, config), "name", "kind"),
        figure7_right=_chart(joint, "kind", "kind"),
        figure8=[material.group(wnid, NATURAL, "disamb25") for wnid in (HAMMER, NAIL)],
        figure9=figure9(material.site),
        figure10=[
            material.samples("figure10_disamb25", "disamb25", QUAIL, SAMPLES),
            material.samples("figure10_promptaug", "promptaug", QUAIL, SAMPLES),
        ],
    )


def figure3(material: Material) -> list[tuple[str, list[PictureRow]]]:
    """Return the pictures of each class at each guidance scale that has been drawn."""
    scales = sorted(
        (path for path in layout.FIGURE3_QUERIES.glob("*") if path.is_dir()),
        key=lambda path: float(path.name),
    )
    names = {each.wnid: each.lemmas[0] for each in material.classes}
    wnids = sorted({tar.stem for scale in scales for tar in scale.glob("*.tar")})
    found = []
    for wnid in wnids:
        rows = [
            _tar_row(
                material.site, f"figure3_{wnid}_{scale.name}", scale.name, scale / f"{wnid}.tar"
            )
            for scale in scales
        ]
        found.append((names.get(wnid, wnid), rows))
    return found


def figure4(material: Material) -> Grammar:
    """Return the grammar of PromptAug, with prompts of one class and what was drawn from them."""
    wnid = material.config.figure1_class
    samples = material.samples("figure4", "promptaug", wnid, PROMPTS_SHOWN)
    try:
        modifiers = read_modifiers()
    except InputError as error:
        return Grammar(parts={}, samples=samples, why=str(error))
    return Grammar(parts=vars(modifiers), samples=samples)


def figure9(site: Path) -> list[PictureRow]:
    """Return Appendix B's queries with pictures and Centroid Accuracy."""
    rows = []
    for number, (query, paper) in enumerate(paper_appendix_b().items(), start=1):
        name, row_name = query_name(query), query_row(number, query)
        row = read_measured(layout.APPENDIX_B, row_name)
        if isinstance(row, Undefined):
            cells = [Cell(text=row.why, kind="why")]
        else:
            interval = interval_of(layout.APPENDIX_B / row_name, row)
            cells = [figure_cell("centroid_accuracy", row, paper, interval)]
        pictures = _tar_row(site, f"figure9_{name}", query, layout.appendix_b_query(name))
        rows.append(
            PictureRow(heading=query, pictures=pictures.pictures, why=pictures.why, cells=cells)
        )
    return rows


def _tar_row(site: Path, name: str, heading: str, tar: Path) -> PictureRow:
    jpegs = tar_jpegs(tar, SAMPLES)
    if isinstance(jpegs, Undefined):
        return PictureRow(heading=heading, pictures=(), why=jpegs.why)
    pictures = write_pictures(site, name, jpegs, [""] * len(jpegs))
    return PictureRow(heading=heading, pictures=pictures)


def _of_class(plane: Plane | Undefined, wnid: str) -> Plane | Undefined:
    """Keep the points of one class, on the plane of all."""
    if isinstance(plane, Undefined):
        return plane
    points = plane.points[plane.points["wnid"] == wnid]
    if points.empty:
        return Undefined(f"Among the embeddings shown is none of class {wnid}.")
    return Plane(points=points, shares=plane.shares)


def _chart(plane: Plane | Undefined, colour: str, shape: str) -> Chart:
    if isinstance(plane, Undefined):
        return Chart(spec=None, why=plane.why)
    return Chart(spec=plane_chart(plane, colour, shape))
