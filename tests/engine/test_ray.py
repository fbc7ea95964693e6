"""Images and embeddings have the same bytes on the nodes of a Ray cluster, whatever is lost.

The nodes are processes of this machine that listen to it alone, with a home and a working folder
of their own: they have nothing in common with the run but the Python environment.
"""

import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
import yaml

from synset_factory import layout
from synset_factory.folder_digest import folder_digest
from synset_factory.stages import embed
from synset_factory.stages.generate import generate_set
from tests import ray_driver
from tests.tiny_models import CLIP, SIZE, save_clip, save_text_to_image

REPOSITORY = Path(__file__).parents[2]
WNIDS = ["n01580077", "n01847000"]
IMAGES = {"train": 12, "validation": 4}  # of each class
BATCH = 2
# Ray's processes listen to this machine alone and know each other by a token.
CLUSTER = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "token",
    "RAY_memory_monitor_refresh_ms": "0",  # whatever else this machine is doing
    "RAY_AUTH_TOKEN": secrets.token_hex(32),
}


class Nodes:
    """Two nodes; the second can be stopped, once."""

    def __init__(self, folder: Path) -> None:
        self.home, self.log = folder / "home", folder / "drawn"
        self.home.mkdir()
        # The artists of these tests, but not the project's own code, which comes from the run.
        apart = {
            "HOME": str(self.home),
            "PYTHONPATH": str(REPOSITORY),
            ray_driver.LOG: str(self.log),
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.ray_nodes"],
            cwd=self.home,
            env=os.environ | CLUSTER | apart,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.address, self.first = self._said().split()

    def stop_the_second(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("stop\n")
        self.process.stdin.flush()
        assert self._said() == "stopped"

    def drawn(self) -> list[tuple[str, int, int]]:
        """Node, process and seed of each image that was begun."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [(node, int(process), int(seed)) for node, process, seed in map(str.split, lines)]

    def _said(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    nodes = Nodes(tmp_path_factory.mktemp("nodes"))
    yield nodes
    nodes.process.communicate(timeout=60)  # the end of its input ends it


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tiny models, two classes and one set."""
    folder = tmp_path_factory.mktemp("start")
    shutil.copytree(REPOSITORY / "prompts", folder / "prompts")
    save_text_to_image(folder / layout.TEXT_TO_IMAGE)
    save_clip(folder / layout.CLIP, CLIP)
    rows = [
        {"wnid": wnid, "split": split, "number": number, "prompt": wnid}
        for wnid in WNIDS
        for split, count in IMAGES.items()
        for number in range(count)
    ]
    (folder / layout.IMAGE_PROMPTS).mkdir(parents=True)
    table = pd.DataFrame(rows).assign(seed=range(len(rows)))
    table.to_parquet(folder / layout.prompts("disamb"), index=False)
    write_params(folder)
    return folder


def write_params(folder: Path, **run: Any) -> None:
    params = yaml.safe_load((REPOSITORY / layout.PARAMS).read_text())
    params |= {"wnids": WNIDS, "threads": 1}
    params["sets"] = {"disamb": {"prompts": "disamb", "guidance_scale": 7.5}}
    params["generate"] |= {"steps": 2, "height": SIZE, "width": SIZE, "batch_size": BATCH}
    params["embed"]["batch_size"] = 5
    params["run"] |= run
    (folder / layout.PARAMS).write_text(yaml.safe_dump(params))


def made(folder: Path) -> dict[str, str]:
    """The hash of whatever the stages have made."""
    return {
        path.relative_to(folder).as_posix(): sha256(path.read_bytes()).hexdigest()
        for root in (layout.shards("disamb"), layout.EMBEDDINGS)
        for path in sorted((folder / root).rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def made_here(start: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the stages make in this process, without Ray."""
    folder = tmp_path_factory.mktemp("here") / "world"
    shutil.copytree(start, folder)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr("sys.argv", ["embed", "disamb"])
        generate_set("disamb")
        embed.main()
    torch.set_num_threads(threads)
    return made(folder)


def stage(folder: Path, *words: str) -> subprocess.Popen[str]:
    """Start a module in a folder; its run joins the nodes."""
    path = os.pathsep.join([str(REPOSITORY / "src"), str(REPOSITORY)])
    return subprocess.Popen(
        [sys.executable, "-m", *words],
        cwd=folder,
        env=os.environ | CLUSTER | {"PYTHONPATH": path},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )


def test_two_nodes_make_the_bytes_of_one_process_and_a_lost_one_costs_what_it_had_begun(
    nodes: Nodes, start: Path, made_here: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "world"
    shutil.copytree(start, folder)
    write_params(folder, engine="ray", address=nodes.address, replicas=2)

    run = stage(folder, "tests.ray_driver")
    held: dict[str, int] = {}  # by node: the process that is in the middle of a chunk
    while len(held) < 2:
        assert run.poll() is None, run.communicate()[1]
        time.sleep(0.05)
        held = {node: process for node, process, seed in nodes.drawn() if seed >= ray_driver.HELD}
    os.kill(held[nodes.first], signal.SIGKILL)
    nodes.stop_the_second()
    nodes.log.with_suffix(".go").touch()
    said = run.communicate(timeout=600)[1]
    assert run.returncode == 0, said
    assert said.count("A copy of the model was lost") == 2

    drawn = Counter(seed for _, _, seed in nodes.drawn())
    assert set(drawn) == set(range(len(WNIDS) * sum(IMAGES.values())))
    # Each of the two lost copies was in the middle of a chunk; nothing else is drawn twice.
    assert drawn.total() - len(drawn) == 2 * BATCH

    # The second node had the model from here, since the folder is not where its own files are.
    cache = nodes.home / ".cache" / "synset_factory"
    assert [path.name for path in cache.glob("*") if path.is_dir()] == [
        folder_digest(folder / layout.TEXT_TO_IMAGE)
    ]

    embedding = stage(folder, "synset_factory.stages.embed", "disamb")
    said = embedding.communicate(timeout=600)[1]
    assert embedding.returncode == 0, said
    assert made(folder) == made_here
