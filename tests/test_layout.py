"""dvc.yaml and layout.py name the same places, and every stage has its module and fingerprint."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from synset_factory import layout
from synset_factory.config import load_common, load_params, stage_modules
from synset_factory.fingerprint import module_path

REPOSITORY = Path(__file__).parents[1]
STAGES = yaml.safe_load((REPOSITORY / "dvc.yaml").read_text())["stages"]
PARAMS = {"miniature": "params.yaml", "imagenet": "worlds/imagenet.yaml"}
MODULES = {
    world: stage_modules(load_common(REPOSITORY / path).world) for world, path in PARAMS.items()
}
KEY = "${key}"
# Files and folders that params.yaml names: section and key.
NAMED = (("diagnosis", "vocabulary"), ("train", "natural_from"), ("classifier_embed", "model"))
GUARD = "${world_stages."  # a list that is empty in other worlds


def stages() -> list[tuple[str, dict[str, Any]]]:
    return [(name, stage.get("do", stage)) for name, stage in STAGES.items()]


def world_of(name: str) -> str | None:
    """Return the world that a stage belongs to, or None: it belongs to all."""
    items = str(STAGES[name].get("foreach", ""))
    return items.removeprefix(GUARD).removesuffix("}") if items.startswith(GUARD) else None


def outs(stage: dict[str, Any]) -> set[str]:
    entries = [*stage.get("outs", []), *stage.get("metrics", [])]
    return {next(iter(entry)) if isinstance(entry, dict) else entry for entry in entries}


OUTPUTS = [
    ("code", {layout.CODE}),
    ("synsets", {layout.SYNSETS, layout.CLIP_TEMPLATES}),
    ("prompts", {layout.IMAGE_PROMPTS, layout.PROMPT_COUNTS}),
    ("web", {layout.WEB.parent}),
    ("natural", {layout.shards("natural")}),
    ("clip", {layout.CLIP}),
    ("text_to_image", {layout.TEXT_TO_IMAGE}),
    ("ingest", {layout.shards("natural"), layout.INGEST_COUNTS, layout.INGEST_REPORT}),
    (
        "fetch_models",
        {layout.CLIP, layout.TEXT_TO_IMAGE, layout.PRETRAINED, layout.FETCHED_MODELS},
    ),
    ("generate", {layout.shards(KEY)}),
    ("embed_natural", {layout.embeddings("natural")}),
    ("embed", {layout.embeddings(KEY)}),
    ("queries", {layout.QUERIES}),
    ("appendix_b", {layout.APPENDIX_B_OUTCOMES, layout.APPENDIX_B}),
    (
        "clip_tables",
        {
            layout.CLIP_OUTCOMES.parent,
            layout.TABLE6,
            layout.CENTROID_DISTANCE,
            layout.TABLE6_AVERAGES,
        },
    ),
    ("train_natural", {layout.classifiers("natural")}),
    ("train", {layout.classifiers(KEY)}),
    ("evaluate_natural", {layout.outcomes("natural")}),
    ("evaluate", {layout.outcomes(KEY)}),
    ("classifier_embed", {layout.classifier_embeddings(KEY)}),
    ("classifier_space", {layout.CLASSIFIER_SPACE}),
    ("ambiguity", {layout.AMBIGUITY}),
    ("review_list", {layout.REVIEW_LIST, layout.AMBIGUITY_SUMMARY}),
    ("classifier_tables", {layout.TABLE1, layout.TABLE2}),
    ("quality", {layout.QUALITY_CLASSES.parent, layout.QUALITY}),
    (
        "geometry",
        {
            layout.GEOMETRY_CLASSES.parent,
            layout.FRECHET,
            layout.FRECHET_CORRELATION,
            layout.SEPARABILITY,
            layout.CENTROID_SHIFT,
            layout.ERROR_SPLIT,
            layout.CONTRIBUTIONS,
            layout.TABLE4,
        },
    ),
    ("compare", {layout.FURTHER_SETS}),
    ("diagnosis", {layout.DIAGNOSES, layout.DIAGNOSIS_COUNTS}),
    ("certainty", {layout.RESAMPLED, layout.INTERVALS}),
    ("claims", {layout.CLAIMS, layout.DIFFERENCES, layout.CLAIMS_SUPPORT, layout.CLAIMS_LIST}),
    ("report", {layout.REPORT, layout.TABLES, layout.FIGURE5, layout.PLOTS}),
]


@pytest.mark.parametrize(("stage", "paths"), OUTPUTS)
def test_outputs_are_where_the_layout_says(stage: str, paths: set[Path]) -> None:
    assert outs(dict(stages())[stage]) == {path.as_posix() for path in paths}


def test_no_stage_is_left_out_of_the_test_above() -> None:
    assert {stage for stage, _ in OUTPUTS} == set(STAGES)


@pytest.mark.parametrize(("name", "stage"), stages())
def test_a_stage_runs_its_own_module_and_depends_on_its_fingerprint(
    name: str, stage: dict[str, Any]
) -> None:
    if name in ("code", "synsets"):
        return  # `code` makes the fingerprints; `synsets` is frozen
    words, world = stage["cmd"].split(), world_of(name)
    if world:
        assert words[2] == "synset_factory.worlds.${item}"
        module = f"synset_factory.worlds.{world}.{words[3]}"
    else:
        module = words[2]
        assert ".stages." in module
    assert module_path(module)
    for each in [world] if world else MODULES:
        assert MODULES[each][module.rpartition(".")[2]] == module
    assert layout.code(module.rpartition(".")[2]).as_posix() in stage["deps"]
    assert name.removesuffix("_natural") == module.rpartition(".")[2]


@pytest.mark.parametrize("world", PARAMS)
def test_every_dependency_is_made_by_a_stage_or_kept_in_git(world: str) -> None:
    here = [(name, stage) for name, stage in stages() if world_of(name) in (None, world)]
    made = set().union(*(outs(stage) for _, stage in here))
    params = load_params(REPOSITORY / PARAMS[world])
    sets = (*params["sets"], "natural")
    made |= {path.replace(KEY, name) for path in made for name in sets}
    # A stage may depend on all that lies in a folder, as `compare` does on every set's outputs.
    folders = {Path(path).parent.as_posix() for path in made}
    for name, stage in here:
        for dependency in stage.get("deps", []):
            for section, key in NAMED:
                named = f"${{{section}.{key}}}"
                dependency = dependency.replace(named, params[section][key])
            parents = {dependency, *(p.as_posix() for p in Path(dependency).parents)}
            kept = (REPOSITORY / dependency).exists() and not dependency.startswith("data/")
            assert kept or parents & made or dependency in folders, f"{name}: {dependency}"


@pytest.mark.parametrize(("section", "key"), NAMED)
def test_what_a_stage_reads_where_params_say_is_its_dependency(section: str, key: str) -> None:
    users = [stage for _, stage in stages() if f".stages.{section}" in stage["cmd"]]
    assert any(f"${{{section}.{key}}}" in stage["deps"] for stage in users)


def test_only_the_model_that_params_name_is_what_embeds() -> None:
    # Else new weights of it embed nothing, and those of another embed everything.
    models = [
        each
        for each in dict(stages())["classifier_embed"]["deps"]
        if each.startswith(("data/models", "${"))
    ]
    assert models == ["${classifier_embed.model}"]


@pytest.mark.parametrize("world", PARAMS)
def test_no_two_stages_of_a_world_have_one_output(world: str) -> None:
    here = [outs(stage) for name, stage in stages() if world_of(name) in (None, world)]
    assert sum(map(len, here)) == len(set().union(*here))


def test_what_others_have_made_is_never_pushed() -> None:
    for name, stage in stages():
        for entry in stage.get("outs", []):
            options = next(iter(entry.values())) if isinstance(entry, dict) else {}
            cached = options.get("cache", True)
            assert (not options.get("push", True)) == (world_of(name) == "imagenet" and cached)


def test_long_outputs_persist_and_metrics_belong_to_git() -> None:
    for name, stage in stages():
        for entry in stage.get("metrics", []):
            assert list(entry.values()) == [{"cache": False}], name
    for name in ("generate", "natural", "queries", "ingest", "fetch_models"):
        for options in dict(stages())[name]["outs"][0].values():
            assert options["persist"]


def test_params_of_stages_are_sections_or_common_keys() -> None:
    common = {"world", "seed", "threads", "wnids", "splits", "sets"}
    for _, stage in stages():
        for key in stage.get("params", []):
            assert key.split(".")[0] in common.union(*MODULES.values())
    # How the work is done and how it is shown is no stage's dependency.
    used = {key.split(".")[0] for _, stage in stages() for key in stage.get("params", [])}
    assert not used & {"run", "report", "clip_tables"}
