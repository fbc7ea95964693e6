"""An export is its set, shuffled; nothing is half written, and nothing of others is deleted."""

import json
import tarfile
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest

from synset_factory import layout
from synset_factory.commands.export import export
from synset_factory.errors import InputError
from synset_factory.records import SPLITS
from synset_factory.shards import exports
from synset_factory.shards.reader import read_index
from synset_factory.shards.writer import MEMBERS
from tests.small_sets import IMAGES, LABELS, write_params, write_small_set

PER_TAR = 25
Members = dict[str, bytes]  # of an image, by extension


@pytest.fixture(autouse=True)
def small_sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two sets of three classes, 60 training and 24 validation images each."""
    monkeypatch.chdir(tmp_path)
    write_params()
    write_small_set("disamb")
    write_small_set("synset")


def make(image_set: str = "disamb", folder: Path | None = None, per_tar: int = PER_TAR) -> Path:
    export(image_set=image_set, folder=folder, images_per_tar=per_tar)
    return folder or layout.EXPORTS / image_set


def images(tar: Path) -> dict[str, Members]:
    """Return the members of each image of a tar, by key, in their order."""
    found: dict[str, Members] = {}
    with tarfile.open(tar) as opened:
        for member in opened:
            key, _, extension = member.name.partition(".")
            found.setdefault(key, {})[extension] = opened.extractfile(member).read()
    return found


def images_of(tars: list[Path]) -> dict[str, Members]:
    found = [images(tar) for tar in tars]
    together = {key: members for tar in found for key, members in tar.items()}
    assert len(together) == sum(map(len, found)), "a key is in two tars"
    return together


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("split", SPLITS)
def test_an_export_is_a_permutation_of_its_set(split: str) -> None:
    source = images_of(sorted((layout.shards("disamb") / split).glob("*.tar")))
    found = images_of(sorted((make() / split).glob("*.tar")))
    # Every member as it was, each image with its own; only the set's name is put before the key.
    assert found == {f"disamb_{key}": members for key, members in source.items()}
    assert list(found) != sorted(found)
    assert {tuple(members) for members in found.values()} == {MEMBERS}


@pytest.mark.parametrize("split", SPLITS)
def test_tars_mix_the_classes(split: str) -> None:
    per_tar = 20
    for tar in (make(per_tar=per_tar) / split).glob("*.tar"):
        labels = [members["cls"] for members in images(tar).values()]
        counts = Counter(labels)
        # A hash decides, so that what holds once holds always.
        assert set(counts) == {str(label).encode() for label in LABELS.values()}
        assert max(counts.values()) < len(labels) * 2 / 3
        changes = sum(a != b for a, b in pairwise(labels))
        assert changes > len(labels) / 3  # class after class there would be 2


def test_tars_are_named_by_set_split_and_number_and_differ_by_one_image_at_most() -> None:
    folder = make()
    sizes = {split: json.loads((folder / split / "sizes.json").read_text()) for split in SPLITS}
    assert sizes == {
        "train": {f"disamb-train-{number:06d}.tar": 20 for number in range(3)},
        "validation": {"disamb-validation-000000.tar": 24},
    }
    make(per_tar=13)
    lengths = json.loads((folder / "train" / "sizes.json").read_text()).values()
    assert sorted(lengths) == [12, 12, 12, 12, 12]
    make(per_tar=30)
    assert len(list((folder / "train").glob("*.tar"))) == 2  # those of the run before are gone


def test_equal_sets_give_equal_bytes_wherever_they_are_written(tmp_path: Path) -> None:
    first = files(make())
    assert files(make()) == first
    assert files(make(folder=tmp_path / "else" / "where")) == first


def test_exports_of_several_sets_can_be_mixed() -> None:
    tars = [tar for name in ("disamb", "synset") for tar in make(name).rglob("*.tar")]
    assert len({tar.name for tar in tars}) == len(tars)
    found = images_of(tars)
    assert len(found) == 2 * len(LABELS) * sum(IMAGES.values())
    assert not any("." in key for key in found)


def test_an_image_keeps_its_place_among_the_others_when_a_class_goes() -> None:
    everything = read_index("disamb", "train")
    fewer = everything[everything["cls"] != 17]
    before, after = (
        pd.concat(exports.deal("disamb", index, 7, 0)["train"].values())["key"]
        for index in (everything, fewer)
    )
    assert list(before[before.isin(fewer["key"])]) == list(after)


def flip(path: Path, position: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("where", ["header", "jpeg", "end", "nothing left", "missing"])
def test_a_damaged_source_is_named_and_leaves_what_was_there_before(where: str) -> None:
    folder = make()
    before = files(folder)
    row = read_index("disamb").iloc[-1]
    tar = layout.shards("disamb") / row["tar"]
    if where == "header":
        flip(tar, int(row["offset"]) - 512)
    elif where == "jpeg":
        flip(tar, int(row["offset"]))
    elif where == "end":
        tar.write_bytes(tar.read_bytes()[: int(row["offset"]) + int(row["size"]) // 2])
    elif where == "nothing left":
        tar.write_bytes(b"")
    else:
        tar.unlink()
    with pytest.raises(InputError, match=rf"{tar} is not .*`synset-factory validate disamb`"):
        make()
    assert files(folder) == before
    with pytest.raises(InputError):
        make(folder=Path("new"))
    assert not Path("new").exists()


def test_an_interrupted_export_has_no_name_and_is_made_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ctrl-C falls into the middle of the second tar."""
    read, rows = exports._read_members, iter(range(30))

    def reading(*arguments: object) -> Members:
        if next(rows, None) is None:
            raise KeyboardInterrupt
        return read(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(exports, "_read_members", reading)
        with pytest.raises(KeyboardInterrupt):
            make()
    left = layout.EXPORTS / "disamb.tmp"
    assert list(layout.EXPORTS.iterdir()) == [left] and list(left.rglob("*.tar"))
    make()
    assert [path.name for path in layout.EXPORTS.iterdir()] == ["disamb"]


@pytest.mark.parametrize(
    "name", ["notes.txt", "train/n01580077.tar", "train/synset-train-000000.tar", "index.parquet"]
)
@pytest.mark.parametrize("place", ["exports/disamb", "exports/disamb.tmp"])
def test_nothing_that_others_made_is_deleted(place: str, name: str) -> None:
    folder = make()
    if not Path(place).exists():
        folder.rename(place)
    (Path(place) / name).write_text("mine")
    with pytest.raises(InputError, match=rf"{place} cannot be replaced: {name} in it"):
        make()
    assert (Path(place) / name).read_text() == "mine"


def test_a_set_a_lone_readme_a_file_and_a_link_are_not_replaced() -> None:
    Path("project").mkdir()
    Path("project/README.md").write_text("mine")
    Path("link").symlink_to("project")
    for name in ("data/shards/synset", "project", "project/README.md", "link"):
        with pytest.raises(InputError, match="name another"):
            make(folder=Path(name))
    assert Path("project/README.md").read_text() == "mine"
    assert read_index("synset")["key"].is_unique


def test_an_empty_folder_is_taken() -> None:
    Path("mounted").mkdir()
    assert (make(folder=Path("mounted")) / "_info.json").exists()


def test_wrong_input_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no set 'disamd'"):
        make("disamd")
    with pytest.raises(InputError, match="make the set 'promptaug'"):
        make("promptaug")
    with pytest.raises(InputError, match="--images-per-tar 0"):
        make(per_tar=0)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written"):
        make(folder=tmp_path / "file" / "folder")


def test_a_disk_without_room_is_named_before_anything_is_written() -> None:
    with pytest.raises(InputError, match=r"new needs 1\.00ZB, but its disk has .* free"):
        exports.check_space(Path("new"), 10**21)


@pytest.mark.parametrize("folder", ["new/..", ".", "..", "/", "data/new", "data/shards/disamb/new"])
def test_no_folder_around_the_repository_or_in_its_data_is_written(folder: str) -> None:
    Path("thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="is no place for it: name another folder"):
        export(image_set="disamb", folder=Path(folder))
    assert Path("thesis.txt").read_text() == "years of work"
    assert not list(Path().rglob("new*"))


def test_a_name_that_the_disk_refuses_is_named() -> None:
    with pytest.raises(InputError, match="cannot be used"):
        export(image_set="disamb", folder=Path("x" * 300))
