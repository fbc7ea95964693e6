"""The report of a small world: whole, safe, repeatable, in words wherever a figure is missing."""

import json
import re
import subprocess
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from synset_factory import layout
from synset_factory.site.history import prompt_history
from synset_factory.stages import report
from synset_factory.tables import Undefined
from tests.small_report import (
    DRAKE,
    HOSTILE,
    IMAGES,
    JAY,
    NOT_MADE,
    WHY,
    write_prompts,
    write_small_world,
)
from tests.small_sets import LABELS

IDENTITY = ("-c", "user.name=test", "-c", "user.email=test@example.org")


class Parsed(HTMLParser):
    """A page's links, texts and tables."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.scripts = 0
        self.rows: list[str] = []  # texts of table rows, blanks made one
        self.text = ""
        self.specs: list[str] = []  # of charts
        self._row: str | None = None
        self._in_script = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.links += [value for name in ("src", "href") if (value := found.get(name))]
        self.ids |= {value for name, value in attrs if name == "id" and value}
        if tag == "script":
            self.scripts += 1
            self._in_script = True
        if tag == "tr":
            self._row = ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "script":
            self._in_script = False
        if tag == "tr":
            self.rows.append(" ".join((self._row or "").split()))
            self._row = None

    def handle_data(self, data: str) -> None:
        if self._in_script:
            self.specs.append(data)
            return
        self.text += data
        if self._row is not None:
            self._row += f"{data} "


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A small world in a git repository whose prompt of the jay has a history, and its report."""
    folder = tmp_path_factory.mktemp("report")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_small_world()
        git("init", "-q")
        write_prompts("jay bird")
        git("add", "prompts")
        patch.setenv("GIT_COMMITTER_DATE", "2023-01-02T03:04:05Z")
        git(*IDENTITY, "commit", "-qm", "first")
        patch.delenv("GIT_COMMITTER_DATE")
        write_prompts(HOSTILE)
        git(*IDENTITY, "commit", "-qam", "second")
        report.main()
        yield folder


@pytest.fixture(scope="module")
def pages(folder: Path) -> dict[str, Parsed]:
    """Every page of the report by its name."""
    site = folder / layout.REPORT
    return {
        path.relative_to(site).as_posix(): Parsed(path.read_text(encoding="utf-8"))
        for path in site.rglob("*.html")
    }


def git(*words: str) -> None:
    subprocess.run(["git", *words], check=True, capture_output=True)


def texts(folder: Path) -> dict[str, str]:
    """Everything of the report that is text and ours, and the tables for plots."""
    files = [*(folder / layout.REPORT).rglob("*"), *(folder / layout.PLOTS).rglob("*")]
    return {
        path.name: path.read_text(encoding="utf-8")
        for path in files
        if path.suffix in (".html", ".csv") or path.name == "classes.js"
    } | {"tables.md": (folder / layout.TABLES).read_text()}


def test_there_is_a_page_for_each_class_and_every_relative_link_leads_somewhere(
    folder: Path, pages: dict[str, Parsed]
) -> None:
    assert set(pages) == {"index.html", *(f"classes/{wnid}.html" for wnid in LABELS)}
    for name, page in pages.items():
        assert len(page.links) > 5
        for link in page.links:
            if link == "data:,":
                continue
            assert not re.match(r"[a-z]+:|/", link), f"{name}: {link} is not relative"
            path, _, anchor = link.partition("#")
            target = (folder / layout.REPORT / name).parent / path if path else None
            assert target is None or target.is_file(), f"{name}: {link}"
            if anchor:
                site = (folder / layout.REPORT).resolve()
                key = target.resolve().relative_to(site).as_posix() if target else name
                assert anchor in pages[key].ids, f"{name}: {link}"


def test_charts_lead_to_pages_that_are_there(pages: dict[str, Parsed]) -> None:
    specs = [json.loads(spec) for spec in pages["index.html"].specs if spec.strip()]
    assert len(specs) == 5
    rows = [row for spec in specs for data in spec["datasets"].values() for row in data]
    wnids = {row["wnid"] for row in rows if "diagnosis" in row}
    assert wnids == set(LABELS)
    assert {f"classes/{wnid}.html" for wnid in wnids} < set(pages)


def test_equal_inputs_give_equal_bytes(folder: Path) -> None:
    site = folder / layout.REPORT
    before = {path: path.read_bytes() for path in site.rglob("*") if path.is_file()}
    report.main()
    after = {path: path.read_bytes() for path in site.rglob("*") if path.is_file()}
    assert before == after and len(before) > 20


def test_a_prompt_that_holds_html_is_text_everywhere(pages: dict[str, Parsed]) -> None:
    page = pages[f"classes/{JAY}.html"]
    assert page.scripts == 2  # classes.js and report.js
    assert page.text.count(HOSTILE) > 5
    assert "the prompt <finds> them" in page.text
    assert HOSTILE in pages["index.html"].text  # under Figure 4, and among all classes
    assert pages["index.html"].scripts == 3 + 5  # vega.js besides, and five charts


