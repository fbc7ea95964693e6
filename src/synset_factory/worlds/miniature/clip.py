"""Part `clip`: a CLIP of open_clip, trained on the web from nothing."""

import json
import math
from dataclasses import dataclass
from pathlib import Path

import open_clip
import torch
from open_clip.loss import ClipLoss
from safetensors.torch import save_file

from synset_factory import layout
from synset_factory.config import claim_world, load_common, load_section
from synset_factory.seeds import derive_seed
from synset_factory.whole_files import whole_folder
from synset_factory.worlds.miniature.training import batches, create_optimizer, read_web, train

MEAN = STD = (0.5, 0.5, 0.5)  # of the pictures that the CLIP is given
MAX_LOGIT_SCALE = 4.6052  # ln 100, as open_clip clamps it


@dataclass(frozen=True, kw_only=True)
class ClipConfig:
    """Section `clip` of params.yaml."""

    embed_dim: int  # of the joint space
    vision: str  # name of a timm model
    image_size: int  # pixels
    context_length: int  # tokens of a text
    text_width: int
    text_heads: int
    text_layers: int
    initial_logit_scale: float  # of the cosines; learned (CLIP's began at 14.3 and ended at 100)
    steps: int
    warmup_steps: int
    batch_size: int  # pairs; every other pair of the batch is a negative
    optimizer: str  # timm's name
    learning_rate: float
    weight_decay: float


def model_config(config: ClipConfig) -> dict[str, object]:
    """Return open_clip's own description of the model, as in open_clip_config.json."""
    return {
        "embed_dim": config.embed_dim,
        "vision_cfg": {
            "timm_model_name": config.vision,
            "timm_model_pretrained": False,
            "timm_pool": "",
            "timm_proj": "linear",
            "image_size": config.image_size,
        },
        "text_cfg": {
            "context_length": config.context_length,
            "vocab_size": 49408,
            "width": config.text_width,
            "heads": config.text_heads,
            "layers": config.text_layers,
        },
        "init_logit_scale": math.log(config.initial_logit_scale),
    }


def write_config(config: ClipConfig, folder: Path) -> None:
    """Write open_clip_config.json, so that open_clip can build the model from the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "model_cfg": model_config(config),
        "preprocess_cfg": {"mean": MEAN, "std": STD, "interpolation": "bicubic"},
    }
    text = json.dumps(content, indent=2) + "\n"
    (folder / "open_clip_config.json").write_text(text, encoding="utf-8")


def train_clip(
    config: ClipConfig, images: torch.Tensor, captions: list[str], seed: int, folder: Path
) -> None:
    """Train on pictures, uint8 [N, 3, H, W], and their captions; write open_clip's folder.

    The loss is open_clip's, with a learned temperature.
    """
    write_config(config, folder)
    torch.manual_seed(derive_seed(seed, "clip"))
    name = f"local-dir:{folder}"
    model = open_clip.create_model(name, load_weights=False)
    texts = open_clip.get_tokenizer(name)(captions)
    optimizer = create_optimizer(model, config.optimizer, config.learning_rate, config.weight_decay)
    rng = torch.Generator().manual_seed(derive_seed(seed, "clip", "batches"))
    order, loss = batches(len(captions), config.batch_size, rng), ClipLoss()

    def loss_of_step() -> torch.Tensor:
        chosen = next(order)
        pixels = (images[chosen].float() / 127.5 - 1.0).contiguous(
            memory_format=torch.channels_last
        )
        of_images = model.encode_image(pixels, normalize=True)
        of_texts = model.encode_text(texts[chosen], normalize=True)
        return loss(of_images, of_texts, model.logit_scale.exp())

    def clamp() -> None:
        with torch.no_grad():
            model.logit_scale.clamp_(0.0, MAX_LOGIT_SCALE)

    model.train()
    train("CLIP", config.steps, loss_of_step, optimizer, config.warmup_steps, clamp)
    tensors = {key: value.contiguous() for key, value in model.state_dict().items()}
    save_file(tensors, folder / "open_clip_model.safetensors")


def main() -> None:
    """Train the CLIP into data/models/clip. Raises InputError for bad params or a NaN loss."""
    config, common = load_section(ClipConfig, "clip"), load_common()
    claim_world(common.world)
    torch.set_num_threads(common.threads)
    images, captions = read_web()
    print(
        f"Training a CLIP ({config.vision}, {config.text_layers} text layers) on "
        f"{len(captions):,} pairs: {config.steps:,} steps of {config.batch_size}."
    )
    with whole_folder(layout.CLIP) as folder:
        train_clip(config, images, captions, common.seed, folder)
