"""Table 6 on random embeddings of the paper's size scaled down: time, memory, and how both grow.

    python benchmarks/table6.py [--full]

The paper has 1,000 classes of 1,200 training and 50 validation images in 768 dimensions. Each
scale is the stage `clip_tables` itself (Centroid Distances and all 36 rows) on files of such
embeddings, in a process of its own with one thread. CPU seconds are user and system time, which a
busy machine changes less than the clock; memory is the peak of the process's anonymous pages,
every 10 ms: what must be in RAM, without the files that it has mapped. Beside it, for one row of
the table: our search for neighbours, and scikit-learn's.

`--full` instead: one row of all 1.2 million references (7 GB of disk), of 1,000 queries.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from scipy.optimize import nnls
from sklearn.neighbors import KNeighborsClassifier
from tqdm import tqdm

from synset_factory import layout
from synset_factory.config import load_params
from synset_factory.embedding_files import IMAGE, PROMPT, Embeddings, read_embeddings, write_batches
from synset_factory.measures.knn import nearest
from synset_factory.measures.vectors import unit_vectors
from synset_factory.nearest_neighbours import find_nearest
from synset_factory.records import TRAIN, VALIDATION, image_key
from synset_factory.table_rows import NEIGHBOURS
from synset_factory.tables import PAPER_SETS, ClipSource, experiments

REPOSITORY = Path(__file__).parents[1]
MEMORY = 0.5  # GiB, as params.yaml has it


@dataclass(frozen=True)
class Scale:
    """A size of the experiment."""

    classes: int
    train: int  # images a class
    validation: int  # images a class
    dimensions: int

    def images(self, split: str) -> int:
        """Images a class in a split."""
        return self.train if split == TRAIN else self.validation

    def rows(self, source: ClipSource, split: str) -> int:
        """Embeddings of a source: PromptAug has a prompt an image, other sets one a class."""
        one = source.modality == PROMPT and source.image_set != "promptaug"
        return self.classes * (1 if one else self.images(split))

    def __str__(self) -> str:
        return f"{self.classes:5,} x ({self.train:5,} + {self.validation:2}) x {self.dimensions}"


PAPER = Scale(1_000, 1_200, 50, 768)
SCALES = (
    Scale(20, 240, 10, 768),
    Scale(50, 240, 10, 192),
    Scale(50, 240, 10, 768),
    Scale(50, 480, 20, 384),
    Scale(100, 240, 10, 768),
    Scale(100, 480, 20, 384),
)
ROW = Scale(100, 480, 20, 768)
FULL = Scale(1_000, 1_200, 1, 768)
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


def write_set(name: str, scale: Scale) -> None:
    """Write a set of random embeddings: a mean for each class, and noise around it."""
    rng = np.random.default_rng(sum(map(ord, name)))
    means = np.random.default_rng(0).standard_normal((scale.classes, scale.dimensions), "f4")
    tables, counts = [], []
    for modality in (IMAGE, PROMPT)[: 1 if name == "natural" else 2]:
        for split in (TRAIN, VALIDATION):
            count = scale.rows(ClipSource(image_set=name, modality=modality), split)
            labels = np.repeat(np.arange(scale.classes), count // scale.classes)
            keys = [image_key(f"n{label:08}", split, i) for i, label in enumerate(labels)]
            table = pd.DataFrame({"cls": labels, "key": keys, "wnid": [key[:9] for key in keys]})
            tables.append(table.assign(modality=modality, split=split))
            counts.append(labels)

    def batches() -> Iterator[np.ndarray]:
        for labels in counts:
            for part in np.array_split(labels, -(-len(labels) // 4096)):
                noise = rng.standard_normal((len(part), scale.dimensions), "f4")
                yield means[part] + 2.0 * noise

    write_batches(layout.embeddings(name), pd.concat(tables, ignore_index=True), batches())


def anonymous_mebibytes(pid: int) -> float:
    """Memory of a process that is in no file, at this moment; 0 once it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return next((int(x.split()[1]) / 1024 for x in lines if x.startswith("RssAnon")), 0.0)


def watched(*words: str) -> tuple[float, float, float, str]:
    """Run Python so; return its seconds, its CPU seconds, its peak in MiB, what it printed."""
    environment = os.environ | ONE_THREAD | {"PYTHONPATH": str(REPOSITORY / "src")}
    before, start, peak = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter(), 0.0
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(
            [sys.executable, *words], env=environment, stdout=said, stderr=subprocess.DEVNULL
        ) as process,
    ):
        while process.poll() is None:
            peak = max(peak, anonymous_mebibytes(process.pid))
            time.sleep(0.01)
        seconds = time.perf_counter() - start
        assert process.returncode == 0, words
        said.seek(0)
        text = said.read().decode()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, cpu, peak, text


