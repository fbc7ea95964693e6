"""Results come in the order of the tasks, soon, and nothing that was done is lost by an error."""

import threading
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml

from synset_factory import layout
from synset_factory.config import Common, Run, Splits, load_common
from synset_factory.engine.tasks import run_tasks
from synset_factory.errors import InputError

REPOSITORY = Path(__file__).parents[2]
FOLDER = Path("model")


def common(workers: int = 2, threads: int = 1) -> Common:
    run = Run(device="cpu", workers=workers, engine="local", address="", replicas=1)
    splits = Splits(train=1, validation=1)
    return Common(
        world="miniature",
        world_stages={},
        seed=0,
        threads=threads,
        wnids="all",
        splits=splits,
        sets={},
        run=run,
    )


class Squares:
    """Squares numbers, and remembers what was done in which step and thread."""

    def __init__(self) -> None:
        self.prepared: list[int] = []
        self.computed: list[int] = []
        self.threads: dict[str, set[int]] = {"prepare": set(), "compute": set(), "finish": set()}
        self.pinned: set[int] = set()

    def prepare(self, task: int) -> int:
        self._note("prepare")
        self.prepared.append(task)
        return task

    def compute(self, prepared: int) -> int:
        self._note("compute")
        self.computed.append(prepared)
        return prepared**2

    def finish(self, computed: int) -> int:
        self._note("finish")
        return computed

    def _note(self, step: str) -> None:
        self.threads[step].add(threading.get_ident())
        self.pinned.add(torch.get_num_threads())


def squares(
    tasks: Iterator[int | None], worker: Squares, workers: int = 2
) -> Generator[int | None]:
    return run_tasks(lambda _: worker, FOLDER, tasks, common(workers))


@pytest.mark.parametrize("workers", [0, 1, 5])
def test_results_have_the_order_of_the_tasks_and_nothing_to_do_stays_in_its_place(
    workers: int,
) -> None:
    tasks = [None, 1, 2, None, None, 3, *range(4, 30), None]
    expected = [None if task is None else task**2 for task in tasks]
    assert list(squares(iter(tasks), Squares(), workers)) == expected


def test_no_model_is_loaded_where_there_is_nothing_to_do() -> None:
    def load(folder: Path) -> Squares:
        raise AssertionError(folder)

    assert list(run_tasks(load, FOLDER, [None, None], common())) == [None, None]
    assert list(run_tasks(load, FOLDER, [], common())) == []


def test_tasks_are_taken_only_a_few_ahead_of_the_results_that_are_used() -> None:
    taken: list[int] = []

    def endless() -> Iterator[int]:
        while True:
            taken.append(len(taken))
            yield taken[-1]

    results = squares(endless(), Squares(), workers=3)
    for used in range(20):
        assert next(results) == used**2
        # One that is used, one behind it, three being made ready, and the next to come.
        assert len(taken) - used <= 3 + 3
    results.close()


def test_the_model_works_in_the_callers_thread_and_others_make_ready_and_finish() -> None:
    worker = Squares()
    threads_before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        list(squares(iter(range(30)), worker))
    finally:
        torch.set_num_threads(threads_before)
    here = {threading.get_ident()}
    assert worker.threads["compute"] == here
    assert len(worker.threads["finish"] | here) == 2
    assert not worker.threads["prepare"] & here
    assert worker.pinned == {1}  # bytes depend on it, and each thread has a number of its own


class Stopped(Squares):
    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def compute(self, prepared: int) -> int:
        if prepared == 5:
            raise self.error
        return super().compute(prepared)


@pytest.mark.parametrize("error", [InputError("NaN"), KeyboardInterrupt(), ZeroDivisionError()])
def test_whatever_was_computed_before_an_error_or_ctrl_c_comes_out_first(
    error: BaseException,
) -> None:
    came: list[int | None] = []
    with pytest.raises(type(error)):
        for result in squares(iter(range(9)), Stopped(error)):
            came.append(result)
    assert came == [0, 1, 4, 9, 16]


@pytest.mark.parametrize("workers", [1, 5])
def test_an_error_of_the_tasks_is_raised_after_the_results_of_those_that_came(workers: int) -> None:
    def torn() -> Iterator[int | None]:
        yield from [None, 3, 4, None, 5]
        raise OSError("a donor cannot be read")

    came: list[int | None] = []
    with pytest.raises(OSError, match="a donor cannot be read"):
        for result in squares(torn(), Squares(), workers):
            came.append(result)
    assert came == [None, 9, 16, None, 25]


@pytest.mark.parametrize("step", ["prepare", "finish"])
def test_an_error_beside_the_model_is_raised_in_its_tasks_turn(step: str) -> None:
    worker = Squares()
    done: Callable[[int], int] = getattr(worker, step)

    def fail(value: int) -> int:
        if value in (14, 14**2):
            raise InputError("damaged")
        return done(value)

    setattr(worker, step, fail)
    came: list[int | None] = []
    with pytest.raises(InputError, match="damaged"):
        for result in squares(iter([11, 12, 13, 14, 15, 16]), worker):
            came.append(result)
    assert came == [11**2, 12**2, 13**2]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"engine": "spark"}, "run.engine 'spark' is neither local nor ray"),
        ({"replicas": 0}, "run.replicas must be at least 1"),
        ({"replicas": 2}, "run.replicas is 2, but the engine local has one copy of a model"),
        ({"engine": "ray", "device": "cuda:1"}, "run.device must be cpu or cuda"),
    ],
)
def test_an_engine_that_cannot_be_is_named(
    tmp_path: Path, changes: dict[str, object], sentence: str
) -> None:
    params = yaml.safe_load((REPOSITORY / layout.PARAMS).read_text())
    params["run"] |= changes
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(params))
    with pytest.raises(InputError, match=sentence):
        load_common(path)


@pytest.mark.parametrize("address", ["127.0.0.1:1", "auto"])
def test_a_cluster_that_does_not_answer_is_named(address: str) -> None:
    alone = common()
    joining = replace(alone, run=replace(alone.run, engine="ray", address=address))
    results = run_tasks(lambda _: Squares(), FOLDER, [1], joining)
    with pytest.raises(InputError, match=f"no Ray cluster can be joined at run.address {address}"):
        next(results)
