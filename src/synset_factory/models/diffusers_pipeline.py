"""Text-to-image pipelines of diffusers: read from a folder, told what to draw, made fast."""

import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import diffusers
import torch
from safetensors import SafetensorError
from torch import nn

from synset_factory.errors import InputError
from synset_factory.models.host_scheduler import HostScheduler
from synset_factory.records import ImageSettings

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
OF_THE_MODEL = "of_the_model"  # in place of a scheduler: the one in the model's folder
GUIDANCE = ("guidance_scale", "true_cfg_scale")
NEEDED = ("prompt", "num_inference_steps", "height", "width", "generator", "output_type")
# What a pipeline takes that draws from something else than text, or something else than a picture.
OTHER_INPUTS = {
    "audio_end_in_s",
    "control_image",
    "control_video",
    "frames",
    "image",
    "image_embeds",
    "num_frames",
    "reference_image",
    "video",
    "video_length",
}
# Asked for a tensor, these hand back values from -1 to 1, and the first skips its safety checker.
OTHER_RANGE = {
    "IFPipeline",
    "Kandinsky3Pipeline",
    "KandinskyCombinedPipeline",
    "KandinskyV22CombinedPipeline",
    "PRXPixelPipeline",
}
DENOISERS = {"unet", "transformer"}
# Pipelines compute n + s * (p - n) from the predictions p and n, with the prompt and without it, as
# the paper does. These compute p + s * (p - n): their s is the paper's cgs less one.
GUIDANCE_FROM_ZERO = ("Krea2", "ZImage")
# This one does so too, but guides only where its s is above 1: it has nothing for a cgs between 1
# and 2. And told to have no safety checker, it makes one.
OTHER_GUIDANCE = {"Cosmos2TextToImagePipeline"}
# Of a pipeline that has them: else captions are cleaned if a certain library is installed, and a
# picture is drawn at another size than asked for and scaled.
FIXED = {"clean_caption": False, "use_resolution_binning": False}


def load_pipeline(folder: Path, settings: ImageSettings, device: str) -> Any:
    """Return the text-to-image pipeline of a folder as diffusers saves them, ready to draw.

    Raises InputError if the folder holds none, or if settings do not suit it.
    """
    dtype = DTYPES.get(settings.dtype)
    if dtype is None:
        raise InputError(
            f"params.yaml: generate.dtype '{settings.dtype}' is unknown; choose one of "
            f"{', '.join(DTYPES)}."
        )
    index = _read_index(folder)
    pipeline_class = _pipeline_class(folder, index)
    options = _options(folder, index, pipeline_class, settings.safety_checker)
    diffusers.utils.logging.disable_progress_bar()
    try:
        pipe = pipeline_class.from_pretrained(
            folder, dtype=dtype, local_files_only=True, use_safetensors=True, **options
        )
    except (OSError, ValueError, ImportError, RuntimeError, SafetensorError) as error:
        raise InputError(f"{folder} cannot be loaded by diffusers: {error}") from None
    pipe.scheduler = _scheduler(pipe.scheduler, settings.scheduler)
    pipe.set_progress_bar_config(disable=True)
    pipe.to(device)
    if torch.device(device).type != "cpu":
        _suit_device(pipe, torch.device(device))
    if settings.compile:
        _compile(pipe)
    return pipe


def denoiser(pipe: Any) -> nn.Module:
    """Return the network that runs at each step."""
    network: nn.Module = pipe.unet if getattr(pipe, "unet", None) is not None else pipe.transformer
    return network


def call_arguments(pipe: Any, settings: ImageSettings) -> dict[str, Any]:
    """Return what a call of the pipeline takes besides prompts and generators.

    guidance_scale is the paper's cgs. Where a network was distilled to take it as an input (Flux.1
    dev, Qwen-Image's distilled ones), it is that input, and no second pass is run; elsewhere it
    weighs two passes against each other, and at 1 or less there is one pass alone.

    Raises InputError for a negative prompt that the pipeline would not heed.
    """
    taken = inspect.signature(type(pipe).__call__).parameters
    arguments = {name: value for name, value in FIXED.items() if name in taken} | {
        "num_inference_steps": settings.steps,
        "height": settings.height,
        "width": settings.width,
        "output_type": "pt",
    }
    scale, negative = settings.guidance_scale, settings.negative_prompt
    if _is_distilled(pipe, taken):
        arguments["guidance_scale"], heeds = scale, False
    else:
        name = next(each for each in reversed(GUIDANCE) if each in taken)
        from_zero = type(pipe).__name__.startswith(GUIDANCE_FROM_ZERO)
        arguments[name] = max(scale - 1.0, 0.0) if from_zero else scale
        heeds = "negative_prompt" in taken
    if heeds and (negative or "true_cfg_scale" in arguments):
        # An empty one is not handed on elsewhere: SDXL has another stand-in for no prompt at all.
        arguments["negative_prompt"] = [negative] * settings.batch_size
    elif negative:
        raise InputError(
            f"params.yaml: generate.negative_prompt: {type(pipe).__name__} takes none for this "
            'model; set it to "".'
        )
    return arguments


