"""The story: clone, pull, revise one prompt, make what it touches, compare, push what changed.

The remote is nginx on loopback, as in the README: objects are put and got over plain HTTP.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import md5, sha256
from pathlib import Path

import pytest
import yaml

from synset_factory import layout
from synset_factory.config import load_common
from tests.small_pipeline import FURTHER, command

pytestmark = pytest.mark.slow

CONFIG = """
daemon off;
{user}
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  server {{
    listen 127.0.0.1:{port};
    root {folder}/objects;
    client_max_body_size 0;
    location / {{ dav_methods PUT; create_full_put_path on; }}
  }}
}}
"""
JAY = "n01580077"


@dataclass(frozen=True)
class Remote:
    """A server of DVC's objects."""

    address: str
    objects: Path

    def object(self, digest: str) -> Path:
        """The file of an object of DVC's."""
        return self.objects / "files" / "md5" / digest[:2] / digest[2:]

    def names(self) -> set[str]:
        files = (path for path in self.objects.rglob("*") if path.is_file())
        return {path.relative_to(self.objects).as_posix() for path in files}


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remote]:
    """nginx that takes PUT: skipped without it, but failed where CI=true."""
    if shutil.which("nginx") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("nginx is not installed")
        pytest.skip("nginx is not installed")
    folder = tmp_path_factory.mktemp("nginx")
    (folder / "objects").mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(CONFIG.format(folder=folder, port=port, user=user))
    server = subprocess.Popen(["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")])
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            break
        except ConnectionRefusedError:
            assert server.poll() is None, (folder / "error.log").read_text()
            time.sleep(0.05)
    yield Remote(f"http://127.0.0.1:{port}", folder / "objects")
    server.terminate()
    server.wait()


@pytest.fixture(scope="module")
def published(pipeline: Path, remote: Remote, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose run is committed, and whose data is on the remote."""
    folder = tmp_path_factory.mktemp("published") / "origin"
    shutil.copytree(pipeline, folder)
    for name in set(FURTHER) - set(load_common(folder / layout.PARAMS).sets):
        # Another test has taken the set out; what it left is in no other clone.
        shutil.rmtree(folder / layout.shards(name))
        (folder / layout.embeddings(name)).unlink()
        (folder / layout.outcomes(name)).unlink()
    run(folder, "dvc", "repro")  # whatever other tests have left to do
    run(folder, "dvc", "remote", "add", "--default", "storage", remote.address)
    run(folder, "dvc", "remote", "modify", "storage", "method", "PUT")
    run(folder, "dvc", "remote", "modify", "storage", "verify", "true")
    run(folder, "dvc", "push")
    commit(folder, "Published")
    return folder


def run(folder: Path, *words: str) -> str:
    """Run a command that must succeed; return what it prints."""
    done = command(folder, *words)
    assert done.returncode == 0, " ".join(words) + done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout + done.stderr


def commit(folder: Path, message: str) -> None:
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    run(folder, "git", "add", "-A")
    run(folder, "git", *identity, "commit", "-qm", message)


def clone(origin: Path, folder: Path) -> Path:
    run(origin.parent, "git", "clone", "-q", str(origin), str(folder))
    return folder


def tars(folder: Path) -> dict[str, str]:
    """The hash of every tar of every set, by path."""
    found = sorted((folder / layout.SHARDS).rglob("*.tar"))
    return {p.relative_to(folder).as_posix(): sha256(p.read_bytes()).hexdigest() for p in found}


def test_an_edit_before_the_pull_costs_no_set(published: Path, tmp_path: Path) -> None:
    folder = clone(published, tmp_path / "clone")
    run(folder, "dvc", "pull", *(f"data/{name}" for name in ("code", "prompts", "web")))
    run(folder, "dvc", "pull", "data/models/clip", "data/models/text_to_image")
    stopped = command(folder, "dvc", "repro", "--single-item", "generate@disamb")
    assert stopped.returncode != 0
    assert "get it from the remote 'storage' with `make pull`" in stopped.stderr
    assert not (folder / layout.shards("disamb")).exists()


def test_one_class_alone_is_pulled(published: Path, tmp_path: Path) -> None:
    folder = clone(published, tmp_path / "clone")
    tar = layout.shard("disamb", "train", JAY).as_posix()
    run(folder, "dvc", "pull", tar)
    assert tars(folder) == {tar: tars(published)[tar]}


def test_a_revised_prompt_is_pulled_made_compared_and_pushed_at_the_cost_of_one_class(
    published: Path, remote: Remote, tmp_path: Path
) -> None:
    folder = clone(published, tmp_path / "clone")
    run(folder, "dvc", "pull")
    before = tars(folder)
    assert before == tars(published)
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

    rows = json.loads(run(folder, "dvc", "metrics", "diff", "--json"))
    # Classifiers of a handful of pictures may say the same as before; distances cannot.
    assert any("metrics/table6/" in row for row in rows)

    there = remote.names()
    run(folder, "dvc", "push")
    # Everything that is new on the remote is new: no object is moved a second time.
    moved = remote.names() - there
    assert len(moved) < len(there) / 2
    contents = {sha256((remote.objects / name).read_bytes()).hexdigest() for name in moved}
    assert {after[tar] for tar in changed} <= contents
    assert not {after[tar] for tar in set(after) - changed} & contents

    commit(folder, "Clarify the jay")
    other = clone(folder, tmp_path / "other")
    run(other, "dvc", "pull")
    assert tars(other) == after
    assert "Running stage" not in run(other, "dvc", "repro")


def test_a_flipped_bit_on_the_remote_is_found_named_and_mended(
    published: Path, remote: Remote, tmp_path: Path
) -> None:
    tar = layout.shard("natural", "train", JAY)
    digest = md5((published / tar).read_bytes()).hexdigest()
    damaged = remote.object(digest)
    content = bytearray(damaged.read_bytes())
    content[1000] ^= 1
    damaged.write_bytes(content)
    folder = clone(published, tmp_path / "clone")
    pulled = command(folder, "dvc", "pull", tar.as_posix())
    assert pulled.returncode != 0
    assert f"Checkout failed for following targets:\n{layout.shards('natural')}" in pulled.stderr
    assert not (folder / tar).exists()
    told = command(folder, "dvc", "pull", "-v", tar.as_posix())
    assert f"files/md5/{digest[:2]}/{digest[2:]}" in told.stdout + told.stderr
    # As the README says: delete the object, and the list of the folder that it belongs to.
    damaged.unlink()
    lock = yaml.safe_load((published / "dvc.lock").read_text())
    remote.object(lock["stages"]["natural"]["outs"][0]["md5"]).unlink()
    run(published, "dvc", "push")
    run(folder, "dvc", "pull", tar.as_posix())
    assert sha256((folder / tar).read_bytes()).hexdigest() == tars(published)[tar.as_posix()]
