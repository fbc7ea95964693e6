"""`synset-factory diff`, for real: git's and DVC's revisions of a repository of a few pictures."""

import json
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from PIL import Image

from synset_factory import layout
from synset_factory.commands.diff import SHEET, SHEET_ROWS, diff
from synset_factory.errors import InputError
from synset_factory.prompts.files import read_synsets
from synset_factory.records import image_key
from synset_factory.revisions.sheet import (
    ABSENT,
    HEADER,
    PICTURES,
    ROW,
    SIZE,
    STEP,
    row_top,
    side_left,
)
from synset_factory.shards.writer import Sample, encode_jpeg, write_class_tar, write_index
from tests.small_pipeline import REPOSITORY, command, environment

JAY, DRAKE = "n01580077", "n01847000"
RED, BLUE, GREEN = (200, 0, 0), (0, 0, 200), (0, 120, 0)
IDENTITY = ("-c", "user.name=test", "-c", "user.email=test@example.org")
Colour = tuple[int, int, int]

STAGES = """
stages:
  prompts: {cmd: "true", outs: [data/prompts]}
  natural: {cmd: "true", outs: [data/shards/natural: {persist: true}]}
  generate:
    foreach: ${sets}
    do: {cmd: "true", outs: ["data/shards/${key}": {persist: true}]}
  train: # a folder of a set's name that is no set
    foreach: ${sets}
    do: {cmd: "true", outs: ["data/models/classifiers/${key}"]}
"""


def shade(colour: Colour, number: int) -> Colour:
    """The colour of an image: its number can be told from it."""
    return (colour[0], colour[1], colour[2] + 12 * number)


def write_class(
    root: Path, name: str, wnid: str, prompt: str, colour: Colour, train: int, steps: int
) -> pd.DataFrame:
    """Write a class of plain pictures, one of them for validation; return its prompts."""
    rows = []
    for split, count in (("train", train), ("validation", 1)):
        samples = []
        for number in range(count):
            made_from = {"prompt": prompt, "steps": steps, "number": number}
            text = json.dumps([made_from, colour])
            jpeg = encode_jpeg(Image.new("RGB", (8, 8), shade(colour, number)), 95)
            samples.append(
                Sample(
                    key=image_key(wnid, split, number),
                    jpg=jpeg,
                    cls=0,
                    txt=prompt,
                    json={**made_from, "digest": sha256(text.encode()).hexdigest()},
                )
            )
            rows.append((wnid, split, number, prompt, 0))
        write_class_tar(root / layout.shard(name, split, wnid), samples)
    return pd.DataFrame(rows, columns=["wnid", "split", "number", "prompt", "seed"])


def write_set(
    root: Path, name: str, classes: dict[str, tuple[str, Colour, int]], steps: int = 10
) -> None:
    """Write a set of classes, each with its prompt, colour and number of training images."""
    shutil.rmtree(root / layout.shards(name), ignore_errors=True)
    prompts = [write_class(root, name, wnid, *content, steps) for wnid, content in classes.items()]
    write_index(root / layout.shards(name), name, list(classes), "Plain pictures.")
    if name != "natural":
        for path in (layout.IMAGE_PROMPTS, layout.classifiers(name)):
            (root / path).mkdir(parents=True, exist_ok=True)
        pd.concat(prompts).to_parquet(root / layout.prompts(name), index=False)
        (root / layout.classifiers(name) / "weights").write_text(f"of {name}")


def write_params(root: Path, *names: str) -> None:
    (root / layout.PARAMS).write_text(yaml.safe_dump({"sets": {name: {} for name in names}}))


def run(folder: Path, *words: str) -> None:
    done = command(folder, *words)
    assert done.returncode == 0, done.stdout + done.stderr


