"""k-nn by cosine similarity at the paper's size: what `measures.knn.nearest` gives, sooner.

Products of 8-bit whole numbers, summed exactly in 32 bits, say of nearly all references that they
are not among the k nearest; the few that are left are compared in `fixed_point`, which decides. It
is the same answer bit for bit, whatever the data, the device, the memory and the threads: what the
whole numbers cannot settle is computed as `nearest` does.

Why no neighbour is missed. Let u be a query and v a reference, of unit length, and c any vector
(here about the mean of the references). All u.v are u.c, which is the same for all references,
plus u.(v - c). Both factors are turned alike and rounded to whole multiples of a step, to x and y.
By Cauchy and Schwarz

    |u.(v - c) - x.y| <= |u - x| |v - c| + |x| |(v - c) - y|,

where all lengths but the product x.y are known for each vector by itself. So every product gives a
lower and an upper bound. The k-th largest lower bound seen so far, each of another reference, is
not above the similarity of the k-th neighbour: a reference whose upper bound is below it is none.
"""

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from itertools import chain
from queue import SimpleQueue

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from synset_factory.measures.knn import GIBIBYTE, QUERY_BLOCK, block_sizes, nearest
from synset_factory.measures.vectors import Floats, fixed_point, unit_vectors

FEW = 2048  # references: comparing no more than these in fixed point costs less than sifting them
GROUP = 32  # references that share a step, and of which only the largest product is looked at first
CHUNK = 256  # vectors scaled at once: they then stay in the processor's cache
LARGEST = 127  # of 8 bits
HALVINGS = 8  # of `_turned`: 2**HALVINGS components are mixed
PADDING = -(2**30)  # the product of a reference that is none, below every other
SAMPLE = 2048  # vectors of which the means are taken
SHORTEST_MEAN = 1e-12  # of unit vectors: a shorter one is rounding, not a direction
MOST_STRETCH = 4.0
PARTS = 8  # of the queries, where much is picked from their products
MANY = 4  # times k groups: of more, those that promise most are looked at first
# A query for which more references than this share are looked at is compared with all instead.
MOST_SHARE = 1 / 64
# Queries and references multiplied at once: the products of a core's share stay in its cache.
CPU_TILE, GPU_TILE = (512, 4096), (4096, 8192)
GPU_PAIRS = 2**14  # multiplied at once


def find_nearest(
    query_sets: Sequence[Floats],
    references: Floats,
    k: int,
    *,
    memory: float,
    device: str = "cpu",
    label: str = "",
) -> list[NDArray[np.intp]]:
    """The k references of highest cosine similarity to each query of each set, the nearest first.

    References of equal similarity come in the order of their rows. The references are read once
    for all sets. No more than about `memory` GiB is taken, of this machine and of the device, for
    blocks; what comes back, 16 bytes a neighbour while it is worked on, is the caller's.

    query_sets: each [Q, D]; references: [R, D]. Returns rows of `references`, each [Q, min(k, R)].
    Raises ValueError for no references, k < 1 or an embedding without a direction.
    """
    if len(references) <= FEW or k < 1 or not any(map(len, query_sets)):
        return [_compare_all(queries, references, k, memory) for queries in query_sets]
    workers = _count_workers(device)
    sizes = _sizes(memory, references.shape[1], workers, device)
    plan = _Plan(references, min(k, len(references)), _frame(query_sets, references), sizes, device)
    searches = [
        [_Search(queries, rows, plan) for rows in _blocks(slice(0, len(queries)), sizes.queries)]
        for queries in query_sets
    ]
    _search_all(list(chain.from_iterable(searches)), plan, workers, label)
    return [
        _results(queries, of_set, plan, memory)
        for queries, of_set in zip(query_sets, searches, strict=True)
    ]


def _search_all(searches: Sequence["_Search"], plan: "_Plan", workers: int, label: str) -> None:
    """Show all references to all searches, as many references at a time as may be held."""
    references, sizes = plan.references, plan.sizes
    room = _Room.of(min(sizes.held, len(references)), references.shape[1])
    workspaces: SimpleQueue[_Workspace] = SimpleQueue()
    for _ in range(workers):
        workspaces.put(_Workspace.of(sizes, references.shape[1], plan.device))
    pairs = len(references) * sum(len(search.found) for search in searches)
    with (
        tqdm(total=pairs, desc=label, unit="pair", unit_scale=True) as bar,
        _threads(workers) as pool,
    ):
        for held in _blocks(slice(0, len(references)), sizes.held):
            blocks = list(_blocks(held, sizes.references))
            rooms = [room.part(rows.start - held.start, sizes.references) for rows in blocks]
            tiles = list(pool.map(partial(_prepare_tile, plan), blocks, rooms))
            for count in pool.map(partial(_scan, tiles, workspaces), searches):
                bar.update(count * (held.stop - held.start))


