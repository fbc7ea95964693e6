"""A training by several processes of a Ray cluster, which share nothing but the network.

The images and the checkpoint lie on the machine of the run. There stands an actor that hands them
out and takes checkpoints in: another machine gets the tars of the set once, into the cache of the
user, and a lost process or machine costs what came after the last checkpoint.

Import it within `ray_cluster`: Ray reads its settings when it is imported.
"""

import fcntl
import shutil
import signal
import socket
import sys
import tempfile
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd
import ray
import ray.exceptions
import ray.train
import torch
from filelock import FileLock
from ray.train.torch import TorchConfig, TorchTrainer, get_device
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
from torch import distributed
from tqdm import tqdm

from synset_factory import layout
from synset_factory.checkpoints import Checkpoints, Store
from synset_factory.config import Common
from synset_factory.engine.courier import Courier
from synset_factory.engine.ray_cluster import check_versions, versions
from synset_factory.errors import InputError
from synset_factory.models.classifier import ClassifierSettings
from synset_factory.models.training import train
from synset_factory.models.training_batches import Share
from synset_factory.set_stage import pin_threads
from synset_factory.shards.reader import JpegDataset
from synset_factory.whole_files import whole_file

FAILURES = 3  # losses of a process after which a run gives up; the next one goes on
IMAGES = Path(".cache/synset_factory/images")  # in the user's folder on another machine
SHOWN = 0.5  # seconds from one look at the progress to the next


@dataclass(frozen=True)
class _Task:
    """What each process is told."""

    home: Any  # the handle of _Home
    home_node: str  # where it stands
    versions: dict[str, str]  # of the libraries there
    image_set: str
    shards: Path  # the set's folder there
    index: Any  # reference to the rows of the set's index
    owner: str  # tells this clone from other users of a node
    class_names: Sequence[str]
    settings: ClassifierSettings
    seed: int
    checkpoints: Checkpoints
    common: Common
    label: str


def train_on_cluster(
    image_set: str,
    index: pd.DataFrame,
    class_names: Sequence[str],
    settings: ClassifierSettings,
    seed: int,
    common: Common,
    checkpoints: Checkpoints,
    label: str,
) -> None:
    """Train with `run.replicas` processes until `checkpoints` has the finished training.

    Raises InputError as `train` does, if the cluster has too few devices, or if it loses
    processes again and again; OSError if a checkpoint cannot be kept; RuntimeError, with the
    traceback of the process, for any other error of the work itself.
    """
    _check_devices(common)
    here = ray.get_runtime_context().get_node_id()
    home = _start_home(layout.shards(image_set).absolute(), checkpoints.store, here)
    task = _Task(
        home=home,
        home_node=here,
        versions=versions(),
        image_set=image_set,
        shards=layout.shards(image_set).absolute(),
        index=ray.put(index[["tar", "offset", "size", "cls", "sha256"]]),
        owner=sha256(f"{socket.gethostname()} {Path.cwd()}".encode()).hexdigest()[:16],
        class_names=class_names,
        settings=settings,
        seed=seed,
        checkpoints=checkpoints,
        common=common,
        label=label,
    )
    with _progress_shown(home):
        _fit(task)


def _fit(task: _Task) -> None:
    """Let Ray Train run the processes, again when one is lost. Raises as `train_on_cluster`."""
    common = task.common
    is_cuda = torch.device(common.run.device).type == "cuda"
    with tempfile.TemporaryDirectory() as folder:  # Ray Train wants one; nothing of ours is there
        trainer = TorchTrainer(
            _work,
            train_loop_config={"task": task},
            torch_config=TorchConfig(backend="nccl" if is_cuda else "gloo"),
            scaling_config=ray.train.ScalingConfig(
                num_workers=common.run.replicas,
                use_gpu=is_cuda,
                resources_per_worker=_needs(common),
            ),
            run_config=ray.train.RunConfig(
                storage_path=folder,
                failure_config=ray.train.FailureConfig(max_failures=FAILURES),
            ),
        )
        try:
            with _own_ctrl_c():
                trainer.fit()
        except ray.train.TrainingFailedError as error:
            if not ray.get(task.home.final.remote()):
                if _tells_of_no_loss(error):
                    raise
                raise InputError(
                    f"{task.label}: Ray lost a process {FAILURES + 1} times, at last by: "
                    f"{str(error).strip().splitlines()[-1]}. `dvc repro` goes on after the last "
                    "checkpoint."
                ) from error
    final = ray.get(task.home.final.remote())
    if final:
        raise final


