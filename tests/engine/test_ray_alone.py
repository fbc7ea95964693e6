"""A Ray cluster on this machine alone: what it does, and that nobody else reaches it."""

import os
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import torch

from synset_factory.config import Common, Run, Splits
from synset_factory.engine.courier import Courier, copy_here
from synset_factory.engine.ray_cluster import ray_cluster
from synset_factory.engine.tasks import run_tasks
from synset_factory.errors import InputError

THREADS = 2
HELD = 120.0  # seconds at most: then only one copy works
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
    """Squares numbers; leaves torch with another number of threads than it should have.

    Nothing is done before two processes have begun something.
    """

    def __init__(self, folder: Path) -> None:
        self.names = [path.name for path in folder.iterdir()]
        self.begun = folder.parent / "begun"

    def prepare(self, task: int) -> int:
        (self.begun / str(os.getpid())).touch()
        until = time.monotonic() + HELD
        while len(list(self.begun.iterdir())) < 2 and time.monotonic() < until:
            time.sleep(0.05)
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
        with suppress(OSError):  # it has ended
            for link in Path(f"/proc/{process}/fd").iterdir():
                with suppress(OSError):  # it is closed: of this process, what the list was read by
                    sockets.add(os.readlink(link))
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
    assert os.environ["GLOO_SOCKET_IFNAME"] == os.environ["NCCL_SOCKET_IFNAME"] == "lo"
    assert len(os.environ["RAY_AUTH_TOKEN"]) == 64


def meet(rank: int, port: int) -> list[str]:
    """Talk to another process as a training does; return where this one listens meanwhile."""
    from torch import distributed

    at = f"tcp://127.0.0.1:{port}"
    distributed.init_process_group("gloo", init_method=at, rank=rank, world_size=2)
    distributed.all_reduce(torch.ones(1))
    addresses = list(listening({os.getpid()}))
    distributed.barrier()
    distributed.destroy_process_group()
    return addresses


def test_processes_of_a_training_cannot_be_reached_but_for_the_store_of_the_first() -> None:
    import ray

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    task = ray.remote(meet).options(num_cpus=1)
    first, second = (set(each) for each in ray.get([task.remote(rank, port) for rank in (0, 1)]))
    alone = set(listening(descendants(os.getpid()))) - LOOPBACK
    assert not alone  # after it
    assert second and second <= LOOPBACK
    assert len(first - LOOPBACK) <= 1


class Broken(Courier):
    def part(self, name: str, offset: int) -> bytes:
        raise OSError(5, "Input/output error")


def test_a_home_that_cannot_be_written_is_named_with_its_machine_and_a_fault_elsewhere_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights").write_bytes(b"x")
    (tmp_path / "file").touch()
    couriers = [ray.remote(each).options(num_cpus=0) for each in (Courier, Broken)]
    good, broken = (each.remote(tmp_path / "model") for each in couriers)
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    with pytest.raises(InputError, match=f"{socket.gethostname()}: the model cannot be written"):
        copy_here(good)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(ray.exceptions.RayTaskError, match="Input/output error"):
        copy_here(broken)


@pytest.mark.parametrize("port", ["65536", "-1", "x"])
def test_a_port_that_is_none_is_named(port: str) -> None:
    address = f"127.0.0.1:{port}"
    with (
        pytest.raises(InputError, match=f"no Ray cluster can be joined at run.address {address}"),
        ray_cluster(common(address=address)),
    ):
        pass


def test_two_copies_share_the_tasks_with_pinned_threads_and_the_first_error_is_ours(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "weights").touch()
    (tmp_path / "begun").mkdir()
    tasks = [None, *range(12), None, *range(12, 40)]
    results = run_tasks(Rude, folder, tasks, common())
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
    assert len(processes) == 2 and os.getpid() not in processes
    assert all(names == ["weights"] for _, _, _, names in made)


def test_a_device_that_no_node_has_is_named() -> None:
    import ray

    if ray.cluster_resources().get("GPU"):
        pytest.skip("this machine has a GPU")
    with pytest.raises(InputError, match="needs 1 GPU, but none has more than 0"):
        list(run_tasks(Rude, Path(), [1], common(device="cuda")))
