"""The search for the neighbours of a block of queries, tile by tile of the references."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from synset_factory.measures.vectors import Floats, fixed_point
from synset_factory.neighbours.frame import Frame
from synset_factory.neighbours.products import Seen, has_exact_products, multiply, multiply_pairs
from synset_factory.neighbours.sizes import CHUNK, GROUP, Sizes, slices
from synset_factory.neighbours.whole_numbers import (
    Room,
    Whole,
    prepare,
    rounding_slack,
    sum_slack,
)

PADDING = -(2**30)  # the product of a reference that is none, below every other
PARTS = 8  # of the queries, where much is picked from their products
MANY = 4  # times k groups: of more, those that promise most are looked at first
# A query for which more references than this share are looked at is compared with all instead.
MOST_SHARE = 1 / 64


@dataclass(frozen=True)
class Plan:
    """What all searches have in common."""

    references: Floats
    k: int
    frame: Frame
    sizes: Sizes
    device: str


@dataclass
class _Candidates:
    """Pairs that may be neighbours, and the most that each pair's product with the centre left out
    can be.
    """

    queries: NDArray[np.intp]
    references: NDArray[np.intp]
    most: NDArray[np.float32]

    def chosen(self, which: NDArray[np.bool_]) -> "_Candidates":
        return _Candidates(self.queries[which], self.references[which], self.most[which])


@dataclass(frozen=True)
class Workspace:
    """What one worker writes to: always the same, since getting memory anew takes time."""

    asked: Room
    products: torch.Tensor  # those under way

    @classmethod
    def of(cls, sizes: Sizes, dimensions: int, device: str) -> "Workspace":
        products = torch.empty(
            max(sizes.queries, GROUP) * sizes.references,
            dtype=torch.int32 if has_exact_products(device) else torch.float32,
            device=device,
        )
        return cls(Room.of(sizes.queries, dimensions), products)


class BlockSearch:
    """The neighbours of a block of queries, as far as the references have been seen."""

    def __init__(self, queries: Floats, rows: slice, plan: Plan) -> None:
        self.queries, self.rows, self.plan = queries, rows, plan
        count, device = rows.stop - rows.start, plan.device
        # The k largest lower bounds of each query.
        self.least = torch.full((count, plan.k), -torch.inf, device=device)
        # Queries with too many candidates: they will be compared with every reference.
        self.hard = torch.zeros(count, dtype=torch.bool, device=device)
        self.looked_at = torch.zeros(count, dtype=torch.int64, device=device)
        self.waiting: list[_Candidates] = []
        self.found = np.full((count, plan.k), -1, dtype=np.intp)
        self.similarity = np.full((count, plan.k), -np.inf)

    def scan(self, tiles: Sequence[Whole], workspace: Workspace) -> None:
        """Look for the neighbours among the references of tiles too."""
        plan = self.plan
        asked = prepare(
            self.queries, self.rows, plan.frame.of_queries, 1, plan.device, workspace.asked
        )
        for tile in tiles:
            self._scan_tile(asked, tile, workspace.products)
            if self.count_waiting() > plan.sizes.candidates:
                self._compare_candidates()
        self._compare_candidates()

    def count_waiting(self) -> int:
        """Return how many candidates are kept."""
        return sum(len(each.queries) for each in self.waiting)

    def _scan_tile(self, asked: Whole, tile: Whole, room: torch.Tensor) -> None:
        k = self.plan.k
        products = multiply(asked.numbers, tile.numbers, room)[: len(asked.step)]
        products[:, tile.rows.stop - tile.rows.start :] = PADDING
        seen = Seen.of(asked, tile, products.view(len(products), GROUP, -1))
        threshold = self.least[:, -1:]
        near = (seen.largest + seen.margin >= threshold) & ~self.hard[:, None]
        if near.sum(dim=1).max() > min(MANY * k, near.shape[1] // 4):
            # First those that promise most: the others then meet a higher threshold.
            first, threshold = self._most_promising(seen)
            self._look_closer(asked, tile, seen, near & first, threshold)
            threshold = self.least[:, -1:]
            near &= ~first & (seen.largest + seen.margin >= threshold) & ~self.hard[:, None]
        self._look_closer(asked, tile, seen, near, threshold)

    def _most_promising(self, seen: Seen) -> tuple[torch.Tensor, torch.Tensor]:
        """The k groups [Q, groups] with the largest lower bounds, and the k-th largest bound of all
        so far [Q, 1]. A group's bound is that of one reference, so each is of another one.
        """
        least, k = seen.largest - seen.margin, self.plan.k
        best = least.topk(min(k, least.shape[1]), dim=1)
        first = torch.zeros_like(least, dtype=torch.bool).scatter_(1, best.indices, True)
        bounds = torch.cat([self.least, best.values], dim=1)
        return first, bounds.topk(k, dim=1).values[:, -1:]

    def _look_closer(
        self,
        asked: Whole,
        tile: Whole,
        seen: Seen,
        near: torch.Tensor,
        threshold: torch.Tensor,
    ) -> None:
        """Look at the references of groups that are `near` [Q, groups], which can reach the
        threshold [Q, 1].
        """
        # What is picked of products takes ten times their memory.
        parts = PARTS if near.sum() * PARTS > near.numel() else 1
        for rows in slices(slice(0, len(near)), -(-len(near) // parts)):
            self._multiply_pairs(asked, tile, *seen.pairs(rows, near, threshold))

    def _multiply_pairs(
        self, asked: Whole, tile: Whole, query: torch.Tensor, reference: torch.Tensor
    ) -> None:
        """Multiply pairs of an asked query and a reference of the tile in float32, which bounds
        them narrowly, and keep those that are still candidates. They are sorted by query.
        """
        self.looked_at += query.bincount(minlength=len(asked.step))
        self.hard |= self.looked_at > MOST_SHARE * len(self.plan.references)
        of_use = (reference < tile.rows.stop - tile.rows.start) & ~self.hard[query]
        query, reference = query[of_use], reference[of_use]
        if not len(query):
            return
        product = multiply_pairs(asked.turned, tile.turned, query, reference)
        width, longest, farthest = asked.turned.shape[1], asked.length[query], tile.length.max()
        margin = rounding_slack(width) * (longest + farthest)
        margin += sum_slack(width) * longest * farthest
        self._raise_least(query, product - margin)
        most = product + margin
        left = most >= self.least[:, -1][query]
        self.waiting.append(
            _Candidates(
                query[left].cpu().numpy(),
                tile.rows.start + reference[left].cpu().numpy(),
                most[left].cpu().numpy(),
            )
        )

    def _raise_least(self, query: torch.Tensor, least: torch.Tensor) -> None:
        """Merge lower bounds, each of another reference, into the k largest of their queries."""
        counts = query.bincount(minlength=len(self.least))
        place = torch.arange(len(query), device=query.device) - (counts.cumsum(0) - counts)[query]
        bounds = least.new_full((len(counts), int(counts.max())), -torch.inf)
        bounds[query, place] = least
        bounds = torch.cat([self.least, bounds], dim=1)
        self.least[:] = bounds.topk(self.plan.k, dim=1).values

    def _compare_candidates(self) -> None:
        """Compare in fixed point what is still a candidate, and keep the k nearest of each query.

        A query that has too many is hard: comparing it with all, by a matrix product, costs less.
        """
        if not self.waiting:
            return
        waiting = _Candidates(
            np.concatenate([each.queries for each in self.waiting]),
            np.concatenate([each.references for each in self.waiting]),
            np.concatenate([each.most for each in self.waiting]),
        )
        self.waiting = []
        waiting = waiting.chosen(waiting.most >= self.least[:, -1].cpu().numpy()[waiting.queries])
        counts = np.bincount(waiting.queries, minlength=len(self.found))
        too_many = torch.from_numpy(counts > max(64, len(self.plan.references) // 128))
        self.hard |= too_many.to(self.plan.device)
        waiting = waiting.chosen(~self.hard.cpu().numpy()[waiting.queries])
        order = np.lexsort((waiting.references, waiting.queries))
        query, reference = waiting.queries[order], waiting.references[order]
        similarity = np.empty(len(query))
        for part in slices(slice(0, len(query)), self.plan.sizes.pairs):
            similarity[part] = self._exact(query[part], reference[part])
        self._keep_nearest(query, reference, similarity)

    def _exact(self, query: NDArray[np.intp], reference: NDArray[np.intp]) -> NDArray[np.float64]:
        """Similarity of pairs as `nearest` has it: whole numbers in float64."""
        similarity = np.empty(len(query))
        columns, column = np.unique(reference, return_inverse=True)
        lines, line = np.unique(query, return_inverse=True)
        left = _fixed_points(self.queries, self.rows.start + lines)
        right = _fixed_points(self.plan.references, columns)
        for part in slices(slice(0, len(query)), CHUNK):
            np.einsum("ij,ij->i", left[line[part]], right[column[part]], out=similarity[part])
        return similarity

    def _keep_nearest(
        self,
        query: NDArray[np.intp],
        reference: NDArray[np.intp],
        similarity: NDArray[np.float64],
    ) -> None:
        """Merge compared pairs into the k nearest so far."""
        touched = np.unique(query)
        query = np.concatenate([query, np.repeat(touched, self.plan.k)])
        reference = np.concatenate([reference, self.found[touched].ravel()])
        similarity = np.concatenate([similarity, self.similarity[touched].ravel()])
        order = np.lexsort((reference, -similarity, query))
        query = query[order]
        starts = np.searchsorted(query, touched)
        place = starts[:, None] + np.arange(self.plan.k)
        self.found[touched] = reference[order][place]
        self.similarity[touched] = similarity[order][place]


def _fixed_points(vectors: Floats, rows: NDArray[np.intp]) -> NDArray[np.float64]:
    points = np.empty((len(rows), vectors.shape[1]))
    for part in slices(slice(0, len(rows)), CHUNK):
        points[part] = fixed_point(vectors, rows[part])
    return points
