"""`synset-factory plan`: what is foretold is what would be made, and the arithmetic is right."""

import math
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import yaml

from synset_factory import drawing, layout, machine_trials
from synset_factory.commands.plan import plan
from synset_factory.errors import InputError
from synset_factory.folder_digest import folder_digest
from synset_factory.generation_plan import plan_set
from synset_factory.image_stock import ImageStock
from synset_factory.machine_figures import Rates, recall, remember
from synset_factory.models.classifier import ClassifierSettings
from synset_factory.plan_report import Disk, DrawnSet, copies_table, duration, sets_table, size
from synset_factory.records import SPLITS, ImageSettings
from synset_factory.run_needs import (
    TAR_BYTES,
    SetNeeds,
    TrainingNeeds,
    nearest,
    same_disk,
    sets_needs,
    share_blocks,
    trainings_needs,
)
from synset_factory.seeds import derive_seed
from synset_factory.shard_writer import Sample, write_class_tar
from tests.tiny_models import SIZE, save_text_to_image

REPOSITORY = Path(__file__).parents[1]
WNIDS = ["n01580077", "n01847000"]
COUNTS = {"train": 6, "validation": 4}
SETTINGS = ImageSettings(
    negative_prompt="",
    guidance_scale=7.5,
    steps=2,
    scheduler="DPMSolverMultistepScheduler",
    height=SIZE,
    width=SIZE,
    dtype="float32",
    compile=False,
    safety_checker=False,
    batch_size=4,
    jpeg_quality=92,
    generator="tiny",
    recipe=drawing.RECIPE,
)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with the prompts of three sets, two of which share a class."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(REPOSITORY / "prompts", "prompts")
    params = yaml.safe_load((REPOSITORY / "params.yaml").read_text())
    params["wnids"] = WNIDS
    params["splits"] = COUNTS
    params["sets"] = {
        "synset": {"prompts": "synset", "guidance_scale": 7.5},
        "disamb": {"prompts": "disamb", "guidance_scale": 7.5},
        "disamb10": {"prompts": "disamb", "guidance_scale": 1.0},
    }
    params["generate"] |= {key: getattr(SETTINGS, key) for key in ("steps", "height", "width")}
    params["generate"] |= {"dtype": "float32", "batch_size": 4}
    params["queries"]["appendix_b"] |= {"wnid": WNIDS[0], "images": 5}
    params["queries"]["figure3"] |= {"wnids": WNIDS[:1], "images": 2}
    params["train"]["classifier"] |= {"epochs": 3, "batch_size": 5, "micro_batch_size": 5}
    layout.PARAMS.write_text(yaml.safe_dump(params, sort_keys=False))
    write_prompts("synset", {"n01580077": "jay", "n01847000": "drake"})
    for name in ("disamb", "disamb10"):
        write_prompts(name, {"n01580077": "a bird of type jay", "n01847000": "drake"})
    return tmp_path


def write_prompts(name: str, prompts: dict[str, str]) -> None:
    rows = [
        [wnid, split, number, prompts[wnid], derive_seed(0, wnid, split, number)]
        for wnid in prompts
        for split, count in COUNTS.items()
        for number in range(count)
    ]
    layout.IMAGE_PROMPTS.mkdir(parents=True, exist_ok=True)
    columns = ["wnid", "split", "number", "prompt", "seed"]
    pd.DataFrame(rows, columns=columns).to_parquet(layout.prompts(name), index=False)


def settings_of_sets() -> dict[str, ImageSettings]:
    unguided = replace(SETTINGS, guidance_scale=1.0)
    return {"synset": SETTINGS, "disamb": SETTINGS, "disamb10": unguided}


def write_tars(name: str, wnid: str, jpeg: bytes) -> None:
    """Write the finished tars of a class, as `generate` would."""
    for job in plan_set(name, settings_of_sets()[name], ImageStock(name)):
        if job.rows[0].wnid == wnid:
            samples = [
                Sample(key=row.key, jpg=jpeg, cls=0, txt=row.prompt, json={"digest": digest})
                for row, digest in zip(job.rows, job.digests, strict=True)
            ]
            write_class_tar(job.tar, samples)


