"""How a classifier of timm is trained: alone or in several processes, and resumed after a kill."""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import timm
import torch
from timm.optim import create_optimizer_v2, get_optimizer_info, list_optimizers
from timm.scheduler import create_scheduler_v2
from timm.utils import ModelEmaV3
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel
from tqdm import tqdm

from synset_factory.checkpoints import Checkpoint, Checkpoints
from synset_factory.errors import InputError
from synset_factory.models.classifier import ClassifierSettings, LabelledImages, Normalise, create
from synset_factory.models.training_batches import Share, training_batches
from synset_factory.seeds import derive_seed

LOSS_STEPS = 100  # from one look at the loss to the next: each waits for the device

AMP = ("bfloat16", "float16")
ALONE = Share(rank=0, processes=1)
KEPT = (Tensor, bool, int, float, str)  # what a checkpoint holds of an optimizer


def train(
    dataset: LabelledImages,
    class_names: Sequence[str],
    settings: ClassifierSettings,
    seed: int,
    *,
    device: str,
    workers: int,
    label: str,
    checkpoints: Checkpoints | None = None,
    share: Share = ALONE,
    screen: Any = None,
) -> nn.Module:
    """Train a classifier from nothing and return it, ready to predict, on `device`.

    `class_names` are the names of labels 0 to C-1. Weights, order and augmentation come from
    `seed` alone, whatever the number of worker processes; on a CPU the bytes of the weights
    depend besides on the machine and on torch.get_num_threads(). The global random generators of
    Python, numpy and torch are reseeded. A small set is best given as a list of decoded images.

    With `checkpoints` it goes on after the last epoch that they know, with the same result as
    without a break; one is kept at the end of an epoch, once their `seconds` have passed, and
    one of the finished training.

    With `share` this is one of several processes, joined by torch.distributed, that train one
    classifier on the same batches: but for the rounding of sums and for batch norm's running
    statistics (those of rank 0) it is the one that a process alone would train.

    Progress is written to `screen`, anything with `write` and `flush`, or else to stderr.

    Raises InputError if timm does not know a name in `settings` or cannot have what it names here,
    if sizes do not fit (the images, a batch, its micro-batches, the processes), or if the loss or
    a weight is no longer a finite number. Raises RuntimeError if processes have read different
    checkpoints.
    """
    _check(settings, share, label)
    steps = len(dataset) // settings.batch_size  # an epoch
    if steps == 0:
        raise InputError(
            f"{label}: {len(dataset)} training images do not fill a batch of "
            f"{settings.batch_size}; lower batch_size or make more images."
        )
    training = _Training(class_names, settings, seed, steps, share, device)
    known = checkpoints.read() if checkpoints else None
    if known:
        training.restore(known)
    if share.processes > 1:
        _check_together(training)
    if training.epochs < settings.epochs:
        batches = training_batches(
            dataset,
            training.model,
            settings,
            seed,
            share=share,
            first_epoch=training.epochs,
            pinned=device.startswith("cuda"),
            workers=workers,
        )
        _run_epochs(
            training, iter(batches), checkpoints if share.rank == 0 else None, label, screen
        )
    return training.result()


