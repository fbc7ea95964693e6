"""What is pushed to a remote comes back whole from it, whatever its kind."""

import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from configparser import ConfigParser
from hashlib import md5
from pathlib import Path

import pytest
import yaml

from synset_factory import layout
from tests.remotes import KINDS, Remote, clone, keep_to_itself, nginx, publish, tars
from tests.small_pipeline import command, run

pytestmark = pytest.mark.slow

TAR = layout.shard("disamb", "train", "n01580077").as_posix()  # the jay


@pytest.fixture(scope="module", params=KINDS)
def remote(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Remote]:
    with KINDS[request.param](tmp_path_factory.mktemp(request.param)) as remote:
        yield remote


@pytest.fixture(scope="module")
def origin(pipeline: Path, remote: Remote, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose data is on the remote."""
    return publish(pipeline, remote, tmp_path_factory.mktemp("published") / "origin")


def list_of_the_set(folder: Path) -> str:
    """The digest of the list of the files of the set to which the tar belongs."""
    lock = yaml.safe_load((folder / "dvc.lock").read_text())
    digest: str = lock["stages"]["generate@disamb"]["outs"][0]["md5"]
    return digest


def test_git_knows_where_the_remote_is_and_none_of_its_secrets(
    origin: Path, remote: Remote
) -> None:
    config = ConfigParser(interpolation=None)
    config.read_string(run(origin, "git", "show", "HEAD:.dvc/config"))
    known = {"url": remote.url, "verify": "true", **remote.options}
    assert dict(config["'remote \"storage\"'"]) == known
    assert not {*remote.to_pull, *remote.to_push} & set(known)
    assert ".dvc/config.local" not in run(origin, "git", "ls-files", ".dvc").splitlines()


def test_one_class_is_pulled_and_then_everything(
    pipeline: Path, origin: Path, remote: Remote, tmp_path: Path
) -> None:
    folder = clone(origin, tmp_path / "clone")
    keep_to_itself(folder, remote.to_pull)
    run(folder, "dvc", "pull", TAR)
    assert tars(folder) == {TAR: tars(pipeline)[TAR]}
    run(folder, "dvc", "pull")
    assert tars(folder) == tars(pipeline)


@pytest.mark.parametrize("remote", ["s3", "ssh"], indirect=True)
def test_a_clone_without_the_keys_gets_nothing(
    origin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")  # or the network is asked for keys
    folder = clone(origin, tmp_path / "clone")
    refused = command(folder, "dvc", "pull", TAR)
    assert refused.returncode != 0
    assert "failed to connect" in refused.stderr
    assert tars(folder) == {}


def test_a_flipped_bit_is_found_and_named_and_mended(
    pipeline: Path, origin: Path, remote: Remote, tmp_path: Path
) -> None:
    digest = md5((pipeline / TAR).read_bytes()).hexdigest()
    remote.flip_a_bit(digest)
    folder = clone(origin, tmp_path / "clone")
    keep_to_itself(folder, remote.to_pull)
    pulled = command(folder, "dvc", "pull", "-v", TAR)
    assert pulled.returncode != 0
    assert f"Checkout failed for following targets:\n{layout.shards('disamb')}" in pulled.stderr
    named = rf"corrupted cache file '.*/files/md5/{digest[:2]}/{digest[2:]}'"
    assert re.search(named, pulled.stdout + pulled.stderr)
    assert not (folder / TAR).exists()
    said = run(origin, "synset-factory", "mend-remote")
    assert re.search(rf"^{TAR} \(.*{digest[2:]}\) is damaged; pushed again\.$", said, re.M)
    assert said.count(" is damaged") == 1 and " is missing" not in said
    run(folder, "dvc", "pull", TAR)
    assert tars(folder) == {TAR: tars(pipeline)[TAR]}


@pytest.mark.parametrize("remote", ["folder"], indirect=True)
def test_a_damaged_list_of_a_folder_is_named_by_status_and_mended(
    pipeline: Path, origin: Path, remote: Remote, tmp_path: Path
) -> None:
    listed = list_of_the_set(pipeline)
    content = remote.content(listed).replace(b"train/n01580077", b"train/n01580076")  # a bit
    remote.replace(listed, content)
    folder = clone(origin, tmp_path / "clone")
    run(folder, "dvc", "pull")  # DVC does not refuse it, though it is told to verify
    assert tars(folder) != tars(pipeline)
    assert f"not in cache:       {layout.shards('disamb')}\n" in run(folder, "dvc", "status")
    assert "1 " not in run(origin, "dvc", "push")  # it goes by names alone
    assert f"{layout.shards('disamb')} (" in run(origin, "synset-factory", "mend-remote")
    run(folder, "dvc", "pull")
    assert tars(folder) == tars(pipeline)
    assert "up to date" in run(folder, "dvc", "status")


@pytest.mark.parametrize("remote", ["http"], indirect=True)
def test_a_clone_that_may_not_push_is_told_so(
    pipeline: Path, origin: Path, remote: Remote, tmp_path: Path
) -> None:
    digest = md5((pipeline / TAR).read_bytes()).hexdigest()
    whole = remote.content(digest)
    remote.flip_a_bit(digest)
    folder = clone(origin, tmp_path / "clone")  # without the password
    run(folder, "dvc", "cache", "dir", "--local", str(pipeline / ".dvc" / "cache"))
    told = command(folder, "synset-factory", "mend-remote", TAR)
    assert told.returncode == 1
    assert re.search(r"^error: The remote does not take .*: see that it is", told.stderr, re.M)
    remote.replace(digest, whole)


@pytest.mark.parametrize("remote", ["folder"], indirect=True)
def test_what_no_sound_copy_is_left_of_is_named(
    pipeline: Path, origin: Path, remote: Remote, tmp_path: Path
) -> None:
    digest = md5((pipeline / TAR).read_bytes()).hexdigest()
    whole = remote.content(digest)
    remote.flip_a_bit(digest)
    folder = clone(origin, tmp_path / "clone")  # without data
    told = command(folder, "synset-factory", "mend-remote", TAR)
    assert told.returncode == 1
    assert "is damaged; not mended: this clone has no sound copy of it." in told.stdout
    remote.replace(digest, whole)


def test_nginx_takes_nothing_without_the_password(tmp_path: Path) -> None:
    with nginx(tmp_path) as remote:
        put = urllib.request.Request(f"{remote.url}/new/object", b"content", method="PUT")
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(put)
        assert not remote.objects()
