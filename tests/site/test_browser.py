"""The pages in a browser without a network: nothing is asked for elsewhere, nothing goes wrong."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from playwright.sync_api import BrowserContext, Page, sync_playwright

from synset_factory import layout
from synset_factory.errors import InputError
from synset_factory.revisions.revision import WorkingTree
from synset_factory.site import vega
from synset_factory.site.side_by_side import write_page
from synset_factory.stages import report
from tests.external import require
from tests.small_pipeline import REPOSITORY, run
from tests.small_report import BREASTPLATE, DRAKE, JAY, write_small_world

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@dataclass(frozen=True)
class Watched:
    """A page, and whatever it did that it should not."""

    page: Page
    faults: list[str] = field(default_factory=list)

    def watch(self) -> None:
        self.page.on("console", lambda message: self.faults.append(message.text))
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("requestfailed", lambda request: self.faults.append(request.url))
        self.page.on("request", lambda request: self._elsewhere(request.url))

    def _elsewhere(self, url: str) -> None:
        if not url.startswith(("file://", "data:")):
            self.faults.append(url)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A small world with its report."""
    folder = tmp_path_factory.mktemp("browser")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_small_world()
        report.main()
        yield folder


@pytest.fixture(scope="module")
def browser() -> Iterator[BrowserContext]:
    """A headless Chromium without a network: skipped without one, but failed where CI=true."""
    executable = require(*BROWSERS)
    with sync_playwright() as playwright:
        # Chromium's own sandbox does not run as root, and the pages are ours.
        chromium = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield chromium.new_context(viewport={"width": 1280, "height": 800}, offline=True)
        chromium.close()


@pytest.fixture
def watched(browser: BrowserContext) -> Iterator[Watched]:
    """A new page that is watched."""
    watched = Watched(browser.new_page())
    watched.watch()
    yield watched
    watched.page.close()


def first_column(page: Page, table: str) -> list[str]:
    return page.eval_on_selector_all(
        f"#{table} tbody tr:not([hidden])", "rows => rows.map(row => row.cells[0].innerText)"
    )


def test_a_person_sorts_searches_and_follows_a_class(folder: Path, watched: Watched) -> None:
    page = watched.page
    page.goto((folder / layout.REPORT / "index.html").as_uri())
    page.wait_for_selector(".chart svg")
    page.wait_for_function("document.querySelectorAll('.chart svg').length === 5")

    heading = page.locator("#table6 th").nth(0)
    before = first_column(page, "table6")
    heading.locator("button").focus()
    page.keyboard.press("Enter")  # ascending, as it is
    assert heading.get_attribute("aria-sort") == "ascending"
    assert first_column(page, "table6") == before == [str(number) for number in range(1, 37)]
    page.keyboard.press("Enter")
    assert heading.get_attribute("aria-sort") == "descending"
    assert first_column(page, "table6") == before[::-1]
    accuracy = page.locator("#table6 th").nth(3)
    accuracy.locator("button").click()
    assert heading.get_attribute("aria-sort") is None
    assert first_column(page, "table6")[-1] == "15"  # it has no figures: last either way
    accuracy.locator("button").click()
    assert first_column(page, "table6")[-1] == "15"

    page.fill("#table6 input", "natural-im prmt")
    assert sorted(first_column(page, "table6"), key=int) == ["5", "6", "25", "31"]

    page.fill("#find", "dra")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/classes/{DRAKE}.html")
    widths = page.eval_on_selector_all(".strip img", "all => all.map(each => each.naturalWidth)")
    assert len(widths) == 5 and all(widths)
    page.keyboard.press("p")
    page.wait_for_url(f"**/classes/{JAY}.html")
    assert page.title() != "1"  # the prompt that holds a script has not run
    page.click("text=All classes")
    page.wait_for_url("**/index.html#classes")
    page.click(f"#classes a[href='classes/{BREASTPLATE}.html']")
    page.wait_for_url(f"**/classes/{BREASTPLATE}.html")
    assert watched.faults == []


def test_a_point_of_the_chart_over_classes_leads_to_its_class(
    folder: Path, watched: Watched
) -> None:
    page = watched.page
    page.goto((folder / layout.REPORT / "index.html").as_uri())
    points = page.locator(".chart").nth(1).locator(".mark-symbol.role-mark path")
    points.first.scroll_into_view_if_needed()
    points.first.click(force=True)  # others may lie on it
    page.wait_for_url("**/classes/n*.html")
    assert watched.faults == []


class Other(WorkingTree):
    """A revision whose report lies in a folder, or that has none."""

    name = "0123abc"

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    @property
    def has_report(self) -> bool:
        return self.folder is not None

    def report(self) -> Path:
        if self.folder is None:
            raise InputError("0123abc is from before there were <reports>.")
        return self.folder


def test_two_reports_keep_to_the_same_page_and_place(folder: Path, watched: Watched) -> None:
    older = layout.DIFF_REPORTS / "0123abc"
    shutil.copytree(layout.REPORT, older)
    assert write_page(Other(older), WorkingTree()) == []
    page = watched.page
    page.goto((folder / layout.DIFF_PAGE).as_uri())
    page.wait_for_function("frames.length === 2")
    left, right = page.main_frame.child_frames
    left.wait_for_selector("#classes a")
    right.wait_for_selector("#classes a")
    left.evaluate("window.scrollTo(0, 700)")
    right.wait_for_function("window.scrollY === 700")
    right.click(f"#classes a[href='classes/{JAY}.html']")
    left.wait_for_url(f"**/0123abc/classes/{JAY}.html")
    assert right.url.endswith(f"/report/classes/{JAY}.html")
    assert watched.faults == []


def test_a_revision_without_a_report_has_a_sentence_in_its_place(
    folder: Path, watched: Watched
) -> None:
    sentence = "0123abc is from before there were <reports>."
    assert write_page(Other(None), WorkingTree()) == [sentence]
    watched.page.goto((folder / layout.DIFF_PAGE).as_uri())
    assert watched.page.inner_text("p") == sentence
    assert len(watched.page.main_frame.child_frames) == 1


def test_dvc_plots_are_drawn_without_a_network(
    folder: Path, watched: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plots of dvc.yaml, on the tables that the report wrote."""
    (tmp_path / ".dvc").mkdir()
    shutil.copy2(REPOSITORY / ".dvc" / "config", tmp_path / ".dvc" / "config")
    shutil.copytree(folder / layout.PLOTS, tmp_path / layout.PLOTS)
    plots = yaml.safe_load((REPOSITORY / "dvc.yaml").read_text())["plots"]
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"plots": plots}))
    run(tmp_path, "git", "init", "-q")
    monkeypatch.chdir(tmp_path)
    vega.main()
    template = layout.DVC_PLOTS_TEMPLATE.as_posix()
    run(tmp_path, "dvc", "plots", "show", "--html-template", template)
    page = watched.page
    page.goto((tmp_path / layout.DVC_PLOTS / "index.html").as_uri())
    page.wait_for_function(f"document.querySelectorAll('svg.marks').length === {len(plots)}")
    assert len(plots) >= 3
    # DVC's own charts are of an older Vega-Lite, of which the console has a word.
    assert [fault for fault in watched.faults if "://" in fault] == []
