"""`synset-factory seeds`, for real: DVC's experiments in a repository of one small stage."""

import subprocess
from pathlib import Path

import pytest

from synset_factory.commands.seeds import seeds
from synset_factory.errors import InputError
from tests.small_pipeline import command, commit, environment, run

STAGE = """
import json, pathlib, sys, yaml
seed = yaml.safe_load(open("params.yaml"))["seed"]
if seed == 13:
    sys.exit("no luck")
with open({log!r}, "a") as log:
    log.write(f"{{seed}} {{pathlib.Path(__file__).resolve().parents[1]}}\\n")
folder = pathlib.Path("metrics/table1")
folder.mkdir(parents=True, exist_ok=True)
(folder / "1_a.json").write_text(json.dumps({{"accuracy": 40.0 + 4.0 * seed}}))
(folder / "2_b.json").write_text(json.dumps({{"undefined": "there is no b."}}))
"""
DVC = """
stages:
  one:
    cmd: python -m stage
    deps: [src/stage.py]
    params: [seed]
    metrics: [metrics/table1: {cache: false}]
"""
REPORT = Path("docs/seeds.md")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("seeds") / "repository"
    (folder / "src").mkdir(parents=True)
    (folder / "src/stage.py").write_text(STAGE.format(log=str(folder.parent / "log")))
    (folder / "dvc.yaml").write_text(DVC)
    (folder / "params.yaml").write_text("seed: 0\n")
    run(folder, "git", "init", "-q")
    run(folder, "dvc", "init", "-q")
    commit(folder, "start")
    return folder


@pytest.fixture(autouse=True)
def here(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository)
    for name, value in environment(repository).items():
        monkeypatch.setenv(name, value)


def made(repository: Path) -> list[str]:
    """The seeds of the runs so far."""
    log = repository.parent / "log"
    return [line.split()[0] for line in log.read_text().splitlines()] if log.exists() else []


def test_each_seed_is_run_once_and_its_rows_are_put_together(
    repository: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    seeds(numbers=[2, 0], output=REPORT)
    said = capfd.readouterr().out
    assert said.startswith("0 of 2 runs are there already. 2 to make, seed 0, 2: each takes as ")
    assert "| table1/1_a | accuracy | 2    | 44   | 5.66 | 40    | 48      |" in REPORT.read_text()
    assert made(repository) == ["0", "2"]
    # Each ran the code of a folder of its own, and nothing here has changed.
    log = (repository.parent / "log").read_text()
    assert all(".dvc/tmp/exps" in line for line in log.splitlines())
    status = command(repository, "git", "status", "--porcelain").stdout
    assert status.split() == ["??", "docs/"]

    commit(repository, "The report changes nothing that a run depends on")
    seeds(numbers=[0, 2], output=REPORT)
    assert capfd.readouterr().out.startswith("2 of 2 runs are there already.\n")
    assert made(repository) == ["0", "2"]

    with pytest.raises(InputError, match=r"^the run at seed 13 failed, see above"):
        seeds(numbers=[0, 13], output=REPORT)
    assert "no luck" in capfd.readouterr().err


def test_what_is_not_committed_is_refused(repository: Path) -> None:
    new = repository / "src/new.py"
    new.write_text("")
    try:
        with pytest.raises(InputError, match=r"^src/new.py differs from the last commit: commit"):
            seeds(numbers=[0, 1], output=REPORT)
    finally:
        new.unlink()


@pytest.mark.parametrize(
    ("numbers", "output", "sentence"),
    [
        ([3], REPORT, "name two seeds or more"),
        ([3, 3], REPORT, "name two seeds or more"),
        ([-1, 2], REPORT, "each 0 or larger"),
        ([0, 1], Path("src"), "--output src is a folder"),
    ],
)
def test_a_mistake_is_one_sentence(numbers: list[int], output: Path, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        seeds(numbers=numbers, output=output)


def test_no_commit_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text("seed: 0\n")
    subprocess.run(["git", "init", "-q"], check=True)
    with pytest.raises(InputError, match="runs need a repository with a commit"):
        seeds(numbers=[0, 1], output=REPORT)