def test_a_class_that_two_sets_share_is_drawn_and_cached_once(world: Path) -> None:
    synset, disamb, disamb10 = sets_needs(settings_of_sets(), set())[0]
    assert (synset.images, synset.to_make, synset.to_write, synset.to_cache) == (20, 20, 20, 20)
    assert (disamb.images, disamb.to_make, disamb.to_write, disamb.to_cache) == (20, 10, 20, 10)
    assert disamb.donors == {"synset": 10}
    assert (disamb10.to_make, disamb10.to_cache, disamb10.donors) == (20, 20, {})


def test_what_is_on_disk_is_not_needed_again(world: Path) -> None:
    write_tars("disamb", "n01847000", b"x" * 3000)
    synset, disamb, _ = sets_needs(settings_of_sets(), set())[0]
    # The drake that disamb has is copied to synset, in a tar that DVC's cache has already.
    assert (synset.to_make, synset.to_write, synset.to_cache) == (10, 20, 10)
    assert synset.donors == {"disamb": 10}
    assert (disamb.to_make, disamb.to_write, disamb.to_cache) == (10, 10, 10)
    tars = [layout.shard("disamb", split, "n01847000") for split in SPLITS]
    assert disamb.finished_bytes == sum(tar.stat().st_size for tar in tars)
    assert disamb.finished_images == 10


def test_a_tar_under_way_needs_what_it_lacks(world: Path) -> None:
    write_tars("disamb10", "n01580077", b"x")
    whole = layout.shard("disamb10", "train", "n01580077")
    samples = 3 * (4 * 512 + 4 * 512)  # three images of four headers and four small members
    layout.partial(whole).write_bytes(whole.read_bytes()[:samples])
    whole.unlink()
    needs = sets_needs(settings_of_sets(), set())[0][2]
    assert (needs.to_make, needs.to_write, needs.to_cache) == (13, 13, 16)


def test_the_counts_are_those_of_the_stage(world: Path) -> None:
    write_tars("synset", "n01580077", b"x")
    for needs in sets_needs({"synset": SETTINGS}, set())[0]:
        jobs = plan_set("synset", SETTINGS, ImageStock("synset"))
        assert needs.to_make == sum(job.to_make for job in jobs) == 10


def test_sets_of_other_classes_are_refused(world: Path) -> None:
    write_prompts("disamb", {"n01580077": "jay"})
    with pytest.raises(InputError, match=r"not of the same classes: .*`dvc repro prompts`"):
        sets_needs(settings_of_sets(), set())


def test_only_what_is_asked_for_is_kept_for_the_queries(world: Path) -> None:
    promised = sets_needs(settings_of_sets(), {"n01580077"})[1]
    assert len(promised) == 30  # synset, disamb and disamb10 each draw ten jays of their own
    assert set(promised.values()) == {"synset", "disamb", "disamb10"}


def test_steps_of_training_by_hand() -> None:
    needs = TrainingNeeds(
        image_set="a", images=1_281_167, known=True, classifiers=2, epochs=350, batch_size=1024
    )
    assert needs.steps == 1251 * 350 * 2
    assert needs.images_seen == 1251 * 350 * 2 * 1024


