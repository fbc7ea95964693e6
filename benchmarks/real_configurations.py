"""The ImageNet world in its real configurations, with random weights, on a CPU.

    python benchmarks/real_configurations.py [--photographs TAR] [--steps 2]

Stable Diffusion 1.5, OpenAI's ViT-L/14 and ResNet-RS-152 as published but for their weights,
photographs of one class (from a tar of <wnid>/<file>, or else drawn), and worlds/imagenet.yaml as
params.yaml with nothing changed but counts, batches, where models (so without revisions) and
photographs lie, what belongs to the machine (the section `run`, `threads`), and `generate.compile`,
which is off (`changed` below): one class, one set, two images of two steps, one step of training.
It runs
`fetch_models`, `ingest`, `prompts`, `generate`, `embed`, `train` and `evaluate` as dvc.yaml does,
and prints what each took: ratios are to the first of them. About 15 GB of disk for as long as it
runs, 6 GB of memory, five minutes on two cores: `make bench` leaves it out unless it is named.
"""

import argparse
import json
import os
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import open_clip
import pandas as pd
import timm
import torch
import yaml
from measuring import Measured, print_comparison, print_table, run_command
from PIL import Image
from safetensors.torch import save_file
from timm.models import save_for_hf
from transformers import CLIPTextConfig, CLIPTextModel

from synset_factory.shards.writer import encode_jpeg
from synset_factory.worlds.miniature.text_tower import transformers_tokenizer

REPOSITORY = Path(__file__).parents[1]
WNID, NAME = "n03481172", "disamb"  # hammer; the image set
CLIP = "ViT-L-14-quickgelu"
CLASSIFIERS = {"inception_v3": "inception_v3", "resnetrs152": "resnetrs152"}
DRAWN = 6  # photographs


