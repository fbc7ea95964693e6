"""Any text-to-image pipeline of diffusers draws through the same code, at the least cost."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, replace
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from diffusers import DDIMScheduler, EulerDiscreteScheduler, FluxTransformer2DModel
from PIL import Image
from torch import nn
from torch._dynamo.utils import counters

from synset_factory import layout
from synset_factory.config import Shortcuts, load_common
from synset_factory.errors import InputError
from synset_factory.models.diffusers_pipeline import call_arguments, denoiser
from synset_factory.models.host_scheduler import HostScheduler
from synset_factory.models.text_to_image import TextToImage
from synset_factory.provenance import drawn_by_model
from synset_factory.shards.writer import encode_jpeg
from synset_factory.stages import generate
from tests.tiny_models import (
    IMAGE_SETTINGS,
    PIPELINES,
    SIZE,
    add_safety_checker,
    save_pipeline,
    save_text_to_image,
)

REPOSITORY = Path(__file__).parents[2]
WNID = "n01847000"
STABLE_DIFFUSION = "stable_diffusion"
SETTINGS = replace(IMAGE_SETTINGS, scheduler="of_the_model", batch_size=3)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A saved pipeline of each kind, which no test changes."""
    root = tmp_path_factory.mktemp("pipelines")
    for kind in PIPELINES:
        save_pipeline(kind, root / kind)
    save_text_to_image(root / STABLE_DIFFUSION)
    return {kind: root / kind for kind in (*PIPELINES, STABLE_DIFFUSION)}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of one class and one set, 3 + 2 images, and no model yet."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(REPOSITORY / "prompts", "prompts")
    write_params(guidance_scale=7.5)
    rows = [
        [WNID, split, number, "drake", 10 * number + len(split)]
        for split, count in (("train", 3), ("validation", 2))
        for number in range(count)
    ]
    layout.IMAGE_PROMPTS.mkdir(parents=True)
    columns = ["wnid", "split", "number", "prompt", "seed"]
    pd.DataFrame(rows, columns=columns).to_parquet(layout.prompts("disamb"), index=False)
    return tmp_path


def write_params(generate: dict[str, Any] | None = None, **image_set: Any) -> None:
    params = yaml.safe_load((REPOSITORY / "params.yaml").read_text())
    params["wnids"] = [WNID]
    params["sets"] = {"disamb": {"prompts": "disamb", **image_set}}
    params["generate"] = {key: asdict(SETTINGS)[key] for key in params["generate"]}
    params["generate"] |= generate or {}
    layout.PARAMS.write_text(yaml.safe_dump(params))


