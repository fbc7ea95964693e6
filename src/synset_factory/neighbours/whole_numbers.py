"""Vectors as whole numbers of 8 bits, and how far each is from what it stands for."""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch

from synset_factory.measures.vectors import Floats, unit_vectors
from synset_factory.neighbours.frame import Map
from synset_factory.neighbours.sizes import CHUNK, GROUP, HALVINGS, padded_width, slices

LARGEST = 127  # of 8 bits


@dataclass(frozen=True, kw_only=True)
class Whole:
    """Vectors rounded to whole multiples of a step; what a bound needs of each of them (queries)
    or of the largest in each group (references, of which row i is in group i modulo the groups).
    """

    turned: torch.Tensor  # [N, W] float32, before they are rounded
    numbers: torch.Tensor  # [N, W] int8
    step: torch.Tensor  # [N] or [groups] float32, like the next two
    length: torch.Tensor  # of the vector, or more
    error: torch.Tensor  # length of the vector less its multiple of the step, or more
    rows: slice  # which vectors of their array these are


def largest_number(dimensions: int) -> int:
    """The largest whole number of which a product's sum is below 2**24: float32 holds it too."""
    return min(LARGEST, int(np.sqrt((2**24 - 1) / padded_width(dimensions))))


def rounding_slack(dimensions: int) -> float:
    """More than rounding can move a turned vector by: the grid of `fixed_point`, and float32.

    With u = 2**-24: the grid moves a unit vector by at most sqrt(D) / 8 u, and this may be
    stretched 4 times. From there vectors, at most 8 long, are float32, which costs less than 30 u
    of their length: 3 u at each halving, and 4 u where they begin and are divided by the step.
    """
    return float((math.sqrt(dimensions) + 256) * 2.0**-24)


def sum_slack(width: int) -> float:
    """More than float32 can move a sum of products by, in any order, relative to the lengths."""
    return (width + 2) * 2.0**-24


def _lengths(vectors: torch.Tensor) -> torch.Tensor:
    """Lengths of rows, or a little more."""
    return torch.linalg.vector_norm(vectors, dim=1) * (1 + sum_slack(vectors.shape[1]))


@dataclass(frozen=True)
class Room:
    """Where prepared vectors are put: always the same, since getting memory anew takes time."""

    turned: torch.Tensor  # [N, W] float32
    numbers: torch.Tensor  # [N, W] int8

    @classmethod
    def of(cls, count: int, dimensions: int) -> "Room":
        shape = -(-count // GROUP) * GROUP, padded_width(dimensions)
        return cls(torch.empty(shape), torch.empty(shape, dtype=torch.int8))

    def part(self, first: int, count: int) -> "Room":
        rows = slice(first, first + count)
        return Room(self.turned[rows], self.numbers[rows])


def prepare(
    vectors: Floats, rows: slice, of_frame: Map, group: int, device: str, room: Room
) -> Whole:
    """Rows of `vectors`, in the frame, as whole numbers.

    A step serves `group` rows, so many places from one another; zeros fill up the last of them.
    """
    count, dimensions = rows.stop - rows.start, vectors.shape[1]
    steps = -(-count // group)
    room = room.part(0, steps * group)
    turned, numbers = room.turned, room.numbers
    turned[count:] = 0.0
    for part in slices(rows, CHUNK):
        moved = of_frame(torch.from_numpy(unit_vectors(vectors, part)))
        turned[part.start - rows.start : part.stop - rows.start] = _turned(moved)

    def largest(each: torch.Tensor) -> torch.Tensor:
        return each.view(group, steps).amax(dim=0)

    length, error, of_row = torch.empty(3, len(turned))
    for part in slices(slice(0, len(turned)), CHUNK):
        of_row[part] = turned[part].abs().amax(dim=1)
    step = largest(of_row) / largest_number(dimensions)
    step = torch.where(step > 0, step, 1.0)  # where all are the centre any step will do
    of_row = step.repeat(group)
    for part in slices(slice(0, len(turned)), CHUNK):
        length[part] = _lengths(turned[part])
        multiples = turned[part] / of_row[part, None]
        whole = multiples.round()
        numbers[part] = whole
        error[part] = _lengths(multiples.sub_(whole)) * of_row[part]
    slack = rounding_slack(dimensions)
    return Whole(
        rows=rows,
        turned=turned.to(device),
        numbers=numbers.to(device),
        step=step.to(device),
        length=(largest(length) + slack).to(device),
        error=(largest(error) + slack).to(device),
    )


@cache
def _signs(width: int) -> torch.Tensor:
    drawn = np.random.default_rng(0).choice([-1.0, 1.0], size=width)
    # 2**(HALVINGS / 2) is what all of `_turned` lengthens by.
    return torch.from_numpy((drawn / 2 ** (HALVINGS // 2)).astype(np.float32))[:, None]


def _turned(vectors: torch.Tensor) -> torch.Tensor:
    """Vectors [N, D] turned, all alike, [N, W]: a Hadamard transform of every 2**HALVINGS numbers.

    Large components, as embeddings have some, make the step coarse for all others: here each is
    shared out. (Not by a matrix product: a setting of torch may take bits from that.)
    """
    count, dimensions = vectors.shape
    turned = torch.empty(padded_width(dimensions), count)  # a long last axis is quick
    turned[:dimensions] = vectors.float().T
    turned[dimensions:] = 0.0
    turned *= _signs(len(turned))
    for halving in range(HALVINGS):
        left, right = turned.view(2**halving, 2, -1, count).unbind(1)
        left += right
        torch.sub(left, right, alpha=2, out=right)
    return turned.T
