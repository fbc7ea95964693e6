"""What the miniature's training loops share: the web in memory, schedules, and a watchful bar."""

import io
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch
from diffusers.models.resnet import ResnetBlock2D
from PIL import Image
from timm.optim import create_optimizer_v2, list_optimizers
from tqdm import tqdm

from synset_factory import layout
from synset_factory.errors import InputError

SMOOTHING = 0.98  # of the loss that a bar shows


def read_web(path: Path = layout.WEB) -> tuple[torch.Tensor, list[str]]:
    """Return the web's pictures, uint8 [N, 3, H, W], and their captions.

    Raises InputError if the web has not been drawn.
    """
    if not path.exists():
        raise InputError(f"{path} is missing: make it with `dvc repro web`.")
    table = pq.read_table(path, columns=["image", "caption"])
    pictures = [
        np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
        for png in table.column("image").to_pylist()
    ]
    images = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous()
    return images, table.column("caption").to_pylist()


def cosine_schedule(steps: int, warmup: int) -> Callable[[int], float]:
    """Return the learning rate's factor at a step: a linear rise, then half a cosine to 0."""

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        return 0.5 * (1.0 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))

    return factor


def create_optimizer(
    model: torch.nn.Module, name: str, learning_rate: float, weight_decay: float
) -> torch.optim.Optimizer:
    """Return one of timm's optimisers; gains and biases do not decay.

    Muon orthogonalises the steps of matrices, which in a few hundred steps learns what AdamW
    needs a few thousand for. Embeddings, gains and biases are no matrices in that sense: they
    take AdamW's steps, a tenth as long.
    """
    if name not in list_optimizers():
        raise InputError(f"{layout.PARAMS}: timm has no optimizer '{name}'; correct its name.")
    of_kind: dict[str, object] = {}
    if "muon" in name:
        of_kind["fallback_lr_scale"] = 0.1
    elif name == "adamw":
        of_kind["fused"] = True
    return create_optimizer_v2(
        model,
        name,
        lr=learning_rate,
        weight_decay=weight_decay,
        fallback_list=["*embedding*", "logit_scale"],
        **of_kind,
    )


def start_as_identity(model: torch.nn.Module) -> None:
    """Set the last convolution of every residual block to 0: blocks then begin by doing nothing.

    A few hundred steps learn much more from there than from diffusers' own start.
    """
    for module in model.modules():
        if isinstance(module, ResnetBlock2D):
            torch.nn.init.zeros_(module.conv2.weight)
            torch.nn.init.zeros_(module.conv2.bias)


def batches(count: int, batch_size: int, rng: torch.Generator) -> Iterator[torch.Tensor]:
    """Yield indices of batches for ever, each epoch in a fresh order; all batches are full.

    Raises InputError if there is not enough for one batch.
    """
    if count < batch_size:
        raise InputError(
            f"{layout.PARAMS}: a batch of {batch_size} cannot be filled from {count} pictures; "
            "lower batch_size or raise web.pictures."
        )
    while True:
        order = torch.randperm(count, generator=rng)
        for start in range(0, count - batch_size + 1, batch_size):
            yield order[start : start + batch_size]


def train(
    label: str,
    steps: int,
    loss_of_step: Callable[[], torch.Tensor],
    optimizer: torch.optim.Optimizer,
    warmup: int,
    after_step: Callable[[], None] = lambda: None,
) -> None:
    """Take `steps` steps, with a bar that shows the smoothed loss and the time left.

    Raises InputError at the first loss that is not finite.
    """
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, cosine_schedule(steps, warmup))
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    shown = None
    with tqdm(range(steps), desc=label, unit="step") as bar:
        for step in bar:
            optimizer.zero_grad(set_to_none=True)
            loss = loss_of_step()
            loss.backward()
            value = loss.item()
            if not math.isfinite(value):
                raise InputError(
                    f"{label}: the loss is {value} at step {step}; lower its learning rate in "
                    f"{layout.PARAMS}. Nothing was written."
                )
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            schedule.step()
            after_step()
            shown = value if shown is None else SMOOTHING * shown + (1 - SMOOTHING) * value
            if step % 10 == 0:
                bar.set_postfix(loss=f"{shown:.4f}")