def _prepare_tile(plan: "_Plan", rows: slice, room: "_Room") -> "_Whole":
    return _prepare(plan.references, rows, plan.frame.of_references, GROUP, plan.device, room)


def _scan(
    tiles: Sequence["_Whole"], workspaces: "SimpleQueue[_Workspace]", search: "_Search"
) -> int:
    """Show tiles to a search, and return how many queries it has."""
    workspace = workspaces.get()
    try:
        search.scan(tiles, workspace)
    finally:
        workspaces.put(workspace)
    return len(search.found)


def _count_workers(device: str) -> int:
    """Blocks of queries that are searched at once: one a core, each by itself from beginning to
    end, or two on a GPU, so that one is made ready while the other is multiplied.
    """
    return 2 if device.startswith("cuda") else torch.get_num_threads()


@contextmanager
def _threads(workers: int) -> Iterator[ThreadPoolExecutor]:
    """Threads that share out those that torch has here."""
    threads = torch.get_num_threads()
    share = max(1, threads // workers)
    try:
        with ThreadPoolExecutor(
            workers, initializer=torch.set_num_threads, initargs=(share,)
        ) as pool:
            yield pool
    finally:
        torch.set_num_threads(threads)  # threads begun later have as many as were set last


def _results(
    queries: Floats, searches: Sequence["_Search"], plan: "_Plan", memory: float
) -> NDArray[np.intp]:
    """The rows of the k nearest [Q, k], once all references have been seen."""
    found = np.concatenate([np.empty((0, plan.k), np.intp), *(each.found for each in searches)])
    hard = np.concatenate([np.empty(0, np.bool_), *(each.hard.cpu() for each in searches)])
    for part in _blocks(slice(0, hard.sum()), QUERY_BLOCK):
        rows = np.flatnonzero(hard)[part]
        found[rows] = _compare_all(queries[rows], plan.references, plan.k, memory)
    return found


def _compare_all(queries: Floats, references: Floats, k: int, memory: float) -> NDArray[np.intp]:
    query_block, reference_block = block_sizes(memory, references.shape[1])
    return nearest(queries, references, k, query_block=query_block, reference_block=reference_block)


# ---- how much at once ----


@dataclass(frozen=True, kw_only=True)
class _Sizes:
    queries: int  # multiplied at once
    references: int  # multiplied at once
    held: int  # references held as whole numbers
    candidates: int  # kept by a worker before they are compared in fixed point
    pairs: int  # compared in fixed point at once by a worker


def _sizes(memory: float, dimensions: int, workers: int, device: str) -> _Sizes:
    """What keeps a search by so many workers within `memory` GiB. The sizes shape no result."""
    queries, references = GPU_TILE if device.startswith("cuda") else CPU_TILE
    budget = min(memory, 2.0**20) * GIBIBYTE
    width = _width(dimensions)
    # Products and what is picked from them; the references as float32, and while they are turned.
    while references > GROUP and (12 * queries * workers + 8 * width) * references > budget / 4:
        queries, references = max(queries // 2, 1), references // 2
    # What is held beside them: whole numbers and float32.
    tiles = max(1, int(3 * budget / 8 / (5 * references * width)))
    return _Sizes(
        queries=queries,
        references=references,
        held=references * min(tiles, 512),
        candidates=max(1024, int(budget / 8 / 100 / workers)),
        pairs=max(16, min(4096, int(budget / 8 / (32 * width) / workers))),
    )


def _blocks(rows: slice, size: int) -> Iterator[slice]:
    for first in range(rows.start, rows.stop, size):
        yield slice(first, min(first + size, rows.stop))


# ---- vectors as whole numbers ----


@dataclass(frozen=True, kw_only=True)
class _Whole:
    """Vectors rounded to whole multiples of a step; what a bound needs of each of them (queries)
    or of the largest in each group (references, of which row i is in group i modulo the groups).
    """

    turned: torch.Tensor  # [N, W] float32, before they are rounded
    numbers: torch.Tensor  # [N, W] int8
    step: torch.Tensor  # [N] or [groups] float32, like the next two
    length: torch.Tensor  # of the vector, or more
    error: torch.Tensor  # length of the vector less its multiple of the step, or more
    rows: slice  # which vectors of their array these are


def _width(dimensions: int) -> int:
    """Components that a vector is filled up to with zeros, for `_turned`."""
    return -(-dimensions // 2**HALVINGS) * 2**HALVINGS


def _largest_number(dimensions: int) -> int:
    """The largest whole number of which a product's sum is below 2**24: float32 holds it too."""
    return min(LARGEST, int(np.sqrt((2**24 - 1) / _width(dimensions))))


def _slack(dimensions: int) -> float:
    """More than rounding can move a turned vector by: the grid of `fixed_point`, and float32.

    With u = 2**-24: the grid moves a unit vector by at most sqrt(D) / 8 u, and this may be
    stretched 4 times. From there vectors, at most 8 long, are float32, which costs less than 30 u
    of their length: 3 u at each halving, and 4 u where they begin and are divided by the step.
    """
    return float((math.sqrt(dimensions) + 256) * 2.0**-24)


def _lengths(vectors: torch.Tensor) -> torch.Tensor:
    """Lengths of rows, or a little more."""
    return torch.linalg.vector_norm(vectors, dim=1) * (1 + _slack_of_sum(vectors.shape[1]))


def _slack_of_sum(width: int) -> float:
    """More than float32 can move a sum of products by, in any order, relative to the lengths."""
    return (width + 2) * 2.0**-24


@dataclass(frozen=True)
class _Map:
    """x -> (x - centre) + stretch (x - centre).axis axis."""

    centre: torch.Tensor  # [D] float64, like the axis, which is of unit length
    axis: torch.Tensor
    stretch: float

    def __call__(self, vectors: torch.Tensor) -> torch.Tensor:
        moved = vectors.sub_(self.centre)
        return moved.addr_(moved @ self.axis, self.axis, alpha=self.stretch)


@dataclass(frozen=True)
class _Frame:
    """Where products of queries and references are taken: what they have in common is left out.

    Embeddings of CLIP lie in a narrow cone. The references are taken from their mean. The queries
    are not, or each reference would have a term of its own; instead they are shortened along
    *their* mean, and the references lengthened along it as much: all products stay the same, and
    the lengths that stand in the bounds are smaller.
    """

    of_queries: _Map
    of_references: _Map


def _sample(vectors: Floats) -> NDArray[np.float64]:
    rows = np.linspace(0, len(vectors) - 1, min(SAMPLE, len(vectors))).astype(np.intp)
    return unit_vectors(vectors, rows)


def _frame(query_sets: Sequence[Floats], references: Floats) -> _Frame:
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
    return _Frame(
        of_queries=_Map(torch.from_numpy(origin), axis, 1 / stretch - 1),
        of_references=_Map(torch.from_numpy(centre), axis, stretch - 1),
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
    turned = torch.empty(_width(dimensions), count)  # a long last axis is quick
    turned[:dimensions] = vectors.float().T
    turned[dimensions:] = 0.0
    turned *= _signs(len(turned))
    for halving in range(HALVINGS):
        left, right = turned.view(2**halving, 2, -1, count).unbind(1)
        left += right
        torch.sub(left, right, alpha=2, out=right)
    return turned.T


@dataclass(frozen=True)
class _Room:
    """Where prepared vectors are put: always the same, since getting memory anew takes time."""

    turned: torch.Tensor  # [N, W] float32
    numbers: torch.Tensor  # [N, W] int8

    @classmethod
    def of(cls, count: int, dimensions: int) -> "_Room":
        shape = -(-count // GROUP) * GROUP, _width(dimensions)
        return cls(torch.empty(shape), torch.empty(shape, dtype=torch.int8))

    def part(self, first: int, count: int) -> "_Room":
        rows = slice(first, first + count)
        return _Room(self.turned[rows], self.numbers[rows])


def _prepare(
    vectors: Floats, rows: slice, of_frame: _Map, group: int, device: str, room: _Room
) -> _Whole:
    """Rows of `vectors`, in the frame, as whole numbers.

    A step serves `group` rows, so many places from one another; zeros fill up the last of them.
    """
    count, dimensions = rows.stop - rows.start, vectors.shape[1]
    steps = -(-count // group)
    room = room.part(0, steps * group)
    turned, numbers = room.turned, room.numbers
    turned[count:] = 0.0
    for part in _blocks(rows, CHUNK):
        moved = of_frame(torch.from_numpy(unit_vectors(vectors, part)))
        turned[part.start - rows.start : part.stop - rows.start] = _turned(moved)

    def largest(each: torch.Tensor) -> torch.Tensor:
        return each.view(group, steps).amax(dim=0)

    length, error, of_row = torch.empty(3, len(turned))
    for part in _blocks(slice(0, len(turned)), CHUNK):
        of_row[part] = turned[part].abs().amax(dim=1)
    step = largest(of_row) / _largest_number(dimensions)
    step = torch.where(step > 0, step, 1.0)  # where all are the centre any step will do
    of_row = step.repeat(group)
    for part in _blocks(slice(0, len(turned)), CHUNK):
        length[part] = _lengths(turned[part])
        multiples = turned[part] / of_row[part, None]
        whole = multiples.round()
        numbers[part] = whole
        error[part] = _lengths(multiples.sub_(whole)) * of_row[part]
    slack = _slack(dimensions)
    return _Whole(
        rows=rows,
        turned=turned.to(device),
        numbers=numbers.to(device),
        step=step.to(device),
        length=(largest(length) + slack).to(device),
        error=(largest(error) + slack).to(device),
    )


# ---- products ----


@cache
def _has_exact_products(device: str) -> bool:
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


def _products(queries: torch.Tensor, references: torch.Tensor, room: torch.Tensor) -> torch.Tensor:
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


def _products_of_pairs(
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
class _Seen:
    """Products of some queries with the references of a tile, and how far from the truth."""

    products: torch.Tensor  # [Q, GROUP, groups], whole numbers
    scale: torch.Tensor  # [Q, groups]: of the whole numbers
    margin: torch.Tensor  # [Q, groups]
    largest: torch.Tensor  # [Q, groups], scaled

    @classmethod
    def of(cls, asked: _Whole, tile: _Whole, products: torch.Tensor) -> "_Seen":
        """See the module's docstring: products are x.y, in steps of both."""
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


# ---- the search ----


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
class _Workspace:
    """What one worker writes to: always the same, since getting memory anew takes time."""

    asked: _Room
    products: torch.Tensor  # those under way

    @classmethod
    def of(cls, sizes: _Sizes, dimensions: int, device: str) -> "_Workspace":
        products = torch.empty(
            max(sizes.queries, GROUP) * sizes.references,
            dtype=torch.int32 if _has_exact_products(device) else torch.float32,
            device=device,
        )
        return cls(_Room.of(sizes.queries, dimensions), products)


@dataclass(frozen=True)
class _Plan:
    """What all searches have in common."""

    references: Floats
    k: int
    frame: _Frame
    sizes: _Sizes
    device: str


class _Search:
    """The neighbours of a block of queries, as far as the references have been seen."""

    def __init__(self, queries: Floats, rows: slice, plan: _Plan) -> None:
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

    def scan(self, tiles: Sequence[_Whole], workspace: _Workspace) -> None:
        """Look for the neighbours among the references of tiles too."""
        plan = self.plan
        asked = _prepare(
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

    def _scan_tile(self, asked: _Whole, tile: _Whole, room: torch.Tensor) -> None:
        k = self.plan.k
        products = _products(asked.numbers, tile.numbers, room)[: len(asked.step)]
        products[:, tile.rows.stop - tile.rows.start :] = PADDING
        seen = _Seen.of(asked, tile, products.view(len(products), GROUP, -1))
        threshold = self.least[:, -1:]
        near = (seen.largest + seen.margin >= threshold) & ~self.hard[:, None]
        if near.sum(dim=1).max() > min(MANY * k, near.shape[1] // 4):
            # First those that promise most: the others then meet a higher threshold.
            first, threshold = self._most_promising(seen)
            self._look_closer(asked, tile, seen, near & first, threshold)
            threshold = self.least[:, -1:]
            near &= ~first & (seen.largest + seen.margin >= threshold) & ~self.hard[:, None]
        self._look_closer(asked, tile, seen, near, threshold)

    def _most_promising(self, seen: _Seen) -> tuple[torch.Tensor, torch.Tensor]:
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
        asked: _Whole,
        tile: _Whole,
        seen: _Seen,
        near: torch.Tensor,
        threshold: torch.Tensor,
    ) -> None:
        """Look at the references of groups that are `near` [Q, groups], which can reach the
        threshold [Q, 1].
        """
        # What is picked of products takes ten times their memory.
        parts = PARTS if near.sum() * PARTS > near.numel() else 1
        for rows in _blocks(slice(0, len(near)), -(-len(near) // parts)):
            self._multiply_pairs(asked, tile, *seen.pairs(rows, near, threshold))

    def _multiply_pairs(
        self, asked: _Whole, tile: _Whole, query: torch.Tensor, reference: torch.Tensor
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
        product = _products_of_pairs(asked.turned, tile.turned, query, reference)
        width, longest, farthest = asked.turned.shape[1], asked.length[query], tile.length.max()
        margin = _slack(width) * (longest + farthest)
        margin += _slack_of_sum(width) * longest * farthest
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
        for part in _blocks(slice(0, len(query)), self.plan.sizes.pairs):
            similarity[part] = self._exact(query[part], reference[part])
        self._keep_nearest(query, reference, similarity)

    def _exact(self, query: NDArray[np.intp], reference: NDArray[np.intp]) -> NDArray[np.float64]:
        """Similarity of pairs as `nearest` has it: whole numbers in float64."""
        similarity = np.empty(len(query))
        columns, column = np.unique(reference, return_inverse=True)
        lines, line = np.unique(query, return_inverse=True)
        left = _fixed_points(self.queries, self.rows.start + lines)
        right = _fixed_points(self.plan.references, columns)
        for part in _blocks(slice(0, len(query)), CHUNK):
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
    for part in _blocks(slice(0, len(rows)), CHUNK):
        points[part] = fixed_point(vectors, rows[part])
    return points
