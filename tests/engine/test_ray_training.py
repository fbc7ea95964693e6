"""A training on a cluster: the batches of one process, and no end when a process or node is lost.

Two nodes on this machine, which share no folder that the code knows of.
"""

import errno
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest
import torch
from torch import distributed, nn

from synset_factory import layout, trainings
from synset_factory.checkpoints import Checkpoints, FileStore
from synset_factory.config import RAY, Common, load_common
from synset_factory.engine.ray_cluster import ray_cluster, versions
from synset_factory.errors import InputError
from synset_factory.models.classifier import ClassifierSettings
from synset_factory.models.training import train
from synset_factory.records import TRAIN
from synset_factory.shards.reader import JpegDataset, read_index
from tests.small_sets import REPOSITORY, write_params, write_small_set
from tests.small_trainings import SETTINGS

pytestmark = pytest.mark.usefixtures("one_thread")

LABEL = "disamb seed 0"
EPOCHS = 3
# Without batch norm, whose running statistics are one process's, and by small steps, so that
# what is rounded otherwise stays small.
PLAIN = replace(
    SETTINGS,
    model="test_vit",
    model_args={"img_size": 32, "drop_rate": 0.2},
    epochs=EPOCHS,
    batch_size=12,
    micro_batch_size=3,
    optimizer="sgd",
    learning_rate=1e-2,
    ema_decay=0.5,
    rand_augment="",
)


@dataclass(frozen=True)
class KillingStore:
    """Keeps checkpoints in a file, and kills a process that trains when the first comes."""

    path: Path

    def read(self) -> bytes | None:
        return FileStore(self.path).read()

    def write(self, content: bytes) -> None:
        first = not self.path.exists()
        FileStore(self.path).write(content)
        if first:
            os.kill(trainers()[-1].pid, signal.SIGKILL)
            self.path.with_suffix(".killed").touch()


@dataclass(frozen=True)
class InterruptingStore:
    """Sends Ctrl-C to the run when the first checkpoint comes."""

    run: int  # its process

    def read(self) -> None:
        return None

    def write(self, content: bytes) -> None:
        os.kill(self.run, signal.SIGINT)


@dataclass(frozen=True)
class FullStore:
    """There is no room for a checkpoint."""

    def read(self) -> None:
        return None

    def write(self, content: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "checkpoint")


def trainers() -> list[psutil.Process]:
    """The processes that train: the two of this test's cluster, which has a home of its own."""
    home = os.environ["HOME"]
    named = [p for p in psutil.process_iter() if "TrainWorker" in " ".join(_told(p.cmdline) or [])]
    return [p for p in named if (_told(p.environ) or {}).get("HOME") == home]


