"""Images that answer questions of the paper beside its sets: Appendix B and Figure 3.

Appendix B asks how far images stray from the set's, so its images must not be the set's own: they
have a split of their own, hence a noise of their own, which the prompts share. Figure 3 shows what
the guidance scale does, so its images are the first ones of the set Disamb, at other scales.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from synset_factory import layout
from synset_factory.errors import InputError
from synset_factory.records import TRAIN, ImageRow
from synset_factory.seeds import derive_seed

APPENDIX_B = "appendix_b"  # a split


@dataclass(frozen=True, kw_only=True)
class AppendixBQueries:
    """New images of prompts that are to be taken for one class."""

    wnid: str  # the class
    guidance_scale: float  # the paper's cgs
    images: int  # of each prompt
    prompts: tuple[str, ...]  # in the order of the rows

    @property
    def names(self) -> dict[str, str]:
        """The prompts by their names: "school bus" is school_bus."""
        return {query_name(prompt): prompt for prompt in self.prompts}


@dataclass(frozen=True, kw_only=True)
class Figure3Queries:
    """The first training images of the set Disamb, at several guidance scales."""

    wnids: tuple[str, ...]
    guidance_scales: tuple[float, ...]  # the paper's cgs
    images: int  # of each class and scale


@dataclass(frozen=True, kw_only=True)
class QueriesConfig:
    """The images that no set holds: the section `queries`."""

    appendix_b: AppendixBQueries
    figure3: Figure3Queries


def query_name(prompt: str) -> str:
    """Return a prompt as the name of files and rows: lower-case letters, digits, underscores."""
    return re.sub(r"[^a-z0-9]+", "_", prompt.lower()).strip("_")


def check_queries(config: QueriesConfig, wnids: Collection[str]) -> None:
    """Check that these images can be made in a world of the classes `wnids`.

    Raises InputError for a class that is not of this world, no images, or two prompts of one name.
    """
    asked = {"appendix_b.wnid": (config.appendix_b.wnid,), "figure3.wnids": config.figure3.wnids}
    for key, classes in asked.items():
        for wnid in classes:
            if wnid not in wnids:
                raise InputError(
                    f"{layout.PARAMS}: queries.{key} names {wnid}, which is no class of this "
                    "world: choose one of those under wnids."
                )
    for key, images in (
        ("appendix_b", config.appendix_b.images),
        ("figure3", config.figure3.images),
    ):
        if images < 1:
            raise InputError(f"{layout.PARAMS}: queries.{key}.images must be at least 1.")
    names = [query_name(prompt) for prompt in config.appendix_b.prompts]
    for name, prompt in zip(names, config.appendix_b.prompts, strict=True):
        if not name or names.count(name) > 1:
            raise InputError(
                f"{layout.PARAMS}: queries.appendix_b.prompts: '{prompt}' has no name of its own "
                "in letters and digits; change or remove it."
            )


def appendix_b_rows(config: AppendixBQueries, seed: int) -> dict[Path, list[ImageRow]]:
    """Return the images of each tar of Appendix B.

    A number has the same noise in each prompt, so that prompts compare number by number, and
    another than the class's images in any set, which `split` keeps apart.
    """
    return {
        layout.appendix_b_query(name): [
            _row(config.wnid, APPENDIX_B, number, prompt, seed) for number in range(config.images)
        ]
        for name, prompt in config.names.items()
    }


def figure3_rows(
    config: Figure3Queries, guidance_scale: float, prompts: Mapping[str, str], seed: int
) -> dict[Path, list[ImageRow]]:
    """Return the images of each tar of one scale of Figure 3; `prompts` are Disamb's, by class.

    They are the set's own images where a set has this scale.
    """
    return {
        layout.figure3_query(guidance_scale, wnid): [
            _row(wnid, TRAIN, number, prompts[wnid], seed) for number in range(config.images)
        ]
        for wnid in config.wnids
    }


def _row(wnid: str, split: str, number: int, prompt: str, seed: int) -> ImageRow:
    noise = derive_seed(seed, wnid, split, number)
    return ImageRow(wnid=wnid, split=split, number=number, prompt=prompt, seed=noise)
