"""Invariant: what differs between two indexes is counted by key and digest, and told in a line."""

from collections import Counter
from typing import Any

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from synset_factory.records import image_key
from synset_factory.revisions.diff import (
    AFTER,
    BEFORE,
    CLASSES_TOLD,
    ClassDiff,
    SetDiff,
    class_diffs,
    compare_indexes,
    describe,
    differing_settings,
    places,
)

JAY, DRAKE, CRANE = "n01580077", "n01847000", "n02012849"
NAMES = {JAY: "jay", DRAKE: "drake"}


def index(digests: dict[tuple[str, str, int], str]) -> pd.DataFrame:
    """An index whose images lie at places that tell their numbers and digests."""
    columns = ["key", "split", "wnid", "tar", "offset", "size", "digest"]
    rows = [
        (
            image_key(wnid, split, number),
            *(split, wnid, f"{split}/{wnid}.tar", 1000 * number, len(digest), digest),
        )
        for (wnid, split, number), digest in digests.items()
    ]
    return pd.DataFrame(rows, columns=columns)


def prompts(texts: dict[tuple[str, str, int], str]) -> pd.DataFrame:
    rows = [(*place, text) for place, text in texts.items()]
    return pd.DataFrame(rows, columns=["wnid", "split", "number", "prompt"])


FIRST = {
    (JAY, "train", 0): "a",
    (JAY, "train", 1): "b",
    (JAY, "validation", 0): "c",
    (DRAKE, "train", 0): "d",
    (DRAKE, "train", 1): "e",
    (CRANE, "train", 0): "f",
}
# Of the jay one image is gone, one has changed, one is new and one is as it was; of the drake
# both are as they were; the crane is gone.
SECOND = {
    (JAY, "train", 1): "bb",
    (JAY, "train", 2): "g",
    (JAY, "validation", 0): "c",
    (DRAKE, "train", 0): "d",
    (DRAKE, "train", 1): "e",
}


def test_images_are_the_same_changed_new_or_gone() -> None:
    images = compare_indexes(index(FIRST), index(SECOND))
    assert dict(zip(images["key"], images["state"], strict=True)) == {
        "n01580077_train_000000": "gone",
        "n01580077_train_000001": "changed",
        "n01580077_train_000002": "new",
        "n01580077_validation_000000": "same",
        "n01847000_train_000000": "same",
        "n01847000_train_000001": "same",
        "n02012849_train_000000": "gone",
    }


def test_an_image_lies_where_the_index_of_its_side_says() -> None:
    images = compare_indexes(index(FIRST), index(SECOND)).set_index("key")
    before, after = (places(images, side) for side in (BEFORE, AFTER))
    gone, changed, new = (image_key(JAY, "train", number) for number in range(3))
    assert before.loc[gone].tolist() == ["train/n01580077.tar", 0, 1]
    assert before.loc[changed].tolist() == ["train/n01580077.tar", 1000, 1]
    assert after.loc[changed].tolist() == ["train/n01580077.tar", 1000, 2]
    assert after.loc[new].tolist() == ["train/n01580077.tar", 2000, 1]
    assert new not in before.index and gone not in after.index


def test_classes_that_differ_are_told_with_the_prompts_of_the_images_that_differ() -> None:
    before = prompts({place: f"{place[0]} as it was" for place in FIRST})
    after = prompts({place: f"{place[0]}, number {place[2]}" for place in SECOND})
    images = compare_indexes(index(FIRST), index(SECOND))
    jay, crane = class_diffs(images, before, after)
    assert (jay.wnid, crane.wnid) == (JAY, CRANE)
    assert (jay.counts, crane.counts) == ("1 changed, 1 new, 1 gone", "1 gone")
    assert list(jay.images["state"]) == ["changed", "new", "gone"]
    assert jay.prompts_before == (f"{JAY} as it was",)
    assert jay.prompts_after == (f"{JAY}, number 1", f"{JAY}, number 2")
    assert crane.prompts_before == (f"{CRANE} as it was",)
    assert crane.prompts_after == ()


def test_a_table_of_a_set() -> None:
    before = prompts({place: "word" for place in FIRST})
    after = prompts({place: "clearer word" for place in SECOND})
    images = compare_indexes(index(FIRST), index(SECOND))
    diff = SetDiff(
        image_set="disamb",
        images=len(images),
        classes=class_diffs(images, before, after),
        settings={"generator": ("ab" * 32, "cd" * 32), "steps": (10, None)},
    )
    assert describe(diff, NAMES).splitlines() == [
        "disamb: 4 of 7 images differ (2 classes)",
        "  settings: generator abababab -> cdcdcdcd, steps 10 -> None",
        "  n01580077  jay  1 changed, 1 new, 1 gone  word -> clearer word",
        "  n02012849       1 gone                    word",
    ]


def class_diff(wnid: str, before: tuple[str, ...], after: tuple[str, ...]) -> ClassDiff:
    images = pd.DataFrame({"state": ["changed"]})
    return ClassDiff(wnid=wnid, images=images, prompts_before=before, prompts_after=after)


def test_prompts_of_a_class() -> None:
    assert class_diff(JAY, ("jay",), ("jay",)).prompts == ["jay (as before)"]
    assert class_diff(JAY, (), ()).prompts == [""]
    assert class_diff(JAY, ("old jay", "jay"), ("jay",)).prompts == ["old jay (and 1 other) -> jay"]
    long = "beautiful, extremely large jay bird. Blurry."
    assert class_diff(JAY, (long, "a", "b"), (f"{long}!",)).prompts == [
        f"{long} (and 2 others)",
        f"-> {long}!",
    ]


def test_of_many_classes_the_first_are_told() -> None:
    wnids = [f"n{number:08d}" for number in range(CLASSES_TOLD + 2)]
    classes = [class_diff(wnid, (wnid,), (wnid,)) for wnid in wnids]
    diff = SetDiff(image_set="x", images=1234, classes=classes, settings={})
    lines = describe(diff, {}).splitlines()
    assert lines[0] == "x: 22 of 1,234 images differ (22 classes)"
    assert [line.split()[0] for line in lines[1:-1]] == wnids[:CLASSES_TOLD]
    assert lines[-1] == "  and 2 more"


def test_settings_differ_apart_from_prompt_and_digest() -> None:
    before = {"prompt": "a", "digest": "1", "steps": 10, "seed": 7}
    after = {"prompt": "b", "digest": "2", "steps": 10, "seed": 8, "recipe": 1}
    assert differing_settings(before, after) == {"recipe": (None, 1), "seed": (7, 8)}
    assert differing_settings(before, before) == {}


places_of_images = st.tuples(
    st.sampled_from([JAY, DRAKE, CRANE]),
    st.sampled_from(["train", "validation"]),
    st.integers(0, 3),
)
indexes = st.dictionaries(places_of_images, st.sampled_from("abc"), max_size=12)


@given(before=indexes, after=indexes)
def test_swapped_revisions_swap_what_is_new_and_what_is_gone(
    before: dict[Any, str], after: dict[Any, str]
) -> None:
    images = compare_indexes(index(before), index(after))
    swapped = compare_indexes(index(after), index(before))
    exchange = {"new": "gone", "gone": "new"}
    assert dict(zip(images["key"], images["state"], strict=True)) == {
        key: exchange.get(state, state)
        for key, state in zip(swapped["key"], swapped["state"], strict=True)
    }
    counts = Counter(images["state"])
    assert counts["same"] + counts["changed"] == len(set(before) & set(after))
    assert counts["gone"] == len(set(before) - set(after))
