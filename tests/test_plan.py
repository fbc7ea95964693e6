"""`synset-factory plan`: what is foretold is what would be made, and the arithmetic is right."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import torch
import yaml

from synset_factory import drawing, layout
from synset_factory.commands.plan import plan
from synset_factory.config import Run, load_common
from synset_factory.errors import InputError
from synset_factory.folder_digest import folder_digest
from synset_factory.generation_plan import plan_set
from synset_factory.machine_figures import Rates, recall, remember
from synset_factory.models.classifier import ClassifierSettings
from synset_factory.planning import trials
from synset_factory.planning.needs import (
    TAR_BYTES,
    EmbeddingNeeds,
    SetNeeds,
    TrainingNeeds,
    clip_width,
    embedding_needs,
    nearest,
    same_disk,
    sets_needs,
    share_blocks,
    trainings_needs,
)
from synset_factory.planning.report import (
    Disk,
    DrawnSet,
    copies_table,
    duration,
    sets_table,
    sharing,
    size,
)
from synset_factory.records import SPLITS, ImageSettings
from synset_factory.seeds import derive_seed
from synset_factory.shards.image_stock import ImageStock
from synset_factory.shards.writer import Sample, write_class_tar
from synset_factory.worlds.miniature.clip import write_config
from tests.tiny_models import CLIP, IMAGE_SETTINGS, save_text_to_image

REPOSITORY = Path(__file__).parents[1]
WNIDS = ["n01580077", "n01847000"]
COUNTS = {"train": 6, "validation": 4}
SETTINGS = replace(IMAGE_SETTINGS, jpeg_quality=92)


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
    for name in ("natural", "kept", "changed"):
        (layout.classifiers(name) / "seed2").mkdir(parents=True)
    (layout.classifiers("broken_off") / "seed1").mkdir(parents=True)
    sets = [
        SetNeeds(name="kept", settings=SETTINGS, images=9),
        SetNeeds(name="changed", settings=SETTINGS, images=9, to_write=1),
        SetNeeds(name="missing", settings=SETTINGS, images=9),
        SetNeeds(name="broken_off", settings=SETTINGS, images=9),
    ]
    needs = trainings_needs(sets, 12, natural=True, seeds=3, epochs=2, batch_size=5)
    assert [each.image_set for each in needs] == ["changed", "missing", "broken_off"]
    assert {each.steps for each in needs} == {12 // 5 * 2 * 3}
    shutil.rmtree(layout.classifiers("natural"))
    natural = trainings_needs(sets, 12, natural=True, seeds=3, epochs=2, batch_size=5)[0]
    assert (natural.image_set, natural.known) == ("natural", False)


def test_a_natural_classifier_of_others_is_not_trained(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    params = yaml.safe_load(layout.PARAMS.read_text())
    params["train"]["natural_from"] = "data/models/pretrained/resnet"
    layout.PARAMS.write_text(yaml.safe_dump(params, sort_keys=False))
    plan()
    table = capsys.readouterr().out.partition("classifiers of")[2].partition("\n\n")[0]
    rows = [line.split()[0] for line in table.splitlines()[1:]]
    assert rows == ["synset", "disamb", "disamb10", "all"]


def test_what_has_no_embeddings_is_embedded(world: Path) -> None:
    layout.EMBEDDINGS.mkdir(parents=True)
    layout.embeddings("synset").touch()
    layout.embeddings("disamb10").touch()
    sets = [
        SetNeeds(name="synset", settings=SETTINGS, images=20),
        SetNeeds(name="disamb", settings=SETTINGS, images=20),
        SetNeeds(name="disamb10", settings=SETTINGS, images=20, to_write=1),
    ]
    # Natural images, and two sets of one prompt for each of two classes and two splits.
    assert embedding_needs(sets, 7) == EmbeddingNeeds(images=7 + 20 + 20, prompts=2 * 4)
    layout.shards("natural").mkdir(parents=True)
    pd.DataFrame({"split": ["train"] * 5 + ["validation"]}).to_parquet(layout.index("natural"))
    assert embedding_needs(sets[:1], 7) == EmbeddingNeeds(images=6, prompts=0)
    layout.embeddings("natural").touch()
    assert embedding_needs(sets[:1], 7) == EmbeddingNeeds(images=0, prompts=0)


def test_embeddings_take_four_bytes_a_dimension(world: Path) -> None:
    needs = EmbeddingNeeds(images=100, prompts=10)
    assert clip_width() is None and needs.bytes_to_write(None) is None
    assert EmbeddingNeeds(images=0, prompts=0).bytes_to_write(None) == 0
    write_config(CLIP, layout.CLIP)
    assert needs.bytes_to_write(clip_width()) == 110 * 4 * CLIP.embed_dim


def test_what_was_measured_of_one_clip_does_not_stand_for_another(world: Path) -> None:
    write_config(CLIP, layout.CLIP)
    one = trials.embedding_key("cpu", 1)
    write_config(replace(CLIP, image_size=64), layout.CLIP)
    assert trials.embedding_key("cpu", 1) != one


def test_several_devices_share_the_work_evenly() -> None:
    hours = {"drawing": 80.0 * 3600, "training": 8.0 * 3600}
    lines = copies_table(hours, "cuda", 8).splitlines()
    assert len(lines) == 4
    assert lines[0].split() == ["copies", "of", "cuda", "1", "2", "4", "8"]
    assert lines[1].split("  ")[-1].strip() == "10 h"
    assert lines[3].split()[:3] == ["all", "3.7", "d"]
    unknown = copies_table({"drawing": 80.0, "training": None}, "cuda", 8).splitlines()
    assert unknown[3].split() == ["all", "?", "?", "?", "?"]


def test_no_more_copies_train_than_share_the_micro_batches_evenly() -> None:
    hours = {"drawing": 24.0 * 3600, "training": 24.0 * 3600}
    _, drawing_row, training, together, note = copies_table(hours, "cuda", 6).splitlines()
    assert drawing_row.split()[1::2] == ["24", "12", "6.0", "3.0"]
    assert training.split()[1::2] == ["24", "12", "8.0", "4.0"]  # with 1, 2, 3 and 6 copies
    assert together.split()[1::2] == ["2.0", "24", "14", "7.0"]
    assert "It has 6, so `train` takes no run.replicas of 4 or 8:" in note
    assert [sharing(1, copies) for copies in (1, 2, 4, 8)] == [1, 1, 1, 1]


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
    embeddings=0.0,
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
        ({"to_write": None, "to_cache": 46.0 * 2**30}, False),
        ({"shared": True, "embeddings": 16.0 * 2**30}, False),  # 30 + 16 > 45
        ({"free": 51 * 2**30, "embeddings": 2**30}, False),  # 30 + 20 + 1 + 1 > 51
        ({"one_disk": False, "free_for_cache": 21 * 2**30, "embeddings": 2.0 * 2**30}, False),
    ],
)
def test_a_disk_that_is_too_small_is_told(change: dict[str, object], enough: bool) -> None:
    said = replace(DISK, **change).sentences()
    assert said.endswith(" THAT IS NOT ENOUGH.") != enough


def test_the_cache_takes_as_much_again_only_without_reflinks() -> None:
    assert "DVC's cache takes 20 GiB more" in DISK.sentences()
    assert "shares their blocks (reflinks)" in replace(DISK, shared=True).sentences()
    elsewhere = replace(DISK, one_disk=False, embeddings=3.0 * 2**30).sentences()
    assert "30 GiB of tars, 3.0 GiB of embeddings. DVC's cache takes 23 GiB more" in elsewhere
    assert "it lies on another disk." in elsewhere and "reflinks" not in elsewhere
    unknown = replace(DISK, shared=None)  # 30 GiB, and maybe 20 more; there are 45
    assert "if this file system has reflinks (APFS has), and takes 20 GiB" in unknown.sentences()
    assert "NOT ENOUGH" not in unknown.sentences()
    assert "NOT ENOUGH" in replace(unknown, free=29 * 2**30).sentences()


def test_whether_folders_share_blocks_is_not_known_where_it_cannot_be_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert share_blocks(tmp_path, tmp_path) is None


@pytest.mark.skipif(sys.platform != "linux", reason="it is tried on Linux alone")
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
    assert "Disk: ? of tars, ? of embeddings." in said
    assert "Not counted: the natural images, which are not there yet" in said
    layout.shards("natural").mkdir(parents=True)
    pd.DataFrame({"split": ["train"] * 12}).to_parquet(layout.index("natural"))
    plan()
    assert "Not counted: the space of classifier_embed" in capsys.readouterr().out


def test_what_was_measured_is_foretold_and_remembered(
    world: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    save_text_to_image(layout.TEXT_TO_IMAGE)
    monkeypatch.setattr(trials, "in_a_process", lambda trial, *a: remember(trial(*a)))
    monkeypatch.setattr(trials, "SECONDS", 0.2)
    monkeypatch.setattr(trials, "TIMED", 0.2)
    monkeypatch.setattr(trials, "LONG_STEP", 1e9)  # tried up to the whole batch
    plan(measure=True)
    measured = capsys.readouterr().out
    assert "?" not in measured.partition("classifiers of")[0]
    assert "GiB drawing 4 at a time" in measured and "GiB training" in measured
    plan()
    again = capsys.readouterr().out
    table = measured.partition("\n\n")[2].partition("copies of")[0]  # of sets, of trainings
    assert table and table in again
    generator = folder_digest(layout.TEXT_TO_IMAGE)
    rates = Rates(replace(SETTINGS, generator=generator), "cpu", load_common().threads)
    assert (rates.seconds_per_image or 0) > 0
    # What is drawn for the plan is as large as what will be stored.
    assert 400 < (rates.bytes_per_jpeg or 0) < 5_000


def test_the_time_of_a_long_drawing_is_foretold_from_a_short_one(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An image of a second and 0.25 s a step takes 13.5 s with 50 steps."""
    times = {2: 1.5, 4: 2.0}
    monkeypatch.setattr(trials, "_draw", lambda s, *rest: (times[s.steps], 1_000.0 * s.steps))
    machine = trials.Machine(device="cpu", threads=1, workers=0)
    settings = replace(SETTINGS, steps=50, batch_size=16)
    figures = trials.try_drawing(settings, "jay", machine)
    rates = Rates(settings, "cpu", 1)
    assert figures[rates.seconds_key] == pytest.approx(13.5)
    assert rates.bytes_key not in figures and figures[rates.half_drawn_key] == 4_000


