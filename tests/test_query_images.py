"""Which images answer Appendix B and Figure 3: their prompts, numbers and noise."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from synset_factory import layout
from synset_factory.config import load_section
from synset_factory.errors import InputError
from synset_factory.query_images import (
    QueriesConfig,
    appendix_b_rows,
    check_queries,
    figure3_rows,
    query_name,
)
from synset_factory.records import SPLITS
from synset_factory.seeds import derive_seed

CONFIG = load_section(QueriesConfig, "queries", Path(__file__).parents[1] / layout.PARAMS)
BUS = CONFIG.appendix_b.wnid
WORLD = {BUS, *CONFIG.figure3.wnids}
SEED = 3


def test_the_four_prompts_share_their_noise_number_by_number() -> None:
    tars = appendix_b_rows(CONFIG.appendix_b, SEED)
    assert [path.as_posix() for path in tars] == [
        "data/queries/appendix_b/school_bus.tar",
        "data/queries/appendix_b/yellow_school_bus.tar",
        "data/queries/appendix_b/purple_school_bus.tar",
        "data/queries/appendix_b/purple_school_bus_in_a_jungle.tar",
    ]
    first, *others = [[(row.key, row.seed) for row in rows] for rows in tars.values()]
    assert len(set(first)) == CONFIG.appendix_b.images
    assert others == [first] * 3
    assert [{row.prompt for row in rows} for rows in tars.values()] == [
        {prompt} for prompt in CONFIG.appendix_b.prompts
    ]


def test_no_noise_of_appendix_b_is_one_of_the_classes_images_in_a_set() -> None:
    config = replace(CONFIG.appendix_b, images=1200)
    asked = {row.seed for rows in appendix_b_rows(config, SEED).values() for row in rows}
    of_sets = {derive_seed(SEED, BUS, split, n) for split in SPLITS for n in range(1250)}
    assert len(asked) == 1200
    assert not asked & of_sets


def test_figure_3_has_the_first_noises_of_the_training_split() -> None:
    prompts = {wnid: f"a thing of {wnid}" for wnid in WORLD}
    tars = figure3_rows(CONFIG.figure3, 1.0, prompts, SEED)
    assert [path.as_posix() for path in tars] == [
        f"data/queries/figure3/1.0/{wnid}.tar" for wnid in CONFIG.figure3.wnids
    ]
    for wnid, rows in zip(CONFIG.figure3.wnids, tars.values(), strict=True):
        assert [row.key for row in rows] == [f"{wnid}_train_{n:06d}" for n in range(3)]
        assert [row.seed for row in rows] == [derive_seed(SEED, wnid, "train", n) for n in range(3)]
        assert {row.prompt for row in rows} == {f"a thing of {wnid}"}


def test_a_name_has_no_character_that_a_path_could_misread() -> None:
    assert query_name(" ../Purple bus, in a (jungle)!") == "purple_bus_in_a_jungle"


def test_what_is_committed_fits_its_own_classes() -> None:
    check_queries(CONFIG, WORLD)


@pytest.mark.parametrize(
    ("part", "changes", "sentence"),
    [
        ("appendix_b", {"wnid": "n1"}, r"queries.appendix_b.wnid names n1, which is no class"),
        ("figure3", {"wnids": (BUS, "n2")}, r"queries.figure3.wnids names n2, which is no class"),
        ("appendix_b", {"images": 0}, r"queries.appendix_b.images must be at least 1"),
        ("figure3", {"images": 0}, r"queries.figure3.images must be at least 1"),
        (
            "appendix_b",
            {"prompts": ("bus", "Bus!")},
            r"queries.appendix_b.prompts: 'bus' has no name",
        ),
        ("appendix_b", {"prompts": ("bus", "鳥")}, r"queries.appendix_b.prompts: '鳥' has no name"),
    ],
)
def test_what_this_world_cannot_have_is_one_sentence(
    part: Any, changes: dict[str, Any], sentence: str
) -> None:
    changed = replace(CONFIG, **{part: replace(getattr(CONFIG, part), **changes)})
    with pytest.raises(InputError, match=rf"params.yaml: {sentence}"):
        check_queries(changed, WORLD)
