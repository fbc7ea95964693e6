"""Killed at any point, the stage goes on where it was, and ends with the same bytes."""

import errno
import json
import os
import signal
import subprocess
import sys
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from filelock import FileLock

from synset_factory import layout, trainings
from synset_factory.checkpoints import FileStore
from synset_factory.config import NATURAL, load_common, load_section
from synset_factory.errors import InputError
from synset_factory.records import TRAIN
from synset_factory.shards.reader import read_index
from synset_factory.stages import train
from tests.small_sets import write_params, write_small_set

IMAGES = 60  # of training, in six batches
EPOCHS, SEEDS = 3, 2
# The stage as it is, but that it keeps every epoch, counts the images that it reads, and kills
# itself at one of them.
RUNNER = """
import json, os, signal, sys
from pathlib import Path
from synset_factory import trainings
from synset_factory.shards.reader import JpegDataset
from synset_factory.stages import train

trainings.CHECKPOINT_SECONDS = 0.0
last, reads, read = int(sys.argv.pop()), 0, JpegDataset.__getitem__

def counted(self, i):
    global reads
    reads += 1
    if reads == last:
        os.kill(os.getpid(), signal.SIGKILL)
    return read(self, i)

JpegDataset.__getitem__ = counted
train.main()
Path("reads.json").write_text(json.dumps(reads))
"""


def lower_params(**classifier: object) -> None:
    params = yaml.safe_load(layout.PARAMS.read_text())
    params["threads"] = 1
    params["run"]["workers"] = 0
    params["train"]["seeds"] = SEEDS
    params["train"]["classifier"] |= {
        "model_args": {"channels": [8, 8, 8, 8], "stem_width": 8},
        "epochs": EPOCHS,
        "batch_size": 10,
        "micro_batch_size": 5,
        "ema_decay": 0.9,
        **classifier,
    }
    layout.PARAMS.write_text(yaml.safe_dump(params))


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_params()
    write_small_set("disamb")
    lower_params()


def run(kill_at: int = -1) -> int:
    """Run the stage in a process, which may kill itself at an image; return its exit status."""
    words = (sys.executable, "-c", RUNNER, "disamb", str(kill_at))
    source = str(Path(train.__file__).parents[2])
    done = subprocess.run(words, env=os.environ | {"PYTHONPATH": source}, capture_output=True)
    return done.returncode


def digests() -> dict[str, str]:
    root = layout.classifiers("disamb")
    return {
        path.relative_to(root).as_posix(): sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_a_killed_run_goes_on_with_the_second_seeds_second_epoch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reads_of_a_seed = IMAGES * EPOCHS
    assert run(kill_at=reads_of_a_seed + IMAGES + 15) == -signal.SIGKILL
    assert sorted(path.name for path in layout.trainings("disamb").iterdir()) == [
        "seed0.safetensors",
        "seed1.safetensors",
    ]
    # As DVC does before it runs a stage.
    (layout.classifiers("disamb") / "seed0" / "config.json").unlink()
    assert run() == 0
    assert json.loads(Path("reads.json").read_text()) == 2 * IMAGES
    assert not layout.trainings("disamb").exists()
    resumed = digests()
    assert len(resumed) == 2 * SEEDS
    # Undisturbed, here, with nothing kept in between.
    monkeypatch.setattr("sys.argv", ["train", "disamb"])
    train.main()
    assert digests() == resumed


def test_a_changed_setting_starts_anew_and_a_broken_loss_leaves_no_classifier(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["train", "disamb"])
    with monkeypatch.context() as patch:
        patch.setattr("synset_factory.models.classifier.save", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            train.main()
    assert layout.training("disamb", 0).exists()
    lower_params(optimizer="sgd", learning_rate=1e30)
    with pytest.raises(InputError, match="disamb seed 0: the loss is"):
        train.main()
    assert "another training" in capsys.readouterr().out
    assert not layout.classifiers("disamb").exists()


def test_a_second_run_beside_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["train", "disamb"])
    with (
        FileLock(layout.trainings_lock("disamb")),
        pytest.raises(InputError, match="data/models/classifiers/disamb is being written by"),
    ):
        train.main()
    assert not layout.trainings("disamb").exists()


def test_a_full_disk_is_told_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("sys.argv", ["train", "disamb"])
    monkeypatch.setattr(FileStore, "write", full)
    lower_params(epochs=1, warmup_epochs=0)
    with pytest.raises(InputError, match="The disk is full: make room for data/models/classifiers"):
        train.main()


def test_a_classifier_of_others_leaves_no_interrupted_training(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_small_set(NATURAL)
    params = yaml.safe_load(layout.PARAMS.read_text())
    params["train"]["natural_from"] = "data/models/pretrained/theirs"
    layout.PARAMS.write_text(yaml.safe_dump(params))
    FileStore(layout.training(NATURAL, 0)).write(b"of a training that was broken off")
    monkeypatch.setattr("sys.argv", ["train", NATURAL])
    monkeypatch.setattr(train, "pretrained_folder", Path)
    monkeypatch.setattr(train, "pretrained_classifier", lambda *_: None)
    monkeypatch.setattr("synset_factory.models.classifier.save", lambda *_: None)
    train.main()
    assert not layout.trainings(NATURAL).exists()


@pytest.mark.parametrize("library", ["numpy", "pillow", "timm", "torch", "torchvision"])
def test_another_librarys_version_is_another_training(
    library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = read_index("disamb", TRAIN)
    common, config = load_common(), load_section(train.TrainConfig, "train")
    told = [trainings._what_determines(index, ["a"], config.classifier, 0, common)]
    other = "synset_factory.trainings.version"
    monkeypatch.setattr(other, lambda of: "0.0" if of == library else version(of))
    told.append(trainings._what_determines(index, ["a"], config.classifier, 0, common))
    assert told[0] != told[1]


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