def run_stage(scale: Scale, memory: float) -> tuple[float, float, float]:
    """Run `clip_tables` in the current folder; return seconds, CPU seconds, peak in MiB."""
    params = load_params(REPOSITORY / layout.PARAMS) | {"clip_tables": {"memory": memory}}
    layout.PARAMS.write_text(yaml.safe_dump(params))
    for name in PAPER_SETS:
        write_set(name, scale)
    return watched("-m", "synset_factory.stages.clip_tables")[:3]


def work(scale: Scale) -> list[float]:
    """Return what the time may depend on: a start, multiplications of k-nn, its products among
    which the largest are looked for, numbers read and summed.
    """
    sizes = [
        (scale.rows(e.reference, TRAIN), scale.rows(e.query, VALIDATION), e.has_knn)
        for e in experiments()
    ]
    products = sum(references * queries for references, queries, knn in sizes if knn)
    numbers = sum(references + queries for references, queries, _ in sizes)
    return [1.0, products * scale.dimensions, products, numbers * scale.dimensions]


def ours(references: Embeddings, queries: Embeddings) -> None:
    """The search as the stage does it."""
    find_nearest([queries.vectors], references.vectors, NEIGHBOURS, memory=MEMORY)


def every_product_in_float64(references: Embeddings, queries: Embeddings) -> None:
    """The search that ours must equal."""
    nearest(queries.vectors, references.vectors, NEIGHBOURS)


def scikit_learn_cosine(references: Embeddings, queries: Embeddings) -> None:
    """KNeighborsClassifier with its own cosine distance, float32 as stored."""
    model = KNeighborsClassifier(NEIGHBOURS, algorithm="brute", metric="cosine")
    model.fit(references.vectors, references.labels).kneighbors(queries.vectors)


def scikit_learn_euclidean(references: Embeddings, queries: Embeddings) -> None:
    """KNeighborsClassifier on unit vectors, float64: its fastest way, with the same order."""
    model = KNeighborsClassifier(NEIGHBOURS, algorithm="brute")
    model.fit(unit_vectors(references.vectors), references.labels)
    model.kneighbors(unit_vectors(queries.vectors))


EACH_WAY = (ours, every_product_in_float64, scikit_learn_cosine, scikit_learn_euclidean)
WAYS: dict[str, Callable[[Embeddings, Embeddings], None]] = {way.__name__: way for way in EACH_WAY}


def time_row(way: str) -> None:
    """Print the CPU seconds that the search of a row takes, without reading."""
    references = read_embeddings("natural", IMAGE, TRAIN)
    queries = read_embeddings("natural", IMAGE, VALIDATION)
    start = time.process_time()
    WAYS[way](references, queries)
    print(time.process_time() - start)


def compare_ways(scale: Scale, ways: list[str]) -> None:
    """Print what the search of one row takes by each way."""
    write_set("natural", scale)
    print(f"\nneighbours of one row, {scale}\nway                         CPU s     MiB")
    for way in ways:
        _, _, peak, said = watched(str(Path(__file__).resolve()), "--row", way)
        print(f"{way:24}  {float(said):7.1f}  {peak:6.0f}")


def report_law(measured: dict[Scale, tuple[float, float, float]]) -> None:
    """Fit CPU seconds = coefficients x `work`, errors relative, and foretell the paper's size."""
    cpu = np.array([seconds for _, seconds, _ in measured.values()])
    terms = np.array([work(scale) for scale in measured])
    largest = terms.max(axis=0)
    fitted, _ = nnls(terms / largest / cpu[:, None], np.ones(len(cpu)))
    law = fitted / largest
    foretold = terms @ law
    print(
        f"\nCPU seconds = {law[0]:.1f} + {law[1]:.3g} x sum(references x queries x D) "
        f"+ {law[2]:.3g} x sum(references x queries) "
        f"+ {law[3]:.3g} x sum((references + queries) x D)"
    )
    print(f"largest error of the law: {100 * np.abs(foretold / cpu - 1).max():.0f}%")
    print(f"foretold for {PAPER}: {np.dot(work(PAPER), law) / 3600:.1f} CPU hours")


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="one row of all references instead")
    parser.add_argument("--row", choices=WAYS, help="time one row by one way, and nothing else")
    arguments = parser.parse_args()
    if arguments.row:
        time_row(arguments.row)
        return
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", flush=True)
        if arguments.full:
            compare_ways(FULL, ["ours"])
            return
        measured = {s: run_stage(s, MEMORY) for s in tqdm(SCALES, desc="scales", unit="scale")}
        print("classes x (train + validation) x D   seconds  CPU s    MiB")
        for scale, (seconds, cpu, peak) in measured.items():
            print(f"{scale!s:35}  {seconds:7.1f}  {cpu:6.1f}  {peak:5.0f}", flush=True)
        report_law(measured)
        print(f"\nmemory as set, {SCALES[2]}\n    GiB  seconds  CPU s    MiB")
        for memory in (0.5, 0.1, 0.02):
            seconds, cpu, peak = run_stage(SCALES[2], memory)
            print(f"{memory:7}  {seconds:7.1f}  {cpu:6.1f}  {peak:5.0f}")
        compare_ways(ROW, list(WAYS))
        print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
