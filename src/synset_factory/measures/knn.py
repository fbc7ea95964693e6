"""k-nn by cosine similarity (Section 5, Table 6), in blocks, exact.

`nearest` finds neighbours once; `vote` turns any first k of them into a prediction, so k = 1 and
k = 5 come from one pass:

    neighbours = reference_labels[nearest(queries, references, 5)]
    one, five = vote(neighbours[:, :1]), vote(neighbours)
"""

import math

import numpy as np
from numpy.typing import NDArray

from synset_factory.measures.vectors import Floats, Labels, fixed_point, require_labels

# 1024 x 8192 similarities are 64 MiB. The sizes shape no result, see `fixed_point`.
QUERY_BLOCK = 1024
REFERENCE_BLOCK = 8192
GIBIBYTE = 2.0**30


def nearest(
    queries: Floats,
    references: Floats,
    k: int,
    *,
    query_block: int = QUERY_BLOCK,
    reference_block: int = REFERENCE_BLOCK,
) -> NDArray[np.intp]:
    """The k references of highest cosine similarity to each query, the nearest first.

    References of equal similarity come in the order of their rows. Never more than query_block x
    reference_block similarities are held, and any block sizes give the same result.

    queries: [Q, D]; references: [R, D]. Returns rows of `references`, [Q, min(k, R)].
    Raises ValueError for no references, k < 1 or an embedding without a direction.
    """
    if len(references) == 0:
        raise ValueError("there are no references")
    if min(k, query_block, reference_block) < 1:
        raise ValueError("k and the block sizes must be at least 1")
    k = min(k, len(references))
    found = np.full((len(queries), k), -1, dtype=np.intp)
    similarity = np.full((len(queries), k), -np.inf)
    # References outside: they are the larger array, and each is read and scaled only once.
    for first_reference in range(0, len(references), reference_block):
        block = slice(first_reference, first_reference + reference_block)
        columns = fixed_point(references, block).T
        for first_query in range(0, len(queries), query_block):
            rows = slice(first_query, first_query + query_block)
            products = fixed_point(queries, rows) @ columns
            _keep_nearest(found[rows], similarity[rows], products, first_reference)
    return found


def block_sizes(memory: float, dimensions: int) -> tuple[int, int]:
    """The query and reference block with which `nearest` holds no more than `memory` GiB at once.

    They are never larger than QUERY_BLOCK and REFERENCE_BLOCK, beyond which nothing is gained, and
    keep their proportion. The bound is of the blocks: what is asked for and what comes back,
    16 bytes a neighbour, is the caller's. At the least it is one query.
    """
    # At its worst `nearest` has four float64 copies of a block of references, three of a block of
    # queries and three of their products: 8 bytes x (4 r d + 3 q d + 3 q r), where r = ratio x q.
    ratio = REFERENCE_BLOCK // QUERY_BLOCK
    square, linear = 3 * ratio, (4 * ratio + 3) * dimensions
    numbers = min(memory, 2.0**20) * GIBIBYTE / 8
    queries = (math.sqrt(linear**2 + 4 * square * numbers) - linear) / (2 * square)
    query_block = min(max(int(queries), 1), QUERY_BLOCK)
    return query_block, ratio * query_block


def vote(neighbour_labels: Labels) -> Labels:
    """The most frequent class among each query's neighbours.

    A tied vote goes to the nearest of the tied classes: the one whose nearest neighbour comes
    first. With one reference a class every vote is tied, so any k then equals k = 1 and Centroid
    Accuracy, as rows 5, 11, 17, 23 and 29 of Table 6 do.

    neighbour_labels: [Q, k], nearest first, k at least 1. Returns labels [Q].
    """
    counts = np.empty(neighbour_labels.shape, dtype=np.intp)
    for place in range(neighbour_labels.shape[1]):
        same = neighbour_labels == neighbour_labels[:, place, None]
        counts[:, place] = same.sum(axis=1)
    winners = counts.argmax(axis=1)  # the first of the largest counts
    predicted: Labels = neighbour_labels[np.arange(len(neighbour_labels)), winners]
    return predicted


def knn_predict(
    queries: Floats,
    references: Floats,
    reference_labels: Labels,
    k: int,
    *,
    query_block: int = QUERY_BLOCK,
    reference_block: int = REFERENCE_BLOCK,
) -> Labels:
    """The class of each query by k-nn: `nearest`, then `vote`. Fewer than k references: all vote.

    queries: [Q, D]; references: [R, D]; reference_labels: [R]. Returns labels [Q].
    Raises ValueError as `nearest` does, and where references and labels differ in number.
    """
    require_labels(reference_labels, len(references), "references")
    rows = nearest(queries, references, k, query_block=query_block, reference_block=reference_block)
    return vote(reference_labels[rows])


def _keep_nearest(
    found: NDArray[np.intp],
    similarity: NDArray[np.float64],
    products: NDArray[np.float64],
    first_reference: int,
) -> None:
    """Merge a block's products [q, r] into the k nearest so far, `found` and `similarity` [q, k].

    Blocks come in the order of the references, so an equal product never displaces an earlier
    one, and only queries with a larger product than their k-th have anything to merge.
    """
    k = found.shape[1]
    better = np.flatnonzero(products.max(axis=1) > similarity[:, -1])
    candidates = np.hstack([similarity[better], products[better]])
    earlier = found[better]
    each = np.arange(len(better))
    for place in range(k):
        best = candidates.argmax(axis=1)  # the first of equals
        kept = earlier[each, np.minimum(best, k - 1)]
        found[better, place] = np.where(best < k, kept, first_reference + best - k)
        similarity[better, place] = candidates[each, best]
        candidates[each, best] = -np.inf
