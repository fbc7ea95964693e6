"""What all benchmarks share: ways measured side by side, one form of table, the machine's name.

A way is a function `prepare(*arguments)` at the top of a module (a new process imports it) that
reads what it needs and returns what is to be timed, a function without arguments.

    rows = compare({"ours": ours, "theirs": theirs}, folder)
    print_comparison("reading 1,000 images", rows)
"""

import os
import platform
import resource
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

Prepare = Callable[..., Callable[[], Any]]
INTERVAL = 0.02  # seconds between two looks at a process's memory
# What tells which processors are fast at the products of networks.
TELLING_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_tile", "asimd")


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What one way took."""

    way: str
    seconds: float  # median of the repetitions
    cpu_seconds: float  # median: all threads, and the processes that have ended by then
    mebibytes: float  # peak of the process and its children, libraries' files left out
    device_mebibytes: float | None  # peak that torch had on a GPU, if it was used
    result: Any  # of the last repetition


def compare(
    ways: Mapping[str, Prepare], *arguments: object, repeats: int = 3, warm_up: bool = True
) -> list[Measured]:
    """Measure each way in a process of its own; the ways take turns, so that all have the same
    conditions.

    All processes live until the end, and only the one whose turn it is works. `warm_up`: each runs
    once before it is timed; not wanted where a second run finds the work done.
    """
    with _all_started(ways, arguments) as running:
        times: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
        last: dict[str, tuple[Any, float | None]] = {}
        peaks = dict.fromkeys(ways, 0.0)
        for repetition in range(repeats + warm_up):
            for way, (pid, pipe) in running.items():
                pipe.send("run")
                with PeakMemory(pid) as peak:
                    answer = _answer(way, pipe)
                peaks[way] = max(peaks[way], peak.mebibytes)
                last[way] = answer[2:]
                if repetition >= warm_up:
                    times[way].append(answer[:2])
    return [
        Measured(
            way=way,
            seconds=statistics.median(seconds for seconds, _ in times[way]),
            cpu_seconds=statistics.median(cpu for _, cpu in times[way]),
            mebibytes=peaks[way],
            device_mebibytes=last[way][1],
            result=last[way][0],
        )
        for way in ways
    ]


def print_comparison(title: str, rows: Sequence[Measured]) -> None:
    """Print a table of the ways. A ratio is to the first: above 1 is slower than that."""
    on_device = any(row.device_mebibytes is not None for row in rows)
    first = rows[0].seconds
    print_table(
        [title, "seconds", "CPU s", "ratio", "MiB", *(["MiB on the GPU"] if on_device else [])],
        [
            [
                row.way,
                f"{row.seconds:.3g}",
                f"{row.cpu_seconds:.3g}",
                f"{row.seconds / first:.2f}",
                f"{row.mebibytes:,.0f}",
                *([f"{row.device_mebibytes or 0:,.0f}"] if on_device else []),
            ]
            for row in rows
        ],
    )


def print_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table in Markdown's form, columns aligned."""
    lines = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, ["-" * width for width in widths])
    print()
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print(f"| {' | '.join(cells)} |", flush=True)


def machine() -> str:
    """Return what the figures belong to: processor, memory, GPU, load, versions."""
    import torch  # here: it takes seconds, and a benchmark without it needs none

    about = dict(
        line.split(":", 1) for line in Path("/proc/cpuinfo").read_text().splitlines() if ":" in line
    )
    facts = {key.strip(): value.strip() for key, value in about.items()}
    flags = set(facts.get("flags", facts.get("Features", "")).split())
    told = " ".join(flag for flag in TELLING_FLAGS if flag in flags)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    return (
        f"{facts.get('model name', platform.machine())} ({told}), {os.cpu_count()} cores, "
        f"{memory:.0f} GiB, {gpu}; load {os.getloadavg()[0]:.1f}; "
        f"Python {platform.python_version()}, torch {torch.__version__}"
    )


@dataclass
class PeakMemory:
    """The most memory that a process and its children hold together while this is entered.

    Pages of files do not count (libraries, tars that were read), shared memory does, and pages
    that several processes share count once.
    """

    pid: int
    mebibytes: float = 0.0
    _over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "PeakMemory":
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            now = sum(_mebibytes(pid) for pid in _with_children(self.pid))
            self.mebibytes = max(self.mebibytes, now)
            if self._over.wait(INTERVAL):
                break


def _mebibytes(pid: int) -> float:
    """What a process holds at this moment that is in no file; 0 once it has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(x.split()[1]) for x in lines if x.startswith(("Pss_Anon", "Pss_Shmem"))) / 1024


def _with_children(pid: int) -> Iterator[int]:
    yield pid
    try:
        lists = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:
        return  # it has ended
    for child in " ".join(lists).split():
        yield from _with_children(int(child))


@contextmanager
def _all_started(
    ways: Mapping[str, Prepare], arguments: tuple[object, ...]
) -> Iterator[dict[str, tuple[int, Connection]]]:
    """A process for each way, prepared, with the pipe by which it is told to run."""
    context = get_context("spawn")
    processes, running = [], {}
    try:
        for way, prepare in ways.items():
            here, there = context.Pipe()
            # Not a daemon: those may have no children, and a DataLoader has.
            process = context.Process(target=_serve, args=(there, prepare, arguments))
            process.start()
            there.close()
            processes.append(process)
            _answer(way, here)
            running[way] = (int(process.pid or 0), here)
        yield running
        for _, pipe in running.values():
            pipe.send("end")
    except BaseException:
        for process in processes:
            process.terminate()
        raise
    finally:
        for process in processes:
            process.join()


def _answer(way: str, pipe: Connection) -> Any:
    try:
        return pipe.recv()
    except EOFError:
        sys.exit(f"error: '{way}' has failed, see above.")


def _serve(pipe: Connection, prepare: Prepare, arguments: tuple[object, ...]) -> None:
    """What each process does: prepare, then run whenever it is told to."""
    work = prepare(*arguments)
    pipe.send("ready")
    while pipe.recv() == "run":
        cpu, start = _cpu_seconds(), time.perf_counter()
        result = work()
        device = _device_mebibytes()  # waits for the device, so it belongs to the time
        seconds = time.perf_counter() - start
        pipe.send((seconds, _cpu_seconds() - cpu, result, device))


def _cpu_seconds() -> float:
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _device_mebibytes() -> float | None:
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return None
    torch.cuda.synchronize()
    return float(torch.cuda.max_memory_allocated() / 2**20)