def commit(root: Path, tag: str) -> None:
    """Commit what there is, in DVC and in git, under a tag."""
    run(root, "dvc", "commit", "--quiet", "--force")
    run(root, "git", "add", "-A")
    run(root, "git", *IDENTITY, "commit", "-qm", tag)
    run(root, "git", "tag", tag)


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with revisions `first`, `second` and `third`.

    In the second the jay of set `x` has another prompt, its drake has one image more, and there is
    a set `y`. In the third params.yaml has no `y` any more. The natural images are the same.
    """
    root = tmp_path_factory.mktemp("revisions") / "origin"
    for name in (".dvc/config", ".gitignore", ".dvcignore", layout.SYNSETS.as_posix()):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(REPOSITORY / name, root / name)
    (root / "dvc.yaml").write_text(STAGES)
    run(root, "git", "init", "-q", "-b", "main")

    write_params(root, "x")
    write_set(root, "natural", {JAY: ("", RED, 2), DRAKE: ("", GREEN, 2)})
    write_set(root, "x", {JAY: ("jay", RED, 3), DRAKE: ("drake", GREEN, 3)})
    commit(root, "first")

    write_params(root, "x", "y")
    write_set(root, "x", {JAY: ("jay bird", BLUE, 3), DRAKE: ("drake", GREEN, 4)})
    write_set(root, "y", {JAY: ("jay", RED, 3), DRAKE: ("drake", GREEN, 3)})
    commit(root, "second")

    write_params(root, "x")
    commit(root, "third")
    run(root, "git", "checkout", "-q", "second")
    return root


@pytest.fixture
def repository(origin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, cache and all, to work in."""
    shutil.copytree(origin, tmp_path / "repository")
    monkeypatch.chdir(tmp_path / "repository")
    return tmp_path / "repository"