@contextmanager
def _own_ctrl_c() -> Iterator[None]:
    """Let Ctrl-C mean in Ray Train what it means elsewhere, and afterwards too.

    Ray Train takes the signal for itself, keeps it, and ends the process as if all were done.
    """
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit:
        raise KeyboardInterrupt from None
    finally:
        signal.signal(signal.SIGINT, before)


def _tells_of_no_loss(failed: ray.train.TrainingFailedError) -> bool:
    """Whether nothing but what `is_final` let pass ended the last attempt: a fault of ours, then,
    which keeps its traceback.
    """
    errors = getattr(failed, "worker_failures", {}).values()
    return bool(errors) and all(isinstance(error, RuntimeError) for error in errors)


def _needs(common: Common) -> dict[str, float]:
    """Return what a process takes of its node."""
    if torch.device(common.run.device).type == "cuda":
        return {"GPU": 1, "CPU": 1}
    return {"CPU": common.threads}


def _check_devices(common: Common) -> None:
    """Raise InputError if Ray would wait for ever for the processes' devices."""
    needs, replicas = _needs(common), common.run.replicas
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    room = sum(
        min(int(node.get(kind, 0) // each) for kind, each in needs.items()) for node in nodes
    )
    if room < replicas:
        each_needs = " and ".join(f"{each:g} {kind}" for kind, each in needs.items())
        raise InputError(
            f"{layout.PARAMS}: run.replicas is {replicas}, but the nodes of the Ray cluster have "
            f"room for {room} processes, each of which needs {each_needs} of one node: lower it, "
            "or add nodes."
        )


# ---- on the machine of the run ----


class _Home(Courier):
    """Hands out the set's tars, keeps the checkpoint, and hears how the training goes."""

    def __init__(self, shards: Path, store: Store) -> None:
        super().__init__(shards)
        self.store = store
        self.writing = threading.Lock()
        self.error: Exception | None = None
        self.text = ""

    def checkpoint(self) -> bytes | None:
        return self.store.read()

    def keep(self, content: bytes) -> None:
        # What a lost process has sent may still be written when another one's comes.
        with self.writing:
            try:
                self.store.write(content)
            except OSError as error:  # a full disk: as if the run itself had written
                self.give_up(error)
                raise

    def give_up(self, error: Exception) -> None:
        """Keep the first error that no other attempt would mend."""
        self.error = self.error or error

    def final(self) -> Exception | None:
        return self.error

    def show(self, text: str) -> None:
        """Keep what a progress bar has written since the last look."""
        self.text += text

    def shown(self) -> str:
        text, self.text = self.text, ""
        return text


def _start_home(shards: Path, store: Store, node: str) -> Any:
    strategy = NodeAffinitySchedulingStrategy(node, soft=False)
    options = {"num_cpus": 0, "max_concurrency": 8, "scheduling_strategy": strategy}
    return ray.remote(_Home).options(**options).remote(shards, store)


@contextmanager
def _progress_shown(home: Any) -> Iterator[None]:
    """Write what the processes' progress bars write."""
    done = threading.Event()

    def show() -> None:
        with suppress(ray.exceptions.RayError):  # whoever is gone has nothing more to show
            while not done.wait(SHOWN):
                sys.stderr.write(ray.get(home.shown.remote()))
                sys.stderr.flush()
            sys.stderr.write(ray.get(home.shown.remote()) + "\n")

    shower = threading.Thread(target=show)
    shower.start()
    try:
        yield
    finally:
        done.set()
        shower.join()


# ---- in each process ----


@dataclass(frozen=True)
class _HomeStore:
    """The checkpoint's store, from afar."""

    home: Any

    def read(self) -> bytes | None:
        content: bytes | None = ray.get(self.home.checkpoint.remote())
        return content

    def write(self, content: bytes) -> None:
        ray.get(self.home.keep.remote(content))


@dataclass(frozen=True)
class _HomeScreen:
    """What a progress bar writes to."""

    home: Any
    encoding: str = "utf-8"  # so that it draws smooth bars

    def write(self, text: str) -> None:
        self.home.show.remote(text)

    def flush(self) -> None:
        """All is on its way already."""


def _work(config: dict[str, _Task]) -> None:
    """Train as one of the processes."""
    task = config["task"]
    if ray.get(task.home.final.remote()):
        return  # Ray Train would try again what no other attempt mends
    pin_threads(task.common)  # Ray sets its own number, and bytes depend on it
    context = ray.train.get_context()
    try:
        check_versions(task.versions)
        index = ray.get(task.index)
        with _images(task, index) as root:
            train(
                JpegDataset(task.image_set, index, root=root),
                task.class_names,
                task.settings,
                task.seed,
                device=str(get_device()),
                workers=task.common.run.workers,
                label=task.label,
                checkpoints=replace(task.checkpoints, store=_HomeStore(task.home)),
                share=Share(rank=context.get_world_rank(), processes=context.get_world_size()),
                screen=_HomeScreen(task.home),
            )
    except Exception as error:
        if is_final(error, context.get_world_size()):
            ray.get(task.home.give_up.remote(_told(error, task.label)))
        raise  # the others may wait for this one: it must be seen to end


def is_final(error: Exception, processes: int) -> bool:
    """Whether an error is of the work itself, which another attempt would not mend.

    When a process is lost, the others get a plain RuntimeError or one of torch.distributed. Of
    ours may be one as well: it is then told after some attempts in vain.
    """
    if isinstance(error, ray.exceptions.RayError):  # of our own actor's work, else of a loss
        return isinstance(error, ray.exceptions.RayTaskError)
    of_a_loss = type(error) is RuntimeError or isinstance(error, distributed.DistError)
    return processes == 1 or not of_a_loss


def _told(error: Exception, label: str) -> Exception:
    """Return an error so that its traceback is told on the machine of the run as well."""
    if isinstance(error, InputError):
        return error
    return RuntimeError(f"{label}, a process on {socket.gethostname()}:\n{traceback.format_exc()}")


@contextmanager
def _images(task: _Task, index: pd.DataFrame) -> Iterator[Path]:
    """Give a folder of this node with the set's tars, fetched if need be, and there to the end."""
    if ray.get_runtime_context().get_node_id() == task.home_node:
        yield task.shards
        return
    folder = Path.home() / IMAGES / task.owner / tars_digest(index)
    with ExitStack() as stack:
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(held(folder))
            _fetch_missing(task, index, folder)
        except ray.exceptions.RayError:  # some are OSErrors too, of the machine of the run
            raise
        except OSError as error:
            raise InputError(
                f"{socket.gethostname()}: images of {task.image_set} cannot be written to "
                f"{folder} ({error}); make room there."
            ) from None
        yield folder


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep a folder from `drop_others`, by a lock that this process cannot outlive."""
    with folder.with_suffix(".lock").open("a+") as stream:
        fcntl.flock(stream, fcntl.LOCK_SH)
        yield


def drop_others(folder: Path) -> None:
    """Delete the folders beside one, but none that is held: another set is trained there now."""
    for other in folder.parent.iterdir():
        if other.is_dir() and other != folder:
            with other.with_suffix(".lock").open("a+") as stream, suppress(BlockingIOError):
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(other)


def _fetch_missing(task: _Task, index: pd.DataFrame, folder: Path) -> None:
    """Fetch the set's tars that are not in a folder; other sets' make room."""
    with FileLock(folder.parent / "lock"):  # one process of a node fetches for all
        drop_others(folder)
        missing = [tar for tar in index["tar"].unique() if not (folder / tar).exists()]
        for tar in tqdm(missing, desc="images", unit="tar", file=_HomeScreen(task.home)):
            _fetch(task.home, tar, folder / tar)


def tars_digest(index: pd.DataFrame) -> str:
    """Return what tells these tars from others, be it by where in them the same images lie."""
    places = index[["tar", "offset", "size", "sha256"]].to_csv(index=False)
    return sha256(places.encode()).hexdigest()[:16]


def _fetch(home: Any, tar: str, path: Path) -> None:
    """Write a tar, which comes in parts; there is none behind its end."""
    with whole_file(path) as partial, partial.open("wb") as stream:
        while content := ray.get(home.part.remote(tar, stream.tell())):
            stream.write(content)
