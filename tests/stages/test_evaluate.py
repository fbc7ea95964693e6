"""A set brings the pairs of the paper's tables and no others."""

from synset_factory.tables import classifier_pairs


def test_a_synthetic_set_brings_its_three_pairs_and_no_others() -> None:
    assert classifier_pairs("natural") == [("natural", "natural")]
    assert sorted(classifier_pairs("synset")) == [
        ("natural", "synset"),
        ("synset", "natural"),
        ("synset", "synset"),
    ]
