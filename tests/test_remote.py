"""The story: clone, pull, revise one prompt, make what it touches, compare, push what changed.

The remote is nginx on loopback, as in the README: objects are put and got over plain HTTP.
"""

import json
import re
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from synset_factory import layout
from tests.remotes import Remote, clone, keep_to_itself, nginx, publish, tars
from tests.small_pipeline import command, commit, run

pytestmark = pytest.mark.slow

JAY = "n01580077"


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remote]:
    with nginx(tmp_path_factory.mktemp("nginx")) as remote:
        yield remote


@pytest.fixture(scope="module")
def origin(pipeline: Path, remote: Remote, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose data is on the remote."""
    return publish(pipeline, remote, tmp_path_factory.mktemp("published") / "origin")


def test_an_edit_before_the_pull_costs_no_set(origin: Path, tmp_path: Path) -> None:
    folder = clone(origin, tmp_path / "clone")
    run(folder, "dvc", "pull", *(f"data/{name}" for name in ("code", "prompts", "web")))
    run(folder, "dvc", "pull", "data/models/clip", "data/models/text_to_image")
    stopped = command(folder, "dvc", "repro", "--single-item", "generate@disamb")
    assert stopped.returncode != 0
    assert "get it from the remote 'storage' with `make pull`" in stopped.stderr
    assert not (folder / layout.shards("disamb")).exists()


def test_a_revised_prompt_is_pulled_made_compared_and_pushed_at_the_cost_of_one_class(
    pipeline: Path, origin: Path, remote: Remote, tmp_path: Path
) -> None:
    folder = clone(origin, tmp_path / "clone")
    run(folder, "dvc", "pull")
    before = tars(folder)
    assert before == tars(pipeline)
    nothing = run(folder, "dvc", "repro")
    assert "Running stage" not in nothing  # what was pulled is all that there is to do

    path = folder / layout.DISAMBIGUATIONS
    row = next(line for line in path.read_text().splitlines() if line.startswith(JAY))
    path.write_text(path.read_text().replace(row, f"{JAY},jay bird,homonym,,reconstructed"))
    said = run(folder, "dvc", "repro")
    for name in ("disamb", "disamb25", "disamb10", "promptaug"):
        assert re.search(rf"{name}: 18 images, 12 reused, 6 to make", said), name
    after = tars(folder)
    changed = {tar for tar, digest in after.items() if before.get(tar) != digest}
    assert set(after) == set(before)
    assert changed == {
        layout.shard(name, split, JAY).as_posix()
        for name in ("disamb", "disamb25", "disamb10", "promptaug")
        for split in ("train", "validation")
    }

    counts = json.loads((folder / layout.PROMPT_COUNTS).read_text())
    assert counts["changed_since_last_revision"] == 1

    rows = json.loads(run(folder, "dvc", "metrics", "diff", "--json"))
    # Classifiers of a handful of pictures may say the same as before; distances cannot.
    assert any("metrics/table6/" in row for row in rows)

    there = remote.objects()
    keep_to_itself(folder, remote.to_push)
    run(folder, "dvc", "push")
    # Everything that is new on the remote is new: no object is moved a second time.
    moved = remote.objects() - there
    assert len(moved) < len(there) / 2
    contents = {sha256(remote.files.cat_file(name)).hexdigest() for name in moved}
    assert {after[tar] for tar in changed} <= contents
    assert not {after[tar] for tar in set(after) - changed} & contents

    commit(folder, "Clarify the jay")
    other = clone(folder, tmp_path / "other")
    run(other, "dvc", "pull")
    assert tars(other) == after
    assert "Running stage" not in run(other, "dvc", "repro")
