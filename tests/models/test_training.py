"""A training is determined by images, settings and seed, and by no break in between."""

import json
import multiprocessing
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import Tensor, distributed, nn

from synset_factory.checkpoints import Checkpoints, FileStore
from synset_factory.errors import InputError
from synset_factory.models import classifier, training
from synset_factory.models.training_batches import GlobalShuffle, Share
from tests.small_trainings import NAMES, SETTINGS, digests, noisy_bars, trained

pytestmark = pytest.mark.usefixtures("one_thread")


class Kept:
    """A store that forgets nothing."""

    def __init__(self, *contents: bytes) -> None:
        self.contents = list(contents)

    def read(self) -> bytes | None:
        return self.contents[-1] if self.contents else None

    def write(self, content: bytes) -> None:
        self.contents.append(content)


@pytest.fixture(scope="module")
def model() -> nn.Module:
    return trained()


def every_epoch(store: Kept) -> Checkpoints:
    return Checkpoints(store, {}, seconds=0.0)


def same_state(first: nn.Module, second: nn.Module) -> bool:
    one, other = first.state_dict(), second.state_dict()
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


# ---- what determines a classifier ----


def test_same_seed_same_bytes_whatever_the_workers(model: nn.Module, tmp_path: Path) -> None:
    torch.manual_seed(99)  # nothing comes from the state that a caller left
    expected = digests(model, tmp_path / "a")
    assert digests(trained(workers=2), tmp_path / "b") == expected
    assert digests(trained(workers=0), tmp_path / "c") == expected


