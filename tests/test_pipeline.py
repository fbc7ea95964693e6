"""The whole pipeline, a miniature of the miniature: every stage for real, by `dvc repro`."""

import json
import re
import shutil
from pathlib import Path

import open_clip
import pytest
import timm
import torch
import yaml
from diffusers import StableDiffusionPipeline

from synset_factory import layout
from synset_factory.tables import classifier_lines, experiments
from tests.small_pipeline import FURTHER, WNIDS, command

pytestmark = pytest.mark.slow

SETS = ["natural", "synset", "disamb", "disamb25", "disamb10", "promptaug"]


@pytest.fixture(scope="module")
def clone(pipeline: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy that tests may change."""
    folder = tmp_path_factory.mktemp("copied") / "clone"
    shutil.copytree(pipeline, folder)
    return folder


def metrics_shown(pipeline: Path) -> dict[str, dict[str, float]]:
    """The rows that `dvc metrics show` prints, by path."""
    shown = json.loads(command(pipeline, "dvc", "metrics", "show", "--json").stdout)[""]["data"]
    return {path: content["data"] for path, content in shown.items()}


def test_every_row_of_the_tables_is_there(pipeline: Path) -> None:
    rows = metrics_shown(pipeline)
    for table in ("table1", "table2"):
        for line in classifier_lines(table):
            row = rows[f"metrics/{table}/{line.name}.json"]
            assert 0 <= row["ci95_low"] <= row["accuracy"] <= row["ci95_high"] <= 100
            assert row["seeds"] == 2
            assert row["n"] == 3 * (3 if line.evaluation == "natural" else 2)
    for experiment in experiments():
        row = rows[f"metrics/table6/{experiment.name}.json"]
        assert ("knn1_accuracy" in row) == experiment.has_knn
    # One vector a class: the paper's own check of k-nn against Centroid Accuracy.
    for number in (5, 11, 17, 23, 29):
        row = rows[f"metrics/table6/{experiments()[number - 1].name}.json"]
        assert row["centroid_accuracy"] == row["knn1_accuracy"] == row["knn5_accuracy"]
    assert {f"metrics/centroid_distance/{name}.json" for name in SETS} < set(rows)
    assert sum(path.startswith("metrics/appendix_b/") for path in rows) == 4
    tables = sum(path.startswith("metrics/table") for path in rows)
    assert tables == 7 + 6 + 2 + 36  # Table 4 too, though it has no class here


def test_a_further_set_has_rows_of_its_own(pipeline: Path) -> None:
    rows = metrics_shown(pipeline)
    for name in ("disamb10", "extra25"):
        folder = f"metrics/extra/sets/{name}"
        assert sum(path.startswith(f"{folder}/") for path in rows) == 3 + 7 + 1
        assert rows[f"{folder}/{name}_on_natural.json"]["n"] == 3 * 3
        assert "knn1_accuracy" in rows[f"{folder}/{name}_prmt_on_{name}_im.json"]
        assert "knn1_accuracy" not in rows[f"{folder}/{name}_im_on_{name}_prmt.json"]
    assert "### extra25\n" in (pipeline / layout.TABLES).read_text()


def test_a_second_repro_runs_nothing(clone: Path) -> None:
    done = command(clone, "dvc", "repro")
    assert done.returncode == 0
    assert "Running stage" not in done.stdout
    assert command(clone, "dvc", "status").stdout.strip() == "Data and pipelines are up to date."


def test_a_comment_in_the_code_reruns_nothing_but_the_fingerprint(clone: Path) -> None:
    path = clone / "src/synset_factory/measures/knn.py"
    text = path.read_text()
    try:
        path.write_text(text + "\n# A comment.\n")
        done = command(clone, "dvc", "repro", "clip_tables")
        assert re.findall(r"Running stage '(.*?)'", done.stdout) == ["code"]
    finally:
        path.write_text(text)


def test_the_stored_models_load_in_plain_libraries(
    pipeline: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(pipeline)
    pipe = StableDiffusionPipeline.from_pretrained(str(layout.TEXT_TO_IMAGE))
    image = pipe("a bird of type jay", num_inference_steps=2).images[0]
    assert image.size == (32, 32)
    model, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{layout.CLIP}")
    tokens = open_clip.get_tokenizer(f"local-dir:{layout.CLIP}")(["jay"])
    model.eval()
    assert model.encode_image(preprocess(image)[None]).shape == model.encode_text(tokens).shape
    folder = layout.classifiers("disamb") / "seed0"
    classifier = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    assert classifier(torch.zeros(1, 3, 32, 32)).shape == (1, len(WNIDS))


def test_the_same_class_and_prompt_has_the_same_bytes_in_two_sets(pipeline: Path) -> None:
    for wnid, same in (("n04146614", True), ("n01580077", False)):
        tars = [pipeline / layout.shard(name, "train", wnid) for name in ("synset", "disamb")]
        assert (tars[0].read_bytes() == tars[1].read_bytes()) == same


def test_the_rows_of_a_further_set_go_with_its_line(clone: Path) -> None:
    params = yaml.safe_load((clone / "params.yaml").read_text())
    for name in FURTHER:
        del params["sets"][name]
    (clone / "params.yaml").write_text(yaml.safe_dump(params))
    done = command(clone, "dvc", "repro")
    assert done.returncode == 0, done.stderr[-2000:]
    ran = re.findall(r"Running stage '(.*?)'", done.stdout)
    tables = ["certainty", "claims", "compare", "diagnosis", "report"]
    assert sorted(ran) == sorted(["prompts", "review_list", *tables])
    assert [path.name for path in (clone / layout.FURTHER_SETS).iterdir()] == ["disamb10"]
    assert not any("extra25" in path for path in metrics_shown(clone))
    assert "extra25" not in (clone / layout.TABLES).read_text()
