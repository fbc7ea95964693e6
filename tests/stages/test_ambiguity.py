"""The images asked of are numbers 0 ... n-1 of each class, whatever the order of the index."""

import pandas as pd
import pytest

from synset_factory.errors import InputError
from synset_factory.records import image_key
from synset_factory.stages.ambiguity import first_images

INDEX = pd.DataFrame(
    [
        {"wnid": wnid, "cls": cls, "key": image_key(wnid, "train", number)}
        for cls, wnid, count in ((1, "n02", 12), (0, "n01", 4))
        for number in range(count)
    ]
)


def test_the_first_images_of_each_class_are_taken_in_the_order_of_their_numbers() -> None:
    shuffled = INDEX.sample(frac=1.0, random_state=1)
    keys = [image_key(wnid, "train", n) for wnid in ("n01", "n02") for n in range(3)]
    assert list(first_images(shuffled, 3)["key"]) == keys


def test_a_class_with_fewer_images_is_named() -> None:
    with pytest.raises(InputError, match=r"ambiguity\.images is 5, but class n01 has 4 training"):
        first_images(INDEX, 5)