def test_another_seed_gives_other_weights() -> None:
    one_epoch = replace(SETTINGS, epochs=1)
    first, second = (trained(one_epoch, seed).state_dict() for seed in (0, 1))
    assert any(not torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("change", [{}, {"amp": "bfloat16", "ema_decay": 0.9}])
def test_learns_what_can_be_learnt(change: dict[str, object]) -> None:
    settings = replace(SETTINGS, epochs=20, **change)
    unseen = noisy_bars(90, seed=2)
    predicted = classifier.predict(
        trained(settings), unseen, 32, device="cpu", workers=0, label="evaluate"
    )
    assert np.mean(predicted == [label for _, label in unseen]) > 0.8


# ---- breaks ----

KINDS = {
    "muon": {},
    "everything": {"amp": "float16", "ema_decay": 0.9, "micro_batch_size": 8},
    "nmuon": {"optimizer": "nmuon", "amp": "bfloat16"},
    "adamw": {"optimizer": "adamw", "ema_decay": 0.5},
    "sgd": {"optimizer": "sgd"},
    "lamb": {"optimizer": "lamb"},
    "rmsprop": {"optimizer": "rmsproptf"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_break_after_any_epoch_changes_no_bit(kind: str) -> None:
    settings = replace(SETTINGS, epochs=3, **KINDS[kind])
    kept = Kept()
    expected = trained(settings, checkpoints=every_epoch(kept))
    assert len(kept.contents) == 3
    for epoch, content in enumerate(kept.contents, start=1):
        checkpoints = every_epoch(Kept(content))
        assert checkpoints.read().epochs == epoch
        assert same_state(trained(settings, checkpoints=checkpoints), expected), epoch


def test_a_resumed_training_computes_only_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Kept()
    trained(checkpoints=every_epoch(kept))
    steps = []
    run_step = training._Training.run_step

    def counted(self: training._Training, step: int, *rest: object) -> Tensor:
        steps.append(step)
        return run_step(self, step, *rest)

    monkeypatch.setattr(training._Training, "run_step", counted)
    trained(checkpoints=every_epoch(Kept(kept.contents[2])))
    assert steps == list(range(18, 24))
    trained(checkpoints=every_epoch(Kept(kept.contents[3])))
    assert len(steps) == 6


def test_keeping_changes_no_bit_and_a_short_training_is_kept_once(model: nn.Module) -> None:
    kept = Kept()
    assert same_state(trained(checkpoints=Checkpoints(kept, {}, seconds=60.0)), model)
    assert len(kept.contents) == 1


# ---- checkpoints that must not be used ----


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    store = FileStore(tmp_path / "seed0.safetensors")
    trained(replace(SETTINGS, epochs=1), checkpoints=Checkpoints(store, {"seed": 0}, 0.0))
    return store


def test_a_checkpoint_is_a_safetensors_file_and_nothing_is_beside_it(store: FileStore) -> None:
    assert list(store.path.parent.iterdir()) == [store.path]
    known = Checkpoints(store, {"seed": 0}, 0.0).read()
    assert known.epochs == 1
    assert safetensors.torch.load_file(store.path).keys() == known.tensors.keys()


@pytest.mark.parametrize("fault", ["cut", "empty", "flipped in a tensor", "flipped in the header"])
def test_a_damaged_checkpoint_is_not_used(
    store: FileStore, fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    content = bytearray(store.read() or b"")
    place = {"flipped in a tensor": len(content) - 5, "flipped in the header": 60}.get(fault)
    if place:
        content[place] ^= 1
    store.write(content[: {"cut": len(content) - 1, "empty": 0}.get(fault, len(content))])
    assert Checkpoints(store, {"seed": 0}, 0.0).read() is None
    assert "damaged" in capsys.readouterr().out


def test_a_checkpoint_of_another_training_is_not_used(
    store: FileStore, capsys: pytest.CaptureFixture[str]
) -> None:
    assert Checkpoints(store, {"seed": 1}, 0.0).read() is None
    assert "another training" in capsys.readouterr().out


# ---- a broken loss, and what no checkpoint holds ----


def test_a_diverging_loss_stops_with_a_sentence_and_keeps_nothing() -> None:
    store = Kept()
    diverging = replace(SETTINGS, optimizer="sgd", learning_rate=1e30)
    with pytest.raises(InputError, match=r"the loss is (nan|inf) in epoch \d/4"):
        trained(diverging, checkpoints=every_epoch(store))
    assert not store.contents


def test_weights_that_the_last_step_broke_are_kept_nowhere() -> None:
    # One step, whose own loss is finite.
    last = replace(SETTINGS, optimizer="sgd", learning_rate=1e38, epochs=1, warmup_epochs=0)
    last = replace(last, batch_size=96, micro_batch_size=96, weight_decay=1e3)
    store = Kept()
    with pytest.raises(InputError, match="is no longer finite after epoch 1/1"):
        trained(last, checkpoints=every_epoch(store))
    assert not store.contents


@pytest.mark.parametrize("ema_decay", [0.0, 0.9])
def test_broken_weights_are_kept_at_no_epoch(
    ema_decay: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_epoch = training._run_epoch

    def broken_in_the_second(state: training._Training, *rest: Any) -> None:
        run_epoch(state, *rest)
        if state.epochs == 1:  # by its last step, and not yet in the running mean
            next(state.model.parameters()).data[0] = torch.inf

    monkeypatch.setattr(training, "_run_epoch", broken_in_the_second)
    store = Kept()
    with pytest.raises(InputError, match="is no longer finite after epoch 2/4, which was not"):
        trained(replace(SETTINGS, ema_decay=ema_decay), checkpoints=every_epoch(store))
    assert [every_epoch(Kept(content)).read().epochs for content in store.contents] == [1]


def test_an_optimizer_that_is_not_installed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for error in (AssertionError("CUDA required"), ImportError("requires apex to be installed")):
        monkeypatch.setattr(training, "create_optimizer_v2", Mock(side_effect=error))
        with pytest.raises(InputError, match=rf"'fusedadam', which cannot be had here \({error}"):
            trained(replace(SETTINGS, optimizer="fusedadam"))


def test_what_no_checkpoint_holds_of_an_optimizer_is_not_left_out() -> None:
    weight = nn.Parameter(torch.zeros(2))
    optimizer = torch.optim.SGD([weight])
    optimizer.state[weight]["factors"] = [torch.zeros(2)]
    with pytest.raises(InputError, match="remembers 'factors', of the type list"):
        list(training._by_name(optimizer))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"model": "resnet_of_nobody"}, "timm has no model 'resnet_of_nobody'"),
        ({"optimizer": "hope"}, "timm has no optimizer 'hope'"),
        ({"optimizer": "adahessian"}, "optimizer is 'adahessian', which needs second derivatives"),
        ({"optimizer": "kronw"}, "optimizer is 'kronw', which remembers lists of matrices"),
        ({"schedule": "none"}, "timm has no schedule 'none'"),
        ({"schedule": "cosin"}, "schedule is 'cosin': "),
        ({"schedule": "plateau"}, "schedule is 'plateau': "),
        ({"amp": "float8"}, "amp is 'float8': write bfloat16 or float16, or nothing"),
        ({"batch_size": 97, "micro_batch_size": 97}, "96 training images do not fill a batch"),
        ({"micro_batch_size": 5}, "micro_batch_size 5 does not divide batch_size 16"),
        ({"micro_batch_size": 0}, "micro_batch_size 0 does not divide batch_size 16"),
        ({"ema_decay": 1.0}, "ema_decay is 1.0: it must be from 0 to less than 1"),
    ],
)
def test_settings_that_cannot_work(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        trained(replace(SETTINGS, **change))


# ---- precision, means of weights, micro-batches, processes ----


def test_the_model_multiplies_in_the_type_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = set()
    create = classifier.create

    def observed(*arguments: object) -> nn.Module:
        model = create(*arguments)
        for module in model.modules():
            if isinstance(module, nn.Conv2d):
                module.register_forward_hook(lambda _, __, out: seen.add(out.dtype))
        return model

    monkeypatch.setattr(training, "create", observed)
    one_epoch = replace(SETTINGS, epochs=1, warmup_epochs=0)
    for amp, dtype in (("", torch.float32), ("bfloat16", torch.bfloat16)):
        seen.clear()
        model = trained(replace(one_epoch, amp=amp))
        assert seen == {dtype}
        assert {value.dtype for value in model.parameters()} == {torch.float32}


def test_the_kept_weights_are_the_running_mean_of_every_steps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    after: list[dict[str, Tensor]] = []
    run_step = training._Training.run_step

    def recorded(self: training._Training, *arguments: object) -> Tensor:
        loss = run_step(self, *arguments)
        after.append({name: v.clone() for name, v in self.model.state_dict().items()})
        return loss

    monkeypatch.setattr(training._Training, "run_step", recorded)
    kept = trained(replace(SETTINGS, ema_decay=0.7)).state_dict()
    mean = {name: v.double() for name, v in after[0].items()}
    for number, state in enumerate(after[1:], start=1):
        decay = min(0.7, 1 - (1 + number) ** (-2 / 3))  # timm's warm-up
        mean = {name: decay * v + (1 - decay) * state[name].double() for name, v in mean.items()}
    for name, value in kept.items():
        if value.is_floating_point():  # statistics of batch norm as well
            torch.testing.assert_close(value.double(), mean[name], rtol=1e-4, atol=1e-6)
        else:
            assert torch.equal(value, after[-1][name])


def test_micro_batches_add_up_to_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    # Without batch norm and drop-out, whose results are of what passes at once.
    monkeypatch.setattr(nn.BatchNorm2d, "forward", lambda self, x: x)
    plain = replace(SETTINGS, optimizer="sgd", learning_rate=1e-3, epochs=1, warmup_epochs=0)
    plain = replace(plain, model_args=SETTINGS.model_args | {"drop_rate": 0.0})
    whole = trained(plain).state_dict()
    parts = trained(replace(plain, micro_batch_size=4)).state_dict()
    start = classifier.create(plain, NAMES)
    assert any(not torch.equal(v, whole[name]) for name, v in start.state_dict().items())
    for name, value in whole.items():
        torch.testing.assert_close(parts[name], value, rtol=1e-4, atol=1e-6)


def test_processes_share_the_very_batches_of_one() -> None:
    settings = replace(SETTINGS, epochs=3, batch_size=12, micro_batch_size=3)

    def batches(rank: int, processes: int, first_epoch: int = 0) -> list[list[tuple[int, int]]]:
        share = Share(rank=rank, processes=processes)
        return list(GlobalShuffle(31, settings, 5, share, first_epoch))

    alone = batches(0, 1)
    assert len(alone) == 3 * (31 // 12) * 4
    for epoch in range(3):
        seen = [i for batch in alone for e, i in batch if e == epoch]
        assert len(seen) == len(set(seen)) == 24
    both = batches(0, 2), batches(1, 2)
    joined = []
    for step in range(6):
        for rank in (0, 1):
            joined += both[rank][2 * step : 2 * step + 2]
    assert joined == alone
    assert batches(0, 1, first_epoch=2) == alone[16:]
    with pytest.raises(InputError, match="3 processes cannot share 4 micro-batches"):
        training._check(settings, Share(rank=0, processes=3), "train")


def break_off_as_one_of_two(rank: int, folder: Path) -> None:
    """Train, then train again from the first epoch's end, and hold one against the other."""
    meeting = f"file://{folder / 'meeting'}"
    distributed.init_process_group("gloo", init_method=meeting, rank=rank, world_size=2)
    settings = replace(SETTINGS, epochs=3, micro_batch_size=4, ema_decay=0.5)
    share, kept = Share(rank=rank, processes=2), Kept()
    expected = trained(settings, checkpoints=every_epoch(kept), share=share)
    both = [kept.contents[0] if rank == 0 else None]
    distributed.broadcast_object_list(both)
    resumed = trained(settings, checkpoints=every_epoch(Kept(*both)), share=share)
    assert same_state(resumed, expected) or rank > 0  # batch norm's statistics are the first's
    (folder / f"same{rank}").touch()


def as_two(work: Callable[[int, Path], None], folder: Path) -> None:
    """Let two processes do a work each as one of the ranks."""
    fork = multiprocessing.get_context("fork")
    pair = [fork.Process(target=work, args=(rank, folder)) for rank in (0, 1)]
    for process in pair:
        process.start()
    for process in pair:
        process.join()


def test_a_break_changes_no_bit_of_what_two_processes_train(tmp_path: Path) -> None:
    as_two(break_off_as_one_of_two, tmp_path)
    assert (tmp_path / "same0").exists()


def read_another_checkpoint_each(rank: int, folder: Path) -> None:
    meeting = f"file://{folder / 'meeting'}"
    distributed.init_process_group("gloo", init_method=meeting, rank=rank, world_size=2)
    kept = Kept()
    trained(checkpoints=every_epoch(kept))
    share, own = Share(rank=rank, processes=2), Kept(kept.contents[rank])
    settings = replace(SETTINGS, micro_batch_size=SETTINGS.batch_size // 2)
    with pytest.raises(RuntimeError, match="Some processes begin after epoch 1, others after 2"):
        trained(settings, checkpoints=every_epoch(own), share=share)
    (folder / f"refused{rank}").touch()


def test_processes_that_have_read_different_checkpoints_do_not_begin(tmp_path: Path) -> None:
    as_two(read_another_checkpoint_each, tmp_path)
    assert (tmp_path / "refused0").exists() and (tmp_path / "refused1").exists()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("amp", ["", "bfloat16", "float16"])
def test_on_a_gpu_it_learns_and_a_break_loses_nothing(
    amp: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    learns_and_goes_on_where_it_was("cuda", amp, monkeypatch)


def learns_and_goes_on_where_it_was(device: str, amp: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = replace(SETTINGS, epochs=20, amp=amp, ema_decay=0.9, micro_batch_size=8)
    begun = []
    run_epochs = training._run_epochs

    def looked_at(state: training._Training, *rest: Any) -> None:
        begun.append(state.checkpoint())
        run_epochs(state, *rest)

    monkeypatch.setattr(training, "_run_epochs", looked_at)
    kept = Kept()
    first = trained(settings, checkpoints=every_epoch(kept), device=device)
    broken_off = every_epoch(Kept(kept.contents[9]))
    known = broken_off.read()
    again = trained(settings, checkpoints=broken_off, device=device)
    # Before any step, all is as it was kept: results of a GPU are not the same bit for bit later.
    restored = begun[1]
    assert restored.epochs == known.epochs == 10
    assert json.loads(json.dumps(restored.facts)) == known.facts
    assert restored.tensors.keys() == known.tensors.keys()
    for name, value in known.tensors.items():
        assert value.dtype == restored.tensors[name].dtype
        assert torch.equal(restored.tensors[name], value), name
    unseen = noisy_bars(90, seed=2)
    for model in (first, again):
        predicted = classifier.predict(model, unseen, 32, device=device, workers=0, label=device)
        assert np.mean(predicted == [label for _, label in unseen]) > 0.8