def _told(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except psutil.Error:
        return None


@pytest.fixture(scope="module")
def common(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Common]:
    """A folder with a small set, and a cluster of two nodes with a core each."""
    folder = tmp_path_factory.mktemp("ray_training")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("HOME", str(folder / "home"))  # where the second node keeps images
        patch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        # Else Ray kills what works when others fill the machine's memory.
        patch.setenv("RAY_memory_monitor_refresh_ms", "0")
        patch.setenv("PYTHONPATH", f"{REPOSITORY / 'src'}{os.pathsep}{REPOSITORY}")
        write_params()
        write_small_set("disamb")
        from ray.cluster_utils import Cluster

        head = {"num_cpus": 1, "include_dashboard": False}
        cluster = Cluster(initialize_head=True, head_node_args=head)
        cluster.add_node(num_cpus=1)
        here = load_common()
        run = replace(here.run, engine=RAY, address=cluster.address, workers=0, replicas=2)
        try:
            with ray_cluster(replace(here, threads=1, run=run)):
                yield replace(here, threads=1, run=run)
        finally:
            cluster.shutdown()


def train_there(settings: ClassifierSettings, common: Common, store: Any) -> nn.Module:
    """Train on the cluster, and return what its last checkpoint holds."""
    from synset_factory.engine.ray_training import train_on_cluster

    index = read_index("disamb", TRAIN)
    checkpoints = Checkpoints(store, {}, seconds=0.0)
    train_on_cluster("disamb", index, class_names(index), settings, 7, common, checkpoints, LABEL)
    known = checkpoints.read()
    assert known.epochs == settings.epochs
    return train_here(settings, checkpoints)


def train_here(settings: ClassifierSettings, checkpoints: Checkpoints | None = None) -> nn.Module:
    index = read_index("disamb", TRAIN)
    return train(
        JpegDataset("disamb", index),
        class_names(index),
        settings,
        7,
        device="cpu",
        workers=0,
        label=LABEL,
        checkpoints=checkpoints,
    )


def class_names(index: pd.DataFrame) -> list[str]:
    return list(index.drop_duplicates("cls").sort_values("cls")["wnid"])


def test_two_processes_train_what_one_does_though_one_is_killed(common: Common) -> None:
    store = KillingStore(Path("killed/seed0.safetensors").absolute())
    found = train_there(PLAIN, common, store).state_dict()
    assert store.path.with_suffix(".killed").exists()
    expected = train_here(PLAIN).state_dict()
    start = train_here(replace(PLAIN, learning_rate=0.0)).state_dict()
    assert any((expected[name] - start[name]).abs().max() > 1e-3 for name in expected)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-5)
    # The second node got its images once, whole, and nothing else.
    copies = sorted(Path(os.environ["HOME"]).rglob("*.tar"))
    tars = sorted(layout.shards("disamb").glob("train/*.tar"))
    assert [path.read_bytes() for path in copies] == [path.read_bytes() for path in tars]


def test_one_process_of_a_cluster_trains_the_very_bytes(common: Common) -> None:
    alone = replace(common, run=replace(common.run, replicas=1))
    settings = replace(SETTINGS, epochs=2)
    found = train_there(settings, alone, FileStore(Path("alone.safetensors").absolute()))
    expected = train_here(settings).state_dict()
    for name, value in found.state_dict().items():
        assert torch.equal(value, expected[name])


def test_ctrl_c_interrupts_a_training_and_means_the_same_afterwards(common: Common) -> None:
    alone = replace(common, run=replace(common.run, replicas=1))
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train_there(replace(PLAIN, epochs=10**6), alone, InterruptingStore(os.getpid()))
    assert signal.getsignal(signal.SIGINT) is before


class Retrier:
    """Runs the work in this process, twice if it fails, as Ray Train does with others."""

    def __init__(self, work: Callable[[Any], None], train_loop_config: Any, **_: object) -> None:
        self.work, self.config = work, train_loop_config

    def fit(self) -> None:
        try:
            self.work(self.config)
        except Exception:
            self.work(self.config)  # knows by now that it is of no use


class Alone:
    def get_world_rank(self) -> int:
        return 0

    def get_world_size(self) -> int:
        return 1


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    from synset_factory.engine import ray_training

    monkeypatch.setattr(ray_training, "TorchTrainer", Retrier)
    monkeypatch.setattr("ray.train.get_context", Alone)
    monkeypatch.setattr(ray_training, "get_device", lambda: "cpu")


@pytest.mark.usefixtures("in_this_process")
def test_a_full_disk_of_the_run_is_its_own_error_after_one_attempt(common: Common) -> None:
    with pytest.raises(OSError, match="No space left") as raised:
        train_there(PLAIN, common, FullStore())
    assert raised.value.errno == errno.ENOSPC  # for which the stage has a sentence


@pytest.mark.usefixtures("in_this_process")
def test_a_fault_of_ours_is_told_with_its_traceback_after_one_attempt(
    common: Common, monkeypatch: pytest.MonkeyPatch
) -> None:
    from synset_factory.engine import ray_training

    attempts = []

    def faulty(*_: object, **__: object) -> None:
        attempts.append(1)
        raise ZeroDivisionError

    monkeypatch.setattr(ray_training, "train", faulty)
    store = FileStore(Path("faulty.safetensors").absolute())
    with pytest.raises(RuntimeError, match=r"(?s)seed 0, a process on .*in faulty.*ZeroDivision"):
        train_there(PLAIN, common, store)
    assert len(attempts) == 1


