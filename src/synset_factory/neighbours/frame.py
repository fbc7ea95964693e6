"""What queries and references have in common is left out of their products."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from synset_factory.measures.vectors import Floats, unit_vectors

SAMPLE = 2048  # vectors of which the means are taken
SHORTEST_MEAN = 1e-12  # of unit vectors: a shorter one is rounding, not a direction
MOST_STRETCH = 4.0


@dataclass(frozen=True)
class Map:
    """x -> (x - centre) + stretch (x - centre).axis axis."""

    centre: torch.Tensor  # [D] float64, like the axis, which is of unit length
    axis: torch.Tensor
    stretch: float

    def __call__(self, vectors: torch.Tensor) -> torch.Tensor:
        moved = vectors.sub_(self.centre)
        return moved.addr_(moved @ self.axis, self.axis, alpha=self.stretch)


@dataclass(frozen=True)
class Frame:
    """Where products of queries and references are taken.

    Embeddings of CLIP lie in a narrow cone. The references are taken from their mean. The queries
    are not, or each reference would have a term of its own; instead they are shortened along
    *their* mean, and the references lengthened along it as much: all products stay the same, and
    the lengths that stand in the bounds are smaller.
    """

    of_queries: Map
    of_references: Map


def _sample(vectors: Floats) -> NDArray[np.float64]:
    rows = np.linspace(0, len(vectors) - 1, min(SAMPLE, len(vectors))).astype(np.intp)
    return unit_vectors(vectors, rows)


def find_frame(query_sets: Sequence[Floats], references: Floats) -> Frame:
    """Return a frame for these queries and references, from a sample of both."""
    asked = np.concatenate([_sample(queries) for queries in query_sets if len(queries)])
    there = _sample(references)
    centre = there.mean(axis=0)
    axis = asked.mean(axis=0)
    length = np.linalg.norm(axis)
    axis = axis / length if length > SHORTEST_MEAN else 0.0 * axis
    spread = np.sqrt(np.mean(((there - centre) @ axis) ** 2))
    share = np.sqrt(np.mean((asked @ axis) ** 2))
    # Both are then equally long along the axis.
    stretch = float(np.clip(np.sqrt(share / max(spread, 1e-9)), 1.0, MOST_STRETCH))
    origin, axis = np.zeros_like(centre), torch.from_numpy(axis)
    return Frame(
        of_queries=Map(torch.from_numpy(origin), axis, 1 / stretch - 1),
        of_references=Map(torch.from_numpy(centre), axis, stretch - 1),
    )
