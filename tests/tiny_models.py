"""Models of the real architectures, tiny and untrained, in folders of the real form."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import open_clip
import torch
from diffusers import (
    AutoencoderKL,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
    PixArtAlphaPipeline,
    PixArtTransformer2DModel,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from diffusers.pipelines.stable_diffusion import StableDiffusionSafetyChecker
from safetensors.torch import save_file
from transformers import (
    CLIPConfig,
    CLIPImageProcessor,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)

from synset_factory import drawing
from synset_factory.records import ImageSettings
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
# By which the pipeline of save_text_to_image draws.
IMAGE_SETTINGS = ImageSettings(
    negative_prompt="",
    guidance_scale=7.5,
    steps=2,
    scheduler="DPMSolverMultistepScheduler",
    height=SIZE,
    width=SIZE,
    dtype="float32",
    compile=False,
    safety_checker=False,
    batch_size=4,
    jpeg_quality=90,
    generator="tiny",
    recipe=drawing.RECIPE,
)


def clip_text(
    tokenizer: CLIPTokenizer, num_hidden_layers: int = 2, projection_dim: int = 8
) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=8,
        intermediate_size=16,
        projection_dim=projection_dim,
        num_hidden_layers=num_hidden_layers,
        num_attention_heads=2,
        max_position_embeddings=16,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def spelling_clip() -> CLIPTokenizer:
    """A CLIP tokenizer that spells; open_clip's vocabulary takes a second to read."""
    letters = "abcdefghijklmnopqrstuvwxyz,"
    tokens = ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{each}</w>" for each in letters)]
    vocab = {token: number for number, token in enumerate(tokens)}
    return CLIPTokenizer(vocab=vocab, merges=[], model_max_length=16)


def t5() -> dict[str, Any]:
    """A T5 that spells."""
    letters = [(letter, -2.0) for letter in "\N{LOWER ONE EIGHTH BLOCK}abcdefghijklmnopqrstuvwxyz,"]
    vocab = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", -9.0), *letters]
    tokenizer = T5Tokenizer(vocab=vocab, extra_ids=0, model_max_length=16)
    config = T5Config(
        vocab_size=len(tokenizer), d_model=32, d_kv=8, d_ff=32, num_layers=1, num_heads=2
    )
    return {"tokenizer": tokenizer, "text_encoder": T5EncoderModel(config)}


def vae(shift_factor: float | None = 0.0) -> AutoencoderKL:
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(8, 8),
        norm_num_groups=4,
        sample_size=SIZE,
        scaling_factor=1.0,
        shift_factor=shift_factor,
    )


def unet(**more: Any) -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=LATENT,
        in_channels=4,
        out_channels=4,
        block_out_channels=(8,),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D",),
        up_block_types=("CrossAttnUpBlock2D",),
        attention_head_dim=2,
        norm_num_groups=4,
        **more,
    )


def dpm_solver() -> DPMSolverMultistepScheduler:
    return DPMSolverMultistepScheduler(beta_schedule="scaled_linear", steps_offset=1)


def xl() -> StableDiffusionXLPipeline:
    tokenizer = spelling_clip()
    return StableDiffusionXLPipeline(
        vae=vae(),
        text_encoder=CLIPTextModel(clip_text(tokenizer)),
        text_encoder_2=CLIPTextModelWithProjection(clip_text(tokenizer)),
        tokenizer=tokenizer,
        tokenizer_2=tokenizer,
        unet=unet(
            cross_attention_dim=16,
            addition_embed_type="text_time",
            addition_time_embed_dim=8,
            projection_class_embeddings_input_dim=8 + 6 * 8,
        ),
        scheduler=EulerDiscreteScheduler(beta_schedule="scaled_linear", steps_offset=1),
    )


def sd3() -> StableDiffusion3Pipeline:
    tokenizer = spelling_clip()
    third = t5()
    return StableDiffusion3Pipeline(
        vae=vae(),
        text_encoder=CLIPTextModelWithProjection(clip_text(tokenizer)),
        text_encoder_2=CLIPTextModelWithProjection(clip_text(tokenizer)),
        text_encoder_3=third["text_encoder"],
        tokenizer=tokenizer,
        tokenizer_2=tokenizer,
        tokenizer_3=third["tokenizer"],
        transformer=SD3Transformer2DModel(
            sample_size=LATENT,
            in_channels=4,
            out_channels=4,
            num_layers=1,
            attention_head_dim=8,
            num_attention_heads=2,
            joint_attention_dim=32,
            caption_projection_dim=16,
            pooled_projection_dim=16,
            pos_embed_max_size=LATENT,
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(),
    )


def pixart() -> PixArtAlphaPipeline:
    return PixArtAlphaPipeline(
        **t5(),
        vae=vae(),
        transformer=PixArtTransformer2DModel(
            sample_size=LATENT,
            num_attention_heads=2,
            attention_head_dim=8,
            cross_attention_dim=16,
            caption_channels=32,
            num_layers=1,
        ),
        scheduler=dpm_solver(),
    )


def flux(guidance_embeds: bool) -> FluxPipeline:
    tokenizer = spelling_clip()
    second = t5()
    return FluxPipeline(
        vae=vae(),
        text_encoder=CLIPTextModel(clip_text(tokenizer)),
        text_encoder_2=second["text_encoder"],
        tokenizer=tokenizer,
        tokenizer_2=second["tokenizer"],
        transformer=FluxTransformer2DModel(
            in_channels=16,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=32,
            pooled_projection_dim=8,
            guidance_embeds=guidance_embeds,
            axes_dims_rope=(4, 4, 8),
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(),
    )


# By a word each, functions that make a pipeline with random weights.
PIPELINES: dict[str, Callable[[], Any]] = {
    "xl": xl,
    "sd3": sd3,
    "pixart": pixart,
    "flux": partial(flux, guidance_embeds=False),
    "flux_distilled": partial(flux, guidance_embeds=True),
}


def save_pipeline(kind: str, folder: Path) -> None:
    """Write one of PIPELINES, always with the same weights."""
    torch.manual_seed(0)
    PIPELINES[kind]().save_pretrained(folder, safe_serialization=True)


def add_safety_checker(folder: Path, threshold: float) -> None:
    """Give a saved pipeline a safety checker with random weights.

    It blackens a picture in which a concept's cosine exceeds the threshold.
    """
    torch.manual_seed(0)
    tower = {"hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 1}
    heads = {"num_attention_heads": 2, "projection_dim": 8}
    checker = StableDiffusionSafetyChecker(
        CLIPConfig(
            text_config=tower | heads,
            vision_config=tower | heads | {"image_size": SIZE, "patch_size": 4},
            projection_dim=8,
        )
    )
    checker.concept_embeds_weights.fill_(threshold)
    checker.special_care_embeds_weights.fill_(1.1)
    pipe = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None)
    pipe.register_modules(
        safety_checker=checker,
        feature_extractor=CLIPImageProcessor(size=SIZE, crop_size=SIZE),
    )
    pipe.save_pretrained(folder, safe_serialization=True)


def save_text_to_image(folder: Path) -> None:
    """Write a StableDiffusionPipeline with random weights, always the same."""
    torch.manual_seed(0)
    tokenizer = transformers_tokenizer(16)
    StableDiffusionPipeline(
        text_encoder=CLIPTextModel(clip_text(tokenizer, num_hidden_layers=1, projection_dim=512)),
        vae=vae(shift_factor=None),
        tokenizer=tokenizer,
        unet=unet(cross_attention_dim=8),
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
