"""A revision's report is had from DVC's cache, whole or not at all; one without says so."""

import shutil
from pathlib import Path

import pytest

from synset_factory import layout
from synset_factory.commands.diff import SHEET, diff
from synset_factory.errors import InputError
from synset_factory.revisions.revision import Commit, WorkingTree
from tests.small_pipeline import REPOSITORY, commit, run

STAGES = """
stages:
  prompts: {cmd: "true", outs: [data/prompts]}
  report: {cmd: "true", outs: [data/report]}
"""


def write_report(root: Path, text: str) -> None:
    shutil.rmtree(root / layout.REPORT, ignore_errors=True)
    (root / layout.REPORT / "classes").mkdir(parents=True)
    (root / layout.REPORT / "index.html").write_text(text)
    (root / layout.REPORT / "classes" / "n01580077.html").write_text(f"jay, {text}")


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with revision `bare`, without a report, and `first`, with one."""
    root = tmp_path_factory.mktemp("reports") / "origin"
    for name in (".dvc/config", ".gitignore", ".dvcignore", layout.SYNSETS.as_posix()):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(REPOSITORY / name, root / name)
    (root / "params.yaml").write_text("sets: {}\n")
    (root / "dvc.yaml").write_text(STAGES)
    run(root, "git", "init", "-q")
    commit(root, "bare")
    run(root, "git", "tag", "bare")
    (root / layout.IMAGE_PROMPTS).mkdir(parents=True)
    write_report(root, "first")
    run(root, "dvc", "commit", "--quiet", "--force")
    commit(root, "first")
    run(root, "git", "tag", "first")
    return root


@pytest.fixture
def repository(origin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, cache and all, whose working tree has another report."""
    shutil.copytree(origin, tmp_path / "repository")
    monkeypatch.chdir(tmp_path / "repository")
    write_report(Path(), "now")
    return tmp_path / "repository"


def test_the_report_of_a_commit_is_whole_and_the_working_trees_is_left_alone(
    repository: Path,
) -> None:
    old, new = Commit("first"), WorkingTree()
    assert old.has_report and new.has_report
    folder = old.report()
    assert (folder / "index.html").read_text() == "first"
    assert (folder / "classes" / "n01580077.html").read_text() == "jay, first"
    assert new.report() == layout.REPORT
    assert (layout.REPORT / "index.html").read_text() == "now"
    assert old.report() == folder  # a second time it is there


def test_what_neither_cache_nor_remote_has_leaves_no_half_of_a_report(repository: Path) -> None:
    shutil.rmtree(".dvc/cache")
    for _ in range(2):
        with pytest.raises(InputError, match="data/report is not in DVC's cache, and no remote"):
            Commit("first").report()


def test_a_revision_from_before_reports_says_so(repository: Path) -> None:
    assert not Commit("bare").has_report
    with pytest.raises(InputError, match="from before there were reports"):
        Commit("bare").report()
    shutil.rmtree(layout.REPORT)
    with pytest.raises(InputError, match="make report"):
        WorkingTree().report()


def test_diff_puts_the_two_side_by_side(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(WorkingTree, "image_sets", lambda self: {"x": "equal"})
    monkeypatch.setattr(Commit, "image_sets", lambda self: {"x": "equal"})
    diff(before="first", after=None, sheet=SHEET)
    assert capsys.readouterr().out.endswith("Reports side by side: data/diff.html\n")
    page = layout.DIFF_PAGE.read_text()
    short = Commit("first").report().name
    assert page.index(f'src="diff_reports/{short}/index.html"') < page.index(
        'src="report/index.html"'
    )
    diff(before="bare", after="first", sheet=SHEET)
    said = capsys.readouterr().out
    assert "is from before there were reports." in said
    assert "is from before there were reports." in layout.DIFF_PAGE.read_text()
