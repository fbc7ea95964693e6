"""A text-to-image pipeline of diffusers, read from a folder."""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import diffusers
import torch
from PIL import Image

from synset_factory.errors import InputError
from synset_factory.provenance import drawn_by_model
from synset_factory.records import ImageSettings
from synset_factory.shard_writer import encode_jpeg

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def folder_digest(folder: Path) -> str:
    """Return one hex digest of all files of a folder: their names and their contents.

    Raises InputError if the folder is not there.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is missing: make it with `dvc repro`.")
    digest = sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        with path.open("rb") as stream:
            content = sha256()
            while block := stream.read(1 << 20):
                content.update(block)
        digest.update(f"{path.relative_to(folder).as_posix()} {content.hexdigest()}\n".encode())
    return digest.hexdigest()


class TextToImage:
    """Draws pictures from prompts and seeds, always in batches of one shape."""

    def __init__(self, folder: Path, settings: ImageSettings, device: str) -> None:
        """Load the pipeline. Raises InputError for an unknown scheduler or dtype."""
        self.folder, self.settings = folder, settings
        dtype = DTYPES.get(settings.dtype)
        if dtype is None:
            raise InputError(
                f"params.yaml: generate.dtype '{settings.dtype}' is unknown; choose one of "
                f"{', '.join(DTYPES)}."
            )
        scheduler = getattr(diffusers, settings.scheduler, None)
        if scheduler is None or not settings.scheduler.endswith("Scheduler"):
            raise InputError(
                f"params.yaml: generate.scheduler '{settings.scheduler}' is no scheduler of "
                "diffusers; correct its name."
            )
        diffusers.utils.logging.disable_progress_bar()
        pipe = diffusers.StableDiffusionPipeline.from_pretrained(
            folder, dtype=dtype, local_files_only=True, use_safetensors=True
        )
        pipe.scheduler = scheduler.from_config(pipe.scheduler.config)
        pipe.set_progress_bar_config(disable=True)
        self.pipe = pipe.to(device)

    def draw_jpegs(self, prompts: Sequence[str], seeds: Sequence[int]) -> list[bytes]:
        """Draw as `draw` does, and return the pictures as they are stored, marked as drawn."""
        xmp = drawn_by_model(type(self.pipe).__name__, self.settings.generator)
        quality = self.settings.jpeg_quality
        return [encode_jpeg(image, quality, xmp) for image in self.draw(prompts, seeds)]

    def draw(self, prompts: Sequence[str], seeds: Sequence[int]) -> list[Image.Image]:
        """Draw one picture for each (prompt, seed), at most settings.batch_size of them.

        A short batch is filled up and the surplus thrown away, because bytes depend on the
        shape of the batch. Every picture has a CPU generator of its own, so that its noise
        depends neither on its neighbours nor on the device.

        Raises InputError if a picture holds NaN.
        """
        wanted, full = len(prompts), self.settings.batch_size
        padded_prompts = [*prompts, *[prompts[0]] * (full - wanted)]
        padded_seeds = [*seeds, *[seeds[0]] * (full - wanted)]
        pixels = self.pipe(
            prompt=padded_prompts,
            negative_prompt=[self.settings.negative_prompt] * full,
            num_inference_steps=self.settings.steps,
            guidance_scale=self.settings.guidance_scale,
            height=self.settings.height,
            width=self.settings.width,
            generator=[torch.Generator("cpu").manual_seed(seed) for seed in padded_seeds],
            output_type="pt",
        ).images[:wanted]  # [wanted, 3, height, width] in 0 ... 1
        if not torch.isfinite(pixels).all():
            raise InputError(
                f"{self.folder} draws NaN at dtype {self.settings.dtype}: train it again, or set "
                "generate.dtype to float32 in params.yaml; nothing of this class was written."
            )
        return self.pipe.image_processor.numpy_to_pil(
            self.pipe.image_processor.pt_to_numpy(pixels.float())
        )
