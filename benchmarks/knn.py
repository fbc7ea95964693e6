"""The search for nearest neighbours, and Centroid Accuracy, beside faiss and scikit-learn.

    python benchmarks/knn.py [--threads 2] [--repeats 3]

Five neighbours by cosine similarity of embeddings as CLIP has them (a narrow cone, two large
components, classes one after the other, a falling spectrum), and of Gaussian noise. faiss has its
IndexFlatIP on unit vectors, which are made and added within its time, as ours reads and scales its
own; both give the same rows but for what float32 cannot tell apart. Each run is a process of its
own; ways take turns, and the median counts. CPU seconds are user and system time; memory is the
peak of anonymous pages over what was there before the search, every 10 ms, vectors in files.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import faiss
import numpy as np
import torch
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid
from threadpoolctl import threadpool_limits

from synset_factory.measures.centroids import centroid_outcomes, class_centroids
from synset_factory.nearest_neighbours import find_nearest

K = 5
MEMORY = 0.5  # GiB, as params.yaml has it
FLAGS = ("avx512_vnni", "avx_vnni", "avx512_bf16", "amx_int8", "amx_bf16", "avx512f", "avx2")
EACH = 1200  # references of a class


@dataclass(frozen=True)
class Size:
    """A search."""

    kind: str  # of the data: clip or random
    references: int
    queries: int
    dimensions: int

    def __str__(self) -> str:
        counts = f"{self.references:7,} x {self.queries:5,} x {self.dimensions:4}"
        return f"{self.kind:6}  {counts}"


SEARCHES = (
    Size("clip", 100_000, 2_000, 768),
    Size("clip", 100_000, 5_000, 768),
    Size("clip", 200_000, 5_000, 768),
    Size("clip", 100_000, 5_000, 384),
    Size("random", 100_000, 5_000, 768),
)
CENTROIDS = Size("clip", 100_000, 20_000, 768)


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


NEIGHBOUR_WAYS: dict[str, Way] = {"faiss_flat_ip": faiss_flat_ip, "ours": ours}
if torch.cuda.is_available():
    NEIGHBOUR_WAYS["ours_on_gpu"] = ours_on_gpu
ONCE: dict[str, Way] = {"scikit_learn_brute": scikit_learn_brute}  # too slow for every size
CENTROID_WAYS: dict[str, Way] = {
    "scikit_learn_centroids": scikit_learn_centroids,
    "our_centroids": our_centroids,
}
WAYS = NEIGHBOUR_WAYS | ONCE | CENTROID_WAYS


def anonymous_mebibytes(pid: int) -> float:
    """Memory of a process that is in no file, at this moment; 0 once it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return next((int(x.split()[1]) / 1024 for x in lines if x.startswith("RssAnon")), 0.0)


def run_way(arguments: Namespace) -> None:
    """Print what a way takes, as JSON; its answer goes to a file."""
    torch.set_num_threads(arguments.threads)
    faiss.omp_set_num_threads(arguments.threads)
    names = ("references", "queries", "labels", "asked")
    data = [np.load(f"{name}.npy", mmap_mode="r") for name in names]
    way = WAYS[arguments.way]
    with threadpool_limits(arguments.threads):
        # Libraries load what they need.
        way(*(each[:: max(1, len(each) // 2500)].copy() for each in data))
        before = anonymous_mebibytes(os.getpid())
        wall, cpu = time.perf_counter(), time.process_time()
        found = way(*data)
        figures = {"cpu": time.process_time() - cpu, "seconds": time.perf_counter() - wall}
    np.save(f"{arguments.way}.found.npy", found)
    print(json.dumps(figures | {"before": before}))


def watched(words: list[str], folder: Path) -> dict[str, float]:
    """Run a way in a process of its own; return its figures and its peak memory in MiB."""
    peak = 0.0
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(words, cwd=folder, stdout=said, stderr=subprocess.DEVNULL) as process,
    ):
        while process.poll() is None:
            peak = max(peak, anonymous_mebibytes(process.pid))
            time.sleep(0.01)
        assert process.returncode == 0, words
        said.seek(0)
        figures: dict[str, float] = json.loads(said.read())
    return figures | {"mebibytes": peak - figures["before"]}


def measure(
    ways: list[str], size: Size, folder: Path, threads: int, repeats: int
) -> dict[str, dict[str, float]]:
    """Return medians of what ways take, by way."""
    for names, count, seed in (
        (("references", "labels"), size.references, 2),
        (("queries", "asked"), size.queries, 3),
    ):
        for name, array in zip(names, draw(size, count, seed), strict=True):
            np.save(folder / f"{name}.npy", array)
    told: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    for _ in range(repeats):
        for way in ways:
            words = [sys.executable, str(Path(__file__).resolve())]
            words += ["--way", way, "--threads", str(threads)]
            told[way].append(watched(words, folder))
    return {
        way: {name: median(run[name] for run in runs) for name in runs[0]}
        for way, runs in told.items()
    }


def report(size: Size, ways: list[str], folder: Path, arguments: Namespace) -> None:
    """Print a line for each way; ratios are to the first."""
    figures = measure(ways, size, folder, arguments.threads, arguments.repeats)
    first = np.load(folder / f"{ways[0]}.found.npy")
    for way in ways:
        found, taken = np.load(folder / f"{way}.found.npy"), figures[way]
        same = 100 * np.mean(found == first)
        ratio = figures[ways[0]]["cpu"] / taken["cpu"]
        print(
            f"{size!s}  {way:22}  {taken['cpu']:6.2f}  {taken['seconds']:6.2f}  {ratio:5.2f}"
            f"  {taken['mebibytes']:5.0f}  {same:8.4f}",
            flush=True,
        )


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--way", choices=WAYS, help="run one way here, and nothing else")
    arguments = parser.parse_args()
    if arguments.way:
        run_way(arguments)
        return
    told = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((x.partition(": ")[2] for x in told if x.startswith("model name")), "processor")
    flags = next((x.split() for x in told if x.startswith("flags")), [])
    print(f"{model}, {' '.join(flag for flag in FLAGS if flag in flags)}")
    print(f"{arguments.threads} threads, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print("ratio: CPU s of the first way to CPU s; same: % of the first way's answers")
    columns = f"{'data    references x queries x D':34}  {'way':22}"
    print(f"{columns}   CPU s       s  ratio    MiB      same")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number, size in enumerate(SEARCHES):
            report(size, [*NEIGHBOUR_WAYS, *(ONCE if number == 0 else ())], folder, arguments)
        report(CENTROIDS, list(CENTROID_WAYS), folder, arguments)
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
