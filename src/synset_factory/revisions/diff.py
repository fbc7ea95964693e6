"""What differs between an image set of one revision and the same set of another. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from synset_factory.records import image_key

# What has become of an image, in the order in which it is told; an image may also be the same.
CHANGED, NEW, GONE = "changed", "new", "gone"
SAME = "same"
STATES = (CHANGED, NEW, GONE)
BEFORE, AFTER = "before", "after"
CLASSES_TOLD = 20
PROMPTS_IN_A_LINE = 60  # characters of both
HEX_DIGITS_TOLD = 8  # of a digest among the settings
NOT_SETTINGS = {"digest", "prompt", "sha256"}  # of what lies beside an image: told in other ways


@dataclass(frozen=True, kw_only=True)
class ClassDiff:
    """A class of an image set of which images differ."""

    wnid: str
    images: pd.DataFrame  # rows of compare_indexes: those that differ, in the order of STATES
    prompts_before: tuple[str, ...]  # of these images, each once
    prompts_after: tuple[str, ...]

    @property
    def counts(self) -> str:
        """How many images have changed, are new and are gone."""
        counts = self.images["state"].value_counts()
        return ", ".join(f"{counts[state]:,} {state}" for state in STATES if state in counts)

    @property
    def prompts(self) -> list[str]:
        """What was asked for before and after: in one line, or in two that can be held together."""
        before, after = first_prompt(self.prompts_before), first_prompt(self.prompts_after)
        if not before or not after:
            return [before or after]
        if self.prompts_before == self.prompts_after:
            return [f"{after} (as before)"]
        if len(before) + len(after) > PROMPTS_IN_A_LINE:
            return [before, f"-> {after}"]
        return [f"{before} -> {after}"]


@dataclass(frozen=True, kw_only=True)
class SetDiff:
    """An image set that both revisions have."""

    image_set: str
    images: int  # that either revision has
    classes: list[ClassDiff]  # those of which images differ, by wnid
    settings: dict[str, tuple[Any, Any]]  # what else made the first changed image, where it differs


def compare_indexes(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Return the images of two indexes by key: key, split, wnid, state, and where each lies.

    Images of one key are told apart by their digests. Where they lie is in columns tar_before,
    offset_before and size_before, and the same with _after (see `places`).
    """
    images = before.merge(
        after, how="outer", on=["key", "split", "wnid"], suffixes=(f"_{BEFORE}", f"_{AFTER}")
    )
    digest_before, digest_after = images.pop(f"digest_{BEFORE}"), images.pop(f"digest_{AFTER}")
    images["state"] = CHANGED
    images.loc[digest_before == digest_after, "state"] = SAME
    images.loc[digest_before.isna(), "state"] = NEW
    images.loc[digest_after.isna(), "state"] = GONE
    return images


def places(images: pd.DataFrame, side: str) -> pd.DataFrame:
    """Return where those images lie that a side has: tar, offset and size (bytes), by image."""
    columns = {f"{name}_{side}": name for name in ("tar", "offset", "size")}
    found = images[list(columns)].rename(columns=columns).dropna()
    return found.astype({"offset": int, "size": int})


def class_diffs(
    images: pd.DataFrame, prompts_before: pd.DataFrame, prompts_after: pd.DataFrame
) -> list[ClassDiff]:
    """Return the classes of which images differ, by wnid.

    `images` are those of compare_indexes; prompts have columns wnid, split, number and prompt,
    and no rows where a set has no prompts.
    """
    differing = images[images["state"] != SAME]
    order = differing["state"].map(STATES.index)
    differing = differing.iloc[order.argsort(kind="stable")]
    before, after = (_by_class(prompts) for prompts in (prompts_before, prompts_after))
    return [
        ClassDiff(
            wnid=str(wnid),
            images=rows,
            prompts_before=_distinct(before.get(wnid), rows.loc[rows["state"] != NEW, "key"]),
            prompts_after=_distinct(after.get(wnid), rows.loc[rows["state"] != GONE, "key"]),
        )
        for wnid, rows in differing.groupby("wnid")
    ]


def differing_settings(before: dict[str, Any], after: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return what differs between the settings of two images, apart from their prompts."""
    names = sorted({*before, *after} - NOT_SETTINGS)
    pairs = {name: (before.get(name), after.get(name)) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def describe(diff: SetDiff, names: dict[str, str]) -> str:
    """Return the table of a set of which images differ; `names` are those of classes, by wnid."""
    count = sum(len(each.images) for each in diff.classes)
    classes = "1 class" if len(diff.classes) == 1 else f"{len(diff.classes):,} classes"
    lines = [f"{diff.image_set}: {count:,} of {diff.images:,} images differ ({classes})"]
    if diff.settings:
        pairs = (f"{name} {_told(a)} -> {_told(b)}" for name, (a, b) in diff.settings.items())
        lines.append(f"  settings: {', '.join(pairs)}")
    told = diff.classes[:CLASSES_TOLD]
    cells = [(each.wnid, names.get(each.wnid, ""), each.counts) for each in told]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row, each in zip(cells, told, strict=True):
        start = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for prompt in each.prompts:
            lines.append(f"  {start}  {prompt}".rstrip())
            start = " " * len(start)
    if len(diff.classes) > CLASSES_TOLD:
        lines.append(f"  and {len(diff.classes) - CLASSES_TOLD:,} more")
    return "\n".join(lines)


def first_prompt(prompts: tuple[str, ...]) -> str:
    """Return the first prompt, and how many there are besides; nothing where there is none."""
    others = len(prompts) - 1
    told = f" (and {others:,} {'other' if others == 1 else 'others'})" if others > 0 else ""
    return f"{prompts[0]}{told}" if prompts else ""


def _by_class(prompts: pd.DataFrame) -> dict[Any, pd.DataFrame]:
    return dict(iter(prompts.groupby("wnid", sort=False)))


def _distinct(prompts: pd.DataFrame | None, keys: Iterable[str]) -> tuple[str, ...]:
    """Return the prompts of the images with these keys, each once, in the order of the keys."""
    if prompts is None:
        return ()
    places = zip(prompts["wnid"], prompts["split"], prompts["number"], strict=True)
    by_key = {
        image_key(*place): text for place, text in zip(places, prompts["prompt"], strict=True)
    }
    return tuple(dict.fromkeys(by_key[key] for key in keys if key in by_key))


def _told(value: Any) -> str:
    """Say a setting; of a digest its first digits."""
    text = str(value)
    is_digest = len(text) == 64 and set(text) <= set("0123456789abcdef")
    return text[:HEX_DIGITS_TOLD] if is_digest else text
