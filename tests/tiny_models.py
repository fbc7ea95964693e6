"""Models of the real architectures, tiny and untrained, in folders of the real form."""

from pathlib import Path

import open_clip
import torch
from diffusers import (
    AutoencoderKL,
    DPMSolverMultistepScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel

from synset_factory.worlds.miniature.clip import ClipConfig, write_config
from synset_factory.worlds.miniature.text_tower import transformers_tokenizer

SIZE = 8  # pixels
LATENT = SIZE // 2
CLIP = ClipConfig(
    embed_dim=8,
    vision="test_resnet",
    image_size=32,
    context_length=16,
    text_width=16,
    text_heads=2,
    text_layers=1,
    initial_logit_scale=14.3,
    steps=1,
    warmup_steps=0,
    batch_size=2,
    optimizer="nmuon",
    learning_rate=0.1,
    weight_decay=0.0,
)


def save_text_to_image(folder: Path) -> None:
    """Write a StableDiffusionPipeline with random weights, always the same."""
    torch.manual_seed(0)
    tokenizer = transformers_tokenizer(16)
    text_encoder = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=8,
            intermediate_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            max_position_embeddings=16,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(8, 8),
        norm_num_groups=4,
        sample_size=SIZE,
        scaling_factor=1.0,
    )
    unet = UNet2DConditionModel(
        sample_size=LATENT,
        in_channels=4,
        out_channels=4,
        block_out_channels=(8,),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D",),
        up_block_types=("CrossAttnUpBlock2D",),
        cross_attention_dim=8,
        attention_head_dim=2,
        norm_num_groups=4,
    )
    StableDiffusionPipeline(
        vae=vae,
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        unet=unet,
        scheduler=DPMSolverMultistepScheduler(beta_schedule="scaled_linear"),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder, safe_serialization=True)


def save_clip(folder: Path, config: ClipConfig) -> None:
    """Write a CLIP of open_clip with random weights, always the same."""
    write_config(config, folder)
    torch.manual_seed(0)
    model = open_clip.create_model(f"local-dir:{folder}", load_weights=False)
    tensors = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    save_file(tensors, folder / "open_clip_model.safetensors")
