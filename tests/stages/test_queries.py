"""Images for other questions are drawn as the sets are, and never twice."""

import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import yaml
from filelock import FileLock

from synset_factory import drawing, layout
from synset_factory.config import load_common, load_section
from synset_factory.drawing import GenerateConfig, image_settings
from synset_factory.errors import InputError
from synset_factory.prompts.files import read_synsets, world_classes
from synset_factory.provenance import TRAINED_MODEL, has_source_type
from synset_factory.query_images import APPENDIX_B
from synset_factory.records import image_digest
from synset_factory.shards.reader import read_range
from synset_factory.shards.writer import read_members
from synset_factory.stages import prompts, queries
from synset_factory.stages.generate import generate_set
from tests.painter import Painter
from tests.tiny_models import SIZE, save_text_to_image

REPOSITORY = Path(__file__).parents[2]
JAY, DRAKE = WNIDS = ["n01580077", "n01847000"]
CLARIFIED = "a bird of type jay"
ASKED = {
    "appendix_b": {
        "wnid": JAY,
        "guidance_scale": 2.5,
        "images": 5,
        "prompts": [CLARIFIED, "a red jay"],
    },
    "figure3": {"wnids": WNIDS, "guidance_scales": [2.5, 7.5], "images": 2},
}
Draws = list[list[tuple[str, str]]]


def write_params(**asked: dict[str, Any]) -> None:
    """Write a world of two classes and one set, Disamb2.5, with 3 + 1 images a class."""
    params = yaml.safe_load((REPOSITORY / layout.PARAMS).read_text())
    params["wnids"] = WNIDS
    params["splits"] = {"train": 3, "validation": 1}
    params["sets"] = {"disamb25": {"prompts": "disamb", "guidance_scale": 2.5}}
    params["generate"] |= {"steps": 1, "height": SIZE, "width": SIZE, "batch_size": 2}
    params["generate"] |= {"dtype": "float32"}
    params["queries"] = {name: ASKED[name] | asked.get(name, {}) for name in ASKED}
    layout.PARAMS.write_text(yaml.safe_dump(params))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(REPOSITORY / "prompts", "prompts")
    layout.TEXT_TO_IMAGE.mkdir(parents=True)
    (layout.TEXT_TO_IMAGE / "weights").write_text("tiny")
    write_params()
    return tmp_path


@pytest.fixture
def draws(world: Path, monkeypatch: pytest.MonkeyPatch) -> Draws:
    """What is drawn together, prompt and key, of a stand-in for the model."""
    made: Draws = []
    keys: dict[tuple[str, int], str] = {}  # by prompt and seed
    request = drawing.Chunk.request

    def noted(chunk: drawing.Chunk) -> drawing.Request | None:
        keys.update({(row.prompt, row.seed): row.key for row in chunk.rows})
        return request(chunk)

    class CountingPainter(Painter):
        def draw(self, prompts: list[str], seeds: list[int]) -> list[bytes]:
            drawn = super().draw(prompts, seeds)
            made.append([(p, keys[p, seed]) for p, seed in zip(prompts, seeds, strict=True)])
            return drawn

    monkeypatch.setattr(drawing, "TextToImage", CountingPainter)
    monkeypatch.setattr(drawing.Chunk, "request", noted)
    return made


