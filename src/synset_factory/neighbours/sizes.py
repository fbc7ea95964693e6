"""How much a search multiplies, holds and compares at once."""

from collections.abc import Iterator
from dataclasses import dataclass

from synset_factory.measures.knn import GIBIBYTE

GROUP = 32  # references that share a step, and of which only the largest product is looked at first
CHUNK = 256  # vectors scaled at once: they then stay in the processor's cache
HALVINGS = 8  # 2**HALVINGS components of a vector are mixed
# Queries and references multiplied at once: the products of a core's share stay in its cache.
CPU_TILE, GPU_TILE = (512, 4096), (4096, 8192)


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Numbers of vectors and pairs."""

    queries: int  # multiplied at once
    references: int  # multiplied at once
    held: int  # references held as whole numbers
    candidates: int  # kept by a worker before they are compared in fixed point
    pairs: int  # compared in fixed point at once by a worker


def sizes_within(memory: float, dimensions: int, workers: int, device: str) -> Sizes:
    """What keeps a search by so many workers within `memory` GiB. The sizes shape no result."""
    queries, references = GPU_TILE if device.startswith("cuda") else CPU_TILE
    budget = min(memory, 2.0**20) * GIBIBYTE
    width = padded_width(dimensions)
    # Products and what is picked from them; the references as float32, and while they are turned.
    while references > GROUP and (12 * queries * workers + 8 * width) * references > budget / 4:
        queries, references = max(queries // 2, 1), references // 2
    # What is held beside them: whole numbers and float32.
    tiles = max(1, int(3 * budget / 8 / (5 * references * width)))
    return Sizes(
        queries=queries,
        references=references,
        held=references * min(tiles, 512),
        candidates=max(1024, int(budget / 8 / 100 / workers)),
        pairs=max(16, min(4096, int(budget / 8 / (32 * width) / workers))),
    )


def slices(rows: slice, size: int) -> Iterator[slice]:
    """Yield the rows in parts of this size; the last may be shorter."""
    for first in range(rows.start, rows.stop, size):
        yield slice(first, min(first + size, rows.stop))


def padded_width(dimensions: int) -> int:
    """Components that a vector is filled up to with zeros, so that all can be mixed."""
    return -(-dimensions // 2**HALVINGS) * 2**HALVINGS
