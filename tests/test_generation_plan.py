"""What a stage says before it draws."""

from pathlib import Path

import pytest

from synset_factory.generation_plan import ClassJob, summary
from synset_factory.records import TRAIN, ImageRow


@pytest.mark.parametrize(("replicas", "told"), [(1, "about 10 min"), (5, "about 2 min")])
def test_the_time_that_is_announced_is_that_of_all_copies_at_work(replicas: int, told: str) -> None:
    rows = [
        ImageRow(wnid="n01847000", split=TRAIN, number=number, prompt="drake", seed=number)
        for number in range(10)
    ]
    digests = [str(number) for number in range(10)]
    job = ClassJob(tar=Path("x"), rows=rows, digests=digests, finished=False, done=0, found={})
    assert summary("disamb", [job], 60.0, replicas).endswith(f"10 to make, {told}")