def save_stable_diffusion(folder: Path) -> int:
    """Write a pipeline of SD 1.5's configuration; return the number of its parameters."""
    text = CLIPTextConfig(
        vocab_size=49408,
        hidden_size=768,
        intermediate_size=3072,
        num_hidden_layers=12,
        num_attention_heads=12,
        max_position_embeddings=77,
        hidden_act="quick_gelu",
        projection_dim=768,
    )
    vae = diffusers.AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(128, 256, 512, 512),
        layers_per_block=2,
        latent_channels=4,
        sample_size=512,
    )
    unet = diffusers.UNet2DConditionModel(
        sample_size=64,
        block_out_channels=(320, 640, 1280, 1280),
        layers_per_block=2,
        cross_attention_dim=768,
        attention_head_dim=8,
    )
    pipe = diffusers.StableDiffusionPipeline(
        vae=vae,
        text_encoder=CLIPTextModel(text),
        tokenizer=transformers_tokenizer(77),
        unet=unet,
        scheduler=diffusers.PNDMScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            skip_prk_steps=True,
            set_alpha_to_one=False,
            steps_offset=1,
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipe.save_pretrained(folder, safe_serialization=True)
    return sum(p.numel() for part in (pipe.text_encoder, vae, unet) for p in part.parameters())


def save_clip(folder: Path) -> int:
    """Write OpenAI's ViT-L/14 in open_clip's form; return the number of its parameters."""
    model = open_clip.create_model(CLIP)
    folder.mkdir()
    save_file(
        {name: tensor.contiguous() for name, tensor in model.state_dict().items()},
        folder / "open_clip_model.safetensors",
    )
    pixels = {
        "mean": open_clip.OPENAI_DATASET_MEAN,
        "std": open_clip.OPENAI_DATASET_STD,
        "interpolation": "bicubic",
        "resize_mode": "shortest",
    }
    config = {"model_cfg": open_clip.get_model_config(CLIP), "preprocess_cfg": pixels}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    return sum(p.numel() for p in model.parameters())


def save_classifier(name: str, folder: Path) -> int:
    """Write one of timm's classifiers of ImageNet; return the number of its parameters."""
    model = timm.create_model(name)
    save_for_hf(model, folder, safe_serialization=True)
    return sum(p.numel() for p in model.parameters())


def photographs_of(tar: Path | None) -> list[bytes]:
    """Return the class's photographs in a tar; without one, pictures of their size."""
    if tar is None:
        rng = np.random.default_rng(0)
        small = [rng.integers(256, size=(24, 32, 3), dtype=np.uint8) for _ in range(DRAWN)]
        return [encode_jpeg(Image.fromarray(each).resize((500, 375)), 92) for each in small]
    with tarfile.open(tar) as source:
        members = sorted(m.name for m in source.getmembers() if m.name.startswith(f"{WNID}/"))
        streams = [stream for name in members if (stream := source.extractfile(name))]
        contents = [stream.read() for stream in streams]
    if len(contents) < 2:
        sys.exit(f"error: {tar} holds fewer than two photographs of {WNID}; name another tar.")
    return contents


def lay_out_photographs(photographs: list[bytes], folder: Path) -> None:
    """Write photographs as class folders: the last to the validation split."""
    for number, content in enumerate(photographs):
        split = "validation" if number == len(photographs) - 1 else "train"
        path = folder / split / WNID / f"{number}.JPEG"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def changed(params: dict[str, Any], sources: Path, steps: int) -> dict[str, Any]:
    """Return the ImageNet world's params for this machine: fewer, smaller batches, our models."""
    params["wnids"] = [WNID]
    params["splits"] = {"train": 1, "validation": 1}
    params["sets"] = {NAME: params["sets"][NAME]}
    for split in ("train", "validation"):
        photographs = str(sources / "photographs" / split)
        params["ingest"][split] |= {
            "layout": "class_folders",
            "path": photographs,
            "devkit": "",
            "images": 0,
        }
    here = {name: {"source": str(sources / name), "revision": ""} for name in os.listdir(sources)}
    params["fetch_models"] = {
        "text_to_image": here["text_to_image"],
        "clip": here["clip"],
        "pretrained": {name: here[name] for name in CLASSIFIERS},
    }
    # Compiling for a CPU takes longer than these few steps.
    params["generate"] |= {"steps": steps, "batch_size": 1, "compile": False}
    params["embed"]["batch_size"] = params["evaluate"]["batch_size"] = 4
    batches = {"batch_size": 1, "micro_batch_size": 1}
    params["train"]["classifier"] |= {"epochs": 1, "warmup_epochs": 0, **batches}
    params["threads"] = os.cpu_count()
    params["run"] |= {"device": "cpu", "workers": 1}
    params["run"] |= {"engine": "local", "address": "", "replicas": 1}
    return params


def commands() -> Iterator[tuple[str, list[str]]]:
    """Yield what dvc.yaml runs, in its order, with a name."""
    for part in ("fetch_models", "ingest"):
        yield part, ["synset_factory.worlds.imagenet", part]
    yield "prompts", ["synset_factory.stages.prompts"]
    yield f"generate {NAME}", ["synset_factory.stages.generate", NAME]
    for stage in ("embed", "train", "evaluate"):
        for image_set in ("natural", NAME):
            yield f"{stage} {image_set}", [f"synset_factory.stages.{stage}", image_set]


def run(label: str, words: list[str], folder: Path) -> Measured:
    """Run a module in a folder."""
    print(f"{label} ...", file=sys.stderr, flush=True)
    environment = {"PYTHONPATH": str(REPOSITORY / "src"), "HF_HUB_OFFLINE": "1"}
    return run_command(label, [sys.executable, "-m", *words], folder, environment)


def save_models(sources: Path) -> None:
    """Write all models, and say what they are."""
    torch.manual_seed(0)
    sizes = {
        "text_to_image": save_stable_diffusion(sources / "text_to_image"),
        "clip": save_clip(sources / "clip"),
    }
    sizes |= {name: save_classifier(model, sources / name) for name, model in CLASSIFIERS.items()}
    rows = [[name, f"{size / 1e6:,.0f}"] for name, size in sizes.items()]
    print_table(["model", "parameters, millions"], rows)


def show_results(folder: Path) -> None:
    """Print what the stages have made."""
    images = pd.read_parquet(folder / f"data/shards/{NAME}/index.parquet")
    embeddings = pd.read_parquet(folder / f"data/embeddings/{NAME}.parquet")
    outcomes = pd.read_parquet(folder / f"data/outcomes/{NAME}.parquet")
    print(f"images: {', '.join(images['key'])}")
    print(f"embeddings: {len(embeddings)} of {len(embeddings['embedding'].iloc[0])} dimensions")
    print(outcomes.groupby(["train", "evaluation"]).size().to_string())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photographs", type=Path, help="tar of <wnid>/<file> (default: drawn)")
    parser.add_argument("--steps", type=int, default=2, help="of the scheduler (2)")
    arguments = parser.parse_args()
    photographs = photographs_of(arguments.photographs)
    with tempfile.TemporaryDirectory() as name:
        folder, sources = Path(name) / "clone", Path(name) / "sources"
        folder.mkdir(), sources.mkdir()
        lay_out_photographs(photographs, sources / "photographs")
        # In a process of its own, which gives its memory back.
        saving = get_context("spawn").Process(target=save_models, args=(sources,))
        saving.start()
        saving.join()
        if saving.exitcode:
            sys.exit("The models could not be written, see above.")
        for kept in ("prompts", "worlds"):
            (folder / kept).symlink_to(REPOSITORY / kept)
        params = yaml.safe_load((REPOSITORY / "worlds/imagenet.yaml").read_text())
        params = changed(params, sources, arguments.steps)
        (folder / "params.yaml").write_text(yaml.safe_dump(params))
        rows = [run(label, words, folder) for label, words in commands()]
        show_results(folder)
    print_comparison(f"stage, steps of the scheduler: {arguments.steps}", rows)


if __name__ == "__main__":
    main()
