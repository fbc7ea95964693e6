"""Copies of a model on the nodes of a Ray cluster: tasks go out, results come back in order.

A copy that is lost, alone or with its node, costs the tasks that it had: others do them, and
another copy takes its place as soon as there is a device for it.
"""

import socket
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Generic

import torch
from tqdm import tqdm

from synset_factory.config import Common
from synset_factory.engine.courier import Courier, copy_here
from synset_factory.engine.ray_cluster import check_versions, import_ray, ray_cluster, versions
from synset_factory.engine.worker import MakeWorker, Result, Task, Worker
from synset_factory.errors import InputError
from synset_factory.layout import PARAMS
from synset_factory.set_stage import pin_threads

LOSSES = 5  # of each copy, without any result in between: then the fault lies elsewhere
PATIENCE = 30.0  # seconds without a device, after which a message says so


def run_on_ray(
    make_worker: MakeWorker[Task, Result],
    folder: Path,
    tasks: Iterable[Task | None],
    common: Common,
) -> Iterator[Result | None]:
    """Yield the result of each task in order; see `engine.tasks.run_tasks`."""
    with ray_cluster(common), ExitStack() as stack:
        check_room(common)
        crew = Crew(make_worker, folder, common)
        stack.callback(crew.dismiss)
        yield from crew.work_on(tasks)


def check_room(common: Common) -> None:
    """Check that a copy of a model fits on a node of the cluster. Raises InputError if not."""
    kind, amount = ("GPU", 1) if on_gpu(common) else ("CPU", common.threads)
    nodes = [node["Resources"] for node in import_ray().nodes() if node["Alive"]]
    most = max((node.get(kind, 0) for node in nodes), default=0)
    if most < amount:
        raise InputError(
            f"{PARAMS}: run.device is {common.run.device} and threads is {common.threads}, so a "
            f"node of the Ray cluster needs {amount} {kind}, but none has more than {most:.0f}."
        )


def on_gpu(common: Common) -> bool:
    return torch.device(common.run.device).type == "cuda"


class Copy:
    """A copy of the model at work: an actor of Ray, whose calls run in threads of its own."""

    def __init__(
        self, make_worker: MakeWorker[Any, Any], folder: Path, common: Common, home: "Home"
    ) -> None:
        self.make_worker, self.folder = make_worker, folder
        self.common, self.home = common, home
        self.worker: Worker[Any, Any, Any, Any]
        self.device = Lock()

    def load(self) -> str:
        """Load the model, and return this machine's name.

        Not done while the actor is made, since errors would come back as Ray's then.
        """
        check_versions(self.home.versions)
        pin_threads(self.common)
        here = import_ray().get_runtime_context().get_node_id() == self.home.node
        self.worker = self.make_worker(self.folder if here else copy_here(self.home.courier))
        return socket.gethostname()

    def do(self, task: Any) -> Any:
        """Return the result of a task; while one is on the device, others are made ready."""
        pin_threads(self.common)  # in each thread: Ray has its own idea of how many there are
        prepared = self.worker.prepare(task)
        with self.device:
            computed = self.worker.compute(prepared)
        return self.worker.finish(computed)


@dataclass(frozen=True, kw_only=True)
class Home:
    """The machine from which the work is given out."""

    node: str  # Ray's id of it
    versions: dict[str, str]  # of the libraries there
    courier: Any  # actor that hands out the model's folder


@dataclass(frozen=True)
class Failure:
    """In place of a result: the error that came of a task."""

    error: Exception


