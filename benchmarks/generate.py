"""Images a second of stage `generate`, beside plain diffusers and beside the denoiser alone.

    python benchmarks/generate.py [--model stable_diffusion] [--device cuda] [--compile] ...

The stage runs as it is: it plans, draws, encodes JPEGs, writes tars and their index. Plain
diffusers is a loop over prompts, one at a time or batched, that saves each picture as a JPEG. The
bare denoiser is as many forward passes of the same shapes, and nothing else: what cannot be saved
without another model. Every way runs in a process of its own, in turns; the first batch, in which
memory is found and code compiled, is not timed. `of the products`: what share of this machine's
rate of matrix products a way comes to. Of the stage it is also said where its time went (on a CPU
without --compile: elsewhere a call ends before its work does, or timers break up what is compiled),
and what it takes for fewer images.

`miniature` is the model of this clone's own run (`dvc repro text_to_image`) with the section
`generate` of params.yaml; `stable_diffusion` has the architecture of Stable Diffusion 1.5 and
random weights, and draws 512 x 512 in bfloat16 with PNDM, 50 steps. On a GPU:

    python benchmarks/generate.py --model stable_diffusion --device cuda --images 64 --compile
"""

import json
import resource
import shutil
import statistics
import sys
import tempfile
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from contextlib import chdir
from dataclasses import replace
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import diffusers
import pandas as pd
import torch
import yaml
from measuring import (
    Measured,
    as_told,
    median_of,
    print_comparison,
    print_table,
    run_command,
)
from torch.utils.flop_counter import FlopCounterMode
from tqdm import tqdm
from transformers import CLIPTextConfig, CLIPTextModel

from synset_factory import layout
from synset_factory.config import load_common, load_params, load_section
from synset_factory.drawing import GenerateConfig, image_settings
from synset_factory.models.diffusers_pipeline import denoiser, load_pipeline
from synset_factory.models.text_to_image import TextToImage
from synset_factory.records import ImageSettings
from synset_factory.stages import generate
from synset_factory.worlds.miniature.text_tower import transformers_tokenizer

REPOSITORY = Path(__file__).resolve().parents[1]
NAME, WNID, PROMPT = "benchmark", "n01580077", "jay"
STABLE_DIFFUSION = {
    "scheduler": "PNDMScheduler",
    "steps": 50,
    "height": 512,
    "width": 512,
    "dtype": "bfloat16",
    "compile": False,
    "safety_checker": False,
    "batch_size": 16,
}
MATRIX = {"cpu": 2048, "cuda": 8192}  # rows and columns, to measure the rate of products


def save_stable_diffusion(folder: Path) -> None:
    """Write a pipeline of Stable Diffusion 1.5's architecture with random weights."""
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16)
    tokenizer = transformers_tokenizer(77)
    text = CLIPTextConfig(
        hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12
    )
    diffusers.StableDiffusionPipeline(
        vae=diffusers.AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            block_out_channels=(128, 256, 512, 512),
            layers_per_block=2,
            sample_size=512,
        ),
        text_encoder=CLIPTextModel(text),
        tokenizer=tokenizer,
        unet=diffusers.UNet2DConditionModel(sample_size=64, cross_attention_dim=768),
        scheduler=diffusers.PNDMScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            skip_prk_steps=True,
            steps_offset=1,
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder, safe_serialization=True)
    torch.set_default_dtype(torch.float32)


def write_repository(arguments: Namespace) -> None:
    """Make the current folder one with a model, and with one set for each guidance scale."""
    params = load_params(REPOSITORY / layout.PARAMS) | {"wnids": [WNID]}
    params["run"] |= {"device": arguments.device, "engine": "local", "address": "", "replicas": 1}
    params["sets"] = {
        f"{NAME}{i}": {"prompts": "synset", "guidance_scale": scale}
        for i, scale in enumerate(arguments.scales)
    }
    layout.TEXT_TO_IMAGE.parent.mkdir(parents=True)
    if arguments.model == "miniature":
        layout.TEXT_TO_IMAGE.symlink_to(REPOSITORY / layout.TEXT_TO_IMAGE)
    else:
        params["generate"] |= STABLE_DIFFUSION
        save_stable_diffusion(layout.TEXT_TO_IMAGE)
    given = {"steps": arguments.steps, "batch_size": arguments.batch}
    params["generate"] |= {key: value for key, value in given.items() if value}
    layout.PARAMS.write_text(yaml.safe_dump(params))
    Path("prompts").symlink_to(REPOSITORY / "prompts")
    layout.IMAGE_PROMPTS.mkdir(parents=True)
    for name in params["sets"]:
        write_prompts(name, arguments.images, params["generate"]["batch_size"])