class _Training:
    """All that changes while a classifier is trained."""

    def __init__(
        self,
        class_names: Sequence[str],
        settings: ClassifierSettings,
        seed: int,
        steps: int,
        share: Share,
        device: str,
    ) -> None:
        torch.manual_seed(derive_seed(seed, "initialisation"))
        self.model = create(settings, class_names).to(device)
        self.model.to(memory_format=torch.channels_last)
        self.optimizer = _create_optimizer(self.model, settings)
        self.scheduler = _create_scheduler(self.optimizer, settings, steps)
        self.average = None
        if settings.ema_decay:
            self.average = ModelEmaV3(self.model, decay=settings.ema_decay, use_warmup=True)
        self.kind = torch.device(device).type
        self.scaler = torch.amp.GradScaler(self.kind, enabled=settings.amp == "float16")
        self.loss_function = nn.CrossEntropyLoss(label_smoothing=settings.label_smoothing)
        self.normalise = Normalise(self.model, device)
        self.settings, self.seed, self.steps = settings, seed, steps
        self.share, self.device = share, device
        self.epochs = 0  # finished

    def run_step(self, step: int, joint: nn.Module, batches: Iterator[list[Tensor]]) -> Tensor:
        """Take a step, the `step`-th of all, and return its mean loss, which is not waited for.

        `joint` is the model, with the other processes' gradients if there are any.
        """
        parts = self.settings.batch_size // self.settings.micro_batch_size
        own = parts // self.share.processes
        self.scheduler.step_update(step)
        self.optimizer.zero_grad()
        total = torch.zeros((), device=self.device)
        for i in range(own):
            # Drop-out and the like must not depend on what the transforms have drawn meanwhile.
            part = step * parts + self.share.rank * own + i
            images, labels = next(batches)
            torch.manual_seed(derive_seed(self.seed, "step", part))
            # Processes add up their gradients once a step, at its last part.
            with _apart(joint) if i < own - 1 else nullcontext():
                with self._products():
                    logits = joint(self.normalise(images))
                    loss = self.loss_function(logits, labels.to(self.device, non_blocking=True))
                self.scaler.scale(loss / own).backward()
            total += loss.detach() / own
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.average:
            self.average.update(self.model, step + 1)
        return total

    def _products(self) -> torch.autocast:
        """The types of numbers in which the model multiplies, as `amp` has it."""
        amp = self.settings.amp
        dtype = getattr(torch, amp) if amp else None
        return torch.autocast(self.kind, dtype=dtype, enabled=bool(amp))

    def result(self) -> nn.Module:
        """The classifier as it is now, ready to predict."""
        return self.average.module if self.average else self.model.eval()

    def checkpoint(self) -> Checkpoint:
        """Where the training stands at the end of an epoch."""
        tensors = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        if self.average:
            average = self.average.module.state_dict()
            tensors |= {f"average.{name}": value for name, value in average.items()}
        strides, scalars = {}, {}
        for key, value in _by_name(self.optimizer):
            if isinstance(value, Tensor):
                tensors[f"optimizer.{key}"], strides[key] = value, value.stride()
            else:
                scalars[key] = value
        facts = {"strides": strides, "scalars": scalars, "scaler": self.scaler.state_dict()}
        # safetensors takes no tensor in the order that convolutions prefer, and no two in one.
        copies = {
            key: value.detach().cpu().clone(memory_format=torch.contiguous_format)
            for key, value in tensors.items()
        }
        return Checkpoint(self.epochs, copies, facts)

    def restore(self, known: Checkpoint) -> None:
        """Go on where a checkpoint stands."""
        self.model.load_state_dict(_beginning_with("model.", known.tensors))
        if self.average:
            self.average.module.load_state_dict(_beginning_with("average.", known.tensors))
        strides = known.facts["strides"]
        values = dict(known.facts["scalars"])
        for key, value in _beginning_with("optimizer.", known.tensors).items():
            # In its former order in memory: sums of products depend on it.
            values[key] = torch.empty_strided(value.shape, strides[key], dtype=value.dtype)
            values[key].copy_(value)
        _restore_by_name(self.optimizer, values)
        self.scaler.load_state_dict(known.facts["scaler"])
        self.epochs = known.epochs


def _check_together(training: _Training) -> None:
    """Raise RuntimeError, in all processes, if they do not all begin with the same epoch.

    Each reads the checkpoint for itself, and one of an attempt that was broken off may still have
    been on its way meanwhile: that passes, so it is no InputError.
    """
    ends = torch.tensor([training.epochs, -training.epochs], device=training.device)
    distributed.all_reduce(ends, op=distributed.ReduceOp.MAX)
    last, first = ends[0].item(), -ends[1].item()
    if first != last:
        raise RuntimeError(f"Some processes begin after epoch {first}, others after {last}.")


def _run_epochs(
    training: _Training,
    batches: Iterator[list[Tensor]],
    checkpoints: Checkpoints | None,
    label: str,
    screen: Any,
) -> None:
    """Run the epochs that are left, and keep where they stand."""
    epochs, steps = training.settings.epochs, training.steps
    joint = training.model
    if training.share.processes > 1:
        joint = DistributedDataParallel(joint)
    joint.train()
    kept = time.monotonic()
    with tqdm(
        total=epochs * steps,
        initial=training.epochs * steps,
        desc=label,
        unit="step",
        file=screen,
        disable=training.share.rank > 0,
    ) as bar:
        for epoch in range(training.epochs, epochs):
            _run_epoch(training, joint, batches, bar, label)
            training.epochs = epoch + 1
            is_due = checkpoints and time.monotonic() - kept >= checkpoints.seconds
            if not is_due and training.epochs < epochs:
                continue
            _refuse_broken(training, label)
            if checkpoints:
                checkpoints.write(training.checkpoint())
                kept = time.monotonic()


def _run_epoch(
    training: _Training,
    joint: nn.Module,
    batches: Iterator[list[Tensor]],
    bar: "tqdm[Any]",
    label: str,
) -> None:
    """Run an epoch. Raises InputError if its loss is no longer a finite number."""
    told = f"{training.epochs + 1}/{training.settings.epochs}"
    losses = torch.zeros((), device=training.device)
    for i in range(training.steps):
        losses += training.run_step(training.epochs * training.steps + i, joint, batches)
        bar.update()
        if (i + 1) % LOSS_STEPS and i + 1 < training.steps:
            continue
        mean = losses / (i + 1) / training.share.processes
        if training.share.processes > 1:
            distributed.all_reduce(mean)  # the same for all, so that all stop or none
        loss = mean.item()
        bar.set_postfix(epoch=told, loss=f"{loss:.3f}", refresh=False)
        if not math.isfinite(loss):
            raise InputError(
                f"{label}: the loss is {loss} in epoch {told}, so nothing was saved; "
                "lower learning_rate or look for broken images."
            )


