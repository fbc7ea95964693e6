"""A set brings the pairs of the paper's tables and no others."""

from synset_factory.stages.evaluate import pairs_of


def test_a_synthetic_set_brings_its_three_pairs_and_no_others() -> None:
    assert pairs_of("natural") == [("natural", "natural")]
    assert sorted(pairs_of("synset")) == [
        ("natural", "synset"),
        ("synset", "natural"),
        ("synset", "synset"),
    ]