def write_prompts(name: str, images: int, batch: int) -> None:
    """Write a set's rows: so many images, and a batch that is drawn before time is taken."""
    rows = [
        [WNID, split, number, PROMPT, 2 * number + (split == "train")]
        for split, count in (("train", images), ("validation", batch))
        for number in range(count)
    ]
    table = pd.DataFrame(rows, columns=["wnid", "split", "number", "prompt", "seed"])
    table.to_parquet(layout.prompts(name), index=False)


def wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def cpu_seconds() -> float:
    """Those of this process and of its children (the compiler's) that have ended."""
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


class Clock:
    """Time since the first batch was drawn, and that spent within functions."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.start = self.cpu = 0.0
        self.within: dict[str, float] = {}

    def begin(self) -> None:
        wait(self.device)
        self.within = dict.fromkeys(self.within, 0.0)
        self.start, self.cpu = time.perf_counter(), cpu_seconds()

    def taken(self) -> dict[str, float]:
        """Return the seconds by the clock, and of the CPU."""
        wait(self.device)
        seconds = time.perf_counter() - self.start
        return {"seconds": seconds, "cpu_seconds": cpu_seconds() - self.cpu}

    def watch(self, owner: Any, name: str, part: str) -> None:
        """Add up the time in a function of an object or a class."""
        function = getattr(owner, name)
        self.within.setdefault(part, 0.0)

        def timed(*args: Any, **kwargs: Any) -> Any:
            start = time.perf_counter()
            result = function(*args, **kwargs)
            self.within[part] += time.perf_counter() - start
            return result

        setattr(owner, name, timed)


def stage(name: str, settings: ImageSettings, images: int, device: str) -> dict[str, float]:
    """The stage as it is; where a call lasts as long as its work, also its parts."""
    clock, draw = Clock(device), TextToImage.draw
    has_parts = device == "cpu" and not settings.compile  # a timer would break up what is compiled

    def first_draw(self: TextToImage, *args: Any) -> Any:
        drawn = draw(self, *args)
        TextToImage.draw = draw  # type: ignore[method-assign]
        if has_parts:
            for part, network in self.pipe.components.items():
                if isinstance(network, torch.nn.Module):
                    clock.watch(network, "decode" if part == "vae" else "forward", "networks")
            clock.watch(TextToImage, "draw", "pipeline")
        clock.begin()
        return drawn

    TextToImage.draw = first_draw  # type: ignore[method-assign]
    generate.generate_set(name)
    return clock.taken() | clock.within


def plain(
    pipe: Any, settings: ImageSettings, batch: int, images: int, device: str
) -> dict[str, float]:
    """A loop such as diffusers' documentation has."""

    def draw(first: int) -> None:
        pictures = pipe(
            [PROMPT] * batch,
            num_inference_steps=settings.steps,
            guidance_scale=settings.guidance_scale,
            height=settings.height,
            width=settings.width,
            generator=[torch.Generator().manual_seed(first + i) for i in range(batch)],
        ).images
        for picture in pictures:
            picture.save(BytesIO(), "JPEG", quality=settings.jpeg_quality)

    draw(0)
    clock = Clock(device)
    clock.begin()
    for first in range(0, images, batch):
        draw(first)
    return clock.taken()


def plain_pipeline(settings: ImageSettings, device: str) -> Any:
    pipe = diffusers.DiffusionPipeline.from_pretrained(
        layout.TEXT_TO_IMAGE, dtype=getattr(torch, settings.dtype), local_files_only=True
    )
    pipe.scheduler = getattr(diffusers, settings.scheduler).from_config(pipe.scheduler.config)
    pipe.set_progress_bar_config(disable=True)
    return pipe.to(device)