def _refuse_broken(training: _Training, label: str) -> None:
    """Raise InputError if a weight is broken, perhaps by the last step, whose loss nobody sees."""
    models = [training.model, training.average.module] if training.average else [training.model]
    for name, value in (pair for model in models for pair in model.state_dict().items()):
        if not value.isfinite().all():
            raise InputError(
                f"{label}: {name} is no longer finite after epoch {training.epochs}/"
                f"{training.settings.epochs}, which was not saved; lower learning_rate."
            )


def _check(settings: ClassifierSettings, share: Share, label: str) -> None:
    if not timm.is_model(settings.model):
        raise InputError(f"timm has no model '{settings.model}': correct the name of model.")
    if settings.optimizer not in list_optimizers():
        raise InputError(f"timm has no optimizer '{settings.optimizer}': correct its name.")
    if get_optimizer_info(settings.optimizer).second_order:
        raise InputError(
            f"optimizer is '{settings.optimizer}', which needs second derivatives, and they are "
            "not computed here: choose another."
        )
    if settings.optimizer.startswith("kron"):
        raise InputError(
            f"optimizer is '{settings.optimizer}', which remembers lists of matrices, and a "
            "checkpoint holds none: choose another."
        )
    if settings.amp not in ("", *AMP):
        raise InputError(f"amp is '{settings.amp}': write {' or '.join(AMP)}, or nothing.")
    if not 0 <= settings.ema_decay < 1:
        raise InputError(f"ema_decay is {settings.ema_decay}: it must be from 0 to less than 1.")
    parts, rest = divmod(settings.batch_size, max(settings.micro_batch_size, 1))
    if rest or settings.micro_batch_size < 1:
        raise InputError(
            f"{label}: micro_batch_size {settings.micro_batch_size} does not divide batch_size "
            f"{settings.batch_size}; change one of them."
        )
    if parts % share.processes:
        raise InputError(
            f"{label}: {share.processes} processes cannot share {parts} micro-batches a step "
            "evenly; change run.replicas or micro_batch_size."
        )


def _apart(joint: nn.Module) -> AbstractContextManager[None]:
    """Keep this process's gradients to itself for now."""
    return joint.no_sync() if isinstance(joint, DistributedDataParallel) else nullcontext()


def _create_optimizer(model: nn.Module, settings: ClassifierSettings) -> torch.optim.Optimizer:
    """Timm's optimizer. Raises InputError if it needs a GPU or a library that is not here."""
    try:
        return create_optimizer_v2(
            model,
            settings.optimizer,
            lr=settings.learning_rate,
            weight_decay=settings.weight_decay,
        )
    except (AssertionError, ImportError) as error:
        raise InputError(
            f"optimizer is '{settings.optimizer}', which cannot be had here ({error}): "
            "choose another."
        ) from None


def _create_scheduler(
    optimizer: torch.optim.Optimizer, settings: ClassifierSettings, steps: int
) -> Any:
    """Timm's schedule, moved at each of the `steps` of an epoch.

    Raises InputError if there is none of that name, or it does not move at steps.
    """
    try:
        scheduler, _ = create_scheduler_v2(
            optimizer,
            settings.schedule,
            num_epochs=settings.epochs,
            warmup_epochs=settings.warmup_epochs,
            warmup_lr=0.0,
            min_lr=0.0,
            step_on_epochs=False,
            updates_per_epoch=steps,
        )
    except (AssertionError, ValueError) as error:
        raise InputError(f"schedule is '{settings.schedule}': {error}") from None
    if scheduler is None:
        raise InputError(f"timm has no schedule '{settings.schedule}': correct its name.")
    return scheduler


def _beginning_with(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of which the name has a prefix, without it."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _by_name(optimizer: torch.optim.Optimizer) -> Iterator[tuple[str, Any]]:
    """Yield what an optimizer remembers, of each weight and of each group of weights.

    Of a group these are counts of steps, and settings, of which those of several numbers are left
    out: they are constants. Raises InputError if it remembers of a weight what no checkpoint holds.
    """
    known = optimizer.state_dict()
    for index, state in known["state"].items():
        for name, value in state.items():
            if not isinstance(value, KEPT):
                raise InputError(
                    f"The optimizer remembers '{name}', of the type {type(value).__name__}, and a "
                    "checkpoint holds only tensors, numbers and texts: choose another optimizer."
                )
            yield f"state.{index}.{name}", value
    for index, group in enumerate(known["param_groups"]):
        for name, value in group.items():
            if isinstance(value, KEPT):
                yield f"groups.{index}.{name}", value


def _restore_by_name(optimizer: torch.optim.Optimizer, values: dict[str, Any]) -> None:
    """Put back what `_by_name` gave."""
    groups = optimizer.state_dict()["param_groups"]
    state: dict[int, dict[str, Any]] = {}
    for key, value in values.items():
        kind, index, name = key.split(".", 2)
        of = groups[int(index)] if kind == "groups" else state.setdefault(int(index), {})
        of[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": groups})
