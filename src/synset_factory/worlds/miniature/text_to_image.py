"""Part `text_to_image`: a Stable Diffusion of diffusers, trained on the web from nothing."""

from dataclasses import dataclass
from pathlib import Path

import open_clip
import torch
import torch.nn.functional as F
from diffusers import (
    AutoencoderKL,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from diffusers.training_utils import EMAModel
from transformers import CLIPTextModel, CLIPTokenizer

from synset_factory import layout
from synset_factory.config import claim_world, load_common, load_section
from synset_factory.errors import InputError
from synset_factory.seeds import derive_seed
from synset_factory.whole_files import whole_folder
from synset_factory.worlds.miniature.text_tower import (
    transformers_text_model,
    transformers_tokenizer,
)
from synset_factory.worlds.miniature.training import (
    batches,
    create_optimizer,
    read_web,
    start_as_identity,
    train,
)

SCHEDULE = {  # Stable Diffusion's own
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "num_train_timesteps": 1000,
    "steps_offset": 1,
    "prediction_type": "v_prediction",
}


@dataclass(frozen=True, kw_only=True)
class VaeConfig:
    """The autoencoder and its training."""

    channels: tuple[int, ...]  # of each resolution, finest first
    latent_channels: int
    norm_groups: int
    posterior_log_variance: float  # of the latents, before training
    steps: int
    warmup_steps: int
    batch_size: int  # pictures
    optimizer: str  # timm's name
    learning_rate: float
    weight_decay: float
    kl_weight: float  # of the divergence summed over a picture's latents, against the mean L1
    edge_weight: float  # of the L1 between differences of neighbouring pixels
    colour_weight: float  # of the square error of opponent colours


@dataclass(frozen=True, kw_only=True)
class UnetConfig:
    """The noise predictor and its training."""

    channels: tuple[int, ...]  # of each resolution, finest first
    attention: tuple[bool, ...]  # whether each resolution attends to the caption
    layers: int  # residual blocks at each resolution
    heads: int  # of attention
    norm_groups: int
    steps: int
    warmup_steps: int
    batch_size: int  # pictures
    optimizer: str  # timm's name
    learning_rate: float
    weight_decay: float
    caption_dropout: float  # share of the pictures that are learnt without their caption
    ema_decay: float  # of the averaged weights, which are the ones that are kept


@dataclass(frozen=True, kw_only=True)
class TextToImageConfig:
    """Section `text_to_image` of params.yaml."""

    vae: VaeConfig
    unet: UnetConfig


def scaled(images: torch.Tensor) -> torch.Tensor:
    """Pictures, uint8, as float32 of -1 to 1."""
    return (images.float() / 127.5 - 1.0).contiguous(memory_format=torch.channels_last)


def opponent(images: torch.Tensor) -> torch.Tensor:
    """Pictures [N, 3, H, W] as red against green and yellow against blue, [N, 2, H, W]."""
    red, green, blue = images.unbind(1)
    return torch.stack([red - green, (red + green) / 2 - blue], dim=1)


def reconstruction_loss(
    drawn: torch.Tensor, wanted: torch.Tensor, edges: float, colours: float
) -> torch.Tensor:
    """L1 between pictures and between neighbouring pixels, and the square error of colours.

    The last is squared because the middle of few colours among much grey is grey, and an
    autoencoder with few steps to learn in then draws no colour at all; their mean is not.
    """
    loss = F.l1_loss(drawn, wanted) + colours * F.mse_loss(opponent(drawn), opponent(wanted))
    for axis in (2, 3):
        loss = loss + edges * F.l1_loss(drawn.diff(dim=axis), wanted.diff(dim=axis))
    return loss


@torch.no_grad()
def start_with_small_variance(vae: AutoencoderKL, log_variance: float) -> None:
    """Make every latent's variance the same small one, so that its mean is heard at once."""
    channels = vae.config.latent_channels
    vae.quant_conv.weight[channels:].zero_()
    vae.quant_conv.bias[channels:].fill_(log_variance)


def train_vae(config: VaeConfig, images: torch.Tensor, seed: int) -> AutoencoderKL:
    """Train an autoencoder on pictures, uint8 [N, 3, H, W]; its latents come out normalised."""
    torch.manual_seed(derive_seed(seed, "vae"))
    levels = len(config.channels)
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        block_out_channels=config.channels,
        layers_per_block=1,
        latent_channels=config.latent_channels,
        norm_num_groups=config.norm_groups,
        sample_size=images.shape[-1],
        scaling_factor=1.0,
        mid_block_add_attention=False,
    ).to(memory_format=torch.channels_last)
    start_as_identity(vae)
    start_with_small_variance(vae, config.posterior_log_variance)
    optimizer = create_optimizer(vae, config.optimizer, config.learning_rate, config.weight_decay)
    rng = torch.Generator().manual_seed(derive_seed(seed, "vae", "batches"))
    order = batches(len(images), config.batch_size, rng)

    def loss_of_step() -> torch.Tensor:
        wanted = scaled(images[next(order)])
        latents = vae.encode(wanted).latent_dist
        drawn = vae.decode(latents.sample(rng)).sample
        loss = reconstruction_loss(drawn, wanted, config.edge_weight, config.colour_weight)
        return loss + config.kl_weight * latents.kl().mean()

    vae.train()
    train("VAE", config.steps, loss_of_step, optimizer, config.warmup_steps)
    vae.eval().requires_grad_(False)
    normalise(vae, encode(vae, images, config.batch_size))
    return vae


