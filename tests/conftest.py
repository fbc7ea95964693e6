"""What all tests share."""

import os
import shutil
from pathlib import Path

import pytest
from nltk.corpus.reader.wordnet import WordNetCorpusReader
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from synset_factory import layout
from synset_factory.config import load_common
from synset_factory.errors import InputError
from synset_factory.wordnet import open_wordnet
from tests.small_pipeline import FURTHER, commit, run, run_small_pipeline

# Tests take no network: whatever would ask the Hugging Face hub fails at once instead.
os.environ["HF_HUB_OFFLINE"] = "1"


# Of these the small pipeline is the longest part.
PIPELINE_FILES = {
    "tests/test_pipeline.py",
    "tests/test_remote.py",
    "tests/test_remote_kinds.py",
    "tests/review/test_page.py",
}


class ByFile(LoadFileScheduling):
    """Shares tests out among processes by file, all that need the small pipeline to one."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "pipeline" if file in PIPELINE_FILES else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFile:
    return ByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest work."""
    items.sort(key=lambda item: item.nodeid.partition("::")[0] in PIPELINE_FILES, reverse=True)


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
