"""params.yaml, read strictly: the only place where a value that shapes a result is written."""

import re
import types
import typing
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml

from synset_factory import layout
from synset_factory.errors import InputError
from synset_factory.whole_files import write_text

T = TypeVar("T")

SET_NAME = re.compile(r"[a-z0-9_]+")
NATURAL = "natural"
LOCAL, RAY = "local", "ray"  # engines
HERE = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Splits:
    """Images a class in each split."""

    train: int
    validation: int


@dataclass(frozen=True, kw_only=True)
class Shortcuts:
    """What makes one set cheaper than the others, and changes its images."""

    steps: int  # of the scheduler, in place of generate.steps


@dataclass(frozen=True, kw_only=True)
class ImageSet:
    """What distinguishes one synthetic image set from another."""

    prompts: str  # recipe of prompts.grammar.RECIPES
    guidance_scale: float  # the paper's cgs; 1.0 means no guidance
    shortcuts: Shortcuts | None = None  # the one key that may be left out: then there are none


@dataclass(frozen=True, kw_only=True)
class Run:
    """How the work is done on this machine: no stage depends on it.

    Nor does any result, but for classifiers that several replicas train (docs/ray.md).
    """

    device: str  # of torch: cpu, cuda, ...
    workers: int  # processes or threads that make images ready for a model
    engine: str  # local: this process; ray: processes of a Ray cluster, maybe on other machines
    address: str  # of the Ray cluster to join; empty to start one on this machine alone
    replicas: int  # copies of a model at work at once, each on a device of its own: needs ray


@dataclass(frozen=True, kw_only=True)
class Common:
    """The part of params.yaml that many stages share."""

    world: str  # module of synset_factory.worlds that makes the inputs
    world_stages: dict[str, tuple[str, ...]]  # for dvc.yaml: the world's own list holds its name
    seed: int  # every noise, draw and initialisation comes from it
    threads: int  # of torch on the CPU: the bytes of what is trained depend on it
    wnids: tuple[str, ...] | str  # the classes of this world, or "all"
    splits: Splits  # of the synthetic sets
    sets: dict[str, ImageSet]
    run: Run


def stage_modules(world: str) -> dict[str, str]:
    """Return the module of every stage and of every part of a world, by its name.

    A section of params.yaml has the name of such a module, which holds the dataclass of it.
    Raises InputError if there is no such world.
    """
    if not SET_NAME.fullmatch(world) or not (HERE / "worlds" / world).is_dir():
        raise InputError(f"{layout.PARAMS}: there is no world '{world}'; correct its name.")
    modules = {}
    for package in ("stages", f"worlds.{world}"):
        for path in sorted(HERE.joinpath(*package.split(".")).glob("*.py")):
            if not path.stem.startswith("__"):
                modules[path.stem] = f"{__package__}.{package}.{path.stem}"
    return modules


def load_params(path: Path = layout.PARAMS) -> dict[str, Any]:
    """Read params.yaml as it stands. Raises InputError if it is missing or no mapping."""
    try:
        params = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} is missing: run this at the top of the repository.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        first_line = " ".join(str(error).split())
        raise InputError(f"{path} cannot be read as YAML: {first_line}.") from None
    if not isinstance(params, dict):
        raise InputError(f"{path} must be a mapping of sections, see worlds/ for examples.")
    return params


def load_common(path: Path = layout.PARAMS) -> Common:
    """Read and check what the stages share. Raises InputError naming the key that is wrong."""
    params = load_params(path)
    names = [field.name for field in fields(Common)]
    common = _build(Common, {key: params[key] for key in names if key in params}, path, "")
    sections = stage_modules(common.world)
    unknown = [key for key in params if key not in names and key not in sections]
    if unknown:
        raise InputError(f"{path}: unknown key '{unknown[0]}'; remove it or correct its spelling.")
    for name in common.sets:
        _check_set_name(name, path)
    _check_world_stages(common, path)
    _check_run(common.run, path)
    return common


def load_section(section_class: type[T], section: str, path: Path = layout.PARAMS) -> T:
    """Read one stage's section into its dataclass.

    Raises InputError naming the key, if the section or a key of it is missing or unknown.
    """
    params = load_params(path)
    if section not in params:
        raise InputError(f"{path}: section '{section}' is missing.")
    return _build(section_class, params[section], path, section)


def require_set(name: str, common: Common, *, natural: bool = True) -> None:
    """Raise InputError unless params.yaml has a set of that name; `natural` is one if it may be."""
    if name not in common.sets and not (natural and name == NATURAL):
        raise InputError(f"{layout.PARAMS}: there is no set '{name}'; add it under sets.")