@pytest.fixture
def clone(origin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone of it, without any of DVC's data."""
    run(tmp_path, "git", "clone", "-q", str(origin), "clone")
    monkeypatch.chdir(tmp_path / "clone")
    return tmp_path / "clone"


def said(
    capsys: pytest.CaptureFixture[str], before: str, after: str | None = None, sheet: Path = SHEET
) -> list[str]:
    """Run the command; return the lines that it prints, revisions named by their tags alone."""
    diff(before=before, after=after, sheet=sheet)
    lines = capsys.readouterr().out.splitlines()
    for tag in ("first", "second", "third"):
        digest = command(Path(), "git", "rev-parse", tag).stdout[:7]
        lines = [line.replace(f"{tag} ({digest})", tag) for line in lines]
    return lines


def cells(sheet: Path, row: int, side: int) -> list[Any]:
    """The colours in the middle of the pictures of a row, on one of its sides."""
    with Image.open(sheet) as image:
        centre = SIZE // 2
        return [
            image.getpixel((side_left(side) + i * STEP + centre, row_top(row) + centre))
            for i in range(PICTURES)
        ]


def assert_pictures(sheet: Path, row: int, side: int, wanted: list[Colour]) -> None:
    """Assert that these pictures are there, and nothing to the right of them."""
    found = cells(sheet, row, side)
    for i, colour in enumerate(wanted):
        assert found[i] == pytest.approx(colour, abs=3)  # JPEG keeps colours nearly
    assert found[len(wanted) :] == [(255, 255, 255)] * (PICTURES - len(wanted))


def test_one_revision_with_another(
    repository: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    sheet = tmp_path / "folder" / "sheet.png"
    assert said(capsys, "first", "second", sheet) == [
        "first -> second",
        "x: 5 of 9 images differ (2 classes)",
        "  n01580077  jay    4 changed  jay -> jay bird",
        "  n01847000  drake  1 new      drake",
        "y: only in second, 8 images of 2 classes",
        "Nothing differs in natural.",
        f"Pictures before and after: {sheet}",
    ]
    with Image.open(sheet) as image:
        assert image.height == HEADER + 2 * ROW
        assert image.width == pytest.approx(side_left(1) + PICTURES * STEP, abs=STEP)
    numbers = (0, 1, 2, 0)  # training images first, then the one of validation
    assert_pictures(sheet, 0, 0, [shade(RED, number) for number in numbers])
    assert_pictures(sheet, 0, 1, [shade(BLUE, number) for number in numbers])
    assert_pictures(sheet, 1, 0, [tuple(bytes.fromhex(ABSENT[1:]))])  # of the new one: a blank
    assert_pictures(sheet, 1, 1, [shade(GREEN, 3)])


def test_the_other_way_round(
    repository: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    there, back = tmp_path / "there.png", tmp_path / "back.png"
    said(capsys, "first", "second", there)
    assert said(capsys, "second", "first", back) == [
        "second -> first",
        "x: 5 of 9 images differ (2 classes)",
        "  n01580077  jay    4 changed  jay bird -> jay",
        "  n01847000  drake  1 gone     drake",
        "y: only in second, 8 images of 2 classes",
        "Nothing differs in natural.",
        f"Pictures before and after: {back}",
    ]
    for row in range(2):
        assert cells(back, row, 0) == cells(there, row, 1)
        assert cells(back, row, 1) == cells(there, row, 0)


def test_a_set_that_params_no_longer_name(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "generate@y" in command(repository, "git", "show", "third:dvc.lock").stdout
    assert said(capsys, "second", "third")[1:] == [
        "y: only in second, 8 images of 2 classes",
        "Nothing differs in natural, x.",
    ]


def test_a_revision_from_before_the_first_run(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(repository, "git", "rm", "-q", "dvc.lock")
    run(repository, "git", *IDENTITY, "commit", "-qm", "bare")
    assert [line.split(" (")[0] for line in said(capsys, "HEAD", "third")] == [
        "HEAD",
        "natural: only in third, 6 images of 2 classes",
        "x: only in third, 9 images of 2 classes",
    ]
    with pytest.raises(InputError, match="nothing to compare"):
        diff(before="HEAD", after="HEAD", sheet=SHEET)


def test_the_sets_of_a_class_are_neighbours_on_the_sheet(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, colour in (("x", RED), ("y", BLUE)):
        write_set(repository, name, {JAY: ("a", colour, 1), DRAKE: ("b", colour, 1)}, steps=20)
    said(capsys, "second")
    for row, colour in enumerate((RED, BLUE, RED, BLUE)):
        assert cells(SHEET, row, 1)[0] == pytest.approx(colour, abs=3)


def test_a_revision_with_the_working_tree(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_set(repository, "x", {JAY: ("jay bird", RED, 3), DRAKE: ("drake", GREEN, 4)}, steps=20)
    write_params(repository, "x")  # y is no set any more, although it lies there still
    assert said(capsys, "second") == [
        "second -> working tree",
        "x: 9 of 9 images differ (2 classes)",
        "  settings: steps 10 -> 20",
        "  n01580077  jay    4 changed  jay bird (as before)",
        "  n01847000  drake  5 changed  drake (as before)",
        "y: only in second, 8 images of 2 classes",
        "Nothing differs in natural.",
        f"Pictures before and after: {SHEET}",
    ]
    assert_pictures(SHEET, 0, 0, [shade(BLUE, number) for number in (0, 1, 2, 0)])
    assert_pictures(SHEET, 0, 1, [shade(RED, number) for number in (0, 1, 2, 0)])
    # Git knows of the edit alone: the sheet is not in its way.
    status = command(repository, "git", "status", "--porcelain").stdout
    assert status.split() == ["M", "params.yaml"]


def test_nothing_differs(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "second") == [
        "second -> working tree",
        "Nothing differs in natural, x, y.",
    ]
    assert not SHEET.exists()


def test_of_many_classes_the_first_are_told_and_drawn(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wnids = [synset.wnid for synset in read_synsets() if synset.wnid not in (JAY, DRAKE)][:22]
    few: dict[str, tuple[str, Colour, int]] = {
        JAY: ("jay bird", BLUE, 3),
        DRAKE: ("drake", GREEN, 4),
    }
    write_set(repository, "x", few | {wnid: (wnid, RED, 1) for wnid in wnids})
    lines = said(capsys, "second")
    assert lines[1] == "x: 44 of 53 images differ (22 classes)"
    assert [line.split()[0] for line in lines[2:22]] == wnids[:20]
    assert lines[22] == "  and 2 more"
    assert lines[-1] == f"Pictures before and after: {SHEET}, the first {SHEET_ROWS} of 22 rows"
    with Image.open(SHEET) as image:
        assert image.height == HEADER + SHEET_ROWS * ROW


def test_sets_of_one_digest_are_not_read(clone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nothing = "Nothing differs in natural, x, y."
    assert said(capsys, "second", "second")[1:] == [nothing]
    assert said(capsys, "second")[1:] == [nothing]  # dvc.lock says what is to lie there


@pytest.mark.parametrize(("before", "after"), [("first", "second"), ("first", None)])
def test_what_neither_cache_nor_remote_has(clone: Path, before: str, after: str | None) -> None:
    where = r"^first \([0-9a-f]{7}\): data/shards/x/index.parquet of the set 'x' is not in DVC's"
    with pytest.raises(InputError, match=f"{where} cache, and no remote is set: .*`dvc remote add"):
        diff(before=before, after=after, sheet=SHEET)
    run(clone, "dvc", "remote", "add", "--default", "storage", str(clone.parent / "empty"))
    with pytest.raises(
        InputError, match=f"{where} cache, and the remote 'storage' .*No such file.*`dvc push`"
    ):
        diff(before=before, after=after, sheet=SHEET)


def test_a_tar_that_the_cache_has_lost(repository: Path) -> None:
    lock = yaml.safe_load(command(repository, "git", "show", "first:dvc.lock").stdout)
    folder = lock["stages"]["generate@x"]["outs"][0]["md5"]
    cache = repository / ".dvc/cache/files/md5"
    listed = json.loads((cache / folder[:2] / folder[2:]).read_text())
    digest = {entry["relpath"]: entry["md5"] for entry in listed}[f"train/{JAY}.tar"]
    (cache / digest[:2] / digest[2:]).unlink()
    with pytest.raises(InputError, match=rf"^first .*: data/shards/x/train/{JAY}.tar of the set"):
        diff(before="first", after="second", sheet=SHEET)


def test_a_remote_is_read_and_nothing_is_pulled(
    origin: Path, clone: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    # As it goes in life: the remote is set after both revisions, whose configs do not know it.
    shutil.copytree(origin / ".dvc/cache", tmp_path / "remote")
    run(clone, "dvc", "remote", "add", "--default", "storage", str(tmp_path / "remote"))
    lines = said(capsys, "first", "second", tmp_path / "sheet.png")
    assert lines[2] == "  n01580077  jay    4 changed  jay -> jay bird"
    assert_pictures(tmp_path / "sheet.png", 0, 0, [shade(RED, number) for number in (0, 1, 2, 0)])
    assert not layout.DATA.exists()
    assert not Path(".dvc/cache").exists()


def test_a_set_that_is_not_on_disk(repository: Path) -> None:
    shutil.rmtree(layout.shards("x"))
    with pytest.raises(
        InputError, match=r"^data/shards/x/index.parquet .*`dvc pull data/shards/x/index.parquet`"
    ):
        diff(before="first", after=None, sheet=SHEET)


def test_a_tar_that_is_not_what_the_index_says(repository: Path) -> None:
    write_class(repository, "x", JAY, "jay, " * 200, RED, 3, 10)  # and the index is not written
    with pytest.raises(InputError, match=rf"^working tree: data/shards/x/train/{JAY}.tar is not"):
        diff(before="first", after=None, sheet=SHEET)


def test_a_damaged_index(repository: Path) -> None:
    layout.index("x").write_bytes(layout.index("x").read_bytes()[:1000])
    with pytest.raises(InputError, match=r"^working tree: data/shards/x/index.parquet is damaged"):
        diff(before="first", after=None, sheet=SHEET)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["nope"], "unknown Git revision 'nope': name a commit"),
        (["first", "second..nope"], "unknown Git revision 'second..nope'"),
        ([""], "a revision's name is empty"),
        (["first", "--sheet", "data"], "--sheet data is a folder"),
    ],
)
def test_a_mistake_is_one_sentence(repository: Path, words: list[str], sentence: str) -> None:
    done = subprocess.run(
        ["synset-factory", "diff", *words],
        env=environment(REPOSITORY),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {sentence}")
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""
