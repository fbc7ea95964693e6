"""What all tests share."""

import os
import shutil
from pathlib import Path

import pytest
from nltk.corpus.reader.wordnet import WordNetCorpusReader

from synset_factory import layout
from synset_factory.config import load_common
from synset_factory.errors import InputError
from synset_factory.wordnet import open_wordnet
from tests.small_pipeline import FURTHER, commit, run, run_small_pipeline

# Tests take no network: whatever would ask the Hugging Face hub fails at once instead.
os.environ["HF_HUB_OFFLINE"] = "1"


@pytest.hookimpl(tryfirst=True)  # before the one that reads the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Share the tests out among processes by file; those of the small pipeline go to one, first.

    So what a file's tests share is made once, and the longest work does not begin last.
    """

    def of_pipeline(item: pytest.Item) -> bool:
        return bool({"pipeline", "made"} & set(getattr(item, "fixturenames", ())))

    items.sort(key=of_pipeline, reverse=True)
    for item in items:
        group = "pipeline" if of_pipeline(item) else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(scope="session")
def wordnet() -> WordNetCorpusReader:
    """WordNet 3.0, for tests that need it: skipped without it, but failed where CI=true."""
    try:
        return open_wordnet()
    except InputError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of the working tree in which the small pipeline has run: minutes, so made once."""
    folder = tmp_path_factory.mktemp("pipeline") / "clone"
    folder.mkdir()
    run_small_pipeline(folder)
    return folder


@pytest.fixture(scope="session")
def made(pipeline: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose run is committed, for clones that push it: no test changes it."""
    folder = tmp_path_factory.mktemp("made") / "origin"
    shutil.copytree(pipeline, folder)
    for name in set(FURTHER) - set(load_common(folder / layout.PARAMS).sets):
        # Another test has taken the set out; what it left is in no other clone.
        shutil.rmtree(folder / layout.shards(name))
        (folder / layout.embeddings(name)).unlink()
        (folder / layout.outcomes(name)).unlink()
    run(folder, "dvc", "repro")  # whatever other tests have left to do
    commit(folder, "Made")
    return folder