def test_nothing_is_a_nan_and_no_page_tells_when_or_where_it_was_made(folder: Path) -> None:
    for name, text in texts(folder).items():
        assert not re.search(r"\b([nN]a[nN]|undefined|None(?! of)|inf)\b", text), name
        # Dates are those of commits, in the history of a class's prompt alone (the last heading).
        before, _, _ = text.rpartition("History of the prompt")
        assert not re.search(r"\b20\d\d-\d\d-\d\d", before or text), name
        assert str(folder) not in text


def test_a_figure_stands_with_its_interval_and_the_papers(pages: dict[str, Parsed]) -> None:
    rows = pages["index.html"].rows
    assert "6 Disamb natural 24.8 [22.4, 27.3] 26.3 1.9 4,400" in rows
    assert "natural 0.01 [0.009, 0.011] 2.98e-05" in rows
    assert "5 Disamb2.5-PRMT natural-IM 50.0 70.1 0.5000 0.2425" in rows  # Table 3
    assert "natural vs Synset 0.25 5,000" in rows


def test_claims_say_whether_they_hold_and_what_is_noise(pages: dict[str, Parsed]) -> None:
    rows = [row for row in pages["index.html"].rows if re.match(r"0[123] ", row)]
    assert rows[0].endswith("holds 50 40 10")
    assert rows[1].endswith("holds, inside its noise 50 40 10 [-2, 22]")
    assert rows[2].endswith("cannot be told Nobody has counted it.")
    text = pages["index.html"].text
    assert "holds 1; holds, inside its noise 1." in text
    assert "metrics/claims/04.json is missing" in text  # no claim is dropped


@pytest.mark.parametrize(
    "sentence",
    [
        WHY,  # a row that has no figures
        "metrics/table2/3_disamb25_on_natural.json is missing: make it with dvc repro.",
        "metrics/separability holds no rows yet: make them with dvc repro.",
        "metrics/contributions.json is missing",
        "The pictures at the four guidance scales are missing",
        "data/queries/appendix_b/school_bus.tar is missing",
        "data/outcomes/disamb10.parquet is missing",
        "This world has no class n03481172",  # hammer
        "has no pictures of class n01806567",  # quail
    ],
)
def test_what_is_missing_is_said_at_its_place(sentence: str, pages: dict[str, Parsed]) -> None:
    assert sentence in pages["index.html"].text


def test_a_set_that_has_not_been_made_is_said_on_every_class_page(
    pages: dict[str, Parsed],
) -> None:
    for wnid in LABELS:
        text = pages[f"classes/{wnid}.html"].text
        assert f"data/shards/{NOT_MADE}/index.parquet is missing" in text
        assert "data/quality/classes.parquet is missing" in text
    assert "Disamb: one image alone has no spread." in pages[f"classes/{DRAKE}.html"].text
    assert "has no diagnosis yet" in pages[f"classes/{DRAKE}.html"].text
    assert "metrics/table2/1_natural_on_disamb25.json is missing" in layout.TABLES.read_text()


def test_a_class_shows_its_own_numbers_in_each_set(pages: dict[str, Parsed]) -> None:
    rows = pages[f"classes/{JAY}.html"].rows
    # Right at one natural image of three; two of three queries are found by centroid.
    assert "Disamb2.5 33.3 100.0 33.3 66.7 66.7 0.01 \N{EN DASH}" in rows
    assert "Synset 33.3 100.0 33.3 \N{EN DASH} \N{EN DASH} 0.01 0.345" in rows
    assert f"{NOT_MADE} " not in " ".join(rows) and "Disamb1.0" in " ".join(rows)


def test_a_strip_holds_as_many_pictures_as_the_class_has(folder: Path) -> None:
    for wnid, image_set, count in ((JAY, "natural", IMAGES), (DRAKE, "disamb", 1)):
        strip = folder / layout.REPORT / "pictures" / wnid / f"{image_set}.jpg"
        with Image.open(strip) as image:
            assert image.size == (8 * count, 8)


def test_the_history_of_a_prompt_is_gits_with_the_newest_first(
    pages: dict[str, Parsed],
) -> None:
    _, _, history = pages[f"classes/{JAY}.html"].text.rpartition("History of the prompt")
    newest, oldest = history.index("<script>"), history.index("jay bird")
    assert newest < oldest
    # Each with the date of its commit: that of the older one stands beside it alone.
    assert history.count("2023-01-02") == 1
    assert history.index("2023-01-02") > newest
    assert "not committed" not in history
    assert "has never been clarified" in pages["classes/n02895154.html"].text


def test_without_git_the_history_is_said_to_be_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    history = prompt_history()
    assert isinstance(history, Undefined) and "no history" in history.why
    monkeypatch.setenv("PATH", "")
    assert isinstance(prompt_history(), Undefined)
