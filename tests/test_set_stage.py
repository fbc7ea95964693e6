"""Every stage of a set knows its name, its world and its number of threads before it works."""

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch
import yaml

from synset_factory import layout
from synset_factory.errors import InputError
from synset_factory.set_stage import begin_set_stage
from synset_factory.stages import (
    ambiguity,
    classifier_embed,
    classifier_space,
    clip_tables,
    compare,
    evaluate,
)

REPOSITORY = Path(__file__).parents[1]
THREADS = 3
HERE = [ambiguity, classifier_embed, classifier_space, clip_tables, compare, evaluate]


@pytest.fixture(autouse=True)
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    params = yaml.safe_load((REPOSITORY / layout.PARAMS).read_text(encoding="utf-8"))
    monkeypatch.chdir(tmp_path)
    layout.PARAMS.write_text(yaml.safe_dump(params | {"threads": THREADS}), encoding="utf-8")
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def begin(
    monkeypatch: pytest.MonkeyPatch, name: str, *, natural: bool, by_engine: bool = False
) -> str:
    monkeypatch.setattr("sys.argv", ["stage", name])
    return begin_set_stage("A stage.", natural=natural, by_engine=by_engine)[0]


def test_a_set_of_params_is_accepted_and_the_threads_are_pinned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert begin(monkeypatch, "disamb25", natural=False) == "disamb25"
    assert torch.get_num_threads() == THREADS
    assert layout.WORLD.read_text(encoding="utf-8").strip() == "miniature"


def test_natural_is_for_the_stages_that_serve_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert begin(monkeypatch, "natural", natural=True) == "natural"
    with pytest.raises(InputError, match="there is no set 'natural'"):
        begin(monkeypatch, "natural", natural=False)


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("workers", -1, "run.workers is -1: it must be at least 0"),
        ("device", "cuda:7", "run.device is cuda:7, but torch finds [0-7] CUDA devices here"),
        ("device", "gpu", "run.device 'gpu' is no device of torch"),
    ],
)
def test_a_device_or_a_number_of_workers_that_cannot_be_had_is_named(
    key: str, value: object, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = yaml.safe_load(layout.PARAMS.read_text(encoding="utf-8"))
    params["run"][key] = value
    layout.PARAMS.write_text(yaml.safe_dump(params), encoding="utf-8")
    with pytest.raises(InputError, match=sentence):
        begin(monkeypatch, "disamb25", natural=False)


@pytest.fixture
def gpus_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Params that ask for the GPUs of a cluster, on a machine without one."""
    params = yaml.safe_load(layout.PARAMS.read_text(encoding="utf-8"))
    params["run"] |= {"engine": "ray", "device": "cuda", "address": "10.0.0.1:6379"}
    layout.PARAMS.write_text(yaml.safe_dump(params), encoding="utf-8")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)


@pytest.mark.usefixtures("gpus_elsewhere")
def test_the_machine_of_the_run_needs_no_gpu_where_others_do_the_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert begin(monkeypatch, "disamb25", natural=False, by_engine=True) == "disamb25"


@pytest.mark.usefixtures("gpus_elsewhere")
@pytest.mark.parametrize("stage", HERE, ids=lambda stage: stage.__name__.rpartition(".")[2])
def test_a_stage_that_works_in_its_own_process_asks_for_the_gpu_before_all_else(
    stage: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["stage", "disamb25"])
    with pytest.raises(InputError, match="finds 0 CUDA devices here, where this stage does its"):
        stage.main()


def test_an_unknown_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="there is no set 'disamb26'; add it under sets"):
        begin(monkeypatch, "disamb26", natural=True)


def test_data_of_another_world_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    layout.WORLD.parent.mkdir(parents=True)
    layout.WORLD.write_text("imagenet\n", encoding="utf-8")
    with pytest.raises(InputError, match="data/ holds the world 'imagenet'"):
        begin(monkeypatch, "disamb", natural=False)
