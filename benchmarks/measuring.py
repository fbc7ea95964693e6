"""What all benchmarks share: ways measured side by side, one form of table, the machine's name.

A way is a function `prepare(*arguments)` at the top of a module (a new process imports it) that
reads what it needs and returns what is to be timed, a function without arguments.

    rows = compare({"theirs": theirs, "ours": ours}, folder)
    print_comparison("reading 1,000 images", rows)

What starts anew each time (a stage, from the start of Python on) is run by `run_command` instead,
and `median_of` takes its repetitions together:

    runs = [run_command("ours", [sys.executable, "-m", "a.stage"], folder) for _ in range(3)]
    print_comparison("a stage", [median_of(runs)])
"""

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
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


def run_command(
    way: str,
    words: Sequence[str],
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Measured:
    """Measure a command from its start to its end; the result is what it prints.

    If it fails, shows what it has written to stderr, and ends.
    """
    cpu, start = _cpu_seconds_of_children(), time.perf_counter()
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as complaints:
        process = subprocess.Popen(
            words,
            cwd=folder,
            env=os.environ | (environment or {}),
            stdout=said,
            stderr=complaints,
        )
        with PeakMemory(process.pid) as peak:
            process.wait()
        seconds = time.perf_counter() - start
        for stream in (said, complaints):
            stream.seek(0)
        if process.returncode:
            sys.exit(
                f"{complaints.read().decode()}\nerror: '{way}' has failed, exit status "
                f"{process.returncode} (below 0: a signal): {' '.join(words)}"
            )
        text = said.read().decode()
    return Measured(
        way=way,
        seconds=seconds,
        # Ray does not wait for all that it starts: those are counted as they were last seen.
        cpu_seconds=max(_cpu_seconds_of_children() - cpu, sum(peak.cpu_seconds.values())),
        mebibytes=peak.mebibytes,
        device_mebibytes=None,
        result=text,
    )


def as_told(measured: Measured) -> Measured:
    """Return what a command has measured itself, which leaves out its start.

    The last line that it prints is JSON: `seconds`, `cpu_seconds`, on a GPU `device_mebibytes`, and
    what else it has to say, which is the result.
    """
    told = json.loads(measured.result.splitlines()[-1])
    fields = ("seconds", "cpu_seconds", "device_mebibytes")
    return replace(measured, result=told, **{name: told[name] for name in fields if name in told})


def median_of(runs: Sequence[Measured]) -> Measured:
    """Return the medians of a way's times, its highest peaks, and its last result."""
    device = [run.device_mebibytes for run in runs if run.device_mebibytes is not None]
    return replace(
        runs[-1],
        seconds=statistics.median(run.seconds for run in runs),
        cpu_seconds=statistics.median(run.cpu_seconds for run in runs),
        mebibytes=max(run.mebibytes for run in runs),
        device_mebibytes=max(device, default=None),
    )


def print_comparison(
    title: str,
    rows: Sequence[Measured],
    *,
    images: int | None = None,
    more: Mapping[str, Sequence[object]] | None = None,
) -> None:
    """Print a table of the ways. A ratio is to the first, by the clock: above 1 is slower.

    `images`: how many each way made or read, for a column of images a second. `more`: further
    columns, a cell for each way.
    """
    on_device = any(row.device_mebibytes is not None for row in rows)
    columns = {
        title: [row.way for row in rows],
        "seconds": [f"{row.seconds:.3g}" for row in rows],
        "CPU s": [f"{row.cpu_seconds:.3g}" for row in rows],
        "ratio": [f"{row.seconds / rows[0].seconds:.2f}" for row in rows],
        "MiB": [f"{row.mebibytes:,.0f}" for row in rows],
    }
    if on_device:
        columns["MiB on the GPU"] = [f"{row.device_mebibytes or 0:,.0f}" for row in rows]
    if images:
        columns["images/s"] = [f"{images / row.seconds:,.1f}" for row in rows]
    columns |= {name: list(map(str, cells)) for name, cells in (more or {}).items()}
    print_table(list(columns), list(zip(*columns.values(), strict=True)))


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
    that several processes share count once. Their CPU seconds are noted too.
    """

    pid: int
    mebibytes: float = 0.0
    cpu_seconds: dict[int, float] = field(default_factory=dict)  # of each process, when last seen
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
            start = time.perf_counter()
            pids = list(_with_children(self.pid))
            self.mebibytes = max(self.mebibytes, sum(map(_mebibytes, pids)))
            self.cpu_seconds |= {pid: used for pid in pids if (used := _cpu_seconds_of(pid))}
            # Looking takes time of its own, the more the larger a process is.
            if self._over.wait(max(INTERVAL, 20 * (time.perf_counter() - start))):
                break


def _mebibytes(pid: int) -> float:
    """What a process holds at this moment that is in no file; 0 once it has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(x.split()[1]) for x in lines if x.startswith(("Pss_Anon", "Pss_Shmem"))) / 1024


def _cpu_seconds_of(pid: int) -> float:
    """What a process has used, its children left out; 0 once it has ended."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


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
    own = resource.getrusage(resource.RUSAGE_SELF)
    return own.ru_utime + own.ru_stime + _cpu_seconds_of_children()


def _cpu_seconds_of_children() -> float:
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_utime + ended.ru_stime


def _device_mebibytes() -> float | None:
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return None
    torch.cuda.synchronize()
    return float(torch.cuda.max_memory_allocated() / 2**20)