@torch.no_grad()
def encode(vae: AutoencoderKL, images: torch.Tensor, batch_size: int) -> torch.Tensor:
    """Return the means of the pictures' latents, float32 [N, C, h, w]."""
    parts = images.split(batch_size)
    return torch.cat([vae.encode(scaled(part)).latent_dist.mean for part in parts])


@torch.no_grad()
def normalise(vae: AutoencoderKL, latents: torch.Tensor) -> None:
    """Fold mean 0 and deviation 1 of every latent channel into the convolutions beside them.

    Stable Diffusion's pipeline knows one factor for all channels; this way it is 1.
    """
    mean, deviation = latents.mean((0, 2, 3)), latents.std((0, 2, 3))
    size = len(mean)
    after, before = vae.quant_conv, vae.post_quant_conv
    before.bias += before.weight[:, :, 0, 0] @ mean
    before.weight *= deviation[None, :, None, None]
    after.weight[:size] /= deviation[:, None, None, None]
    after.bias[:size] = (after.bias[:size] - mean) / deviation
    after.bias[size:] -= 2.0 * deviation.log()  # the other half is the logarithm of variances


def train_unet(
    config: UnetConfig,
    latents: torch.Tensor,
    texts: torch.Tensor,
    tower: CLIPTextModel,
    empty: torch.Tensor,
    seed: int,
) -> UNet2DConditionModel:
    """Train on latents [N, C, h, w] and their captions' tokens [N, L]; `empty` is [L]."""
    torch.manual_seed(derive_seed(seed, "unet"))
    unet = _new_unet(config, latents, tower.config.hidden_size)
    start_as_identity(unet)
    optimizer = create_optimizer(unet, config.optimizer, config.learning_rate, config.weight_decay)
    average = EMAModel(unet.parameters(), decay=config.ema_decay, use_ema_warmup=False)
    schedule = DDPMScheduler(**SCHEDULE)
    rng = torch.Generator().manual_seed(derive_seed(seed, "unet", "batches"))
    order = batches(len(latents), config.batch_size, rng)

    def loss_of_step() -> torch.Tensor:
        chosen = next(order)
        clean, tokens = latents[chosen], texts[chosen].clone()
        tokens[torch.rand(len(tokens), generator=rng) < config.caption_dropout] = empty
        with torch.no_grad():
            captions = tower(tokens).last_hidden_state
        noise = torch.randn(clean.shape, generator=rng)
        times = torch.randint(0, 1000, (len(clean),), generator=rng)
        noisy = schedule.add_noise(clean, noise, times).contiguous(
            memory_format=torch.channels_last
        )
        predicted = unet(noisy, times, captions).sample
        return F.mse_loss(predicted, schedule.get_velocity(clean, noise, times))

    unet.train()
    train(
        "UNet",
        config.steps,
        loss_of_step,
        optimizer,
        config.warmup_steps,
        lambda: average.step(unet.parameters()),
    )
    average.copy_to(unet.parameters())
    return unet.eval()


