"""A scheduler of diffusers whose bookkeeping stays in the host's memory."""

import functools
import inspect
from typing import Any

import torch


class HostScheduler:
    """Stands in for a scheduler while the denoiser works on another device.

    Schedulers look up tables by the timestep, compare timesteps, and branch on what they find. With
    timesteps on the device each of these waits until the device has done all it was told, so that
    it stands idle while the next step is being prepared. Here the scheduler sees timesteps in the
    host's memory only; the pipeline, which hands them to the denoiser, sees equal ones on the
    device. A pipeline goes through the timesteps in order, one call of `step` for each.

    Schedulers that draw noise at each step (ancestral, SDE) wait all the same: the noise comes from
    generators of the host.
    """

    def __init__(self, scheduler: Any, device: torch.device) -> None:
        self.scheduler, self.device = scheduler, device
        self.on_device: torch.Tensor | None = None  # the timesteps, [T]
        self.steps_done = 0
        # Pipelines ask by the signature which arguments a scheduler takes.
        for name in ("set_timesteps", "step", "scale_model_input"):
            if hasattr(scheduler, name):
                method = functools.partial(getattr(self, f"_{name}"))
                setattr(self, name, functools.wraps(getattr(scheduler, name))(method))

    @property  # type: ignore[misc]  # only read here
    def __class__(self) -> Any:
        """The scheduler's own: pipelines ask by isinstance which kind they have, and branch."""
        return type(self.__dict__["scheduler"])

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["scheduler"], name)

    @property
    def timesteps(self) -> torch.Tensor:
        return self.scheduler.timesteps if self.on_device is None else self.on_device

    def _set_timesteps(self, *args: Any, **kwargs: Any) -> None:
        given = inspect.signature(self.scheduler.set_timesteps).bind(*args, **kwargs)
        given.arguments.pop("device", None)
        self.scheduler.set_timesteps(*given.args, **given.kwargs)
        self.on_device = self.scheduler.timesteps.to(self.device)
        self.steps_done = 0

    def _step(self, model_output: torch.Tensor, timestep: Any, *args: Any, **kwargs: Any) -> Any:
        now = self._now()
        self.steps_done += 1
        return self.scheduler.step(model_output, now, *args, **kwargs)

    def _scale_model_input(self, sample: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        scaled: torch.Tensor = self.scheduler.scale_model_input(sample, self._now())
        return scaled

    def _now(self) -> torch.Tensor:
        now: torch.Tensor = self.scheduler.timesteps[self.steps_done]
        return now
