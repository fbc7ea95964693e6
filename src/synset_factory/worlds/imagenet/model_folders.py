"""Which files a folder of a model has, for the libraries that read it, and whether it is whole."""

import json
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from safetensors import SafetensorError, safe_open

from synset_factory.errors import InputError
from synset_factory.worlds.imagenet.sources import Origin

PIPELINE = "model_index.json"
CLIP_CONFIG = "open_clip_config.json"
CLIP_WEIGHTS = "open_clip_model.safetensors"
TIMM_CONFIG = "config.json"
TIMM_WEIGHTS = "model.safetensors"
# Full weights, in one file or in several with a list of them. Variants (fp16, non_ema) have a word
# more in their names: what is loaded is turned into generate.dtype anyway.
WEIGHTS = re.compile(
    r"(diffusion_pytorch_model|model)"
    r"(\.safetensors|-\d{5}-of-\d{5}\.safetensors|\.safetensors\.index\.json)"
)
SETTINGS = {".json", ".txt", ".model", ".jinja"}  # of configurations and tokenizers
CODE = "auto_map"  # by which a configuration asks for code that comes with it


class ModelForm(Protocol):
    """What the folder of a kind of model must be."""

    def choose(self, origin: Origin) -> list[str]:
        """Return the names of the files that it needs. Raises InputError if one is missing."""
        ...

    def complete(self, folder: Path) -> None:
        """Change in the folder what the choice of files demands."""
        ...


@dataclass(frozen=True, kw_only=True)
class PipelineForm:
    """A text-to-image pipeline of diffusers: model_index.json, and a folder for each component."""

    safety_checker: bool

    def choose(self, origin: Origin) -> list[str]:
        _require(origin, PIPELINE)
        what = f"{PIPELINE} of {origin.name}"
        components = self._components(_mapping(origin.read(PIPELINE), what), what)
        names = [PIPELINE]
        for component in components:
            here = [name for name in origin.sizes if PurePosixPath(name).parts[0] == component]
            _refuse_code(here, origin)
            needed = [name for name in here if _is_needed(PurePosixPath(name).name)]
            if f"{component}/config.json" in here and not any(map(_is_weights, needed)):
                raise InputError(
                    f"{origin.name} has no weights of '{component}' as safetensors, whole and "
                    "without a variant: name another repository or revision."
                )
            names += needed
        return names

    def complete(self, folder: Path) -> None:
        """A pipeline without the safety checker must not ask for it: so diffusers writes it."""
        path = folder / PIPELINE
        index = _mapping(path.read_bytes(), str(path))
        if not self.safety_checker and "safety_checker" in index:
            index |= {"safety_checker": [None, None], "requires_safety_checker": False}
            path.write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")

    def _components(self, index: dict[str, Any], what: str) -> list[str]:
        for name, value in index.items():
            if value == [] and not name.startswith("_"):
                raise InputError(f"{what} does not say what its '{name}' is: name another.")
        return [
            name
            for name, value in index.items()
            if isinstance(value, list) and value[0] and not name.startswith("_")
            if self.safety_checker or name != "safety_checker"
        ]


class OpenClipForm:
    """A CLIP of open_clip: its configuration and its weights."""

    def choose(self, origin: Origin) -> list[str]:
        _require(origin, CLIP_CONFIG, CLIP_WEIGHTS)
        what = f"{CLIP_CONFIG} of {origin.name}"
        model = _mapping(origin.read(CLIP_CONFIG), what).get("model_cfg")
        text = model.get("text_cfg") if isinstance(model, dict) else None
        if not isinstance(text, dict):
            raise InputError(f"{what} describes no text tower (model_cfg, text_cfg): name another.")
        if "hf_model_name" in text:
            raise InputError(
                f"{what} takes its text tower from {text['hf_model_name']}, which lies elsewhere: "
                "name a CLIP that is whole."
            )
        # Nothing but the tokenizer's own files: vocabulary, merges, how to put them together.
        tokenizer = [
            name
            for name in origin.sizes
            if "hf_tokenizer_name" in text
            and PurePosixPath(name).suffix in SETTINGS
            and name not in (CLIP_CONFIG, "config.json")
            and "/" not in name
        ]
        return [CLIP_CONFIG, CLIP_WEIGHTS, *tokenizer]

    def complete(self, folder: Path) -> None:
        """Nothing is to be changed."""


class TimmForm:
    """A classifier of timm: its configuration and its weights."""

    def choose(self, origin: Origin) -> list[str]:
        _require(origin, TIMM_CONFIG, TIMM_WEIGHTS)
        return [TIMM_CONFIG, TIMM_WEIGHTS]

    def complete(self, folder: Path) -> None:
        """Nothing is to be changed."""


def check_folder(folder: Path) -> None:
    """Check that all weights of a folder are there and whole, and that none needs code.

    Raises InputError naming the file.
    """
    for path in sorted(folder.rglob("*.json")):
        content = _parsed(path.read_bytes(), str(path))
        if isinstance(content, dict) and CODE in content:
            raise InputError(
                f"{path} asks for code that comes with the model ({CODE}), which is never run: "
                "name another model."
            )
        if path.name.endswith(".safetensors.index.json"):
            for name in _listed_weights(content, path):
                if not (path.parent / name).exists():
                    raise InputError(
                        f"{path} lists {name}, which is not there: name another source."
                    )
    for path in sorted(folder.rglob("*.safetensors")):
        try:
            with safe_open(path, framework="numpy") as weights:
                empty = not list(weights.keys())
        except (SafetensorError, OSError) as error:
            raise InputError(
                f"{path} is no whole safetensors file ({error}): name another source."
            ) from None
        if empty:
            raise InputError(f"{path} holds no weights: name another source.")


def _require(origin: Origin, *names: str) -> None:
    for name in names:
        if name not in origin.sizes:
            raise InputError(f"{origin.name} has no {name}: name another repository or revision.")


def _refuse_code(names: list[str], origin: Origin) -> None:
    for name in names:
        if name.endswith(".py"):
            raise InputError(
                f"{origin.name} has code of its own, {name}, which is never run: name another "
                "model."
            )


def _is_weights(name: str) -> bool:
    return bool(WEIGHTS.fullmatch(PurePosixPath(name).name))


def _is_needed(name: str) -> bool:
    return _is_weights(name) or (
        PurePosixPath(name).suffix in SETTINGS and not name.endswith(".index.json")
    )


def _listed_weights(content: Any, path: Path) -> list[str]:
    listed = content.get("weight_map") if isinstance(content, dict) else None
    names = set(map(str, listed.values())) if isinstance(listed, dict) else set()
    if not names:
        raise InputError(f"{path} lists no files of weights (weight_map): name another source.")
    return sorted(names)


def _parsed(content: bytes, what: str) -> Any:
    try:
        return json.loads(content.decode())
    except (ValueError, RecursionError) as error:
        raise InputError(f"{what} cannot be read as JSON ({error}): name another source.") from None


def _mapping(content: bytes, what: str) -> dict[str, Any]:
    found = _parsed(content, what)
    if not isinstance(found, dict):
        raise InputError(f"{what} is not what it should be, a mapping in JSON: name another.")
    return found