def make() -> dict[str, str]:
    """Run the stage; return the hash of every file that it leaves."""
    queries.make_queries(load_common())
    files = sorted(path for path in layout.QUERIES.rglob("*") if path.is_file())
    return {
        path.relative_to(layout.QUERIES).as_posix(): sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def make_set() -> None:
    prompts.main()
    generate_set("disamb25")


def jpegs(tar: Path) -> list[bytes]:
    return [read_range(tar, row["offset"], row["size"]) for row in read_members(tar)]


def test_every_tar_is_there_and_each_image_has_the_digest_of_its_row(draws: Draws) -> None:
    assert list(make()) == [
        "appendix_b/a_bird_of_type_jay.tar",
        "appendix_b/a_red_jay.tar",
        *(f"figure3/{scale}/{wnid}.tar" for scale in (2.5, 7.5) for wnid in WNIDS),
    ]
    settings = image_settings(2.5, load_section(GenerateConfig, "generate"))
    classes = world_classes(read_synsets())
    group, _, _ = queries.plan_queries(load_common(), classes)
    for job in group.jobs:
        members = read_members(job.tar)
        assert [row["digest"] for row in members] == [
            image_digest(row, settings) for row in job.rows
        ]
        assert {row["cls"] for row in members} == {17}  # ImageNet's label of the jay


def test_a_second_run_draws_nothing_and_changes_nothing(draws: Draws) -> None:
    first = make()
    assert sum(map(len, draws)) == 2 * 5 + 2 * 2 * 2
    draws.clear()
    assert make() == first
    assert draws == []


def test_what_a_set_holds_is_not_drawn_again(
    draws: Draws, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = make()
    shutil.rmtree(layout.QUERIES)
    make_set()
    draws.clear()
    capsys.readouterr()
    assert make() == alone  # the same bytes, found or drawn
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("queries appendix_b: 10 images, 0 reused, 10 to make, about ")
    assert said[1] == "queries figure3 2.5: 4 images, 4 reused (4 from disamb25), 0 to make"
    assert said[2].startswith("queries figure3 7.5: 4 images, 0 reused, 4 to make, about ")
    assert sum(map(len, draws)) == 14


def test_a_prompt_that_is_the_classes_own_gets_other_images_than_the_set(world: Path) -> None:
    """With the noise of the training split the query would be the reference itself."""
    shutil.rmtree(layout.TEXT_TO_IMAGE)
    save_text_to_image(layout.TEXT_TO_IMAGE)
    write_params(
        appendix_b={"prompts": [CLARIFIED], "images": 2}, figure3={"guidance_scales": [2.5]}
    )
    make_set()
    make()
    query = layout.appendix_b_query("a_bird_of_type_jay")
    reference = layout.shard("disamb25", "train", JAY)
    assert load_common().sets["disamb25"].guidance_scale == ASKED["appendix_b"]["guidance_scale"]
    assert len(set(jpegs(query)) | set(jpegs(reference))) == 2 + 3
    assert jpegs(layout.figure3_query(2.5, JAY)) == jpegs(reference)[:2]
    assert all(has_source_type(jpeg, TRAINED_MODEL) for jpeg in jpegs(query))


def test_a_run_that_was_interrupted_goes_on_where_it_stopped(
    draws: Draws, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = make()
    expected = list(draws)
    shutil.rmtree(layout.QUERIES)
    draws.clear()

    def interrupt(stop: Callable[..., list[bytes]]) -> Callable[..., list[bytes]]:
        def drawn(painter: Painter, *arguments: Any) -> list[bytes]:
            if len(draws) == 4:  # in the second tar, after its first two images
                raise KeyboardInterrupt
            return stop(painter, *arguments)

        return drawn

    with monkeypatch.context() as patch:
        patch.setattr(Painter, "draw", interrupt(Painter.draw))
        with pytest.raises(KeyboardInterrupt):
            make()
    tars = sorted(path.name for path in layout.QUERIES.rglob("*.tar*"))
    assert tars == ["a_bird_of_type_jay.tar", "a_red_jay.tar.tmp"]
    assert make() == undisturbed
    assert draws == expected


def test_more_images_cost_those_alone_and_a_further_prompt_itself(draws: Draws) -> None:
    make()
    draws.clear()
    write_params(appendix_b={"images": 7, "prompts": [CLARIFIED, "a red jay", "a blue jay"]})
    make()
    of_prompt = [prompt for batch in draws for prompt, _ in batch]
    assert [of_prompt.count(each) for each in (CLARIFIED, "a red jay", "a blue jay")] == [2, 2, 7]


def test_what_is_no_longer_asked_for_is_deleted(draws: Draws) -> None:
    make()
    left = layout.partial(layout.figure3_query(7.5, DRAKE))
    left.write_bytes(b"what a killed run left")
    write_params(appendix_b={"prompts": ["a red jay"]}, figure3={"guidance_scales": [2.5]})
    assert list(make()) == [
        "appendix_b/a_red_jay.tar",
        *(f"figure3/2.5/{wnid}.tar" for wnid in WNIDS),
    ]


def test_a_damaged_tar_is_drawn_again(draws: Draws) -> None:
    undisturbed = make()
    tar = layout.appendix_b_query("a_red_jay")
    content = bytearray(tar.read_bytes())
    content[read_members(tar)[1]["offset"] + 20] ^= 1
    tar.write_bytes(content)
    assert make() == undisturbed


def test_a_plan_counts_what_a_set_will_have_drawn_by_then(draws: Draws) -> None:
    common, classes = load_common(), world_classes(read_synsets())
    of_set = queries.plan_queries(common, classes)[1]
    promised = {digest: "disamb25" for job in of_set.jobs for digest in job.digests}
    groups = queries.plan_queries(common, classes, promised)
    assert [sum(job.to_make for job in group.jobs) for group in groups] == [10, 0, 4]
    assert draws == [] and not layout.QUERIES.exists()


def test_a_second_run_stops(draws: Draws) -> None:
    with (
        FileLock(layout.QUERIES_LOCK),
        pytest.raises(InputError, match="data/queries is being written by another run"),
    ):
        make()


def test_images_that_may_be_pulled_are_not_drawn(draws: Draws) -> None:
    Path(".dvc").mkdir()
    Path(".dvc/config").write_text("[core]\n    remote = storage\n")
    Path("dvc.lock").write_text("stages:\n  queries:\n    cmd: python\n")
    with pytest.raises(InputError, match="names an earlier data/queries, which is not on disk"):
        make()
    assert draws == []


def test_a_class_of_another_world_is_named(draws: Draws) -> None:
    write_params(figure3={"wnids": [JAY, "n04146614"]})
    with pytest.raises(InputError, match=r"queries.figure3.wnids names n04146614, which is no"):
        make()


def test_keys_name_the_split_of_appendix_b(draws: Draws) -> None:
    make()
    keys = {key for batch in draws for prompt, key in batch if prompt == "a red jay"}
    assert keys == {f"{JAY}_{APPENDIX_B}_{number:06d}" for number in range(5)}