def _new_unet(config: UnetConfig, latents: torch.Tensor, text_width: int) -> UNet2DConditionModel:
    """Return an untrained noise predictor.

    The caption is heard in two ways: by cross-attention, and, summed up, beside the time by
    every residual block, which is learnt sooner.
    """
    down = ["CrossAttnDownBlock2D" if attends else "DownBlock2D" for attends in config.attention]
    up = ["CrossAttnUpBlock2D" if attends else "UpBlock2D" for attends in config.attention]
    return UNet2DConditionModel(
        sample_size=latents.shape[-1],
        in_channels=latents.shape[1],
        out_channels=latents.shape[1],
        block_out_channels=config.channels,
        layers_per_block=config.layers,
        down_block_types=tuple(down),
        up_block_types=tuple(reversed(up)),
        cross_attention_dim=text_width,
        attention_head_dim=config.heads,  # diffusers means the number of heads
        norm_num_groups=config.norm_groups,
        addition_embed_type="text",
        addition_embed_type_num_heads=config.heads,
        resnet_time_scale_shift="scale_shift",
    ).to(memory_format=torch.channels_last)


def tokenize(tokenizer: CLIPTokenizer, texts: list[str]) -> torch.Tensor:
    """Return the token ids [N, L] exactly as StableDiffusionPipeline makes them."""
    return tokenizer(
        texts,
        padding="max_length",
        max_length=tokenizer.model_max_length,
        truncation=True,
        return_tensors="pt",
    ).input_ids


def train_pipeline(
    config: TextToImageConfig,
    images: torch.Tensor,
    captions: list[str],
    clip: open_clip.CLIP,
    seed: int,
    folder: Path,
) -> None:
    """Train autoencoder and noise predictor; write StableDiffusionPipeline's folder."""
    tower = transformers_text_model(clip).requires_grad_(False)
    tokenizer = transformers_tokenizer(clip.context_length)
    vae = train_vae(config.vae, images, seed)
    latents = encode(vae, images, config.vae.batch_size)
    texts, empty = tokenize(tokenizer, captions), tokenize(tokenizer, [""])[0]
    unet = train_unet(config.unet, latents, texts, tower, empty, seed)
    pipeline = StableDiffusionPipeline(
        vae=vae,
        text_encoder=tower,
        tokenizer=tokenizer,
        unet=unet,
        scheduler=DPMSolverMultistepScheduler(**SCHEDULE),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(folder, safe_serialization=True)


def main() -> None:
    """Train into data/models/text_to_image. Raises InputError for bad params or a NaN loss."""
    config, common = load_section(TextToImageConfig, "text_to_image"), load_common()
    claim_world(common.world)
    torch.set_num_threads(common.threads)
    if not layout.CLIP.is_dir():
        raise InputError(f"{layout.CLIP} is missing: make it with `dvc repro clip`.")
    images, captions = read_web()
    print(
        f"Training a Stable Diffusion on {len(captions):,} pictures: {config.vae.steps:,} steps "
        f"of {config.vae.batch_size} for the autoencoder, then {config.unet.steps:,} of "
        f"{config.unet.batch_size} for the noise predictor."
    )
    clip = open_clip.create_model(f"local-dir:{layout.CLIP}")
    with whole_folder(layout.TEXT_TO_IMAGE) as folder:
        train_pipeline(config, images, captions, clip, common.seed, folder)