def test_only_what_a_lost_process_may_leave_to_the_others_is_tried_again() -> None:
    from ray.exceptions import ObjectLostError, RayTaskError

    from synset_factory.engine.ray_training import is_final

    of_home = RayTaskError("keep", "traceback", OSError(errno.ENOSPC, "No space left on device"))
    for ours in (InputError(""), KeyError(""), OSError(), torch.OutOfMemoryError(""), of_home):
        assert is_final(ours, 1) and is_final(ours, 2)
    for shared in (RuntimeError("peer"), distributed.DistBackendError("peer")):
        assert is_final(shared, 1) and not is_final(shared, 2)
    lost = ObjectLostError("00", None, "")
    assert not is_final(lost, 1) and not is_final(lost, 2)


@pytest.mark.usefixtures("in_this_process")
def test_a_loss_that_breaks_there_is_told_once_in_a_sentence(common: Common) -> None:
    store = FileStore(Path("broken.safetensors").absolute())
    with pytest.raises(InputError, match="disamb seed 0: the loss is"):
        train_there(replace(SETTINGS, optimizer="sgd", learning_rate=1e30), common, store)
    assert not store.path.exists()


def test_more_processes_than_devices_are_refused(common: Common) -> None:
    many = replace(common, run=replace(common.run, replicas=3))
    with pytest.raises(InputError, match=r"replicas is 3, but .* room for 2 processes, .* 1 CPU"):
        train_there(PLAIN, many, FileStore(Path("many.safetensors")))


def test_cores_of_two_nodes_are_no_room_for_one_process(common: Common) -> None:
    wide = replace(common, threads=2, run=replace(common.run, replicas=1))
    with pytest.raises(InputError, match=r"replicas is 1, but .* room for 0 processes, .* 2 CPU"):
        train_there(PLAIN, wide, FileStore(Path("wide.safetensors")))


def test_libraries_of_other_versions_are_refused(
    common: Common, monkeypatch: pytest.MonkeyPatch
) -> None:
    from synset_factory.engine import ray_training

    here = versions()
    monkeypatch.setattr(ray_training, "versions", lambda: here | {"timm": "0.1"})
    monkeypatch.setattr(ray_training, "TorchTrainer", Retrier)
    monkeypatch.setattr("ray.train.get_context", Alone)
    alone = replace(common, run=replace(common.run, replicas=1))
    store = FileStore(Path("other.safetensors").absolute())
    with pytest.raises(InputError, match=r"has timm .*, but the machine of the run 0\.1: install"):
        train_there(PLAIN, alone, store)


def test_images_of_another_set_are_deleted_unless_it_is_trained_at_the_time(tmp_path: Path) -> None:
    from synset_factory.engine.ray_training import drop_others, held

    own, used, done = folders = [tmp_path / name for name in ("own", "used", "done")]
    for folder in folders:
        folder.mkdir()
        (folder / "n1.tar").touch()
    with held(own), held(used), held(used):
        with held(done):
            pass
        drop_others(own)
        assert (own / "n1.tar").exists() and (used / "n1.tar").exists() and not done.exists()
        drop_others(used)
        assert (own / "n1.tar").exists()
    drop_others(own)
    assert own.exists() and not used.exists()


@pytest.mark.parametrize("column", ["tar", "offset", "size", "sha256"])
def test_a_node_keeps_tars_only_as_long_as_each_image_lies_where_it_lay(
    column: str, common: Common
) -> None:
    from synset_factory.engine.ray_training import tars_digest

    index = read_index("disamb", TRAIN)
    other = index.copy()
    other.loc[index.index[-1], column] = index[column].iloc[-1] * 2
    assert tars_digest(other) != tars_digest(index) == tars_digest(index.copy())


def test_one_process_on_this_machine_alone_trains_without_ray(
    common: Common, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainings, "ray_cluster", None)
    alone = replace(common, run=replace(common.run, address="", replicas=1))
    index = read_index("disamb", TRAIN)
    settings = replace(PLAIN, epochs=1)
    found = trainings.trained_classifier("disamb", index, settings, 7, 0, alone).state_dict()
    for name, value in train_here(settings).state_dict().items():
        assert torch.equal(found[name], value)
