"""The quick search gives what the exact one gives, whatever the data, and its bounds are true."""

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from synset_factory.measures.knn import nearest
from synset_factory.measures.vectors import GRID, UndefinedMeasure, fixed_point
from synset_factory.neighbours import block_search, find, frame
from synset_factory.neighbours.block_search import BlockSearch
from synset_factory.neighbours.find import find_nearest
from synset_factory.neighbours.frame import find_frame
from synset_factory.neighbours.products import Seen, has_exact_products, multiply
from synset_factory.neighbours.sizes import GROUP
from synset_factory.neighbours.whole_numbers import (
    Room,
    largest_number,
    prepare,
    rounding_slack,
    sum_slack,
)

REPOSITORY = Path(__file__).parents[2]
MEMORY = 0.02
DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")),
]


@pytest.fixture(autouse=True)
def _never_the_plain_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(find, "FEW", 0)


def like_clip(seed: int, rows: int, dims: int = 96) -> np.ndarray:
    """Vectors as CLIP has them: a narrow cone, two large components, classes, a falling spectrum.

    Classes come one after the other.
    """
    shape, rng = np.random.default_rng(1), np.random.default_rng(seed)
    cone = shape.normal(size=dims)
    cone[:2] *= 8
    scale = np.arange(1, dims + 1) ** -0.5 * np.sqrt(dims / 8)
    means = 0.5 * shape.normal(size=(6, dims))
    labels = np.sort(rng.integers(0, 6, rows))
    spread = (means[labels] + 0.6 * rng.normal(size=(rows, dims))) * scale
    return (cone * np.sqrt(dims) / np.linalg.norm(cone) + spread).astype(np.float32)


def uniform(seed: int, rows: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, 40)).astype(np.float32)


def near_ties(seed: int, rows: int) -> np.ndarray:
    """Directions that differ by 1e-7 to 1e-4: 8 and 16 bits see but one."""
    rng = np.random.default_rng(seed)
    apart = 10.0 ** rng.uniform(-7, -4, (rows, 1))
    centre = np.random.default_rng(0).normal(size=24)
    return (centre + apart * rng.normal(size=(rows, 24))).astype(np.float32)


def exact_ties(seed: int, rows: int) -> np.ndarray:
    """Seven directions, each many times, in lengths from 1e-30 to 1e30."""
    rng = np.random.default_rng(seed)
    directions = np.random.default_rng(0).integers(-3, 4, (7, 24)) + 0.5
    return directions[rng.integers(0, 7, rows)] * 2.0 ** rng.integers(-100, 100, (rows, 1))


def one_direction(seed: int, rows: int) -> np.ndarray:
    lengths = np.random.default_rng(seed).uniform(0.1, 9, (rows, 1)).astype(np.float32)
    return lengths * np.ones(20, dtype=np.float32)


def few_components(seed: int, rows: int) -> np.ndarray:
    """Nearly all components are 0, as after a classifier's last activation."""
    rng = np.random.default_rng(seed)
    return (rng.random((rows, 50)) * (rng.random((rows, 50)) < 0.1) + np.eye(50)[0] / 9).astype(
        "f4"
    )


Kind = Callable[[int, int], np.ndarray]
KINDS: list[Kind] = [like_clip, uniform, near_ties, exact_ties, one_direction, few_components]


def found_by(queries: np.ndarray, references: np.ndarray, k: int, **options: object) -> np.ndarray:
    chosen: dict[str, Any] = {"memory": MEMORY} | options
    return find_nearest([queries], references, k, **chosen)[0]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("k", [1, 5])
def test_the_answer_is_that_of_the_exact_search(kind: Kind, k: int, device: str) -> None:
    queries, references = kind(1, 70), kind(2, 3000)
    found = found_by(queries, references, k, device=device)
    assert np.array_equal(found, nearest(queries, references, k))


@settings(deadline=None, derandomize=True, max_examples=25)
@given(
    seed=st.integers(0, 2**32 - 1),
    kinds=st.tuples(st.sampled_from(KINDS[2:5]), st.sampled_from([1, 3, 11, 400])),
    sizes=st.tuples(st.integers(1, 20), st.integers(1, 200)),
    memory=st.sampled_from([1e-6, 1e-4, 1e-3, 1.0]),
)
def test_any_sizes_and_memory_give_the_same(
    seed: int, kinds: tuple[Kind, int], sizes: tuple[int, int], memory: float
) -> None:
    kind, k = kinds
    queries, references = kind(seed, sizes[0]), kind(seed + 1, sizes[1])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(find, "FEW", 0)
        found = found_by(queries, references, k, memory=memory)
    assert np.array_equal(found, nearest(queries, references, k))


