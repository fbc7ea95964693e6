"""Work for copies of a model: one in this process, or several on the nodes of a Ray cluster.

Only the caller of `run_tasks` writes files. What a model makes of a task must not depend on the
tasks before it, so that results are the same whatever the engine and the number of copies.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import Any

from synset_factory.config import RAY, Common
from synset_factory.engine.worker import MakeWorker, Result, Task, Worker
from synset_factory.set_stage import pin_threads


def run_tasks(
    make_worker: MakeWorker[Task, Result],
    folder: Path,
    tasks: Iterable[Task | None],
    common: Common,
) -> Generator[Result | None]:
    """Yield the result of each task, in the order of the tasks.

    `make_worker` is given the model's folder, which with Ray may be a copy on another machine; it,
    tasks and results must be fit for pickling then. A task of None stands for nothing to do: it
    comes back as None in its turn, and where there is no other no model is loaded and no cluster
    started.

    Tasks are taken no further ahead than keeps the copies at work. If one fails, or `tasks` raises
    an error where the next was to come, what came before it is yielded first.

    Raises InputError as `make_worker` and the workers do; with Ray also if no cluster can be had,
    none of its nodes suits, or copies are lost over and over.
    """
    tasks = iter(tasks)
    for task in tasks:
        if task is not None:
            break
        yield None
    else:
        return
    faults: list[Exception] = []
    remaining = chain([task], _until_fault(tasks, faults))
    if common.run.engine == RAY:
        # Imported here: it starts with what imports Ray, which need not be installed.
        from synset_factory.engine.ray_copies import run_on_ray

        yield from run_on_ray(make_worker, folder, remaining, common)
    else:
        yield from _run_here(make_worker(folder), remaining, common)
    if faults:
        raise faults[0]


def _until_fault(tasks: Iterable[Task | None], faults: list[Exception]) -> Iterator[Task | None]:
    """Yield the tasks; an error of theirs is their end, and kept for when its turn comes."""
    try:
        yield from tasks
    except Exception as error:
        faults.append(error)


def _run_here(
    worker: Worker[Task, Any, Any, Result], tasks: Iterable[Task | None], common: Common
) -> Iterator[Result | None]:
    """Let one copy of the model work in this thread, and threads beside it prepare and finish."""
    preparers = max(common.run.workers, 1)
    behind: deque[Future[Result] | None] = deque()
    with ExitStack() as stack:
        before, after = (
            ThreadPoolExecutor(count, initializer=pin_threads, initargs=(common,))
            for count in (preparers, 1)
        )
        for pool in (before, after):
            stack.callback(pool.shutdown, cancel_futures=True)
        for prepared in _ahead(before, worker.prepare, tasks, preparers):
            try:
                computed = None if prepared is None else worker.compute(prepared.result())
            except BaseException:  # be it Ctrl-C: what was computed before is not lost
                yield from map(_result, behind)
                raise
            behind.append(None if prepared is None else after.submit(worker.finish, computed))
            # The last task's end is not waited for: the device is still at work on it.
            while len(behind) > 1:
                yield _result(behind.popleft())
        yield from map(_result, behind)


def _ahead(
    pool: ThreadPoolExecutor,
    prepare: Callable[[Task], Any],
    tasks: Iterable[Task | None],
    count: int,
) -> Iterator[Future[Any] | None]:
    """Yield the tasks being prepared, in order, while `count` further ones are."""
    waiting: deque[Future[Any] | None] = deque()
    for task in tasks:
        waiting.append(None if task is None else pool.submit(prepare, task))
        if len(waiting) > count:
            yield waiting.popleft()
    yield from waiting


def _result(future: Future[Result] | None) -> Result | None:
    return None if future is None else future.result()
