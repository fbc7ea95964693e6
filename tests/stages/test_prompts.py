"""Stage `prompts`: rows for every set, and what changed since the last revision."""

import json
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest
import yaml

from synset_factory import layout
from synset_factory.errors import InputError
from synset_factory.stages import prompts

REPOSITORY = Path(__file__).parents[2]
WNIDS = ["n01847000", "n01580077", "n01806567"]  # drake, jay, quail
HEADER = "wnid,prompt,reason,note,source\n"
JAY = "n01580077,a bird of type jay,homonym,,paper\n"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(REPOSITORY / "prompts", "prompts")
    layout.DISAMBIGUATIONS.write_text(HEADER + JAY)
    change_params(wnids=WNIDS, splits={"train": 5, "validation": 2})
    return tmp_path


def change_params(**changes: object) -> None:
    params = yaml.safe_load((REPOSITORY / "params.yaml").read_text())
    layout.PARAMS.write_text(yaml.safe_dump(params | changes))


def rows(image_set: str) -> pd.DataFrame:
    return pd.read_parquet(layout.prompts(image_set))


def commit(text: str) -> None:
    layout.DISAMBIGUATIONS.write_text(text)
    subprocess.run(["git", "init", "-q"], check=True)
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", "add", "prompts"], check=True)
    subprocess.run(["git", *identity, "commit", "-qm", "x"], check=True)


def test_every_image_has_a_row_and_the_same_noise_in_every_set(repository: Path) -> None:
    prompts.main()
    seeds = {}
    for name in ("synset", "disamb", "disamb25", "disamb10", "promptaug"):
        table = rows(name)
        assert len(table) == len(WNIDS) * 7
        assert set(table["wnid"]) == set(WNIDS)
        seeds[name] = table.set_index(["wnid", "split", "number"])["seed"].to_dict()
    assert all(each == seeds["synset"] for each in seeds.values())
    assert len(set(seeds["synset"].values())) == len(WNIDS) * 7


def test_disamb_differs_from_synset_in_the_clarified_classes_alone(repository: Path) -> None:
    prompts.main()
    both = rows("synset").merge(rows("disamb"), on=["wnid", "split", "number", "seed"])
    assert set(both.loc[both["prompt_x"] != both["prompt_y"], "wnid"]) == {"n01580077"}
    assert rows("promptaug")["prompt"].is_unique
    jays = rows("promptaug").query("wnid == 'n01580077'")["prompt"]
    assert jays.str.contains("a bird of type jay").all()


def test_the_counts_tell_what_changed_since_the_last_revision(repository: Path) -> None:
    prompts.main()
    counts = json.loads(layout.PROMPT_COUNTS.read_text())
    assert counts == {
        "classes": 1000,
        "clarified": 1,
        "changed_since_last_revision": 0,
        "classes_of_world": 3,
        "clarified_of_world": 1,
        "changed_of_world": 0,
    }
    commit(HEADER + JAY)
    crane = "n02012849,a crane bird,homonym,,paper\n"
    layout.DISAMBIGUATIONS.write_text(HEADER + JAY.replace("type", "kind") + crane)
    prompts.main()
    edited = json.loads(layout.PROMPT_COUNTS.read_text())
    assert edited["changed_since_last_revision"] == 2
    assert edited["changed_of_world"] == 1
    # Committing the edit changes no figure: a clone of the commit counts the same.
    commit(layout.DISAMBIGUATIONS.read_text())
    prompts.main()
    assert json.loads(layout.PROMPT_COUNTS.read_text()) == edited


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"wnids": ["n01847000", "n00000001"]}, "wnid 'n00000001' is not in ImageNet-1K"),
        ({"wnids": ["n01847000", "n01847000"]}, "wnid 'n01847000' occurs twice"),
        ({"wnids": "some"}, "wnids must be a list of wnids or the word 'all'"),
        (
            {"sets": {"a": {"prompts": "poems", "guidance_scale": 1.0}}},
            "sets.a.prompts 'poems' is unknown; choose one of synset, disamb, promptaug",
        ),
        (
            {"splits": {"train": 10_000_000, "validation": 2}},
            "but 'promptaug' needs 10,000,002 a class",
        ),
    ],
)
def test_bad_params_are_one_sentence(
    repository: Path, changes: dict[str, object], sentence: str
) -> None:
    change_params(**{"wnids": WNIDS} | changes)
    with pytest.raises(InputError) as error:
        prompts.main()
    assert sentence in str(error.value)
    assert not layout.PROMPT_COUNTS.exists()
