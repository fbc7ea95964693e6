"""Writing the site: index.html, a page for each class, pictures, style and scripts beside them.

Everything is relative, nothing is loaded from elsewhere, and equal inputs give equal bytes; git's
history of the prompts is one of the inputs.
"""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment
from tqdm import tqdm

from synset_factory import layout
from synset_factory.config import NATURAL, Common
from synset_factory.prompts.files import Synset
from synset_factory.site.charts import Spec, classes_chart, sets_chart
from synset_factory.site.class_facts import ClassFacts, diagnosis_rules
from synset_factory.site.class_pages import (
    ClassPage,
    classes_overview,
    diagnoses_of,
    diagnosis_overview,
    numbers_table,
    quality_table,
)
from synset_factory.site.config import ReportConfig
from synset_factory.site.figures import Chart, Material, Strips, paper_figures
from synset_factory.site.history import prompt_history
from synset_factory.site.pictures import FOLDER, FirstImages
from synset_factory.site.plots import accuracy_on_natural
from synset_factory.site.sections import (
    claims_table,
    differences_table,
    further_tables,
    paper_tables,
)
from synset_factory.site.templates import PAGE, templates
from synset_factory.site.vega import SCRIPT, vega_script
from synset_factory.tables import Undefined, classifier_lines
from synset_factory.whole_files import write_text

AS_THEY_ARE = ("report.css", "report.js")
SHEET = FOLDER / "figure5.png"


@dataclass(frozen=True, kw_only=True)
class Site:
    """What the site is about."""

    common: Common
    config: ReportConfig
    classes: Sequence[Synset]  # of this world, in label order
    clarified: Mapping[str, str]  # prompts of disambiguations.csv by wnid
    facts: ClassFacts
    sets_table: pd.DataFrame  # of plots.sets_table
    classes_table: pd.DataFrame  # of plots.classes_table
    note: str  # what a reader must know of the classifiers of natural images, if anything

    @property
    def sets(self) -> list[str]:
        """All image sets, the natural one first."""
        return [NATURAL, *self.common.sets]

    @property
    def clarified_here(self) -> int:
        """How many classes of this world have a clarified prompt."""
        return sum(each.wnid in self.clarified for each in self.classes)


def write_site(site: Site, folder: Path) -> None:
    """Fill an empty folder with the pages; `folder`/index.html is the first."""
    environment = templates()
    for name in AS_THEY_ARE:
        shutil.copyfile(PAGE / name, folder / name)
    write_text(folder / SCRIPT, vega_script())
    names = [[each.wnid, each.prompt] for each in site.classes]
    write_text(folder / "classes.js", f"window.REPORT_CLASSES = {_json(names)};\n")
    if layout.FIGURE5.exists():
        (folder / FOLDER).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(layout.FIGURE5, folder / SHEET)

    images = {
        name: FirstImages(name, site.config.strip_images, site.config.label(name))
        for name in site.sets
    }
    strips = _write_strips(site, images, folder)
    _write_class_pages(site, strips, environment, folder)
    material = Material(
        site=folder, classes=site.classes, config=site.config, images=images, strips=strips
    )
    index = environment.get_template("index.html").render(
        site=site,
        bars=accuracy_bars(site),
        figures=paper_figures(material),
        sheet=SHEET.as_posix() if layout.FIGURE5.exists() else "",
        sets_chart=_chart(site.sets_table, sets_chart, site.facts),
        classes_chart=_chart(site.classes_table, classes_chart, site.facts),
        paper_tables=paper_tables(site.config),
        claims=claims_table(),
        differences=differences_table(),
        further_tables=further_tables(site.common, site.config),
        overview=classes_overview(
            site.classes, dict(site.clarified), site.sets, site.facts, site.config
        ),
        rules=diagnosis_rules(),
        diagnoses=diagnosis_overview(site.classes, site.sets[1:], site.facts, site.config),
    )
    write_text(folder / "index.html", index)


def accuracy_bars(site: Site) -> list[dict[str, Any]]:
    """Return accuracy on natural images by training set, with the paper's where it has one."""
    paper = {
        line.train: line.paper
        for table in ("table1", "table2")
        for line in classifier_lines(table)
        if line.evaluation == NATURAL
    }
    accuracies = {name: accuracy_on_natural(name, site.facts) for name in site.sets}
    return [
        {
            "label": site.config.label(name),
            "accuracy": accuracies[name],
            "paper": paper.get(name),
            "why": f"{layout.outcomes(name)} is missing: make it with `dvc repro`."
            if accuracies[name] is None
            else "",
        }
        for name in site.sets
    ]


def _write_strips(site: Site, images: Mapping[str, FirstImages], folder: Path) -> Strips:
    strips = {}
    for synset in tqdm(site.classes, desc="pictures", unit="class", delay=3):
        for name, of_set in images.items():
            strips[synset.wnid, name] = of_set.write_strip(folder, synset.wnid, site.config)
    return strips


def _write_class_pages(site: Site, strips: Strips, environment: Environment, folder: Path) -> None:
    history = prompt_history()
    template = environment.get_template("class.html")
    for place, synset in enumerate(tqdm(site.classes, desc="pages", unit="class", delay=3)):
        page = ClassPage(
            synset=synset,
            clarified=site.clarified.get(synset.wnid),
            strips=[strips[synset.wnid, name] for name in site.sets],
            numbers=numbers_table(synset, site.sets, site.facts, site.config),
            quality=quality_table(synset, site.sets, site.facts, site.config),
            diagnoses=diagnoses_of(synset, site.sets[1:], site.facts, site.config),
            history=history if isinstance(history, Undefined) else history.get(synset.wnid, []),
        )
        html = template.render(
            site=site,
            page=page,
            place=place + 1,
            previous=site.classes[place - 1] if place else None,
            following=site.classes[place + 1] if place + 1 < len(site.classes) else None,
        )
        write_text(folder / "classes" / f"{synset.wnid}.html", html)


def _chart(table: pd.DataFrame, draw: Callable[[pd.DataFrame], Spec], facts: ClassFacts) -> Chart:
    if table.empty:
        why = " ".join(["No set has both accuracies and Centroid Distances.", *facts.missing])
        return Chart(spec=None, why=why)
    return Chart(spec=draw(table))


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
