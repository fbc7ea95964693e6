"""Killed or out of disk at any point, `generate` goes on, and ends with the undisturbed bytes.

Every step that touches the disk is a point: each piece written to a tar, each file moved to its
name, each file pruned. One process a kill: it ends at its point, without any clean-up, as a SIGKILL
would end it. All other runs are in this process. The pictures are cheap stand-ins, and params.yaml
and the synsets hold no more than is read: what is tried here is files, several hundred times.
"""

import errno
import io
import multiprocessing
import os
import shutil
import tarfile
from collections.abc import Callable
from dataclasses import fields
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from synset_factory import drawing, layout
from synset_factory.config import Common
from synset_factory.errors import InputError
from synset_factory.stages import generate
from tests.painter import Painter

REPOSITORY = Path(__file__).parents[2]
WNIDS = ["n01580077", "n01847000"]
KILLED = 9
PIECE = 700  # bytes: pieces end within the blocks of a tar, which have 512
FORK = multiprocessing.get_context("fork")
Action = Callable[[], None]


class Points:
    """Counts the points that a run passes, and acts at one of them."""

    def __init__(self, at: int | None, action: Action) -> None:
        self.passed, self.at, self.action = 0, at, action

    def pass_one(self) -> None:
        if self.passed == self.at:
            self.passed += 1
            self.action()
        self.passed += 1

    def install(self, patch: pytest.MonkeyPatch) -> None:
        """Put a point before every step, and some in the middle of every write to a tar."""
        path_open, points = Path.open, self

        class InPieces(io.BufferedRandom):
            def write(self, content: Any) -> int:
                for start in range(0, len(content), PIECE):
                    points.pass_one()
                    super().write(content[start : start + PIECE])
                    super().flush()
                return len(content)

        def open_path(path: Path, mode: str = "r", *arguments: Any, **options: Any) -> Any:
            if mode == "r+b":  # a tar under way
                return InPieces(io.FileIO(path, "r+"))
            return path_open(path, mode, *arguments, **options)

        patch.setattr(Path, "open", open_path)
        for name in ("replace", "unlink", "write_text"):
            patch.setattr(Path, name, self._after_a_point(getattr(Path, name)))

    def _after_a_point(self, step: Callable[..., Any]) -> Callable[..., Any]:
        def pointed(*arguments: Any, **options: Any) -> Any:
            self.pass_one()
            return step(*arguments, **options)

        return pointed


def run(at: int | None = None, action: Action = lambda: None) -> int:
    """Run the stage, and act at a point; return how many points there were."""
    points = Points(at, action)
    with pytest.MonkeyPatch.context() as patch:
        points.install(patch)
        generate.generate_set("disamb")
    return points.passed


def kill(at: int) -> None:
    """Run the stage in a process of its own, which ends at a point."""
    child = FORK.Process(target=run, args=(at, lambda: os._exit(KILLED)))
    child.start()
    child.join()
    assert child.exitcode == KILLED, at


def fill_the_disk(at: int) -> None:
    """Run the stage, which has no room left at a point."""
    with pytest.raises(InputError, match="The disk is full: make room for data/shards/disamb"):
        run(at, disk_is_full)


def disk_is_full() -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def hashes() -> dict[str, str]:
    root = layout.shards("disamb")
    return {
        path.relative_to(root).as_posix(): sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def write_prompts(name: str, prompts: dict[str, str], train: int) -> None:
    rows = [
        {"wnid": w, "split": split, "number": n, "prompt": prompts[w], "seed": 100 * n + len(split)}
        for w in WNIDS
        for split, count in (("train", train), ("validation", 3))
        for n in range(count)
    ]
    layout.IMAGE_PROMPTS.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_parquet(layout.prompts(name), index=False)


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A set that was made once, and is now to have a revised class, more images, and less else."""
    world = tmp_path / "start"
    world.mkdir()
    monkeypatch.chdir(world)
    layout.PROMPTS.mkdir()
    synsets = (REPOSITORY / layout.SYNSETS).read_text().splitlines(keepends=True)
    of_the_world = [line for line in synsets[1:] if any(wnid in line for wnid in WNIDS)]
    layout.SYNSETS.write_text("".join([synsets[0], *of_the_world]))
    layout.TEXT_TO_IMAGE.mkdir(parents=True)
    (layout.TEXT_TO_IMAGE / "weights").write_text("tiny")
    params = yaml.safe_load((REPOSITORY / layout.PARAMS).read_text())
    params = {
        name: params[name] for name in (*(field.name for field in fields(Common)), "generate")
    }
    params["wnids"] = WNIDS
    params["sets"] = {name: params["sets"][name] for name in ("synset", "disamb")}
    params["generate"]["batch_size"] = 2
    layout.PARAMS.write_text(yaml.safe_dump(params))
    write_prompts("disamb", {WNIDS[0]: "jay", WNIDS[1]: "drake"}, train=3)
    monkeypatch.setattr(drawing, "TextToImage", Painter)
    # Its thread would be there when a process is forked, and might hold the lock of the bars.
    monkeypatch.setattr("tqdm.tqdm.monitor_interval", 0)
    run()
    shutil.copytree(layout.shards("disamb"), layout.shards("synset"))
    (layout.shards("disamb") / "train" / "n02012849.tar").write_bytes(
        b"of a class that was removed"
    )
    write_prompts("disamb", {WNIDS[0]: "jay", WNIDS[1]: "a drake duck"}, train=5)
    return world


def copy_of(start: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(start, start.parent / name)
    monkeypatch.chdir(start.parent / name)


@pytest.mark.parametrize("stop", [kill, fill_the_disk])
def test_stopped_at_every_point_it_ends_with_the_same_bytes(
    start: Path, monkeypatch: pytest.MonkeyPatch, stop: Callable[[int], None]
) -> None:
    copy_of(start, "undisturbed", monkeypatch)
    points = run()
    expected = hashes()
    assert points > 100
    for point in range(points):
        copy_of(start, f"point{point}", monkeypatch)
        stop(point)
        for path in layout.shards("disamb").rglob("*.tar"):  # what has its name is whole
            if path.name != "n02012849.tar":
                with tarfile.open(path) as tar:
                    assert len(tar.getnames()) % 4 == 0
        run()
        assert hashes() == expected, point
        monkeypatch.chdir(start)
        shutil.rmtree(start.parent / f"point{point}")


def test_a_kill_costs_no_more_than_the_chunk_that_was_under_way(
    start: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    class Counting(Painter):
        def draw(self, prompts: list[str], seeds: list[int]) -> list[bytes]:
            asked.append(len(prompts))
            if len(asked) == 3:
                raise KeyboardInterrupt
            return super().draw(prompts, seeds)

    monkeypatch.setattr(drawing, "TextToImage", Counting)
    with pytest.raises(KeyboardInterrupt):
        generate.generate_set("disamb")
    assert asked == [1, 1, 2]  # of the jay images 3 and 4: chunks are aligned; of the drake 0 and 1
    generate.generate_set("disamb")
    # The jay is finished. The drake begins again with the chunk that was under way.
    assert asked[3:] == [2, 2, 1, 2, 1]
