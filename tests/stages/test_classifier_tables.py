"""An accuracy is of the pair that its row names, counted by hand."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from synset_factory import layout
from synset_factory.errors import InputError
from synset_factory.stages.classifier_tables import accuracy_row, read_outcomes

# Of four images, by pair and classifier seed: how many are told right.
RIGHT = {
    ("natural", "disamb"): (1, 1),
    ("disamb", "natural"): (2, 3),
    ("disamb", "disamb"): (4, 4),
}


@pytest.fixture(autouse=True)
def outcomes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    rows = [
        (train, evaluation, seed, f"key{i}", i % 2, i % 2 if i < count else 9)
        for (train, evaluation), counts in RIGHT.items()
        for seed, count in enumerate(counts)
        for i in range(4)
    ]
    columns = ["train", "evaluation", "seed", "key", "cls", "predicted"]
    layout.OUTCOMES.mkdir(parents=True)
    # The rows' order must not matter: each seed's images in another one.
    table = pd.DataFrame(rows, columns=columns).sample(frac=1.0, random_state=0)
    table.to_parquet(layout.outcomes("disamb"), index=False)
    read_outcomes.cache_clear()
    yield
    read_outcomes.cache_clear()


@pytest.mark.parametrize(
    ("train", "evaluation", "accuracy"),
    [("natural", "disamb", 25.0), ("disamb", "natural", 62.5), ("disamb", "disamb", 100.0)],
)
def test_each_pair_has_its_own_accuracy(train: str, evaluation: str, accuracy: float) -> None:
    row = accuracy_row(train, evaluation)
    assert row["accuracy"] == pytest.approx(accuracy)
    assert row["n"] == 4


def test_a_set_that_was_not_evaluated_is_named() -> None:
    with pytest.raises(InputError, match=r"outcomes/synset\.parquet is missing"):
        accuracy_row("synset", "synset")
