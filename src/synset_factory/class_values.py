"""Measures of single classes: a row of each, why another has none, their means, and both on disk.

A class that has no such measure (one image, only copies) is left out of the mean and named; where
no class has one, the mean is undefined and says of which class why.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from synset_factory.embedding_files import Embeddings
from synset_factory.measures.vectors import Floats, UndefinedMeasure
from synset_factory.tables import Row
from synset_factory.whole_files import whole_file


@dataclass(frozen=True, kw_only=True)
class ClassRows:
    """Rows of classes, and why other classes have none, by ImageNet's label."""

    rows: dict[int, Row] = field(default_factory=dict)
    left_out: dict[int, str] = field(default_factory=dict)


def rows_by_class(
    left: Embeddings, right: Embeddings, compute: Callable[[Floats, Floats], Row]
) -> ClassRows:
    """Compute a row of each class that two sets have, from its vectors in both, [N, D] and [M, D].

    A class for which `compute` raises UndefinedMeasure is left out, with its reason.
    """
    found = ClassRows()
    for label in np.intersect1d(left.labels, right.labels).tolist():
        try:
            found.rows[label] = compute(
                left.vectors[left.labels == label], right.vectors[right.labels == label]
            )
        except UndefinedMeasure as error:
            found.left_out[label] = str(error)
    return found


def mean_row(found: ClassRows, wnids: Mapping[int, str]) -> Row:
    """Return the mean of each figure over the classes that have a row, and how many these are.

    wnids: by ImageNet's label. Raises UndefinedMeasure where no class has one, naming the first.
    """
    if found.left_out and not found.rows:
        label, why = next(iter(found.left_out.items()))
        raise UndefinedMeasure(f"no class has it; of {wnids[label]}: {why}")
    if not found.rows:
        raise UndefinedMeasure("the two sets have no class in common")
    means = pd.DataFrame(list(found.rows.values())).mean()
    return {str(name): float(mean) for name, mean in means.items()} | {"classes": len(found.rows)}


@dataclass(frozen=True)
class ClassTables:
    """What is known of single classes, gathered from many comparisons, in long form."""

    wnids: Mapping[int, str]  # by ImageNet's label
    columns: tuple[str, ...]  # which comparison a row is of
    _values: list[dict[str, object]] = field(default_factory=list)
    _left_out: list[dict[str, object]] = field(default_factory=list)

    def add(self, found: ClassRows, *comparison: str) -> None:
        """Add the rows of one comparison, named as `columns` say: a line a figure and class."""
        where = dict(zip(self.columns, comparison, strict=True))
        for label, row in found.rows.items():
            place = {**where, "wnid": self.wnids[label], "cls": label}
            self._values.extend(
                {"measure": measure, **place, "value": float(value)}
                for measure, value in row.items()
            )
        for label, why in found.left_out.items():
            self._left_out.append({**where, "wnid": self.wnids[label], "cls": label, "why": why})

    def write(self, values: Path, left_out: Path) -> None:
        """Write measure, the columns, wnid, cls, value; and columns, wnid, cls, why."""
        place = [*self.columns, "wnid", "cls"]
        for path, rows, columns in (
            (values, self._values, ["measure", *place, "value"]),
            (left_out, self._left_out, [*place, "why"]),
        ):
            with whole_file(path) as partial:
                pd.DataFrame(rows, columns=columns).to_parquet(partial, index=False)
