"""A text-to-image model, read from a folder: prompts and seeds in, JPEGs out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from tqdm import tqdm

from synset_factory.errors import InputError
from synset_factory.models.diffusers_pipeline import call_arguments, load_pipeline
from synset_factory.provenance import drawn_by_model
from synset_factory.records import ImageSettings
from synset_factory.shards.writer import encode_jpeg


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """Pictures that were asked for: the device may be still at work on them."""

    pixels: torch.Tensor  # [N, height, width, 3] uint8, in the host's memory once `ready`
    finite: torch.Tensor  # one bool: no picture holds NaN; likewise
    in_range: torch.Tensor  # one bool: all values were in 0 ... 1; likewise
    ready: torch.cuda.Event | None  # None: they are there
    withheld: list[str]  # those that the safety checker blackened: prompt and seed


class TextToImage:
    """Draws pictures from prompts and seeds, always in batches of one shape."""

    def __init__(self, folder: Path, settings: ImageSettings, device: str) -> None:
        """Load the pipeline. Raises InputError as load_pipeline and call_arguments do."""
        self.folder, self.settings = folder, settings
        self.pipe = load_pipeline(folder, settings, device)
        self.arguments = call_arguments(self.pipe, settings)

    def draw_jpegs(self, prompts: Sequence[str], seeds: Sequence[int]) -> list[bytes]:
        """Draw one picture for each (prompt, seed), and return them as they are stored."""
        return self.encode(self.draw(prompts, seeds))

    def draw(self, prompts: Sequence[str], seeds: Sequence[int]) -> Drawn:
        """Ask for one picture for each (prompt, seed), at most settings.batch_size of them.

        A short batch is filled up and the surplus thrown away, because bytes depend on the
        shape of the batch. Every picture has a CPU generator of its own, so that its noise
        depends neither on its neighbours nor on the device.

        A CUDA device is not waited for, unless a safety checker is to look at the pictures.

        Raises InputError if the pipeline refuses what is asked for, or draws no pictures.
        """
        wanted, full = len(prompts), self.settings.batch_size
        padded_prompts = [*prompts, *[prompts[0]] * (full - wanted)]
        padded_seeds = [*seeds, *[seeds[0]] * (full - wanted)]
        output = self._call(padded_prompts, padded_seeds)
        pixels = output.images[:wanted].float()  # [wanted, 3, height, width] in 0 ... 1
        values, finite, in_range = _to_host(
            (pixels * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous(),
            torch.isfinite(pixels).all(),
            ((pixels >= 0) & (pixels <= 1)).all(),
        )
        flags = _flags(output)[:wanted]
        withheld = [
            f"'{prompt}', seed {seed}"
            for flag, prompt, seed in zip(flags, prompts, seeds, strict=False)
            if flag
        ]
        return Drawn(
            pixels=values,
            finite=finite,
            in_range=in_range,
            ready=_event(pixels),
            withheld=withheld,
        )

    def _call(self, prompts: list[str], seeds: list[int]) -> Any:
        """Return what the pipeline makes of a full batch: its `images` are a tensor."""
        generators = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
        try:
            output = self.pipe(prompt=prompts, generator=generators, **self.arguments)
        except ValueError as error:
            raise InputError(
                f"params.yaml: the model in {self.folder} refuses what the section generate asks "
                f"for: {error}"
            ) from None
        images = getattr(output, "images", None)
        if not isinstance(images, torch.Tensor) or images.dim() != 4 or images.shape[1] != 3:
            raise InputError(
                f"{self.folder} holds a {type(self.pipe).__name__}, which hands back something "
                "else than a batch of pictures: choose another model."
            )
        return output

    def encode(self, drawn: Drawn) -> list[bytes]:
        """Wait for the pictures, and return them as JPEGs, marked as drawn by this model.

        Says which pictures the safety checker has blackened. Raises InputError if a picture holds
        NaN or values of another range, or is not of the size that was asked for.
        """
        if drawn.ready is not None:
            drawn.ready.synchronize()
        settings = self.settings
        if not drawn.finite.item():
            raise InputError(
                f"{self.folder} draws NaN at dtype {settings.dtype}: train it again, or set "
                "generate.dtype to float32 in params.yaml; nothing of this class was written."
            )
        if not drawn.in_range.item():
            raise InputError(
                f"{self.folder} holds a {type(self.pipe).__name__}, whose pictures have values "
                "outside of 0 ... 1: choose another model; nothing of this class was written."
            )
        height, width = drawn.pixels.shape[1:3]
        if (height, width) != (settings.height, settings.width):
            raise InputError(
                f"params.yaml: generate.height and generate.width: the model in {self.folder} "
                f"draws {height} x {width} when asked for {settings.height} x {settings.width}; "
                "set what it can draw."
            )
        for each in drawn.withheld:
            tqdm.write(f"The safety checker has blackened the picture of {each}.")
        xmp = drawn_by_model(type(self.pipe).__name__, settings.generator)
        return [
            encode_jpeg(Image.fromarray(picture), settings.jpeg_quality, xmp)
            for picture in drawn.pixels.numpy()
        ]


def _to_host(*tensors: torch.Tensor) -> list[torch.Tensor]:
    """Return the tensors in the host's memory; from a CUDA device they come later."""
    if tensors[0].device.type != "cuda":
        return [tensor.cpu() for tensor in tensors]
    on_host = []
    for tensor in tensors:
        pinned = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
        on_host.append(pinned.copy_(tensor, non_blocking=True))
    return on_host


def _event(pixels: torch.Tensor) -> torch.cuda.Event | None:
    """Mark this place among what the CUDA device is told to do."""
    if pixels.device.type != "cuda":
        return None
    event = torch.cuda.Event(blocking=True)
    event.record(torch.cuda.current_stream(pixels.device))
    return event


def _flags(output: Any) -> list[bool]:
    """Return for each picture whether a safety checker has blackened it; nothing without one."""
    for name in ("nsfw_content_detected", "nsfw_detected"):
        flags = getattr(output, name, None)
        if flags is not None:
            return [bool(flag) for flag in flags]
    return []