def run(monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    """Run the stage; return the set's index."""
    monkeypatch.setattr("sys.argv", ["generate", "disamb"])
    generate.main()
    return pd.read_parquet(layout.index("disamb"))


def members(index: pd.DataFrame) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """Yield the JPEG and the .json of each image of the set."""
    import tarfile

    for row in index.itertuples():
        with tarfile.open(layout.shards("disamb") / row.tar) as tar:
            jpeg, about = (
                tar.extractfile(f"{row.key}.{ending}").read() for ending in ("jpg", "json")
            )
        yield jpeg, json.loads(about)


@pytest.mark.parametrize("kind", ["xl", "sd3", "pixart", "flux"])
def test_any_pipeline_draws_through_the_same_stage(
    kind: str, folders: dict[str, Path], world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(folders[kind], layout.TEXT_TO_IMAGE)
    first = run(monkeypatch)
    assert len(first) == first["sha256"].nunique() == 5
    name = json.loads((folders[kind] / "model_index.json").read_text())["_class_name"]
    for jpeg, about in members(first):
        with Image.open(BytesIO(jpeg)) as image:
            assert image.size == (SIZE, SIZE)
            assert image.info["xmp"] == drawn_by_model(name, about["generator"])
    shutil.rmtree(layout.shards("disamb"))
    pd.testing.assert_frame_equal(run(monkeypatch), first)
    write_params(guidance_scale=1.0)
    unguided = run(monkeypatch)
    assert not set(unguided["sha256"]) & set(first["sha256"])


def test_pictures_are_those_of_a_plain_call_of_diffusers(folders: dict[str, Path]) -> None:
    model = TextToImage(folders["xl"], SETTINGS, "cpu")
    prompts, seeds = ["jay", "drake", "jay"], [1, 2, 3]
    ours = model.draw_jpegs(prompts, seeds)
    plain = model.pipe(
        prompts,
        num_inference_steps=2,
        guidance_scale=7.5,
        height=SIZE,
        width=SIZE,
        generator=[torch.Generator().manual_seed(seed) for seed in seeds],
    ).images
    xmp = drawn_by_model("StableDiffusionXLPipeline", "tiny")
    assert ours == [encode_jpeg(image, SETTINGS.jpeg_quality, xmp) for image in plain]


def passes(model: TextToImage) -> int:
    """Draw a batch; return how many pictures went through the denoiser."""
    seen = []

    def see(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        seen.append(len(args[0] if args else kwargs["hidden_states"]))

    hook = denoiser(model.pipe).register_forward_pre_hook(see, with_kwargs=True)
    model.draw(["jay"], [1])
    hook.remove()
    return sum(seen)


@pytest.mark.parametrize("kind", [*PIPELINES, STABLE_DIFFUSION])
def test_a_second_pass_is_run_only_where_guidance_needs_it(
    kind: str, folders: dict[str, Path]
) -> None:
    once = SETTINGS.steps * SETTINGS.batch_size
    for scale, factor in ((7.5, 1 if kind == "flux_distilled" else 2), (1.0, 1), (0.5, 1)):
        settings = replace(SETTINGS, guidance_scale=scale)
        assert passes(TextToImage(folders[kind], settings, "cpu")) == factor * once


def test_a_distilled_network_takes_the_guidance_scale_as_an_input(
    folders: dict[str, Path],
) -> None:
    settings = [replace(SETTINGS, guidance_scale=scale) for scale in (1.0, 2.5, 7.5)]
    folder = folders["flux_distilled"]
    jpegs = [TextToImage(folder, each, "cpu").draw_jpegs(["jay"], [1])[0] for each in settings]
    assert len(set(jpegs)) == 3
    with pytest.raises(InputError, match=r"generate.negative_prompt: FluxPipeline takes none"):
        TextToImage(folder, replace(SETTINGS, negative_prompt="blurred"), "cpu")


def test_the_negative_prompt_changes_the_picture_where_there_is_guidance(
    folders: dict[str, Path],
) -> None:
    for scale, pictures in ((7.5, 2), (1.0, 1)):
        jpegs = {
            TextToImage(
                folders["sd3"],
                replace(SETTINGS, guidance_scale=scale, negative_prompt=negative),
                "cpu",
            ).draw_jpegs(["jay"], [1])[0]
            for negative in ("", "blurred")
        }
        assert len(jpegs) == pictures


class ZImagePipeline:
    """As diffusers' own takes it: p + guidance_scale * (p - n)."""

    transformer = torch.nn.Identity()

    def __call__(self, prompt: str, guidance_scale: float, negative_prompt: str) -> None: ...


@pytest.mark.parametrize(("cgs", "theirs"), [(7.5, 6.5), (1.0, 0.0), (0.0, 0.0)])
def test_a_guidance_scale_counted_from_zero_is_the_papers_less_one(
    cgs: float, theirs: float
) -> None:
    arguments = call_arguments(ZImagePipeline(), replace(SETTINGS, guidance_scale=cgs))
    assert arguments["guidance_scale"] == theirs


def test_nan_is_found_when_the_pictures_are_waited_for(folders: dict[str, Path]) -> None:
    model = TextToImage(folders["pixart"], SETTINGS, "cpu")
    with torch.no_grad():
        next(denoiser(model.pipe).parameters()).fill_(float("nan"))
    drawn = model.draw(["jay"], [1])
    with pytest.raises(InputError, match="draws NaN at dtype float32"):
        model.encode(drawn)


@pytest.mark.parametrize("outside", [-0.01, 1.01])
def test_pictures_of_another_range_are_refused_and_those_at_its_ends_are_not(
    outside: float, folders: dict[str, Path]
) -> None:
    model = TextToImage(folders["pixart"], SETTINGS, "cpu")
    images = torch.linspace(0, 1, 3 * 3 * SIZE * SIZE).reshape(3, 3, SIZE, SIZE)
    model.pipe = lambda **_: SimpleNamespace(images=images)
    assert len(model.draw_jpegs(["jay"], [1])) == 1
    images[0, 0, 0, 0] = outside
    with pytest.raises(InputError, match=r"values outside of 0 \.\.\. 1: choose another model"):
        model.encode(model.draw(["jay"], [1]))


@pytest.mark.parametrize(
    "output",
    [
        {"frames": torch.zeros(3, 2, 3, SIZE, SIZE)},
        {"images": np.zeros((3, SIZE, SIZE, 3))},
        {"images": torch.zeros(3, 4, SIZE, SIZE)},
    ],
)
def test_what_is_no_batch_of_pictures_is_refused(
    output: dict[str, Any], folders: dict[str, Path]
) -> None:
    model = TextToImage(folders["pixart"], SETTINGS, "cpu")
    model.pipe = lambda **_: SimpleNamespace(**output)
    with pytest.raises(InputError, match="something else than a batch of pictures"):
        model.draw(["jay"], [1])


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("flux", r"draws 8 x 8 when asked for 10 x 8"),
        (STABLE_DIFFUSION, r"refuses what the section generate asks for: .* divisible by 8"),
    ],
)
def test_a_size_that_the_model_rounds_or_refuses_is_refused(
    kind: str, sentence: str, folders: dict[str, Path]
) -> None:
    model = TextToImage(folders[kind], replace(SETTINGS, height=SIZE + 2), "cpu")
    with pytest.raises(InputError, match=sentence):
        model.draw_jpegs(["jay"], [1])


@pytest.fixture
def checked(folders: dict[str, Path], tmp_path: Path) -> Path:
    """A Stable Diffusion whose safety checker blackens whatever it sees."""
    folder = tmp_path / "checked"
    shutil.copytree(folders[STABLE_DIFFUSION], folder)
    add_safety_checker(folder, threshold=-1.1)
    return folder


def test_what_the_safety_checker_blackens_is_said(
    checked: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = TextToImage(checked, replace(SETTINGS, safety_checker=True), "cpu")
    for jpeg in model.draw_jpegs(["jay", "drake"], [1, 2]):
        assert not np.asarray(Image.open(BytesIO(jpeg))).any()
    said = capsys.readouterr().out
    assert said.count("The safety checker has blackened") == 2
    assert "blackened the picture of 'drake', seed 2." in said


def test_a_safety_checker_that_finds_nothing_or_is_not_wanted_changes_nothing(
    checked: Path, folders: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    without = TextToImage(folders[STABLE_DIFFUSION], SETTINGS, "cpu").draw_jpegs(["jay"], [1])
    unwanted = TextToImage(checked, SETTINGS, "cpu")
    assert unwanted.pipe.safety_checker is None
    assert unwanted.draw_jpegs(["jay"], [1]) == without
    add_safety_checker(checked, threshold=1.1)
    content = TextToImage(checked, replace(SETTINGS, safety_checker=True), "cpu")
    assert content.pipe.safety_checker is not None
    assert content.draw_jpegs(["jay"], [1]) == without
    assert "blackened" not in capsys.readouterr().out


@pytest.mark.parametrize("kind", [STABLE_DIFFUSION, "xl"])
def test_a_safety_checker_that_is_not_there_is_named(kind: str, folders: dict[str, Path]) -> None:
    with pytest.raises(InputError, match=r"generate.safety_checker is true, but .* has none"):
        TextToImage(folders[kind], replace(SETTINGS, safety_checker=True), "cpu")


@pytest.mark.parametrize(
    ("kind", "scheduler", "sentence"),
    [
        ("sd3", "DPMSolverMultistepScheduler", "does not suit the model, which has a FlowMatch"),
        ("xl", "FlowMatchEulerDiscreteScheduler", "does not suit the model, which has a Euler"),
        ("xl", "NoScheduler", "'NoScheduler' is no scheduler of diffusers"),
        ("xl", "AutoencoderKL", "'AutoencoderKL' is no scheduler of diffusers"),
    ],
)
def test_a_scheduler_of_another_kind_is_refused(
    kind: str, scheduler: str, sentence: str, folders: dict[str, Path]
) -> None:
    with pytest.raises(InputError, match=sentence):
        TextToImage(folders[kind], replace(SETTINGS, scheduler=scheduler), "cpu")


@pytest.mark.parametrize(
    ("index", "sentence"),
    [
        (None, "model_index.json is missing or damaged"),
        ([], "model_index.json is missing or damaged"),
        ({"_class_name": "MyPipeline"}, "names MyPipeline, which is no pipeline of diffusers"),
        ({"_class_name": ["my", "MyPipeline"]}, "which is no pipeline of diffusers"),
        ({"_class_name": "UNet2DModel"}, "names UNet2DModel, which is no pipeline of diffusers"),
        ({"_class_name": "DDPMPipeline"}, "does not draw pictures from text alone"),
        ({"_class_name": "StableDiffusionImg2ImgPipeline"}, "does not draw pictures from text"),
        ({"_class_name": "FluxControlNetPipeline"}, "does not draw pictures from text alone"),
        ({"_class_name": "CogVideoXPipeline"}, "does not draw pictures from text alone"),
        ({"_class_name": "StableAudioPipeline"}, "does not draw pictures from text alone"),
        ({"_class_name": "LattePipeline"}, "does not draw pictures from text alone"),
        ({"_class_name": "SanaVideoPipeline"}, "does not draw pictures from text alone"),
        ({"_class_name": "WanVideoToVideoPipeline"}, "does not draw pictures from text alone"),
        ({"_class_name": "CogVideoXFunControlPipeline"}, "does not draw pictures from text alone"),
        ({"_class_name": "BlipDiffusionPipeline"}, "does not draw pictures from text alone"),
        ({"_class_name": "IFPipeline"}, "hands back pictures in another form"),
        ({"_class_name": "Kandinsky3Pipeline"}, "hands back pictures in another form"),
        ({"_class_name": "KandinskyCombinedPipeline"}, "hands back pictures in another form"),
        ({"_class_name": "KandinskyV22CombinedPipeline"}, "hands back pictures in another form"),
        ({"_class_name": "PRXPixelPipeline"}, "hands back pictures in another form"),
        ({"_class_name": "Cosmos2TextToImagePipeline"}, "cannot guide as weakly as the paper"),
        (
            {"_class_name": "VersatileDiffusionTextToImagePipeline"},
            "neither a unet nor a transformer",
        ),
        ({"_class_name": "StableDiffusionPipeline"}, "cannot be loaded by diffusers: "),
    ],
)
def test_a_folder_that_draws_nothing_from_text_is_refused(
    index: Any, sentence: str, tmp_path: Path
) -> None:
    if index is not None:
        (tmp_path / "model_index.json").write_text(json.dumps(index))
    with pytest.raises(InputError, match=sentence):
        TextToImage(tmp_path, SETTINGS, "cpu")


def test_a_file_that_is_cut_off_is_told_in_a_sentence(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(folders["xl"], folder)
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    assert len(paths) == 14
    for path in paths:
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])
        with pytest.raises(InputError, match=r"cannot be loaded by diffusers|missing or damaged"):
            TextToImage(folder, SETTINGS, "cpu")
        path.write_bytes(content)
    (folder / "text_encoder" / "config.json").unlink()
    with pytest.raises(InputError, match="cannot be loaded by diffusers"):
        TextToImage(folder, SETTINGS, "cpu")


def test_code_that_comes_with_a_model_is_not_run(folders: dict[str, Path], tmp_path: Path) -> None:
    folder, trace = tmp_path / "model", tmp_path / "trace"
    shutil.copytree(folders["xl"], folder)
    (folder / "unet" / "mine.py").write_text(f"open({str(trace)!r}, 'w')\nclass Mine: ...\n")
    index = json.loads((folder / "model_index.json").read_text()) | {"unet": ["mine", "Mine"]}
    (folder / "model_index.json").write_text(json.dumps(index))
    with pytest.raises(InputError, match="cannot be loaded by diffusers"):
        TextToImage(folder, SETTINGS, "cpu")
    assert not trace.exists()


def test_pickled_weights_are_not_read(folders: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(folders["xl"], tmp_path / "model")
    weights = tmp_path / "model" / "unet" / "diffusion_pytorch_model.safetensors"
    torch.save({}, weights.with_suffix(".bin"))
    weights.unlink()
    with pytest.raises(InputError, match="cannot be loaded by diffusers"):
        TextToImage(tmp_path / "model", SETTINGS, "cpu")


SCHEDULERS = (
    "DDIMScheduler",
    "DPMSolverMultistepScheduler",
    "EulerAncestralDiscreteScheduler",
    "HeunDiscreteScheduler",
    "LMSDiscreteScheduler",
    "PNDMScheduler",
    "UniPCMultistepScheduler",
)


@pytest.mark.parametrize(
    ("kind", "scheduler"),
    [*(("xl", name) for name in SCHEDULERS), ("sd3", "of_the_model"), ("flux", "of_the_model")],
)
def test_bookkeeping_on_the_host_changes_no_picture(
    kind: str, scheduler: str, folders: dict[str, Path]
) -> None:
    settings = replace(SETTINGS, scheduler=scheduler, steps=4)
    model = TextToImage(folders[kind], settings, "cpu")
    plain = model.draw_jpegs(["jay", "drake"], [1, 2])
    model.pipe.scheduler = HostScheduler(model.pipe.scheduler, torch.device("cpu"))
    for _ in range(2):
        assert model.draw_jpegs(["jay", "drake"], [1, 2]) == plain


class Recorder:
    """A scheduler that keeps the timesteps it is given."""

    def __init__(self) -> None:
        self.timesteps = torch.zeros(0)
        self.seen: list[torch.Tensor] = []

    def set_timesteps(self, number: int, device: str | None = None) -> None:
        self.timesteps = torch.arange(number, 0, -1, device=device)

    def scale_model_input(self, sample: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
        self.seen.append(timestep)
        return sample

    def step(self, model_output: Any, timestep: torch.Tensor, sample: Any) -> None:
        self.seen.append(timestep)


def test_the_scheduler_sees_the_hosts_timesteps_and_the_pipeline_the_devices() -> None:
    inner = Recorder()
    scheduler = HostScheduler(inner, torch.device("meta"))
    scheduler.set_timesteps(2, device="meta")
    assert scheduler.timesteps.device.type == "meta"
    for timestep in scheduler.timesteps:
        scheduler.scale_model_input(torch.zeros(1), timestep)
        scheduler.step(None, timestep, None)
    assert [each.item() for each in inner.seen] == [2, 2, 1, 1]  # an item of meta is an error


def test_a_pipeline_that_asks_which_scheduler_it_has_is_told_the_inner_one() -> None:
    scheduler = HostScheduler(DDIMScheduler(), torch.device("meta"))
    assert isinstance(scheduler, DDIMScheduler)
    assert not isinstance(scheduler, EulerDiscreteScheduler)


def test_attention_is_torchs_own_fused_one(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    fused, calls = torch.nn.functional.scaled_dot_product_attention, []

    def count(*args: Any, **kwargs: Any) -> torch.Tensor:
        calls.append(args[0].shape)
        return fused(*args, **kwargs)

    model = TextToImage(folders["xl"], SETTINGS, "cpu")
    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", count)
    passes(model)
    of_the_denoiser = [shape for shape in calls if shape[0] == 2 * SETTINGS.batch_size]
    assert len(of_the_denoiser) >= 2 * SETTINGS.steps  # to itself and to the text


def test_what_a_network_keeps_in_float32_stays_so(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    # As the networks of Kandinsky 5, Krea 2 and others do; diffusers loads these with accelerate.
    monkeypatch.setattr(FluxTransformer2DModel, "_keep_in_fp32_modules", ["norm_out"])
    model = TextToImage(folders["flux"], replace(SETTINGS, dtype="bfloat16"), "cpu")
    types = {name: weight.dtype for name, weight in model.pipe.transformer.named_parameters()}
    for name, dtype in types.items():
        assert dtype == (torch.float32 if name.startswith("norm_out.") else torch.bfloat16)
    assert {torch.float32, torch.bfloat16} == set(types.values())


def test_compiled_networks_are_compiled_once(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Traced as for Inductor, which takes minutes here; benchmarks/generate.py has it draw."""
    asked = []

    def trace(network: nn.Module, **options: Any) -> None:
        asked.append(options)
        network._compiled_call_impl = torch.compile(
            network._call_impl, dynamic=options["dynamic"], backend="eager"
        )

    eager = TextToImage(folders[STABLE_DIFFUSION], SETTINGS, "cpu")
    monkeypatch.setattr(nn.Module, "compile", trace)
    torch._dynamo.reset()
    counters["stats"].clear()
    compiled = TextToImage(folders[STABLE_DIFFUSION], replace(SETTINGS, compile=True), "cpu")
    with torch._dynamo.config.patch(error_on_recompile=True):
        for prompts in (["jay", "drake", "jay"], ["drake"]):
            seeds = [1, 2, 3][: len(prompts)]
            assert compiled.draw_jpegs(prompts, seeds) == eager.draw_jpegs(prompts, seeds)
    assert counters["stats"]["unique_graphs"] == len(asked) == 2  # the denoiser, the decoder
    assert asked[0] == {"dynamic": False, "options": {"deterministic": True}}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize(
    ("kind", "scheduler"),
    [
        (STABLE_DIFFUSION, "PNDMScheduler"),
        (STABLE_DIFFUSION, "DPMSolverMultistepScheduler"),
        (STABLE_DIFFUSION, "DDIMScheduler"),
        ("xl", "of_the_model"),
        ("sd3", "of_the_model"),
        ("pixart", "of_the_model"),
        ("flux", "of_the_model"),
    ],
)
def test_a_cuda_device_is_not_waited_for_in_the_step_loop_nor_by_draw(
    kind: str, scheduler: str, folders: dict[str, Path]
) -> None:
    settings = replace(SETTINGS, scheduler=scheduler, steps=6, dtype="bfloat16")
    model = TextToImage(folders[kind], settings, "cuda")
    first = model.draw_jpegs(["jay"], [1])
    begin = denoiser(model.pipe).register_forward_pre_hook(
        lambda *_: torch.cuda.set_sync_debug_mode("error")
    )
    try:
        drawn = model.draw(["jay"], [1])  # an error from the first step to the return
    finally:
        torch.cuda.set_sync_debug_mode("default")
        begin.remove()
    assert model.encode(drawn) == first


def test_a_shortcut_is_the_sets_own_and_in_the_digest_of_its_images(
    folders: dict[str, Path], world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(folders["pixart"], layout.TEXT_TO_IMAGE)
    whole = run(monkeypatch)
    write_params(guidance_scale=7.5, shortcuts={"steps": 3})
    short = run(monkeypatch)
    assert {about["steps"] for _, about in members(short)} == {3}
    assert not set(short["sha256"]) & set(whole["sha256"])
    assert not set(short["digest"]) & set(whole["digest"])
    write_params({"steps": 3}, guidance_scale=7.5)  # the same images by another way
    pd.testing.assert_frame_equal(run(monkeypatch), short)


def test_shortcuts_may_be_left_out_but_not_misspelt(world: Path) -> None:
    assert load_common().sets["disamb"].shortcuts is None
    write_params(guidance_scale=7.5, shortcuts={"steps": 1})
    assert load_common().sets["disamb"].shortcuts == Shortcuts(steps=1)
    for wrong, sentence in (
        ({}, r"key 'sets.disamb.shortcuts.steps' is missing"),
        ({"steps": 1, "cache": 2}, r"unknown key 'sets.disamb.shortcuts.cache'"),
        (None, r"'sets.disamb.shortcuts' must be a mapping"),
        ({"steps": "few"}, r"'sets.disamb.shortcuts.steps' must be of type int"),
    ):
        write_params(guidance_scale=7.5, shortcuts=wrong)
        with pytest.raises(InputError, match=sentence):
            load_common()