class Crew(Generic[Task, Result]):
    """All copies of the model, and which of them does what."""

    def __init__(self, make_worker: MakeWorker[Task, Result], folder: Path, common: Common) -> None:
        self.ray, self.replicas = import_ray(), common.run.replicas
        errors = self.ray.exceptions
        # Of a copy, of its node, of what it had to say; ended by Ray because memory ran out.
        self.lost = (errors.RayActorError, errors.ObjectLostError, errors.OutOfMemoryError)
        # Tasks that a copy has at a time: some are made ready, one computed, one finished.
        self.at_once = max(common.run.workers, 1) + 2
        home = self._home(folder.absolute())
        self.made_of = (make_worker, folder.absolute(), common, home)
        self.actor = self.ray.remote(Copy).options(
            **({"num_gpus": 1} if on_gpu(common) else {"num_cpus": common.threads}),
            max_concurrency=self.at_once,
            scheduling_strategy="SPREAD",
        )
        self.copies: set[Any] = set()
        self.loading: dict[Any, Any] = {}  # by what Ray promises: the copy
        self.free: dict[Any, int] = {}  # by copy that has loaded: how many more tasks it takes
        self.doing: dict[Any, tuple[Any, int, Task]] = {}  # by promise: copy, number, task
        self.again: deque[tuple[int, Task]] = deque()  # tasks of copies that were lost
        self.done: dict[int, Result | Failure | None] = {}  # by number, until its turn comes
        self.taken = 0  # tasks, so far
        self.exhausted = False  # no more tasks come
        self.losses = 0  # without a result in between
        for _ in range(self.replicas):
            self.engage()

    def _home(self, folder: Path) -> Home:
        """Return what the copies must know of this machine."""
        node = self.ray.get_runtime_context().get_node_id()
        strategy = self.ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
        courier = self.ray.remote(Courier).options(
            num_cpus=0,
            scheduling_strategy=strategy(node, soft=False),
            max_restarts=-1,  # it holds nothing that would be lost
            max_task_retries=-1,
        )
        return Home(node=node, versions=versions(), courier=courier.remote(folder))

    def work_on(self, tasks: Iterable[Task | None]) -> Iterator[Result | None]:
        """Yield the results in the order of the tasks. Raises the error of the first that fails."""
        coming, turn = enumerate(tasks), 0
        while True:
            self.give_out(coming, turn + 2 * self.replicas * self.at_once)
            if turn in self.done:
                result = self.done.pop(turn)
                if isinstance(result, Failure):
                    raise result.error
                yield result
                turn += 1
            elif self.exhausted and not self.doing and not self.again:
                return
            else:
                self.await_one()

    def give_out(self, coming: Iterator[tuple[int, Task | None]], limit: int) -> None:
        """Give tasks to whoever has room: first those of lost copies, then those up to a limit.

        The limit keeps results few that wait for their turn behind a slow one.
        """
        while room := [copy for copy, tasks in self.free.items() if tasks]:
            copy = max(room, key=self.free.__getitem__)
            if self.again:
                self.give(copy, *self.again.popleft())
            elif self.exhausted or self.taken == limit:
                return
            else:
                self.take(coming, copy)

    def take(self, coming: Iterator[tuple[int, Task | None]], copy: Any) -> None:
        """Give the next task to a copy, if there is one and it is not one of doing nothing."""
        following = next(coming, None)
        if following is None:
            self.exhausted = True
            return
        number, task = following
        self.taken = number + 1
        if task is None:
            self.done[number] = None
        else:
            self.give(copy, number, task)

    def give(self, copy: Any, number: int, task: Task) -> None:
        self.free[copy] -= 1
        self.doing[copy.do.remote(task)] = (copy, number, task)

    def await_one(self) -> None:
        """Wait until a copy has loaded, or done a task, or is lost."""
        promises = [*self.loading, *self.doing]
        for promise in self.ray.wait(promises, num_returns=1, timeout=PATIENCE)[0]:
            if promise in self.loading:
                self.see_loaded(promise)
            else:
                self.see_done(promise)
            return
        if not self.free:
            say("No copy of the model is at work yet: they load, or wait for a free node.")

    def see_loaded(self, promise: Any) -> None:
        """Let a copy take part that has loaded the model."""
        copy = self.loading.pop(promise)
        try:
            machine = self.ray.get(promise)
        except self.ray.exceptions.RayTaskError as error:
            raise _cause(error) from None
        except self.lost:
            self.replace(copy)
        else:
            self.free[copy] = self.at_once
            say(f"{len(self.free)} of {self.replicas} copies at work, one more on {machine}.")

    def see_done(self, promise: Any) -> None:
        """Take a result in; of a copy that is lost, see to it that the task is done by another."""
        copy, number, task = self.doing.pop(promise)
        try:
            self.done[number] = self.ray.get(promise)
        except self.ray.exceptions.RayTaskError as error:
            self.done[number] = Failure(_cause(error))
        except self.lost:
            self.again.append((number, task))
            self.replace(copy)
            return
        self.losses = 0
        if copy in self.free:
            self.free[copy] += 1

    def engage(self) -> None:
        """Ask for a copy of the model on whatever node has a device for it."""
        copy = self.actor.remote(*self.made_of)
        self.copies.add(copy)
        self.loading[copy.load.remote()] = copy

    def replace(self, copy: Any) -> None:
        """Engage another copy in place of one that is lost; each of its tasks tells that it is."""
        if copy not in self.copies:
            return
        self.copies.remove(copy)
        self.free.pop(copy, None)
        self.ray.kill(copy)
        self.losses += 1
        if self.losses > LOSSES * self.replicas:
            raise InputError(
                f"{self.losses} copies of the model were lost one after the other, without a "
                "result: is there memory enough? Ray's logs are in /tmp/ray on the machines."
            )
        say(f"A copy of the model was lost, {len(self.free)} are at work; its tasks go to others.")
        self.engage()

    def dismiss(self) -> None:
        """Let go of all that works."""
        for actor in (*self.copies, self.made_of[-1].courier):
            self.ray.kill(actor)


def _cause(error: Any) -> Exception:
    """Return what a task raised: a sentence for people as itself, a fault with Ray's traceback."""
    cause = error.cause
    return cause if isinstance(cause, InputError) else error


def say(message: str) -> None:
    """Say something above the progress bars."""
    tqdm.write(message, file=sys.stderr)
