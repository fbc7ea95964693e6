"""Products of whole numbers, and what they say of the vectors' own."""

from dataclasses import dataclass
from functools import cache

import torch

from synset_factory.neighbours.sizes import CHUNK, GROUP
from synset_factory.neighbours.whole_numbers import LARGEST, Whole

GPU_PAIRS = 2**14  # multiplied at once


@cache
def has_exact_products(device: str) -> bool:
    """Whether this device multiplies 8-bit numbers and sums in 32 bits without an error.

    Processors without such an instruction (avx512_vnni, avx_vnni, ...) may add two products in 16
    bits, which is too little for the largest.
    """
    left = torch.full((64, 512), LARGEST, dtype=torch.int8, device=device)
    left[1::2] *= -1
    try:
        products = torch._int_mm(left, left.T)
    except (AttributeError, RuntimeError):  # no such product, or not on this device
        return False
    return bool((products.abs() == 512 * LARGEST**2).all())


def multiply(queries: torch.Tensor, references: torch.Tensor, room: torch.Tensor) -> torch.Tensor:
    """Products of whole numbers [Q, W] and [R, W], exact, in `room`: int32 [Q, R], or float32
    where the device has no such product of 8 bits.
    """
    # A GPU wants more than 16 rows.
    count = max(len(queries), GROUP)
    queries = torch.nn.functional.pad(queries, (0, 0, 0, count - len(queries)))
    products = room[: count * len(references)].view(count, len(references))
    if room.dtype == torch.int32:
        return torch._int_mm(queries, references.T, out=products)
    # Sums are below 2**24: exact as well, in any order.
    return torch.mm(queries.float(), references.float().T, out=products)


def multiply_pairs(
    queries: torch.Tensor, references: torch.Tensor, query: torch.Tensor, reference: torch.Tensor
) -> torch.Tensor:
    """float32 products of pairs of rows."""
    size = GPU_PAIRS if queries.is_cuda else CHUNK
    parts = zip(query.split(size), reference.split(size), strict=True)
    return torch.cat(
        [
            queries.index_select(0, left).mul_(references.index_select(0, right)).sum(dim=1)
            for left, right in parts
        ]
    )


@dataclass(frozen=True)
class Seen:
    """Products of some queries with the references of a tile, and how far from the truth."""

    products: torch.Tensor  # [Q, GROUP, groups], whole numbers
    scale: torch.Tensor  # [Q, groups]: of the whole numbers
    margin: torch.Tensor  # [Q, groups]
    largest: torch.Tensor  # [Q, groups], scaled

    @classmethod
    def of(cls, asked: Whole, tile: Whole, products: torch.Tensor) -> "Seen":
        """Bound the products x.y, in steps of both, as the docstring of `find` says."""
        scale = asked.step[:, None] * tile.step
        margin = asked.error[:, None] * tile.length
        margin += (asked.length + asked.error)[:, None] * tile.error
        return cls(products, scale, margin, products.amax(dim=1) * scale)

    def pairs(
        self, rows: slice, near: torch.Tensor, threshold: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Which of these queries, and references of the tile, can reach the threshold [Q, 1]: of
        the groups that are `near` [Q, groups]. In the order of the queries.
        """
        query, group = near[rows].nonzero(as_tuple=True)
        query += rows.start
        most = self.products[query, :, group] * self.scale[query, group, None]
        most += self.margin[query, group, None]
        which, member = (most >= threshold[query]).nonzero(as_tuple=True)
        return query[which], member * near.shape[1] + group[which]
