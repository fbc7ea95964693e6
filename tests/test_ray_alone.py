"""A Ray cluster on this machine alone: what it does, and that nobody else reaches it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from synset_factory.config import Common, Run, Splits
from synset_factory.engine import run_tasks
from synset_factory.errors import InputError
from synset_factory.ray_cluster import ray_cluster

THREADS = 2
LISTENS = "0A"  # the state of a socket, in /proc
# This machine's own addresses as /proc writes them: 127.0.0.1, the same in IPv6's form, and ::1.
LOOPBACK = {
    "0100007F",
    "0000000000000000FFFF00000100007F",
    "00000000000000000000000001000000",
}


def common(**run: object) -> Common:
    settings = {"device": "cpu", "workers": 1, "engine": "ray", "address": "", "replicas": 2} | run
    return Common(
        world="miniature",
        world_stages={},
        seed=0,
        threads=THREADS,
        wnids="all",
        splits=Splits(train=1, validation=1),
        sets={},
        run=Run(**settings),
    )


class Rude:
    """Squares numbers; leaves torch with another number of threads than it should have."""

    def __init__(self, folder: Path) -> None:
        self.names = [path.name for path in folder.iterdir()]

    def prepare(self, task: int) -> int:
        if task == 20:
            raise InputError("Twenty is\nnot to be had.")
        return task

    def compute(self, prepared: int) -> tuple[int, int]:
        return prepared**2, torch.get_num_threads()

    def finish(self, computed: tuple[int, int]) -> tuple[int, int, int, list[str]]:
        torch.set_num_threads(5)
        return *computed, os.getpid(), self.names


def descendants(process: int) -> set[int]:
    """This process, those that it has started, and so on."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # it has ended
    found = {process}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def listening(processes: set[int]) -> Iterator[str]:
    """Yield the address of each socket on which one of the processes listens."""
    sockets = set()
    for process in processes:
        try:
            sockets |= {os.readlink(link) for link in Path(f"/proc/{process}/fd").iterdir()}
        except OSError:
            continue
    for name in ("tcp", "tcp6"):
        for line in Path("/proc/net", name).read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == LISTENS and f"socket:[{words[9]}]" in sockets:
                yield words[1].partition(":")[0]


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    with ray_cluster(common()):
        yield


def test_nothing_of_it_can_be_reached_from_elsewhere_or_without_its_token() -> None:
    addresses = list(listening(descendants(os.getpid())))
    assert len(addresses) > 3
    assert set(addresses) <= LOOPBACK
    assert os.environ["RAY_AUTH_MODE"] == "token"
    assert len(os.environ["RAY_AUTH_TOKEN"]) == 64


def test_two_copies_share_the_tasks_with_pinned_threads_and_the_first_error_is_ours(
    tmp_path: Path,
) -> None:
    (tmp_path / "weights").touch()
    tasks = [None, *range(12), None, *range(12, 40)]
    results = run_tasks(Rude, tmp_path, tasks, common())
    came = []
    with pytest.raises(InputError) as raised:
        for result in results:
            came.append(result)
    assert str(raised.value) == "Twenty is\nnot to be had."
    assert [each and each[0] for each in came] == [
        None if task is None else task**2 for task in tasks[: tasks.index(20)]
    ]
    made = [each for each in came if each is not None]
    assert {threads for _, threads, _, _ in made} == {THREADS}
    processes = {process for _, _, process, _ in made}
    assert len(processes) <= 2 and os.getpid() not in processes
    assert all(names == ["weights"] for _, _, _, names in made)


def test_a_device_that_no_node_has_is_named() -> None:
    import ray

    if ray.cluster_resources().get("GPU"):
        pytest.skip("this machine has a GPU")
    with pytest.raises(InputError, match="needs 1 GPU, but none has more than 0"):
        list(run_tasks(Rude, Path(), [1], common(device="cuda")))
