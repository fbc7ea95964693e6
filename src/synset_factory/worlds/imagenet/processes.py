"""Processes that read and check pictures beside each other."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from threading import Thread
from typing import Protocol, TypeVar

Job = TypeVar("Job")
Done = TypeVar("Done")


class Map(Protocol):
    """As Python's own `map`."""

    def __call__(
        self, function: Callable[[Job], Done], jobs: Iterable[Job], /
    ) -> Iterator[Done]: ...


@contextmanager
def mapping(workers: int) -> Iterator[Map]:
    """Give a `map` over so many processes; it keeps the order. One worker is this process."""
    if workers <= 1:
        yield map
        return
    # Spawned, not forked: a fork would hold the lock of the folder on when this process is killed.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_begin) as pool:
        yield pool.map


def _begin() -> None:
    """Leave Ctrl-C to the first process, and end with it, even if it is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)
