"""The list for review: the lowest accuracies, what is taken for what, and why, counted by hand."""

from pathlib import Path

import pandas as pd
import pytest

from synset_factory import layout
from synset_factory.errors import InputError
from synset_factory.prompts.files import Synset
from synset_factory.review_list import (
    ReviewEntry,
    accuracies,
    lowest,
    mistaken_for,
    read_ambiguity,
    review_list,
)

REPOSITORY = Path(__file__).parents[1]
DRAKE, CRANE_BIRD, CRANE, BURRITO = 97, 134, 517, 965
# (class, image, what each of two classifiers says)
SAID = [
    (DRAKE, "drake0", (DRAKE, BURRITO)),
    (DRAKE, "drake1", (BURRITO, CRANE)),
    (CRANE_BIRD, "bird0", (CRANE, CRANE)),
    (CRANE, "crane0", (CRANE, CRANE)),
    (BURRITO, "burrito0", (BURRITO, BURRITO)),
    (BURRITO, "burrito1", (BURRITO, DRAKE)),
]
OUTCOMES = pd.DataFrame(
    [
        {"cls": cls, "key": key, "seed": seed, "predicted": said[seed]}
        for cls, key, said in SAID
        for seed in (0, 1)
    ]
)


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)


def test_accuracy_is_the_mean_over_images_and_classifiers() -> None:
    expected = {DRAKE: 25.0, CRANE_BIRD: 0.0, CRANE: 100.0, BURRITO: 75.0}
    assert accuracies(OUTCOMES) == expected
    assert accuracies(OUTCOMES.sample(frac=1.0, random_state=0)) == expected


def test_mistakes_are_in_percent_of_the_images_the_most_first() -> None:
    assert mistaken_for(OUTCOMES, DRAKE) == [(BURRITO, 50.0), (CRANE, 25.0)]
    assert mistaken_for(OUTCOMES, CRANE) == []


@pytest.mark.parametrize(
    ("share", "labels"),
    [(0.25, [CRANE_BIRD]), (0.5, [CRANE_BIRD, DRAKE]), (0.6, [CRANE_BIRD, DRAKE]), (0.0, [])],
)
def test_the_list_is_a_share_of_the_classes_the_worst_first(
    share: float, labels: list[int]
) -> None:
    assert lowest(accuracies(OUTCOMES), share) == labels


def test_three_hundred_of_a_thousand_are_exactly_that_and_ties_go_by_label() -> None:
    assert lowest(dict.fromkeys(range(999, -1, -1), 50.0), 0.3) == list(range(300))


@pytest.mark.usefixtures("repository")
def test_an_entry_says_what_is_known_of_its_class() -> None:
    bird, drake = review_list(OUTCOMES, 0.5)
    assert (bird.synset.wnid, bird.images, bird.accuracy) == ("n02012849", 1, 0.0)
    assert [(other.wnid, percent) for other, percent in bird.mistaken_for] == [("n03126707", 100.0)]
    assert [other.wnid for other in bird.same_name] == ["n03126707"]
    assert (drake.synset.wnid, drake.images) == ("n01847000", 2)
    assert drake.clarified is not None and drake.clarified != drake.synset.prompt
    assert (bird.findings, drake.findings) == ((), ())


def test_what_lint_finds_in_the_rows_of_a_class_is_with_its_entry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in (layout.SYNSETS, layout.DISAMBIGUATIONS, layout.MODIFIERS, layout.CLIP_TEMPLATES):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes((REPOSITORY / path).read_bytes())
    monkeypatch.chdir(tmp_path)
    text = layout.DISAMBIGUATIONS.read_text()
    rows = [line for line in text.splitlines() if not line.startswith(("n01847000", "n02012849"))]
    rows += ["n01847000,drake  duck,homonym,,paper", "n02012849,crane bird,homonym,,paper"]
    layout.DISAMBIGUATIONS.write_text("\n".join(rows) + "\n")
    bird, drake = review_list(OUTCOMES, 0.5)
    assert bird.findings == ()
    (fault,) = drake.findings
    assert f"row {len(rows) - 1}: the prompt 'drake  duck' has a leading" in fault


def entry(prompt: str, senses: int, *namesakes: str) -> ReviewEntry:
    def synset(names: str) -> Synset:
        return Synset(
            class_index=0,
            wnid="n00000001",
            prompt=names,
            definition="",
            hypernym="",
            senses=senses,
            clip_name="",
        )

    return ReviewEntry(
        synset=synset(prompt),
        clarified=None,
        accuracy=0.0,
        images=1,
        mistaken_for=(),
        same_name=tuple(synset(name) for name in namesakes),
        findings=(),
    )


@pytest.mark.parametrize(
    ("suspect", "cause"),
    [
        (entry("drake", 2), "word"),
        (entry("maillot", 1, "maillot, tank suit"), "word"),
        (entry("pickup, pickup truck", 9), "word"),
        (entry("breastplate, aegis, egis", 1), "synonyms"),
        (entry("whiskey jug", 1), "generator"),
    ],
)
def test_the_suspected_cause_goes_by_the_words(suspect: ReviewEntry, cause: str) -> None:
    assert suspect.cause == cause


def test_a_list_without_its_stage_names_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="make it with `dvc repro ambiguity`"):
        read_ambiguity()
