"""A cross-evaluation root is links to two splits, and says so where their classes differ."""

import json
import shutil
from pathlib import Path

import pytest

from synset_factory import layout
from synset_factory.commands.cross_evaluation import cross_evaluation
from synset_factory.commands.export import export
from synset_factory.errors import InputError
from tests.small_sets import LABELS, write_params, write_small_set

ROOT = Path("exports/disamb_on_natural")


@pytest.fixture(autouse=True)
def small_sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_params()
    for name in ("disamb", "natural"):
        write_small_set(name)


def make(train: str = "disamb", validation: str = "natural", folder: Path | None = None) -> None:
    cross_evaluation(train=train, validation=validation, folder=folder)


def check_links(root: Path, train: Path, validation: Path) -> None:
    for split, source in (("train", train), ("validation", validation)):
        tars = sorted((root / split).glob("*.tar"))
        assert [tar.name for tar in tars] == sorted(tar.name for tar in source.glob("*.tar"))
        for tar in tars:
            assert tar.is_symlink() and not tar.readlink().is_absolute()
            assert tar.resolve() == (source / tar.name).resolve()
            assert tar.exists()


def test_a_root_copies_no_tar(capsys: pytest.CaptureFixture[str]) -> None:
    make()
    check_links(ROOT, layout.shards("disamb") / "train", layout.shards("natural") / "validation")
    assert capsys.readouterr().err == ""
    info = json.loads((ROOT / "_info.json").read_text())["splits"]
    assert info["train"]["num_samples"] == 60 and info["validation"]["num_samples"] == 24
    sizes = json.loads((ROOT / "validation" / "sizes.json").read_text())
    assert sizes == {f"{wnid}.tar": 8 for wnid in LABELS}


def test_a_root_takes_exports_by_their_folders(tmp_path: Path) -> None:
    life = Path("elsewhere/life")
    export(image_set="disamb", folder=None, images_per_tar=20)
    export(image_set="natural", folder=life, images_per_tar=20)
    make("exports/disamb", "elsewhere/life")
    check_links(Path("exports/disamb_on_life"), Path("exports/disamb/train"), life / "validation")
    make("disamb", "./elsewhere/life", tmp_path / "a" / "b" / "pair")
    check_links(Path("a/b/pair"), layout.shards("disamb") / "train", life / "validation")


def test_links_hold_where_the_folder_or_the_set_is_reached_by_a_link(tmp_path: Path) -> None:
    Path("disk/deep/er").mkdir(parents=True)
    Path("exports").symlink_to("disk/deep/er")
    shutil.move(layout.shards("natural"), "disk/natural")
    layout.shards("natural").symlink_to(tmp_path / "disk" / "natural")
    make()
    check_links(ROOT, layout.shards("disamb") / "train", Path("disk/natural/validation"))


def test_a_root_can_be_moved_together_with_its_sets(tmp_path: Path) -> None:
    make()
    Path("clone").mkdir()
    for name in ("data", "exports"):
        shutil.move(name, Path("clone") / name)
    assert all(tar.exists() for tar in Path("clone", ROOT).rglob("*.tar"))


def test_a_root_is_made_again_but_tars_of_others_are_kept() -> None:
    make()
    make("natural", "disamb", ROOT)
    check_links(ROOT, layout.shards("natural") / "train", layout.shards("disamb") / "validation")
    (ROOT / "train" / "mine.tar").write_text("mine")
    with pytest.raises(InputError, match=r"train/mine\.tar in it is not from an earlier run"):
        make()
    export(image_set="disamb", folder=None)
    with pytest.raises(InputError, match="exports/disamb cannot be replaced"):
        make(folder=Path("exports/disamb"))


def test_classes_that_only_one_of_the_two_has_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    write_small_set("synset", {"n01580077": 17, "n01847000": 97, "n04146614": 779})
    make("synset", "disamb")
    assert capsys.readouterr().err == (
        "warning: the classes differ: 1 (labels 461) only among the validation images of disamb, "
        "1 (labels 779) only among the training images of synset.\n"
    )
    export(image_set="synset", folder=None)
    capsys.readouterr()
    make("exports/synset", "disamb")
    assert "1 (labels 461) only among the validation images" in capsys.readouterr().err


def test_what_is_neither_a_set_nor_an_export_is_named() -> None:
    for source in ("disamd", "/"):
        with pytest.raises(InputError, match=f"'{source}' is neither a set of params.yaml nor"):
            make(source)
    with pytest.raises(InputError, match="make the set 'synset'"):
        make("synset")


def test_a_root_is_not_made_of_itself() -> None:
    make()
    with pytest.raises(InputError, match="exports/disamb_on_natural is one of the two"):
        make(str(ROOT), "disamb", ROOT)
    check_links(ROOT, layout.shards("disamb") / "train", layout.shards("natural") / "validation")
    make(str(ROOT), "disamb", Path("another"))  # a root is a source as an export is
    assert all(tar.exists() for tar in Path("another").rglob("*.tar"))


def test_a_tar_that_is_missing_is_named() -> None:
    tar = layout.shard("natural", "validation", "n01580077")
    tar.unlink()
    with pytest.raises(InputError, match=rf"{tar} is missing: get it with `dvc pull`"):
        make()
    export(image_set="disamb", folder=None)
    Path("exports/disamb/train/disamb-train-000000.tar").unlink()
    with pytest.raises(InputError, match=r"disamb-train-000000\.tar is missing: export it again"):
        make("exports/disamb")


def test_links_that_others_made_are_not_deleted() -> None:
    Path("links/train").mkdir(parents=True)
    Path("links/train/photo.tar").symlink_to(Path("photo.tar").absolute())
    with pytest.raises(InputError, match="name another folder"):
        cross_evaluation(train="disamb", validation="natural", folder=Path("links"))
    assert Path("links/train/photo.tar").is_symlink()


def test_links_lead_to_the_tars_themselves_not_to_other_links() -> None:
    cross_evaluation(train="disamb", validation="natural", folder=Path("first"))
    cross_evaluation(train="first", validation="first", folder=Path("second"))
    for link in sorted(Path("second").rglob("*.tar")):
        assert not (link.parent / link.readlink()).is_symlink()
