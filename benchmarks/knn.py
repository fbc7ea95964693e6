"""The search for nearest neighbours, and Centroid Accuracy, beside faiss and scikit-learn.

    python benchmarks/knn.py [--large] [--threads 2] [--repeats 3]

Five neighbours by cosine similarity of embeddings as CLIP has them (a narrow cone, two large
components, classes one after the other, a falling spectrum), and of Gaussian noise. faiss has its
IndexFlatIP on unit vectors, which are made and added within its time, as ours reads and scales its
own; `same` is the share of the first way's answers that a way gives too: all but what float32
cannot tell apart. All ways have the same number of threads; on a GPU ours is measured by the clock
too, with the device's memory. Vectors are in files. `--large`: further sizes too.
"""

import os
import tempfile
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from contextlib import chdir
from dataclasses import dataclass
from functools import partial

import faiss
import numpy as np
import torch
from measuring import Prepare, compare, print_comparison
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid
from threadpoolctl import threadpool_limits

from synset_factory.measures.centroids import centroid_outcomes, class_centroids
from synset_factory.neighbours.find import find_nearest

K = 5
MEMORY = 0.5  # GiB, as params.yaml has it
NAMES = ("references", "queries", "labels", "asked")
EACH = 1200  # references of a class


@dataclass(frozen=True)
class Size:
    """A search."""

    kind: str  # of the data: clip or random
    references: int
    queries: int
    dimensions: int

    def __str__(self) -> str:
        return f"{self.kind}, {self.references:,} x {self.queries:,} x {self.dimensions}"


SEARCHES = (
    Size("clip", 50_000, 5_000, 768),
    Size("clip", 100_000, 2_000, 768),
    Size("clip", 100_000, 5_000, 768),
    Size("random", 100_000, 5_000, 768),
)
LARGE_SEARCHES = (
    Size("clip", 200_000, 5_000, 768),
    Size("clip", 100_000, 5_000, 384),
)
CENTROIDS = (Size("clip", 50_000, 20_000, 768), Size("clip", 100_000, 20_000, 768))


def draw(size: Size, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return vectors [count, D] and their classes."""
    shape, rng = np.random.default_rng(1), np.random.default_rng(seed)
    classes = -(-size.references // EACH)
    labels = np.sort(rng.integers(0, classes, count))
    if size.kind == "random":
        return rng.standard_normal((count, size.dimensions), "f4"), labels
    cone = shape.standard_normal(size.dimensions)
    cone[:2] *= 10
    cone *= 0.75 * np.sqrt(size.dimensions) / np.linalg.norm(cone)
    spectrum = np.arange(1, size.dimensions + 1) ** -0.5
    spectrum *= np.sqrt(size.dimensions / (spectrum**2).sum())
    shape.shuffle(spectrum)
    means = 0.55 * shape.standard_normal((classes, size.dimensions), "f4")
    noise = 0.6 * rng.standard_normal((count, size.dimensions), "f4")
    return (cone + (means[labels] + noise) * spectrum).astype(np.float32), labels


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


Found = np.ndarray
Way = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], Found]


def ours(
    references: np.ndarray, queries: np.ndarray, _: np.ndarray, __: np.ndarray, device: str = "cpu"
) -> Found:
    return find_nearest([queries], references, K, memory=MEMORY, device=device)[0]


def ours_on_gpu(
    references: np.ndarray, queries: np.ndarray, _: np.ndarray, __: np.ndarray
) -> Found:
    return ours(references, queries, _, __, "cuda")


def faiss_flat_ip(
    references: np.ndarray, queries: np.ndarray, _: np.ndarray, __: np.ndarray
) -> Found:
    index = faiss.IndexFlatIP(references.shape[1])
    index.add(unit(references))
    return index.search(unit(queries), K)[1]


def scikit_learn_brute(
    references: np.ndarray, queries: np.ndarray, labels: np.ndarray, _: np.ndarray
) -> Found:
    model = KNeighborsClassifier(K, algorithm="brute", metric="cosine").fit(references, labels)
    return model.kneighbors(queries, return_distance=False)


def our_centroids(
    references: np.ndarray, queries: np.ndarray, labels: np.ndarray, asked: np.ndarray
) -> Found:
    centroids, classes = class_centroids(references, labels)
    return centroid_outcomes(queries, asked, centroids, classes, np.random.default_rng(0))


def scikit_learn_centroids(
    references: np.ndarray, queries: np.ndarray, labels: np.ndarray, asked: np.ndarray
) -> Found:
    model = NearestCentroid().fit(unit(references), labels)
    model.centroids_ = unit(model.centroids_)
    return model.predict(unit(queries)) == asked


def prepared(way: Way, threads: int) -> Callable[[], Found]:
    """What is timed: a way, on the files of the current folder."""
    torch.set_num_threads(threads)
    faiss.omp_set_num_threads(threads)
    threadpool_limits(threads)  # as long as the process lives
    data = [np.load(f"{name}.npy", mmap_mode="r") for name in NAMES]
    return partial(way, *data)


NEIGHBOUR_WAYS: dict[str, Way] = {"faiss, IndexFlatIP": faiss_flat_ip, "ours": ours}
if torch.cuda.is_available():
    NEIGHBOUR_WAYS["ours, on the GPU"] = ours_on_gpu
# Too slow for every size.
ONCE: dict[str, Way] = {"scikit-learn, brute force": scikit_learn_brute}
CENTROID_WAYS: dict[str, Way] = {
    "scikit-learn, NearestCentroid": scikit_learn_centroids,
    "ours": our_centroids,
}


def report(title: str, size: Size, ways: dict[str, Way], threads: int, repeats: int) -> None:
    """Print what ways take, and how many of the first one's answers they give."""
    for names, count, seed in (
        (("references", "labels"), size.references, 2),
        (("queries", "asked"), size.queries, 3),
    ):
        for name, array in zip(names, draw(size, count, seed), strict=True):
            np.save(f"{name}.npy", array)
    prepares: dict[str, Prepare] = {
        name: partial(prepared, way, threads) for name, way in ways.items()
    }
    rows = compare(prepares, repeats=repeats)
    first = rows[0].result
    print_comparison(
        f"{title}: {size}; threads: {threads}",
        rows,
        more={"same": [f"{np.mean(row.result == first):.4%}" for row in rows]},
    )


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--large", action="store_true", help="at larger sizes too")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="all cores")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    threads, repeats = arguments.threads, arguments.repeats
    searches: Sequence[Size] = SEARCHES + (LARGE_SEARCHES if arguments.large else ())
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        for number, size in enumerate(searches):
            ways = NEIGHBOUR_WAYS | (ONCE if number == 0 else {})
            report("neighbours", size, ways, threads, repeats)
        for size in CENTROIDS:
            report("Centroid Accuracy", size, CENTROID_WAYS, threads, repeats)


if __name__ == "__main__":
    main()
