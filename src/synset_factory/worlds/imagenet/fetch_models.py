"""Part `fetch_models`: the CLIP, the text-to-image model and pretrained classifiers, by revision.

Each comes from the Hugging Face hub or from a folder of this machine, in the form of the library
that reads it: diffusers, open_clip, timm. Weights are safetensors, never pickles, and no code comes
with them. What was fetched, commit and SHA-256 of every file, is in metrics/fetched_models.json.
"""

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from synset_factory import layout
from synset_factory.config import SET_NAME, claim_world, load_common, load_section
from synset_factory.drawing import GenerateConfig
from synset_factory.errors import InputError
from synset_factory.whole_files import sole_writer, write_text
from synset_factory.worlds.imagenet.model_folders import (
    ModelForm,
    OpenClipForm,
    PipelineForm,
    TimmForm,
    check_folder,
)
from synset_factory.worlds.imagenet.sources import Origin, Source, file_digest, open_source


@dataclass(frozen=True, kw_only=True)
class FetchModelsConfig:
    """Section `fetch_models` of params.yaml: where each model comes from."""

    text_to_image: Source  # a pipeline of diffusers
    clip: Source  # a CLIP in open_clip's form
    pretrained: dict[str, Source]  # classifiers of timm, by the name of their folder

    def __post_init__(self) -> None:
        """Raise InputError for a name that would lead out of the folder of all of them."""
        for name in self.pretrained:
            if not SET_NAME.fullmatch(name):
                raise InputError(
                    f"{layout.PARAMS}: fetch_models.pretrained: the name '{name}' may hold only "
                    "lower-case letters, digits and underscores; rename it."
                )


def model_forms(
    config: FetchModelsConfig, *, safety_checker: bool
) -> dict[Path, tuple[Source, ModelForm]]:
    """Return for each folder of a model where it comes from, and what its files must be."""
    return {
        layout.TEXT_TO_IMAGE: (config.text_to_image, PipelineForm(safety_checker=safety_checker)),
        layout.CLIP: (config.clip, OpenClipForm()),
        **{
            layout.PRETRAINED / name: (source, TimmForm())
            for name, source in config.pretrained.items()
        },
    }


@dataclass(frozen=True, kw_only=True)
class Order:
    """The files of one model, before they are fetched."""

    folder: Path
    source: Source
    origin: Origin
    form: ModelForm
    names: list[str]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(self.origin.sizes[name] for name in self.names)

    @property
    def text(self) -> str:
        return (
            f"{self.folder}: {len(self.names)} files, {self.size / 1e9:.2f} GB, from "
            f"{self.origin.name}"
        )


def order(folder: Path, source: Source, form: ModelForm) -> Order:
    """Choose a model's files. Raises InputError if the source is not there, or is not whole."""
    origin = open_source(source)
    names = sorted(form.choose(origin))
    return Order(folder=folder, source=source, origin=origin, form=form, names=names)


def fetch(wanted: Order) -> dict[str, Any]:
    """Bring a model's folder up to date, and return what is in it: for metrics.

    It gets its name when it is whole and checked. What an interrupted run had fetched is taken up.
    Raises InputError if that cannot be.
    """
    folder, partial = wanted.folder, layout.partial(wanted.folder)
    if folder.is_dir():
        shutil.rmtree(partial, ignore_errors=True)
        folder.rename(partial)
    partial.mkdir(parents=True, exist_ok=True)
    wanted.origin.copy(wanted.names, partial)
    keep = {partial / name for name in wanted.names}
    for path in sorted(partial.rglob("*"), reverse=True):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
        elif not path.is_dir() and path not in keep:
            path.unlink()
    wanted.form.complete(partial)
    check_folder(partial)
    digests = {name: file_digest(partial / name) for name in wanted.names}
    _remove(folder)
    partial.rename(folder)
    return {**asdict(wanted.source), "commit": wanted.origin.commit, "sha256": digests}


def _remove(path: Path) -> None:
    """Delete what has a name that is a model's, or in a folder of models: a folder or a file."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def check_room(orders: list[Order]) -> None:
    """Raise InputError if the disk has no room for what is not there yet."""
    needed = sum(
        each.origin.sizes[name]
        for each in orders
        for name in each.names
        if not _is_there(each, name)
    )
    free = shutil.disk_usage(Path()).free
    if needed > free:
        raise InputError(
            f"The models need {needed / 1e9:.1f} GB more, but the disk has {free / 1e9:.1f} GB: "
            "make room first."
        )


def _is_there(wanted: Order, name: str) -> bool:
    """Tell by its size whether a file is there: other models have files of the same names."""
    paths = (wanted.folder / name, layout.partial(wanted.folder) / name)
    size = wanted.origin.sizes[name]
    return any(path.is_file() and path.stat().st_size == size for path in paths)


def main() -> None:
    """Fetch all models. Raises InputError for what is not there, not whole, or asks for code."""
    common = load_common()
    claim_world(common.world)
    config = load_section(FetchModelsConfig, "fetch_models")
    safety_checker = load_section(GenerateConfig, "generate").safety_checker
    forms = model_forms(config, safety_checker=safety_checker)
    orders = [order(folder, source, form) for folder, (source, form) in forms.items()]
    print("\n".join(each.text for each in orders), flush=True)
    with sole_writer(layout.MODELS, layout.MODELS_LOCK):
        check_room(orders)
        layout.PRETRAINED.mkdir(parents=True, exist_ok=True)
        record = {each.folder.relative_to(layout.MODELS).as_posix(): fetch(each) for each in orders}
        for path in layout.PRETRAINED.iterdir():
            if path.name not in config.pretrained:
                _remove(path)
        write_text(layout.FETCHED_MODELS, json.dumps(record, indent=2) + "\n")
