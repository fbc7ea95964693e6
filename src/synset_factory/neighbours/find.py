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

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import chain
from queue import SimpleQueue

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from synset_factory.measures.knn import QUERY_BLOCK, block_sizes, nearest
from synset_factory.measures.vectors import Floats
from synset_factory.neighbours.block_search import BlockSearch, Plan, Workspace
from synset_factory.neighbours.frame import find_frame
from synset_factory.neighbours.sizes import GROUP, sizes_within, slices
from synset_factory.neighbours.whole_numbers import Room, Whole, prepare

FEW = 2048  # references: comparing no more than these in fixed point costs less than sifting them


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
    sizes = sizes_within(memory, references.shape[1], workers, device)
    plan = Plan(
        references, min(k, len(references)), find_frame(query_sets, references), sizes, device
    )
    searches = [
        [BlockSearch(queries, rows, plan) for rows in slices(slice(0, len(queries)), sizes.queries)]
        for queries in query_sets
    ]
    _search_all(list(chain.from_iterable(searches)), plan, workers, label)
    return [
        _results(queries, of_set, plan, memory)
        for queries, of_set in zip(query_sets, searches, strict=True)
    ]


def _search_all(searches: Sequence[BlockSearch], plan: Plan, workers: int, label: str) -> None:
    """Show all references to all searches, as many references at a time as may be held."""
    references, sizes = plan.references, plan.sizes
    room = Room.of(min(sizes.held, len(references)), references.shape[1])
    workspaces: SimpleQueue[Workspace] = SimpleQueue()
    for _ in range(workers):
        workspaces.put(Workspace.of(sizes, references.shape[1], plan.device))
    pairs = len(references) * sum(len(search.found) for search in searches)
    with (
        tqdm(total=pairs, desc=label, unit="pair", unit_scale=True) as bar,
        _threads(workers) as pool,
    ):
        for held in slices(slice(0, len(references)), sizes.held):
            blocks = list(slices(held, sizes.references))
            rooms = [room.part(rows.start - held.start, sizes.references) for rows in blocks]
            tiles = list(pool.map(partial(_prepare_tile, plan), blocks, rooms))
            for count in pool.map(partial(_scan, tiles, workspaces), searches):
                bar.update(count * (held.stop - held.start))


def _prepare_tile(plan: Plan, rows: slice, room: Room) -> Whole:
    return prepare(plan.references, rows, plan.frame.of_references, GROUP, plan.device, room)


def _scan(tiles: Sequence[Whole], workspaces: SimpleQueue[Workspace], search: BlockSearch) -> int:
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
    queries: Floats, searches: Sequence[BlockSearch], plan: Plan, memory: float
) -> NDArray[np.intp]:
    """The rows of the k nearest [Q, k], once all references have been seen."""
    found = np.concatenate([np.empty((0, plan.k), np.intp), *(each.found for each in searches)])
    hard = np.concatenate([np.empty(0, np.bool_), *(each.hard.cpu() for each in searches)])
    for part in slices(slice(0, hard.sum()), QUERY_BLOCK):
        rows = np.flatnonzero(hard)[part]
        found[rows] = _compare_all(queries[rows], plan.references, plan.k, memory)
    return found


def _compare_all(queries: Floats, references: Floats, k: int, memory: float) -> NDArray[np.intp]:
    query_block, reference_block = block_sizes(memory, references.shape[1])
    return nearest(queries, references, k, query_block=query_block, reference_block=reference_block)