def plain_1(name: str, settings: ImageSettings, images: int, device: str) -> dict[str, float]:
    """Plain diffusers, a prompt at a time: a share of the images, because it is slow."""
    few = max(images // 8, 1)
    took = plain(plain_pipeline(settings, device), settings, 1, few, device)
    return {part: used * images / few for part, used in took.items()}


def plain_batched(name: str, settings: ImageSettings, images: int, device: str) -> dict[str, float]:
    """Plain diffusers, batched."""
    pipe = plain_pipeline(settings, device)
    return plain(pipe, settings, settings.batch_size, images, device)


def plain_compiled(
    name: str, settings: ImageSettings, images: int, device: str
) -> dict[str, float]:
    """Plain diffusers, batched, its denoiser compiled as its documentation says."""
    pipe = plain_pipeline(settings, device)
    pipe.unet.to(memory_format=torch.channels_last)
    pipe.unet = torch.compile(pipe.unet)
    return plain(pipe, settings, settings.batch_size, images, device)


def bare(name: str, settings: ImageSettings, images: int, device: str) -> dict[str, float]:
    """As many forward passes of the denoiser, of the same shapes, and nothing else."""
    pipe = load_pipeline(layout.TEXT_TO_IMAGE, settings, device)
    network, passes, inputs = denoiser_call(pipe, settings)
    with torch.no_grad():
        network(**inputs)
        clock = Clock(device)
        clock.begin()
        for _ in range(passes * (images // settings.batch_size)):
            network(**inputs)
        return clock.taken()


def denoiser_call(
    pipe: Any, settings: ImageSettings
) -> tuple[torch.nn.Module, int, dict[str, Any]]:
    """Return the denoiser, the passes that a batch takes, and the inputs of a pass."""
    copies = 2 if settings.guidance_scale > 1 else 1
    network, count = denoiser(pipe), copies * settings.batch_size
    side = pipe.vae_scale_factor
    like = {"device": network.device, "dtype": network.dtype}
    shape = (count, network.config.in_channels, settings.height // side, settings.width // side)
    text = (count, pipe.tokenizer.model_max_length, network.config.cross_attention_dim)
    inputs = {
        "sample": torch.randn(shape, **like),
        "timestep": torch.tensor(500, device=network.device),
        "encoder_hidden_states": torch.randn(text, **like),
    }
    pipe.scheduler.set_timesteps(settings.steps, device=network.device)
    return network, len(pipe.scheduler.timesteps), inputs


WAYS: dict[str, Callable[[str, ImageSettings, int, str], dict[str, float]]] = {
    way.__name__: way for way in (plain_batched, plain_1, plain_compiled, stage, bare)
}
NAMES = {
    "plain_batched": "diffusers, batched",
    "plain_1": "diffusers, one at a time (from an eighth)",
    "plain_compiled": "diffusers, batched and compiled",
    "stage": "ours: stage generate",
    "bare": "the denoiser alone",
}


def run_way(way: str, name: str, images: int) -> None:
    """Print what a way takes in the current folder."""
    common = load_common()
    torch.set_num_threads(common.threads)
    device = common.run.device
    settings = image_settings(
        common.sets[name].guidance_scale, load_section(GenerateConfig, "generate")
    )
    took = WAYS[way](name, settings, images, device)
    if device == "cuda":
        took["device_mebibytes"] = torch.cuda.max_memory_allocated() / 2**20
    print(json.dumps(took))


def measure(way: str, name: str, images: int) -> Measured:
    """Run a way in a process of its own."""
    words = [sys.executable, __file__, "--way", way, "--set", name, "--images", str(images)]
    return as_told(run_command(NAMES[way], words))


def product_rate(device: str, dtype: torch.dtype) -> float:
    """Return the rate of matrix products, operations a second: the best of several."""
    n = MATRIX[device]
    a = torch.randn(n, n, device=device, dtype=dtype)
    best = float("inf")
    for _ in range(12):
        wait(device)
        start = time.perf_counter()
        torch.mm(a, a)
        wait(device)
        best = min(best, time.perf_counter() - start)
    return 2 * n**3 / best


def operations(settings: ImageSettings) -> float:
    """Return the operations in matrix products and convolutions that an image costs."""
    pipe = load_pipeline(layout.TEXT_TO_IMAGE, settings, "cpu").to("meta")
    network, passes, inputs = denoiser_call(pipe, settings)
    latents = inputs["sample"][: settings.batch_size, : pipe.vae.config.latent_channels]
    with torch.no_grad(), FlopCounterMode(display=False) as of_a_pass:
        network(**inputs)
    with torch.no_grad(), FlopCounterMode(display=False) as of_decoding:
        pipe.vae.decode(latents)
    total = passes * of_a_pass.get_total_flops() + of_decoding.get_total_flops()
    return float(total) / settings.batch_size


def share_of(cost: float, rate: float, speed: float) -> float:
    """Return the share of the rate of products that images of this cost, so many a second, take."""
    return cost * speed / rate


def report(
    title: str,
    scale: float,
    took: dict[str, list[Measured]],
    images: int,
    share: Callable[[float], float],
) -> None:
    """Print the tables of one guidance scale."""
    rows = [median_of(runs) for runs in took.values()]
    shares = [f"{share(images / row.seconds):.1%}" for row in rows]
    print_comparison(f"{title}, cgs {scale}", rows, images=images, more={"of the products": shares})
    told = [run.result for run in took["stage"] if "networks" in run.result]
    if told:
        parts: dict[str, Callable[[dict[str, float]], float]] = {
            "the networks": lambda run: run["networks"],
            "diffusers around them": lambda run: run["pipeline"] - run["networks"],
            "all else": lambda run: run["seconds"] - run["pipeline"],
        }
        lines = []
        for part, of in parts.items():
            seconds = statistics.median(of(run) for run in told)
            percent = statistics.median(of(run) / run["seconds"] for run in told)
            lines.append([part, f"{seconds:.3g}", f"{percent:.2%}"])
        print_table([f"the stage's time, cgs {scale}", "seconds", "share"], lines)


def report_sizes(title: str, whole: Measured, images: int, batch: int) -> None:
    """Print what the stage takes for a quarter of the images, beside all of them."""
    few = max(images // 4 // batch, 1) * batch
    write_prompts(f"{NAME}0", few, batch)
    counts, runs = [few, images], [measure("stage", f"{NAME}0", few), whole]
    print_comparison(
        f"stage generate by size: {title}",
        [replace(run, way=f"{count:,} images") for count, run in zip(counts, runs, strict=True)],
        more={"images/s": [f"{n / run.seconds:,.1f}" for n, run in zip(counts, runs, strict=True)]},
    )


def main() -> None:
    parser = ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", choices=["miniature", "stable_diffusion"], default="miniature")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--scales", type=float, nargs="+", default=[7.5], help="cgs")
    parser.add_argument("--images", type=int, default=256, help="a multiple of the batch")
    parser.add_argument("--steps", type=int, help="instead of the model's own")
    parser.add_argument("--batch", type=int, help="instead of the model's own")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--compile", action="store_true", help="the stage's networks, and a way more"
    )
    parser.add_argument("--way", choices=WAYS, help="time one way in this folder, and nothing else")
    parser.add_argument("--set", help="of --way")
    arguments = parser.parse_args()
    if arguments.way:
        run_way(arguments.way, arguments.set, arguments.images)
        return
    ways = [way for way in WAYS if way != "plain_compiled" or arguments.compile]
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        if arguments.model == "miniature" and not (REPOSITORY / layout.TEXT_TO_IMAGE).exists():
            sys.exit(f"error: {layout.TEXT_TO_IMAGE} is missing: get or train it, `make run`.")
        write_repository(arguments)
        if arguments.compile:
            params = load_params()
            params["generate"]["compile"] = True
            layout.PARAMS.write_text(yaml.safe_dump(params))
        config = load_section(GenerateConfig, "generate")
        rate = product_rate(arguments.device, getattr(torch, config.dtype))
        title = (
            f"{arguments.model}, {arguments.device}, {config.width} x {config.height}, "
            f"{config.steps} steps, {config.dtype}, batches of {config.batch_size}"
        )
        print(f"matrix products: {rate / 1e12:.3g} TFLOP/s", flush=True)
        took: dict[int, dict[str, list[Measured]]] = {}
        runs = len(arguments.scales) * arguments.repeats * len(ways)
        with tqdm(total=runs, desc="runs") as bar:
            for _ in range(arguments.repeats):
                for i in range(len(arguments.scales)):
                    for way in ways:
                        run = measure(way, f"{NAME}{i}", arguments.images)
                        took.setdefault(i, {}).setdefault(way, []).append(run)
                        shutil.rmtree(layout.shards(f"{NAME}{i}"), ignore_errors=True)
                        bar.update()
        for i, scale in enumerate(arguments.scales):
            cost = operations(image_settings(scale, config))
            share = partial(share_of, cost, rate)
            report(f"{title}, {arguments.images} images", scale, took[i], arguments.images, share)
        whole = median_of(took[0]["stage"])
        title = f"{title}, cgs {arguments.scales[0]}"
        report_sizes(title, whole, arguments.images, config.batch_size)


if __name__ == "__main__":
    main()
