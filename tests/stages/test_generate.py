"""An image's bytes depend on its row and its settings, and on nothing else."""

import os
import shutil
from dataclasses import replace
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
import yaml
from filelock import FileLock
from PIL import Image

from synset_factory import drawing, layout
from synset_factory.errors import InputError
from synset_factory.folder_digest import folder_digest
from synset_factory.models.text_to_image import TextToImage
from synset_factory.provenance import drawn_by_model
from synset_factory.shards.reader import read_index
from synset_factory.stages import generate
from tests.tiny_models import IMAGE_SETTINGS, LATENT, save_text_to_image

REPOSITORY = Path(__file__).parents[2]
WNIDS = ["n01580077", "n01847000"]
PROMPTS = {"n01580077": "jay", "n01847000": "drake"}


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "text_to_image"
    save_text_to_image(folder)
    return folder


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model_folder: Path) -> Path:
    """A repository with a tiny model, two classes and one set, 6 + 4 images a class."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(REPOSITORY / "prompts", "prompts")
    shutil.copytree(model_folder, layout.TEXT_TO_IMAGE)
    params = yaml.safe_load((REPOSITORY / "params.yaml").read_text())
    params["wnids"] = WNIDS
    params["sets"] = {
        "disamb": {"prompts": "disamb", "guidance_scale": 7.5},
        "synset": {"prompts": "synset", "guidance_scale": 7.5},
    }
    keys = ("steps", "height", "width", "dtype", "batch_size")
    params["generate"] |= {key: getattr(IMAGE_SETTINGS, key) for key in keys}
    layout.PARAMS.write_text(yaml.safe_dump(params))
    write_prompts(PROMPTS)
    return tmp_path


def write_prompts(prompts: dict[str, str], name: str = "disamb") -> None:
    rows = [
        [wnid, split, number, prompts[wnid], 100 * number + len(split)]
        for wnid in WNIDS
        for split, count in (("train", 6), ("validation", 4))
        for number in range(count)
    ]
    layout.IMAGE_PROMPTS.mkdir(parents=True, exist_ok=True)
    columns = ["wnid", "split", "number", "prompt", "seed"]
    pd.DataFrame(rows, columns=columns).to_parquet(layout.prompts(name), index=False)


def run(monkeypatch: pytest.MonkeyPatch, name: str = "disamb") -> None:
    monkeypatch.setattr("sys.argv", ["generate", name])
    generate.main()


def hashes(name: str = "disamb") -> dict[str, str]:
    root = layout.shards(name)
    return {
        path.relative_to(root).as_posix(): sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_twice_from_nothing_gives_the_same_bytes(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(monkeypatch)
    first = hashes()
    shutil.rmtree(layout.shards("disamb"))
    run(monkeypatch)
    assert hashes() == first
    assert {f"{s}/{w}.tar" for s in ("train", "validation") for w in WNIDS} < set(first)


def test_a_revised_prompt_makes_its_class_anew_and_no_other(
    world: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch)
    before = hashes()
    write_prompts(PROMPTS | {"n01847000": "a drake duck"})
    capsys.readouterr()
    run(monkeypatch)
    assert "disamb: 20 images, 10 reused, 10 to make, about " in capsys.readouterr().out
    tars = {name for name, digest in hashes().items() if before[name] != digest}
    assert {name for name in tars if name.endswith(".tar")} == {
        "train/n01847000.tar",
        "validation/n01847000.tar",
    }


def test_after_an_interruption_only_the_missing_classes_are_made(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(monkeypatch)
    whole = hashes()
    layout.shard("disamb", "train", "n01580077").unlink()
    damaged = layout.shard("disamb", "train", "n01847000")
    damaged.write_bytes(damaged.read_bytes()[:-5000])
    layout.index("disamb").unlink()
    (layout.shards("disamb") / "train" / "n01847000.tar.tmp").write_bytes(b"half")
    run(monkeypatch)
    assert hashes() == whole


def test_what_another_set_has_is_not_drawn(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(monkeypatch)
    write_prompts(PROMPTS, "synset")
    monkeypatch.setattr(drawing, "TextToImage", None)  # whoever draws fails
    run(monkeypatch, "synset")
    for path in layout.shards("disamb").rglob("*.tar"):
        twin = layout.shards("synset") / path.relative_to(layout.shards("disamb"))
        assert twin.read_bytes() == path.read_bytes()


def test_what_another_set_has_is_reused_with_the_bytes_of_drawing(
    world: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch)
    drawn = hashes()
    write_prompts(PROMPTS | {"n01847000": "drake, duck"}, "synset")
    capsys.readouterr()
    run(monkeypatch, "synset")
    assert (
        "synset: 20 images, 10 reused (10 from disamb), 10 to make, about "
        in capsys.readouterr().out
    )
    shutil.rmtree(layout.shards("disamb"))
    shutil.rmtree(layout.shards("synset") / "validation")
    run(monkeypatch)
    assert hashes() == drawn


def test_more_images_of_a_class_cost_those_alone(
    world: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch)
    first = {path: path.read_bytes() for path in layout.shards("disamb").rglob("*.tar")}
    more = pd.read_parquet(layout.prompts("disamb"))
    added = more[(more["split"] == "train") & (more["number"] < 5)]
    added = added.assign(number=added["number"] + 6, seed=added["seed"] + 1)
    rows = pd.concat([more, added]).sort_values(["wnid", "split", "number"])
    rows.to_parquet(layout.prompts("disamb"), index=False)
    capsys.readouterr()
    run(monkeypatch)
    assert "disamb: 30 images, 20 reused, 10 to make" in capsys.readouterr().out
    raised = hashes()
    for path, content in first.items():  # an old tar is how its longer one begins
        old, now = content.rstrip(b"\0"), path.read_bytes()
        assert now.startswith(old) and (len(now) > len(content)) == (path.parent.name == "train")
    shutil.rmtree(layout.shards("disamb"))
    run(monkeypatch)
    assert hashes() == raised


def test_another_guidance_scale_costs_the_set(
    world: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch)
    params = yaml.safe_load(layout.PARAMS.read_text())
    params["sets"]["disamb"]["guidance_scale"] = 2.5
    layout.PARAMS.write_text(yaml.safe_dump(params))
    capsys.readouterr()
    run(monkeypatch)
    assert "disamb: 20 images, 0 reused, 20 to make" in capsys.readouterr().out


def flip_a_bit(name: str) -> Path:
    """Damage the first JPEG of a set, which still decodes; return its tar."""
    first = pd.read_parquet(layout.index(name)).iloc[0]
    tar = layout.shards(name) / first["tar"]
    content = bytearray(tar.read_bytes())
    content[int(first["offset"] + 0.95 * first["size"])] ^= 1
    tar.write_bytes(content)
    return tar


def test_a_damaged_image_of_another_set_is_drawn_instead(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(monkeypatch)
    drawn = hashes()
    write_prompts(PROMPTS, "synset")
    run(monkeypatch, "synset")
    shutil.rmtree(layout.shards("disamb"))
    flip_a_bit("synset")
    os.utime(layout.index("synset"))  # it is later than the tar now, and vouches for it
    run(monkeypatch)
    assert hashes() == drawn


def test_a_damaged_tar_of_its_own_that_was_touched_is_made_again(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(monkeypatch)
    drawn = hashes()
    flip_a_bit("disamb")  # so that the tar is later than the index
    run(monkeypatch)
    assert hashes() == drawn


def test_an_index_of_an_earlier_version_vouches_for_nothing(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(monkeypatch)
    drawn = hashes()
    index = pd.read_parquet(layout.index("disamb")).drop(columns="sha256")
    index.to_parquet(layout.index("disamb"))
    (layout.shards("disamb") / "sizes.json").write_text("{}")  # which had another place then
    with pytest.raises(InputError, match="was written by an earlier version"):
        read_index("disamb")
    run(monkeypatch)
    assert hashes() == drawn


def test_every_image_tells_which_model_drew_it(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(monkeypatch)
    packet = drawn_by_model("StableDiffusionPipeline", folder_digest(layout.TEXT_TO_IMAGE))
    index = pd.read_parquet(layout.index("disamb"))
    for row in index.itertuples():
        tar = (layout.shards("disamb") / row.tar).read_bytes()
        with Image.open(BytesIO(tar[row.offset : row.offset + row.size])) as image:
            assert image.info["xmp"] == packet


def draw(folder: Path, prompts: list[str], seeds: list[int], **changes: Any) -> list[bytes]:
    model = TextToImage(folder, replace(IMAGE_SETTINGS, **changes), "cpu")
    return model.draw_jpegs(prompts, seeds)


def test_a_short_chunk_gives_the_bytes_of_a_full_one(model_folder: Path) -> None:
    full = draw(model_folder, ["jay"] * 4, [1, 2, 3, 4])
    assert draw(model_folder, ["jay"] * 2, [1, 2]) == full[:2]


def test_the_noise_is_the_seeds_alone_and_guidance_doubles_the_batch(model_folder: Path) -> None:
    """If this has to change, images change with it: raise RECIPE in drawing.py."""
    seen: list[torch.Tensor] = []
    for guidance_scale, copies in ((7.5, 2), (1.0, 1)):
        seen.clear()
        model = TextToImage(
            model_folder, replace(IMAGE_SETTINGS, guidance_scale=guidance_scale), "cpu"
        )
        model.pipe.unet.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
        model.draw(["jay", "drake"], [5, 6])
        noise = [
            torch.randn(1, 4, LATENT, LATENT, generator=torch.Generator().manual_seed(seed))
            for seed in (5, 6, 5, 5)
        ]
        expected = torch.cat(noise * copies) * model.pipe.scheduler.init_noise_sigma
        assert torch.equal(seen[0], expected)
        assert len(seen) == IMAGE_SETTINGS.steps


def test_prompt_seed_and_guidance_scale_change_the_picture(model_folder: Path) -> None:
    pictures = [
        draw(model_folder, ["jay"], [1])[0],
        draw(model_folder, ["drake"], [1])[0],
        draw(model_folder, ["jay"], [2])[0],
        draw(model_folder, ["jay"], [1], guidance_scale=2.5)[0],
    ]
    assert len(set(pictures)) == 4


def test_a_generator_that_draws_nan_stops_with_one_sentence_and_no_tar(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors.torch import load_file, save_file

    weights = layout.TEXT_TO_IMAGE / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(weights)
    tensors["conv_in.bias"][0] = float("nan")
    save_file(tensors, weights)
    with pytest.raises(InputError, match=r"text_to_image draws NaN at dtype float32"):
        run(monkeypatch)
    assert not list(layout.SHARDS.rglob("*.tar"))


def test_a_second_run_on_one_set_stops(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layout.SHARDS.mkdir(parents=True)
    with (
        FileLock(layout.shards_lock("disamb")),
        pytest.raises(InputError, match="is being written by another run"),
    ):
        run(monkeypatch)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"scheduler": "NoScheduler"}, "'NoScheduler' is no scheduler of diffusers"),
        ({"dtype": "int8"}, "generate.dtype 'int8' is unknown"),
    ],
)
def test_unknown_settings_are_named(
    model_folder: Path, changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        TextToImage(model_folder, replace(IMAGE_SETTINGS, **changes), "cpu")


def test_an_unknown_set_and_a_missing_model_are_named(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match="there is no set 'other'"):
        run(monkeypatch, "other")
    shutil.rmtree(layout.TEXT_TO_IMAGE)
    with pytest.raises(InputError, match="text_to_image is missing"):
        run(monkeypatch)


def test_a_folders_digest_tells_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    first = folder_digest(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    second = folder_digest(tmp_path)
    (tmp_path / "b").write_text("2")
    assert len({first, second, folder_digest(tmp_path)}) == 3
