"""What all tests share."""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from nltk.corpus.reader.wordnet import WordNetCorpusReader

from synset_factory.engine.ray_cluster import ALONE, QUIET
from synset_factory.errors import InputError
from synset_factory.wordnet import open_wordnet
from tests.small_pipeline import made_once, run_small_pipeline

# Tests take no network: whatever would ask the Hugging Face hub fails at once instead.
os.environ["HF_HUB_OFFLINE"] = "1"
# A process's first cluster decides for later ones: Ray reads these once, when it is imported.
os.environ |= ALONE | QUIET | {"RAY_AUTH_TOKEN": secrets.token_hex(32)}


# The files with the longest tests, longest first. The first of them makes the small pipeline, which
# takes minutes, and the others that need it come so late that they find it made.
LONGEST_FIRST = (
    "tests/test_pipeline.py",
    "tests/stages/test_generate_killed.py",
    "tests/test_commands.py",
    "tests/test_seeds_command.py",
    "tests/models/test_classifier.py",
    "tests/shards/test_readers.py",
    "tests/site/test_browser.py",
    "tests/stages/test_generate.py",
    "tests/test_remote_kinds.py",
    "tests/test_remote.py",  # two tests only, with which a process is given the next file too
    "tests/review/test_page.py",
)


def place_of(item: pytest.Item) -> int:
    """Where the file of a test stands in the order in which files are begun."""
    file = item.nodeid.partition("::")[0]
    return LONGEST_FIRST.index(file) if file in LONGEST_FIRST else len(LONGEST_FIRST)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest work. `make test` has xdist keep this order."""
    items.sort(key=place_of)


@pytest.fixture(scope="session")
def wordnet() -> WordNetCorpusReader:
    """WordNet 3.0, for tests that need it: skipped without it, but failed where CI=true."""
    try:
        return open_wordnet()
    except InputError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Let PyTorch compute with one thread during the tests of a file."""
    import torch  # which takes seconds, and which other files may do without

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of the working tree in which the small pipeline has run, and been committed.

    It takes minutes, so all processes of a test run share one: no test changes it.
    """
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    return made_once(shared / "pipeline", run_small_pipeline)