def _is_distilled(pipe: Any, taken: Mapping[str, Any]) -> bool:
    return all(name in taken for name in GUIDANCE) and bool(
        getattr(denoiser(pipe).config, "guidance_embeds", False)
    )


def _read_index(folder: Path) -> dict[str, Any]:
    """Return the list of a pipeline's parts."""
    path = folder / "model_index.json"
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        index = None
    if not isinstance(index, dict):
        raise InputError(
            f"{path} is missing or damaged: put the folder of a text-to-image pipeline there, as "
            "diffusers saves it."
        )
    return index


def _pipeline_class(folder: Path, index: Mapping[str, Any]) -> type[Any]:
    """Return the class that the folder names, if it is diffusers' own and draws from text."""
    name = index.get("_class_name")
    found = getattr(diffusers, name, None) if isinstance(name, str) else None
    if not isinstance(found, type) or not issubclass(found, diffusers.DiffusionPipeline):
        raise InputError(
            f"{folder}/model_index.json names {name}, which is no pipeline of diffusers: code that "
            "comes with a model is never run, so choose another model."
        )
    if not _draws_from_text(found):
        raise InputError(
            f"{folder} holds a {name}, which does not draw pictures from text alone: choose a "
            "text-to-image pipeline."
        )
    if name in OTHER_RANGE:
        raise InputError(
            f"{folder} holds a {name}, which hands back pictures in another form than the other "
            "pipelines: choose another model."
        )
    if name in OTHER_GUIDANCE:
        raise InputError(
            f"{folder} holds a {name}, which cannot guide as weakly as the paper does, and always "
            "has a safety checker: choose another model."
        )
    if not DENOISERS & set(_parts(found)):
        raise InputError(
            f"{folder} holds a {name}, which has neither a unet nor a transformer: choose another "
            "model."
        )
    return found


def _parts(pipeline_class: type[Any]) -> Mapping[str, Any]:
    """Return what a pipeline is put together from."""
    return inspect.signature(pipeline_class.__init__).parameters


def _draws_from_text(pipeline_class: type[Any]) -> bool:
    taken = inspect.signature(pipeline_class.__call__).parameters
    if not set(NEEDED) <= set(taken) or not set(GUIDANCE) & set(taken):
        return False
    if "controlnet" in _parts(pipeline_class):
        return False
    other = OTHER_INPUTS & set(taken)
    if other == {"image"}:  # a picture to begin with, which some need and some can do without
        from diffusers.pipelines.auto_pipeline import AUTO_TEXT2IMAGE_PIPELINES_MAPPING

        return pipeline_class in AUTO_TEXT2IMAGE_PIPELINES_MAPPING.values()
    return not other


def _options(
    folder: Path, index: Mapping[str, Any], pipeline_class: type[Any], safety_checker: bool
) -> dict[str, Any]:
    """Return how the pipeline is to be put together: with which of its optional parts."""
    taken = _parts(pipeline_class)
    options: dict[str, Any] = {}
    if "add_watermarker" in taken:
        options["add_watermarker"] = False  # else it depends on what is installed; XMP says more
    if safety_checker:
        if not any(index.get("safety_checker") or ()):
            raise InputError(
                f"params.yaml: generate.safety_checker is true, but {folder} has none: set it to "
                "false, or get the model whole."
            )
    elif "safety_checker" in taken:
        options["safety_checker"] = None
        if "requires_safety_checker" in taken:
            options["requires_safety_checker"] = False
    return options


def _scheduler(own: Any, name: str) -> Any:
    """Return the scheduler of that name, set up as the model's own is."""
    if name == OF_THE_MODEL:
        return own
    found = getattr(diffusers, name, None)
    if found is None or not name.endswith("Scheduler"):
        raise InputError(
            f"params.yaml: generate.scheduler '{name}' is no scheduler of diffusers; correct its "
            f"name, or write {OF_THE_MODEL}."
        )
    if found not in (type(own), *own.compatibles):
        raise InputError(
            f"params.yaml: generate.scheduler {name} does not suit the model, which has a "
            f"{type(own).__name__}: write {OF_THE_MODEL}."
        )
    return found.from_config(own.config)


def _suit_device(pipe: Any, device: torch.device) -> None:
    """Let a device other than the CPU work fast, never waiting for the host, with equal bytes."""
    torch.backends.cudnn.benchmark = False  # it chooses algorithms by the clock
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.allow_tf32 = False  # float32 means float32
    pipe.scheduler = HostScheduler(pipe.scheduler, device)
    for name in ("unet", "vae"):
        network = getattr(pipe, name, None)
        if network is not None and all(each.dim() < 5 for each in network.parameters()):
            network.to(memory_format=torch.channels_last)


def _compile(pipe: Any) -> None:
    """Compile what takes the time, for the one shape that batches have.

    Its first call takes a minute or more. Inductor chooses no kernel by the clock.
    """
    networks = [denoiser(pipe)]
    decoder = getattr(getattr(pipe, "vae", None), "decoder", None)
    for network in networks if decoder is None else [*networks, decoder]:
        network.compile(dynamic=False, options={"deterministic": True})
