"""A set that a remote may have is not drawn by mistake; nobody else is kept from working."""

from pathlib import Path

import pytest

from synset_factory import layout
from synset_factory.errors import InputError
from synset_factory.prebuilt import FRESH, check_pulled

REMOTE = (
    "[core]\n    remote = storage\n['remote \"storage\"']\n    url = http://127.0.0.1:1/%7Eme\n"
)
LOCKED = "schema: '2.0'\nstages:\n  generate@disamb:\n    cmd: python\n"


@pytest.fixture(autouse=True)
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clone without data, of a run that was published."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(FRESH, raising=False)
    Path(".dvc").mkdir()
    Path(".dvc/config").write_text(REMOTE)
    Path("dvc.lock").write_text(LOCKED)


def check_set(name: str) -> None:
    check_pulled(layout.shards(name), f"generate@{name}")


def test_a_set_that_may_be_pulled_is_not_drawn() -> None:
    with pytest.raises(InputError, match="from the remote 'storage' with `make pull`"):
        check_set("disamb")


def test_a_remote_of_this_clone_alone_counts_too() -> None:
    Path(".dvc/config").write_text("[core]\n    analytics = false\n")
    Path(".dvc/config.local").write_text(REMOTE)
    with pytest.raises(InputError, match="make pull"):
        check_set("disamb")


def test_a_set_that_was_never_made_is_drawn() -> None:
    check_set("extra25")
    Path("dvc.lock").unlink()
    check_set("disamb")


def test_without_a_remote_there_is_nothing_to_pull() -> None:
    Path(".dvc/config").write_text("[core]\n    analytics = false\n")
    check_set("disamb")


def test_a_set_of_which_something_is_there_is_gone_on_with() -> None:
    layout.shards("disamb").mkdir(parents=True)
    check_set("disamb")


def test_who_asks_for_it_draws_all_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FRESH, "")
    with pytest.raises(InputError):
        check_set("disamb")
    monkeypatch.setenv(FRESH, "1")
    check_set("disamb")