def test_classifiers_are_trained_where_images_change_or_they_are_missing(world: Path) -> None:
    layout.classifiers("natural").mkdir(parents=True)
    layout.classifiers("kept").mkdir()
    layout.classifiers("changed").mkdir()
    sets = [
        SetNeeds(name="kept", settings=SETTINGS, images=9),
        SetNeeds(name="changed", settings=SETTINGS, images=9, to_write=1),
        SetNeeds(name="missing", settings=SETTINGS, images=9),
    ]
    needs = trainings_needs(sets, 12, seeds=3, epochs=2, batch_size=5)
    assert [each.image_set for each in needs] == ["changed", "missing"]
    assert {each.steps for each in needs} == {12 // 5 * 2 * 3}
    shutil.rmtree(layout.classifiers("natural"))
    natural = trainings_needs(sets, 12, seeds=3, epochs=2, batch_size=5)[0]
    assert (natural.image_set, natural.known) == ("natural", False)


def test_several_devices_share_the_work_evenly() -> None:
    lines = copies_table({"drawing": 80.0 * 3600, "training": 8.0 * 3600}, "cuda").splitlines()
    assert lines[0].split() == ["copies", "of", "cuda", "1", "2", "4", "8"]
    assert lines[1].split("  ")[-1].strip() == "10 h"
    assert lines[3].split()[:3] == ["all", "3.7", "d"]
    unknown = copies_table({"drawing": 80.0, "training": None}, "cuda").splitlines()
    assert unknown[3].split() == ["all", "?", "?", "?", "?"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "?"), (0, "0 s"), (119, "119 s"), (120, "2.0 min"), (7200, "2.0 h"), (90000, "25 h")],
)
def test_times_read_well(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_sizes_read_well() -> None:
    assert [size(n) for n in (None, 2048, 3 * 2**20, 50 * 2**30)] == [
        *("?", "2 KiB", "3.0 MiB", "50 GiB")
    ]


def drawn(needs: SetNeeds) -> DrawnSet:
    return DrawnSet(needs=needs, seconds_per_image=0.5, bytes_per_image=1024.0, at_most=False)


def test_the_table_adds_up() -> None:
    sets = [
        SetNeeds(name="a", settings=SETTINGS, images=1_000, to_make=1_000, to_write=1_000),
        SetNeeds(name="b", settings=SETTINGS, images=1_000, to_make=400, to_write=1_000),
    ]
    sets[1].donors["a"] = 600
    lines = sets_table([drawn(each) for each in sets]).splitlines()
    assert lines[1].split() == ["a", "7.5", "2", "1,000", "0", "1,000", "8.3", "min", "1000", "KiB"]
    assert "400  3.3 min  1000 KiB        600 a" in lines[2]
    assert lines[3].split() == ["all", "2,000", "600", "1,400", "12", "min", "2.0", "MiB"]


DISK = Disk(
    to_write=30.0 * 2**30,
    to_cache=20.0 * 2**30,
    at_most=False,
    shared=False,
    one_disk=True,
    free=45 * 2**30,
    free_for_cache=45 * 2**30,
)


@pytest.mark.parametrize(
    ("change", "enough"),
    [
        ({}, False),  # 30 + 20 > 45
        ({"shared": True}, True),
        ({"free": 51 * 2**30}, True),
        ({"one_disk": False, "free_for_cache": 21 * 2**30}, True),
        ({"one_disk": False, "free_for_cache": 19 * 2**30}, False),
        ({"to_write": None}, True),
    ],
)
def test_a_disk_that_is_too_small_is_told(change: dict[str, object], enough: bool) -> None:
    said = replace(DISK, **change).sentences()
    assert said.endswith(" THAT IS NOT ENOUGH.") != enough


def test_the_cache_takes_as_much_again_only_without_reflinks() -> None:
    assert "DVC's cache takes 20 GiB more" in DISK.sentences()
    assert "shares their blocks (reflinks)" in replace(DISK, shared=True).sentences()


def test_whether_two_folders_share_blocks_is_tried_on_the_file_system(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other" / "not" / "there"
    one.mkdir()
    assert same_disk(one, other)
    # cp knows: it fails where the file system cannot.
    (one / "file").write_bytes(b"content")
    cp = shutil.which("cp")
    assert cp is not None
    copied = subprocess.run(
        [cp, "--reflink=always", one / "file", one / "copy"], capture_output=True, check=False
    )
    assert share_blocks(one, other) == (copied.returncode == 0)
    assert not other.exists() and nearest(other) == tmp_path


def test_the_command_says_counts_before_anything_was_made_or_measured(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan()
    said = capsys.readouterr().out
    assert "data/models/text_to_image is not there yet" in said
    row = next(line for line in said.splitlines() if line.startswith("disamb "))
    assert row.split() == ["disamb", "7.5", "2", "20", "10", "10", "?", "?", "10", "synset"]
    # Figure 3 has two jays at each of four scales: those at 7.5 and 1.0 will have been drawn.
    row = next(line for line in said.splitlines() if line.startswith("queries figure3 7.5"))
    assert row.split()[3:9] == ["7.5", "2", "2", "2", "0", "0"] and row.endswith("  2 disamb")
    natural = next(line for line in said.splitlines() if line.startswith("natural "))
    assert natural.split() == ["natural", "12", "?", "3", "3", "18", "?"]
    assert "Disk: ? of tars." in said


def test_what_was_measured_is_foretold_and_remembered(
    world: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    save_text_to_image(layout.TEXT_TO_IMAGE)
    monkeypatch.setattr(machine_trials, "in_a_process", lambda trial, *a: remember(trial(*a)))
    monkeypatch.setattr(machine_trials, "SECONDS", 0.2)
    monkeypatch.setattr(machine_trials, "TIMED", 0.2)
    plan(measure=True)
    measured = capsys.readouterr().out
    assert "?" not in measured.partition("classifiers of")[0]
    assert "GiB drawing 4 at a time" in measured and "GiB training" in measured
    plan()
    again = capsys.readouterr().out
    table = measured.partition("\n\n")[2].partition("copies of")[0]  # of sets, of trainings
    assert table and table in again
    generator = folder_digest(layout.TEXT_TO_IMAGE)
    rates = Rates(replace(SETTINGS, generator=generator), "cpu")
    assert (rates.seconds_per_image or 0) > 0
    # What is drawn for the plan is as large as what will be stored.
    assert 400 < (rates.bytes_per_jpeg or 0) < 5_000


def test_the_time_of_a_long_drawing_is_foretold_from_a_short_one(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An image of a second and 0.25 s a step takes 13.5 s with 50 steps."""
    times = {2: 1.5, 4: 2.0}
    monkeypatch.setattr(
        machine_trials, "_draw", lambda s, *rest: (times[s.steps], 1_000.0 * s.steps)
    )
    machine = machine_trials.Machine(device="cpu", threads=1, workers=0)
    settings = replace(SETTINGS, steps=50, batch_size=16)
    figures = machine_trials.try_drawing(settings, "jay", machine)
    rates = Rates(settings, "cpu")
    assert figures[rates.seconds_key] == pytest.approx(13.5)
    assert rates.bytes_key not in figures and figures[rates.half_drawn_key] == 4_000


def test_a_figure_that_was_damaged_is_one_that_is_not_known(world: Path) -> None:
    remember({"a": 1.0})
    assert recall("a") == 1.0
    layout.MACHINE_FIGURES.write_text("{")
    assert recall("a") is None
    assert TAR_BYTES == 4352  # of which the JPEG's own bytes are no part


def test_training_is_timed_for_the_classifier_as_it_is_set(world: Path) -> None:
    params = yaml.safe_load(layout.PARAMS.read_text())
    sizes = {"batch_size": 4, "micro_batch_size": 2}
    settings = ClassifierSettings(**params["train"]["classifier"] | sizes)
    machine = machine_trials.Machine(device="cpu", threads=1, workers=0)
    figures = machine_trials.try_training(settings, 2, machine)
    seconds = figures.pop(machine_trials.training_key(settings, "cpu"))
    memory = figures.pop(machine_trials.training_memory_key(settings, "cpu"))
    assert seconds >= 0 and math.isfinite(seconds) and memory > 0 and not figures