def test_what_was_measured_of_one_drawing_does_not_stand_for_a_slower_one() -> None:
    changes: list[dict[str, Any]] = [
        *({}, {"guidance_scale": 1.0}, {"steps": 3}, {"scheduler": "HeunDiscreteScheduler"}),
        *({"height": 64}, {"dtype": "float16"}, {"compile": True}, {"safety_checker": True}),
        *({"batch_size": 8}, {"generator": "other"}),
    ]
    keys = {Rates(replace(SETTINGS, **each), "cpu", 1).seconds_key for each in changes}
    keys |= {Rates(SETTINGS, "cpu", 2).seconds_key, Rates(SETTINGS, "cuda", 1).seconds_key}
    assert len(keys) == len(changes) + 2
    # A GPU is as fast, however many threads the CPU beside it has.
    assert Rates(SETTINGS, "cuda", 2).seconds_key in keys


@pytest.mark.parametrize(
    ("run", "sentence"),
    [
        ({"device": "cuda"}, "torch finds 0 CUDA devices here"),
        ({"device": "gpu"}, "'gpu' is no device of torch"),
        ({"device": "cuda", "engine": "ray", "address": "10.0.0.1:6379"}, "torch finds 0 CUDA"),
    ],
)
def test_nothing_is_tried_on_a_device_that_is_not_here(
    run: dict[str, str], sentence: str, world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    params = yaml.safe_load(layout.PARAMS.read_text())
    params["run"] |= run
    layout.PARAMS.write_text(yaml.safe_dump(params, sort_keys=False))
    with pytest.raises(InputError, match=sentence):
        plan(measure=True)
    plan()  # which may be asked for on another machine


def test_too_little_memory_for_a_trial_is_one_sentence(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trial() -> dict[str, float]:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(
        trials, "ProcessPoolExecutor", lambda count, mp_context: ThreadPoolExecutor(count)
    )
    with pytest.raises(InputError, match=r"too little memory .* lower generate\.batch_size, "):
        trials.in_a_process(trial)
    assert not layout.MACHINE_FIGURES.exists()


def test_a_figure_that_was_damaged_is_one_that_is_not_known(world: Path) -> None:
    remember({"a": 1.0})
    assert recall("a") == 1.0
    layout.MACHINE_FIGURES.write_text("{")
    assert recall("a") is None
    assert TAR_BYTES == 4352  # of which the JPEG's own bytes are no part


def test_training_is_timed_for_the_classifier_as_it_is_set(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is trained in truth; only the times are made up."""
    train, timed = trials._train, Timed()

    def train_and_tell(settings: ClassifierSettings, batch: int, steps: int, *rest: Any) -> float:
        assert train(settings, batch, steps, *rest) > 0
        return timed(settings, batch, steps)

    monkeypatch.setattr(trials, "_train", train_and_tell)
    params = yaml.safe_load(layout.PARAMS.read_text())
    sizes = {"batch_size": 4, "micro_batch_size": 2}
    settings = ClassifierSettings(**params["train"]["classifier"] | sizes)
    machine = trials.Machine(device="cpu", threads=1, workers=0)
    figures = trials.try_training(settings, 2, machine)
    seconds = figures.pop(trials.training_key(settings, "cpu", 1))
    memory = figures.pop(trials.training_memory_key(settings, "cpu", 1))
    assert seconds == pytest.approx(0.25) and memory > 0 and not figures
    # As one of these changes, so does what was measured.
    keys = {
        trials.training_key(each, "cpu", 1)
        for each in (
            settings,
            replace(settings, amp="bfloat16"),
            replace(settings, micro_batch_size=4),
            replace(settings, batch_size=8),
            replace(settings, rand_augment="rand-m9-n2"),
            replace(settings, model_args={"drop_rate": 0.5}),
            replace(settings, optimizer="adamw"),
            replace(settings, ema_decay=0.75),
        )
    }
    assert len(keys) == 8
    assert trials.training_key(settings, "cpu", 2) not in keys


class Timed:
    """A training of known times: each image takes 0.25 s, the first process 60 s to start."""

    def __init__(self, an_image: float = 0.25) -> None:
        self.an_image, self.batches = an_image, list[int]()

    def __call__(
        self, settings: ClassifierSettings, batch: int, steps: int, *rest: object
    ) -> float:
        self.batches.append(batch)
        return (60.0 if len(self.batches) == 1 else 5.0) + self.an_image * batch * steps


def training_figures(
    monkeypatch: pytest.MonkeyPatch, timed: Timed, device: str
) -> tuple[float | None, float | None]:
    """Seconds an image and GiB, of a batch of 64 in two micro-batches."""
    params = yaml.safe_load((REPOSITORY / "params.yaml").read_text())
    sizes = {"batch_size": 64, "micro_batch_size": 32}
    settings = ClassifierSettings(**params["train"]["classifier"] | sizes)
    monkeypatch.setattr(trials, "_train", timed)
    machine = trials.Machine(device=device, threads=1, workers=0)
    figures = trials.try_training(settings, 2, machine)
    return (
        figures.get(trials.training_key(settings, device, 1)),
        figures.get(trials.training_memory_key(settings, device, 1)),
    )


def test_starting_a_device_is_no_part_of_a_training_step(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds, memory = training_figures(monkeypatch, Timed(), "cuda")
    assert seconds == pytest.approx(0.25) and memory is not None


def test_a_time_that_comes_out_as_none_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    assert training_figures(monkeypatch, Timed(an_image=0.0), "cuda")[0] is None


def test_memory_is_told_only_of_whole_micro_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    timed = Timed(an_image=2.0)  # two images are enough for a step that is long
    seconds, memory = training_figures(monkeypatch, timed, "cpu")
    assert timed.batches[-1] < 32 and memory is None and seconds is not None
    assert training_figures(monkeypatch, Timed(an_image=1e-3), "cpu")[1] is not None


class SlowAtFirst:
    """A text-to-image model whose first batch takes 600 s, and each other 2 s, by its clock."""

    def __init__(self, *settings: object) -> None:
        self.now, self.batches = 0.0, 0

    def draw(self, prompts: list[str], seeds: list[int]) -> int:
        self.batches += 1
        self.now += 600.0 if self.batches == 1 else 2.0
        return len(prompts)

    def encode(self, drawn: int) -> list[bytes]:
        return [b"jpeg"] * drawn

    def draw_jpegs(self, prompts: list[str], seeds: list[int]) -> list[bytes]:
        return self.encode(self.draw(prompts, seeds))


COMPILED = replace(SETTINGS, compile=True)


@pytest.mark.parametrize(
    ("settings", "device", "an_image"),
    [(COMPILED, "cpu", 0.5), (SETTINGS, "cuda", 0.5), (SETTINGS, "cpu", 604 / 12)],
)
def test_what_a_model_does_once_is_no_part_of_an_image(
    monkeypatch: pytest.MonkeyPatch, settings: ImageSettings, device: str, an_image: float
) -> None:
    model = SlowAtFirst()
    monkeypatch.setattr(drawing, "TextToImage", lambda *_: model)
    monkeypatch.setattr(drawing, "time", SimpleNamespace(perf_counter=lambda: model.now))

    def work(
        make_worker: Callable[[Path], drawing.Artist], *rest: object
    ) -> Iterator[drawing.Pictures]:
        artist = make_worker(layout.TEXT_TO_IMAGE)
        for _ in range(3):
            request = drawing.Request(prompts=["jay"] * 4, seeds=[0, 1, 2, 3])
            yield artist.finish(artist.compute(artist.prepare(request)))

    monkeypatch.setattr(drawing, "run_tasks", work)
    run = Run(device=device, workers=1, engine="local", address="", replicas=1)
    common = replace(load_common(REPOSITORY / "params.yaml"), run=run)
    studio = drawing.Studio([], settings, common)
    nothing = drawing.Chunk(rows=[], digests=[], jpegs=[], planned=0)
    studio.read.extend([nothing] * 3)
    for _ in range(3):
        studio.next_chunk()
    assert studio.seconds / studio.images == pytest.approx(an_image)


@pytest.mark.parametrize(("settings", "device"), [(COMPILED, "cpu"), (SETTINGS, "cuda")])
def test_a_trial_does_not_time_the_compiling(
    monkeypatch: pytest.MonkeyPatch, settings: ImageSettings, device: str
) -> None:
    model = SlowAtFirst()
    monkeypatch.setattr(trials, "TextToImage", lambda *_: model)
    monkeypatch.setattr(trials, "time", SimpleNamespace(perf_counter=lambda: model.now))
    machine = trials.Machine(device=device, threads=1, workers=0)
    figures = trials.try_drawing(settings, "jay", machine)
    assert figures[Rates(settings, device, 1).seconds_key] == pytest.approx(0.5)