@pytest.mark.parametrize("memory", [2e-3, 0.5])
def test_sets_that_are_asked_together_are_answered_as_alone(memory: float) -> None:
    references = like_clip(0, 2000)
    sets = [like_clip(1, 120), like_clip(2, 1)[:0], like_clip(3, 50)]
    together = find_nearest(sets, references, 5, memory=memory)
    assert [len(found) for found in together] == [120, 0, 50]
    for queries, found in zip(sets, together, strict=True):
        assert np.array_equal(found, nearest(queries, references, 5))


def test_a_processor_without_products_of_8_bits_gives_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(block_search, "has_exact_products", lambda device: False)
    queries, references = like_clip(1, 70), like_clip(2, 3000)
    assert np.array_equal(found_by(queries, references, 5), nearest(queries, references, 5))


@pytest.mark.parametrize("dims", [768, 1024, 2048])
def test_products_of_whole_numbers_are_exact_either_way(
    dims: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    largest = largest_number(dims)
    rng = np.random.default_rng(0)
    drawn = rng.integers(-largest, largest + 1, (40, dims)).astype(np.int8)
    drawn[0], drawn[1] = largest, -largest  # the largest sums
    numbers = torch.from_numpy(drawn)
    expected = drawn.astype(np.int64) @ drawn.astype(np.int64).T
    for dtype in (torch.float32, torch.int32):
        if dtype == torch.float32 or has_exact_products("cpu"):
            room = torch.empty(1600, dtype=dtype)
            assert np.array_equal(multiply(numbers, numbers, room).numpy(), expected)


def bounds_of(queries: np.ndarray, references: np.ndarray) -> tuple[np.ndarray, ...]:
    """What is true of all pairs, less the centre's part, and what the products say: the pair's
    product by whole numbers and by float32, with the margin of each.
    """
    common = find_frame([queries], references)
    rows = slice(0, len(references))
    rooms = [Room.of(len(each), each.shape[1]) for each in (queries, references)]
    asked = prepare(queries, slice(0, len(queries)), common.of_queries, 1, "cpu", rooms[0])
    tile = prepare(references, rows, common.of_references, GROUP, "cpu", rooms[1])
    products = asked.numbers.double() @ tile.numbers.double().T
    seen = Seen.of(asked, tile, products.view(len(queries), GROUP, -1))
    whole = (seen.products * seen.scale[:, None]).reshape(len(queries), -1)[:, rows]
    margin = seen.margin.repeat(1, GROUP)[:, rows]
    width = asked.turned.shape[1]
    longest, farthest = asked.length[:, None], tile.length.max()
    narrow = rounding_slack(width) * (longest + farthest)
    narrow = narrow + sum_slack(width) * longest * farthest
    close = (asked.turned @ tile.turned.T)[:, rows]
    points = fixed_point(queries) / GRID
    true = points @ (fixed_point(references) / GRID - common.of_references.centre.numpy()).T
    return true, whole.numpy(), margin.numpy(), close.numpy(), narrow.numpy()


@pytest.mark.parametrize("kind", KINDS)
def test_the_truth_lies_within_both_bounds(kind: Kind) -> None:
    true, whole, margin, close, narrow = bounds_of(kind(1, 90), kind(2, 1000))
    assert (np.abs(true - whole) <= margin).all()
    assert (np.abs(true - close) <= narrow).all()
    assert narrow.max() < 2e-4


def test_the_bounds_say_something() -> None:
    true, whole, margin, _, narrow = bounds_of(like_clip(1, 90, 768), like_clip(2, 1000, 768))
    # Cauchy's bound is wide, 27 times what errors are that know nothing of each other.
    assert 1 < margin.mean() / np.abs(true - whole).mean() < 100
    assert margin.max() < 0.03 < np.ptp(true, axis=1).mean() / 10
    assert narrow.max() < 0.01 * margin.mean()


def test_few_references_are_looked_at_where_the_data_are_as_clip_has_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[BlockSearch] = []
    search_all = find._search_all

    def spied(searches: list[BlockSearch], *others: Any) -> None:
        made.extend(searches)
        search_all(searches, *others)

    monkeypatch.setattr(find, "_search_all", spied)
    found_by(like_clip(1, 200, 768), like_clip(2, 20_000, 768), 5)
    looked_at = torch.cat([search.looked_at for search in made])
    assert len(looked_at) == 200
    assert 5 <= looked_at.double().mean() < 0.01 * 20_000
    assert not any(search.hard.any() for search in made)


def test_what_bounds_cannot_settle_is_compared_with_all(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def spied(queries: np.ndarray, references: np.ndarray, k: int, memory: float) -> np.ndarray:
        asked.append(len(queries))
        return nearest(queries, references, k)

    monkeypatch.setattr(find, "_compare_all", spied)
    # A tenth of the references, the last ones, are one vector; seven queries are that vector too.
    references, queries = like_clip(0, 20_000), like_clip(1, 60)
    references[-2000:] = references[0]
    queries[:7] = references[0]
    assert np.array_equal(found_by(queries, references, 5), nearest(queries, references, 5))
    assert sum(asked) >= 7 and sum(asked) < 40


def test_candidates_are_compared_before_they_are_more_than_was_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept: list[tuple[int, int]] = []
    scan_tile = BlockSearch._scan_tile

    def spied(search: BlockSearch, *of_tile: Any) -> None:
        kept.append((search.count_waiting(), search.plan.sizes.candidates))
        scan_tile(search, *of_tile)

    monkeypatch.setattr(BlockSearch, "_scan_tile", spied)
    # So that a query does not count as hard: all near ties are candidates.
    monkeypatch.setattr(block_search, "MOST_SHARE", 1.0)
    queries, references = near_ties(1, 40), near_ties(2, 3000)
    found = found_by(queries, references, 5, memory=1e-3)
    assert np.array_equal(found, nearest(queries, references, 5))
    assert max(count for count, _ in kept) > 0
    assert all(count <= most for count, most in kept)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_threads_share_the_work_and_change_nothing(threads: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        queries, references = like_clip(1, 1500), like_clip(2, 3000)
        found = found_by(queries, references, 5)
        assert torch.get_num_threads() == threads
        with ThreadPoolExecutor(1) as pool:  # a thread begun later has as many
            assert pool.submit(torch.get_num_threads).result() == threads
    finally:
        torch.set_num_threads(before)
    assert np.array_equal(found, nearest(queries, references, 5))


def test_errors() -> None:
    vectors = uniform(0, 300)
    with pytest.raises(ValueError, match="no references"):
        found_by(vectors, vectors[:0], 1)
    with pytest.raises(ValueError, match="at least 1"):
        found_by(vectors, vectors, 0)
    broken = vectors.copy()
    broken[203] = 0.0
    with pytest.raises(UndefinedMeasure, match="embedding row 203 has length 0"):
        found_by(vectors, broken, 1)
    broken[203] = np.nan
    with pytest.raises(UndefinedMeasure, match="embedding row 203"):
        found_by(broken, vectors, 1)


def test_a_block_of_queries_that_fails_keeps_no_other_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(frame, "SAMPLE", 2)  # not the broken one
    queries = uniform(0, 3000)
    queries[203] = np.nan
    with pytest.raises(UndefinedMeasure, match="embedding row 203"):
        found_by(queries, uniform(1, 300), 1, memory=1e-3)


MEASURED = """
import resource, sys
import numpy as np
from synset_factory.neighbours.find import find_nearest

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

rng = np.random.default_rng(0)
references = rng.standard_normal((30_000, 192), dtype="f4")
if sys.argv[2] == "ties":
    references[:] = references[:1]
find_nearest([references[:40]], references[:4096], 5, memory=0.002)
before = peak()
find_nearest([references[:1500]], references, 5, memory=float(sys.argv[1]))
print(peak() - before)
"""


@pytest.mark.parametrize(("memory", "data"), [(0.05, "random"), (0.05, "ties")])
def test_a_search_takes_no_more_memory_than_was_set(memory: float, data: str) -> None:
    words = [sys.executable, "-c", MEASURED, str(memory), data]
    done = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    # Beside blocks: the queries that no bound settles, and what the allocator keeps.
    assert float(done.stdout) < 1024 * memory + 20