def _check_set_name(name: str, path: Path) -> None:
    if not SET_NAME.fullmatch(name):
        raise InputError(
            f"{path}: the set name '{name}' may hold only lower-case letters, digits and "
            "underscores; rename it."
        )
    if name == NATURAL:
        raise InputError(f"{path}: '{NATURAL}' is the world's own set; rename it under sets.")


def _check_world_stages(common: Common, path: Path) -> None:
    """The worlds whose list is not empty have stages in dvc.yaml: that must be this one alone."""
    worlds = {*common.world_stages, common.world}
    wanted = {name: [name] if name == common.world else [] for name in sorted(worlds)}
    if {name: list(stages) for name, stages in common.world_stages.items()} != wanted:
        text = ", ".join(f"{name}: [{', '.join(stages)}]" for name, stages in wanted.items())
        raise InputError(
            f"{path}: for the world '{common.world}' write world_stages: {{{text}}}, or take all "
            f"of the file from worlds/ or from git."
        )


def _check_run(run: Run, path: Path) -> None:
    if run.engine not in (LOCAL, RAY):
        raise InputError(f"{path}: run.engine '{run.engine}' is neither {LOCAL} nor {RAY}.")
    if run.replicas < 1:
        raise InputError(f"{path}: run.replicas must be at least 1.")
    if run.engine == LOCAL and run.replicas > 1:
        raise InputError(
            f"{path}: run.replicas is {run.replicas}, but the engine {LOCAL} has one copy of a "
            f"model: set it to 1, or run.engine to {RAY}."
        )
    if run.engine == RAY and run.device not in ("cpu", "cuda"):
        raise InputError(
            f"{path}: run.device must be cpu or cuda with the engine {RAY}, which gives each copy "
            "of a model a device of its own."
        )


def _build(kind: type[T], value: Any, path: Path, where: str) -> T:
    """Turn a mapping into a dataclass, naming the key of the first thing that does not fit."""
    if not isinstance(value, dict):
        raise InputError(f"{path}: '{where}' must be a mapping of keys to values.")
    hints = typing.get_type_hints(kind)
    for key in value:
        if key not in hints:
            raise InputError(f"{path}: unknown key '{_join(where, key)}'; remove it.")
    for key in _required(kind):
        if key not in value:
            raise InputError(f"{path}: key '{_join(where, key)}' is missing; add it.")
    built = {key: _convert(hints[key], value[key], path, _join(where, key)) for key in value}
    return kind(**built)


def _required(kind: Any) -> list[str]:
    """Return the keys that have no default."""
    return [field.name for field in fields(kind) if field.default is MISSING]


def _join(where: str, key: object) -> str:
    return f"{where}.{key}" if where else str(key)


def _convert(hint: Any, value: Any, path: Path, where: str) -> Any:
    """Check a value against its type, going into containers and nested dataclasses."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if is_dataclass(hint):
        return _build(typing.cast(type, hint), value, path, where)
    if origin is types.UnionType:
        if type(None) in arguments:  # what may be left out, but is here
            return _convert(arguments[0], value, path, where)
        # The only other unions are of a tuple and a word: a list is taken for the tuple.
        pick = 0 if isinstance(value, list) else 1
        return _convert(arguments[pick], value, path, where)
    if origin is tuple and isinstance(value, list):
        return tuple(
            _convert(arguments[0], item, path, f"{where}[{i}]") for i, item in enumerate(value)
        )
    if origin is dict and isinstance(value, dict):
        return {
            str(key): _convert(arguments[1], item, path, _join(where, key))
            for key, item in value.items()
        }
    if hint is Any:
        return value
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(hint, type) and type(value) is hint:
        return value
    expected = getattr(origin or hint, "__name__", str(hint))
    raise InputError(f"{path}: '{where}' must be of type {expected}, but is {value!r}.")


def claim_world(world: str, marker: Path = layout.WORLD) -> None:
    """Refuse data that another world made: one clone holds one world.

    Raises InputError if data/ belongs to another world; marks it as this one's if it is new.
    """
    if marker.exists():
        found = marker.read_text(encoding="utf-8").strip()
        if found != world:
            raise InputError(
                f"data/ holds the world '{found}', but params.yaml asks for '{world}': "
                "use a clone of its own for it, or delete data/ first."
            )
        return
    write_text(marker, world + "\n")
