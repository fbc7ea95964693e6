"""Holds the diagnoses against the causes that were put into the miniature world.

Run by hand, `python -m synset_factory.worlds.miniature.known_diagnoses`: only here are the causes
known. Which cause should give which diagnosis is in worlds/miniature_diagnoses.csv.
"""

from pathlib import Path

import pandas as pd

from synset_factory import layout
from synset_factory.config import ImageSet, claim_world, load_common
from synset_factory.errors import InputError, run_main
from synset_factory.markdown import markdown_table
from synset_factory.prompts.files import read_synsets, world_classes

ANY = "*"
COLUMNS = ["wnid", "prompts", "guidance_scale", "diagnosis", "cause"]


def read_expected(path: Path = layout.MINIATURE_DIAGNOSES) -> pd.DataFrame:
    """Read which cause should give which diagnosis; an empty one says that none is foreseen.

    Raises InputError if the columns are others.
    """
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    if list(table.columns) != COLUMNS:
        raise InputError(f"{path}, row 1: the columns must be {','.join(COLUMNS)}.")
    return table


def expected_diagnosis(table: pd.DataFrame, wnid: str, image_set: ImageSet) -> str:
    """Return the diagnosis of the first row that fits; "" where none is foreseen.

    Raises InputError if no row fits.
    """
    for row in table.to_dict("records"):
        scale = row["guidance_scale"]
        if (
            row["wnid"] in (ANY, wnid)
            and row["prompts"] in (ANY, image_set.prompts)
            and (scale == ANY or float(scale) == image_set.guidance_scale)
        ):
            return str(row["diagnosis"])
    raise InputError(f"{layout.MINIATURE_DIAGNOSES}: no row fits {wnid}; add one for the rest.")


def confusion(found: pd.DataFrame) -> str:
    """Return the matrix, causes down and diagnoses across, of rows that foresee a diagnosis.

    `found` has a row a class and set: expected, diagnosis.
    """
    matrix = pd.crosstab(found["expected"], found["diagnosis"])
    rows = [[str(name), *map(str, numbers)] for name, *numbers in matrix.itertuples()]
    return markdown_table(["put in", *map(str, matrix.columns)], rows)


def main() -> None:
    common = load_common()
    claim_world(common.world)
    if not layout.DIAGNOSES.exists():
        raise InputError(f"{layout.DIAGNOSES} is missing: make it with `dvc repro`.")
    table = read_expected()
    synsets = {synset.class_index: synset for synset in world_classes(read_synsets())}
    found = pd.read_parquet(layout.DIAGNOSES)
    found["expected"] = [
        expected_diagnosis(table, synsets[label].wnid, common.sets[name])
        for name, label in zip(found["set"], found["cls"], strict=True)
    ]
    foreseen = found[found["expected"] != ""]
    right = foreseen["expected"] == foreseen["diagnosis"]
    print(confusion(foreseen))
    print(
        f"\n{right.sum()} of {len(foreseen)} diagnoses ({100.0 * right.mean():.0f}%) are those of "
        f"the cause; for {len(found) - len(foreseen)} classes of sets none is foreseen. The others:"
    )
    for row in foreseen[~right].to_dict("records"):
        print(
            f"- {row['set']}, {synsets[row['cls']].prompt}: {row['expected']} was put in, "
            f"{row['diagnosis']} found. {row['because']}"
        )


if __name__ == "__main__":
    run_main(main)
