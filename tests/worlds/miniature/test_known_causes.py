"""Precision and recall of the list are scikit-learn's; what should be on it is in the table."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import precision_score, recall_score

from synset_factory.errors import InputError
from synset_factory.worlds.miniature.causes import load_causes
from synset_factory.worlds.miniature.known_causes import agreement, share_shown

CAUSES = load_causes(Path(__file__).parents[3] / "worlds/miniature_causes.yaml")
LETTERS = st.sets(st.sampled_from("abcdefgh"), min_size=1)


@given(listed=LETTERS, expected=LETTERS)
def test_precision_and_recall_are_scikit_learns(listed: set[str], expected: set[str]) -> None:
    truth = [letter in expected for letter in "abcdefgh"]
    said = [letter in listed for letter in "abcdefgh"]
    found = agreement(listed, expected)
    assert found.precision == pytest.approx(100 * precision_score(truth, said))
    assert found.recall == pytest.approx(100 * recall_score(truth, said))


@pytest.mark.parametrize(
    ("wnid", "prompt", "share"),
    [
        ("n01847000", "drake", 0.12),
        ("n02012849", "crane", 0.12),
        ("n03126707", "crane", 0.88),
        ("n02895154", "breastplate, aegis, egis", 0.3),  # only beside a shield
        ("n04146614", "school bus", 1.0),
    ],
)
def test_what_the_web_shows_is_read_from_the_table(wnid: str, prompt: str, share: float) -> None:
    assert share_shown(CAUSES, wnid, prompt) == pytest.approx(share)


def test_a_prompt_that_the_web_does_not_know_is_named() -> None:
    with pytest.raises(InputError, match="no word 'ostrich'"):
        share_shown(CAUSES, "n01847000", "ostrich")
