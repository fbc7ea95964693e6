"""Table 6 on random embeddings of the paper's size scaled down: time, memory, and how both grow.

    python benchmarks/table6.py [--full]

The paper has 1,000 classes of 1,200 training and 50 validation images in 768 dimensions. Each
scale is the stage `clip_tables` itself (Centroid Distances and all 36 rows) on files of such
embeddings, in a process of its own with one thread, once; CPU seconds, which a busy machine
changes less than the clock, give the law. Beside it, for one row of the table: scikit-learn's
search for neighbours, and ours.

`--full` instead: one row of all 1.2 million references (7 GB of disk), of 1,000 queries.
"""

import os
import sys
import tempfile
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import chdir
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import yaml
from measuring import Measured, Prepare, compare, print_comparison, print_table, run_command
from scipy.optimize import nnls
from sklearn.neighbors import KNeighborsClassifier
from tqdm import tqdm

from synset_factory import layout
from synset_factory.config import load_params
from synset_factory.embedding_files import IMAGE, PROMPT, Embeddings, read_embeddings, write_batches
from synset_factory.measures.knn import nearest
from synset_factory.measures.vectors import unit_vectors
from synset_factory.neighbours.find import find_nearest
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
        return f"{self.classes:,} x ({self.train:,} + {self.validation}) x {self.dimensions}"


PAPER = Scale(1_000, 1_200, 50, 768)
SCALES = (
    Scale(20, 240, 10, 768),
    Scale(50, 240, 10, 192),
    Scale(50, 240, 10, 768),
    Scale(50, 480, 20, 384),
    Scale(100, 240, 10, 768),
    Scale(100, 480, 20, 384),
)
MEMORY_SCALE, MEMORIES = SCALES[2], (0.5, 0.1, 0.02)  # GiB
ROW = Scale(100, 480, 20, 768)
FULL = Scale(1_000, 1_200, 1, 768)
OURS = "ours: exact, ties by rule"
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


def run_stage(scale: Scale, memory: float) -> Measured:
    """Run `clip_tables` in the current folder."""
    params = load_params(REPOSITORY / layout.PARAMS) | {"clip_tables": {"memory": memory}}
    params["threads"] = 1
    params["run"] |= {"device": "cpu"}
    layout.PARAMS.write_text(yaml.safe_dump(params))
    for name in PAPER_SETS:
        write_set(name, scale)
    words = [sys.executable, "-m", "synset_factory.stages.clip_tables"]
    return run_command(str(scale), words)


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


def prepared(way: Callable[[Embeddings, Embeddings], None]) -> Callable[[], None]:
    """What is timed: the search of a row, the files being read already."""
    torch.set_num_threads(1)
    references = read_embeddings("natural", IMAGE, TRAIN)
    queries = read_embeddings("natural", IMAGE, VALIDATION)
    return partial(way, references, queries)


WAYS: dict[str, Prepare] = {
    "scikit-learn, brute force, cosine, float32": partial(prepared, scikit_learn_cosine),
    "scikit-learn, of unit vectors, float64": partial(prepared, scikit_learn_euclidean),
    "every product in float64": partial(prepared, every_product_in_float64),
    OURS: partial(prepared, ours),
}


def compare_ways(scale: Scale, ways: dict[str, Prepare]) -> None:
    """Print what the search of one row takes by each way."""
    write_set("natural", scale)
    print_comparison(f"neighbours of one row, {scale}", compare(ways, repeats=1))


def report_law(measured: dict[Scale, Measured]) -> None:
    """Fit CPU seconds = coefficients x `work`, errors relative, and foretell the paper's size."""
    cpu = np.array([run.cpu_seconds for run in measured.values()])
    terms = np.array([work(scale) for scale in measured])
    largest = terms.max(axis=0)
    fitted, _ = nnls(terms / largest / cpu[:, None], np.ones(len(cpu)))
    law = fitted / largest
    error = np.abs(terms @ law / cpu - 1).max()
    print_table(
        ["law of clip_tables", "CPU s"],
        [
            ["start", f"{law[0]:.1f}"],
            ["for 1e9 of sum(references x queries x D)", f"{1e9 * law[1]:.3g}"],
            ["for 1e9 of sum(references x queries)", f"{1e9 * law[2]:.3g}"],
            ["for 1e9 of sum((references + queries) x D)", f"{1e9 * law[3]:.3g}"],
            ["largest error where it was fitted", f"{error:.0%}"],
            [f"foretold for {PAPER}, hours", f"{np.dot(work(PAPER), law) / 3600:.1f}"],
        ],
    )


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="one row of all references instead")
    full = parser.parse_args().full
    os.environ.update(ONE_THREAD)  # of the processes that are started
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        if full:
            compare_ways(FULL, {OURS: WAYS[OURS]})
            return
        measured = {s: run_stage(s, MEMORY) for s in tqdm(SCALES, desc="scales", unit="scale")}
        title = "clip_tables, classes x (train + validation) x D"
        print_comparison(title, list(measured.values()))
        report_law(measured)
        again = {memory: run_stage(MEMORY_SCALE, memory) for memory in MEMORIES}
        rows = [replace(run, way=f"{memory} GiB") for memory, run in again.items()]
        print_comparison(f"clip_tables.memory, {MEMORY_SCALE}", rows)
        compare_ways(ROW, WAYS)


if __name__ == "__main__":
    main()
