"""What is trained is stored as plain open_clip and plain diffusers read it, the same each time."""

from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from diffusers import StableDiffusionPipeline

from synset_factory.errors import InputError
from synset_factory.worlds.miniature.causes import load_causes
from synset_factory.worlds.miniature.clip import ClipConfig, train_clip
from synset_factory.worlds.miniature.text_to_image import (
    TextToImageConfig,
    UnetConfig,
    VaeConfig,
    encode,
    normalise,
    tokenize,
    train_pipeline,
    train_vae,
)
from synset_factory.worlds.miniature.text_tower import (
    transformers_text_model,
    transformers_tokenizer,
)
from synset_factory.worlds.miniature.training import batches, read_web, train
from synset_factory.worlds.miniature.web import draw_web, write_web

PICTURES, SIZE, STEPS = 40, 32, 2

CLIP = ClipConfig(
    embed_dim=16,
    vision="test_resnet",
    image_size=SIZE,
    context_length=36,
    text_width=16,
    text_heads=2,
    text_layers=2,
    initial_logit_scale=20.0,
    steps=STEPS,
    warmup_steps=1,
    batch_size=16,
    optimizer="adamw",
    learning_rate=1e-3,
    weight_decay=0.05,
)
VAE = VaeConfig(
    channels=(8, 16),
    latent_channels=4,
    norm_groups=4,
    posterior_log_variance=-6.0,
    steps=STEPS,
    warmup_steps=1,
    batch_size=8,
    optimizer="nmuon",
    learning_rate=1e-3,
    weight_decay=0.01,
    kl_weight=3e-7,
    edge_weight=0.3,
    colour_weight=1.0,
)
UNET = UnetConfig(
    channels=(16, 32),
    attention=(False, True),
    layers=1,
    heads=2,
    norm_groups=8,
    steps=STEPS,
    warmup_steps=1,
    batch_size=8,
    optimizer="nmuon",
    learning_rate=1e-3,
    weight_decay=0.01,
    caption_dropout=0.1,
    ema_decay=0.9,
)


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> tuple[torch.Tensor, list[str]]:
    path = tmp_path_factory.mktemp("web") / "web.parquet"
    write_web(draw_web(PICTURES, SIZE, 0, load_causes()), path)
    return read_web(path)


@pytest.fixture(scope="module")
def folders(
    web: tuple[torch.Tensor, list[str]], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("models")
    train_clip(CLIP, *web, 0, root / "clip")
    clip = open_clip.create_model(f"local-dir:{root / 'clip'}")
    config = TextToImageConfig(vae=VAE, unet=UNET)
    train_pipeline(config, *web, clip, 0, root / "text_to_image")
    return root / "clip", root / "text_to_image"


def test_the_web_is_read_as_it_was_drawn(web: tuple[torch.Tensor, list[str]]) -> None:
    images, captions = web
    assert images.shape == (PICTURES, 3, SIZE, SIZE)
    assert images.dtype == torch.uint8
    assert len(captions) == PICTURES


def test_clip_loads_in_open_clip_and_is_the_same_each_time(
    web: tuple[torch.Tensor, list[str]], folders: tuple[Path, Path], tmp_path: Path
) -> None:
    model, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{folders[0]}")
    assert preprocess is not None
    with torch.no_grad():
        texts = open_clip.get_tokenizer(f"local-dir:{folders[0]}")(["quail"])
        assert model.encode_text(texts).shape == (1, CLIP.embed_dim)
    train_clip(CLIP, *web, 0, tmp_path)
    name = "open_clip_model.safetensors"
    assert (tmp_path / name).read_bytes() == (folders[0] / name).read_bytes()


def test_tokenizers_and_text_towers_agree(
    web: tuple[torch.Tensor, list[str]], folders: tuple[Path, Path]
) -> None:
    captions = web[1]
    name = f"local-dir:{folders[0]}"
    model, ids = open_clip.create_model(name).eval(), open_clip.get_tokenizer(name)(captions)
    ours = tokenize(transformers_tokenizer(CLIP.context_length), captions)
    ends = ids.argmax(dim=1)
    for one, other, end in zip(ids, ours, ends, strict=True):
        assert torch.equal(one[: end + 1], other[: end + 1])
        assert (other[end:] == other[end]).all()  # transformers pads with the end token
    with torch.no_grad():
        hidden = transformers_text_model(model)(ours).last_hidden_state
        pooled = hidden[torch.arange(len(ends)), ends] @ model.text_projection
        torch.testing.assert_close(pooled, model.encode_text(ids), atol=1e-5, rtol=1e-4)


def test_no_caption_is_cut_short(web: tuple[torch.Tensor, list[str]]) -> None:
    ids = tokenize(transformers_tokenizer(77), web[1])
    assert int((ids != ids[0, -1]).sum(dim=1).max()) + 1 <= CLIP.context_length


def test_pipeline_loads_in_diffusers_and_draws(folders: tuple[Path, Path]) -> None:
    pipeline = StableDiffusionPipeline.from_pretrained(folders[1])
    pipeline.set_progress_bar_config(disable=True)
    image = pipeline(
        "a drake duck", num_inference_steps=2, height=SIZE, width=SIZE, output_type="np"
    ).images[0]
    assert image.shape == (SIZE, SIZE, 3)
    assert np.isfinite(image).all()


def test_normalising_latents_changes_no_reconstruction(
    web: tuple[torch.Tensor, list[str]],
) -> None:
    images = web[0]
    vae = train_vae(VAE, images, 0)
    latents = encode(vae, images, 8)
    torch.testing.assert_close(latents.mean((0, 2, 3)), torch.zeros(4), atol=1e-4, rtol=0)
    torch.testing.assert_close(latents.std((0, 2, 3)), torch.ones(4), atol=1e-3, rtol=0)
    with torch.no_grad():
        before = vae.decode(latents).sample
        normalise(vae, latents * 3.0 + 1.0)  # as if the latents had been these
        again = encode(vae, images, 8)
        torch.testing.assert_close(again, (latents - 1.0) / 3.0, atol=1e-3, rtol=1e-3)
        torch.testing.assert_close(vae.decode(again).sample, before, atol=1e-3, rtol=1e-3)


def test_a_loss_that_is_no_number_stops_the_training() -> None:
    weight = torch.nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    with pytest.raises(InputError, match="the loss is nan at step 0"):
        train("test", 3, lambda: weight.sum() * float("nan"), optimizer, 1)


def test_every_batch_is_full_and_an_epoch_repeats_nothing() -> None:
    order = batches(10, 4, torch.Generator().manual_seed(0))
    epoch = torch.cat([next(order), next(order)])
    assert len(epoch.unique()) == 8
    assert len(next(order)) == 4


def test_too_few_pictures_for_a_batch_are_an_error() -> None:
    with pytest.raises(InputError, match="cannot be filled from 3 pictures"):
        next(batches(3, 4, torch.Generator()))
