"""Embeddings are those of a plain loop over open_clip's own model, bit for bit."""

from io import BytesIO
from pathlib import Path

import numpy as np
import open_clip
import pandas as pd
import pytest
import torch
from PIL import Image

from synset_factory import layout
from synset_factory.config import Common, Run, Splits
from synset_factory.embedding import embed, image_batches, text_batches
from synset_factory.errors import InputError
from synset_factory.models.clip import Clip
from synset_factory.shards.writer import Sample, encode_jpeg, read_members, write_class_tar
from tests.tiny_models import CLIP, save_clip

TEXTS = ["jay", "drake", "a photo of a crane"]
COMMON = Common(
    world="miniature",
    world_stages={},
    seed=0,
    threads=1,
    wnids="all",
    splits=Splits(train=1, validation=1),
    sets={},
    run=Run(device="cpu", workers=2, engine="local", address="", replicas=1),
)


@pytest.mark.parametrize("cut", [True, False])
@pytest.mark.parametrize("name", ["open_clip_config.json", "open_clip_model.safetensors"])
def test_a_clip_of_which_a_file_is_missing_or_cut_off_is_told_in_a_sentence(
    name: str, cut: bool, tmp_path: Path
) -> None:
    save_clip(tmp_path, CLIP)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).unlink()
    if cut:
        (tmp_path / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(
        InputError, match="cannot be loaded by open_clip" if cut else "holds no CLIP"
    ):
        Clip(tmp_path, "cpu")


@pytest.fixture
def jpegs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Seven noisy pictures of different sizes, in a tar of the set `noise`, and a tiny CLIP."""
    monkeypatch.chdir(tmp_path)
    save_clip(layout.CLIP, CLIP)
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (30 + i, 40, 3), dtype=np.uint8) for i in range(7)]
    jpegs = [encode_jpeg(Image.fromarray(picture), 90) for picture in pictures]
    samples = [
        Sample(key=f"n1_train_{i:06d}", jpg=jpeg, cls=0, txt="noise", json={"digest": str(i)})
        for i, jpeg in enumerate(jpegs)
    ]
    write_class_tar(layout.shard("noise", "train", "n1"), samples)
    return jpegs


def test_embeddings_are_those_of_a_plain_loop_over_the_stored_images_then_the_texts(
    jpegs: list[bytes],
) -> None:
    index = pd.DataFrame(read_members(layout.shard("noise", "train", "n1")))
    batches = [
        *image_batches("noise", index.assign(tar="train/n1.tar"), 3),
        *text_batches(TEXTS, 2),
    ]
    vectors = embed(batches, len(jpegs) + len(TEXTS), "noise", COMMON)

    name = f"local-dir:{layout.CLIP}"
    model, _, preprocess = open_clip.create_model_and_transforms(name)
    model.eval()
    pictures = [preprocess(Image.open(BytesIO(jpeg)).convert("RGB")) for jpeg in jpegs]
    tokens = open_clip.get_tokenizer(name)(TEXTS)
    with torch.no_grad():
        of_images = [model.encode_image(torch.stack(pictures[i : i + 3])) for i in (0, 3, 6)]
        of_texts = [model.encode_text(tokens[i : i + 2]) for i in (0, 2)]
    assert np.array_equal(vectors, torch.cat(of_images + of_texts).numpy())


def test_a_clip_that_is_not_there_is_named(jpegs: list[bytes]) -> None:
    (layout.CLIP / "open_clip_config.json").unlink()
    with pytest.raises(InputError, match=r"data/models/clip holds no CLIP"):
        embed([TEXTS], len(TEXTS), "texts", COMMON)
