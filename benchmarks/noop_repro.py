"""`dvc repro` with nothing to do, at the paper's size: five sets of 1,000 classes, two splits.

    python benchmarks/noop_repro.py

A stand-in: this repository's own dvc.yaml over 12,000 small tars (the natural set is the sixth),
all else one small file an output; `dvc commit` has recorded it as up to date. DVC goes by the
times and sizes of files, so the size of a tar plays no part. Beside it: git, asked the same
question (`git status`) of the same tars, tracked by git; and reading every tar again
(`sha256sum`). Each is run once to warm up and then timed three times; the median counts.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml
from tqdm import tqdm

from synset_factory.prompt_files import read_synsets
from synset_factory.records import SPLITS, image_key
from synset_factory.shard_writer import Sample, write_class_tar

REPOSITORY = Path(__file__).parents[1]
KEPT = ("dvc.yaml", "params.yaml", ".dvcignore", ".gitignore", "prompts", "src", "worlds", ".dvc")
IDENTITY = ("-c", "user.name=benchmark", "-c", "user.email=benchmark@example.org")


def run(folder: Path, *words: str) -> float:
    """Run a command that must succeed; return how many seconds it took."""
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    start = time.perf_counter()
    done = subprocess.run(words, cwd=folder, env=environment, check=True, capture_output=True)
    assert b"Running stage" not in done.stdout, "there was something to do"
    return time.perf_counter() - start


def make_tars(root: Path) -> int:
    """Write a set of 1,000 classes, one image a tar; return how many tars."""
    synsets = read_synsets()
    for synset in synsets:
        for split in SPLITS:
            key = image_key(synset.wnid, split, 0)
            sample = Sample(key=key, jpg=b"", cls=synset.class_index, txt="", json={"digest": key})
            write_class_tar(root / split / f"{synset.wnid}.tar", [sample])
    return len(synsets) * len(SPLITS)


def stand_in(path: Path) -> None:
    """Put something where a stage writes or reads, if nothing is there."""
    if path.exists():
        return
    file = path if path.suffix else path / "stand-in.txt"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(str(path))


def make_repository(folder: Path) -> int:
    """Make a repository in which every stage is up to date; return how many tars it holds."""
    for name in KEPT:
        source = REPOSITORY / name
        if source.is_dir():
            ignore = shutil.ignore_patterns("cache", "tmp", "config.local", "__pycache__")
            shutil.copytree(source, folder / name, ignore=ignore)
        else:
            shutil.copy2(source, folder / name)
    params = yaml.safe_load((folder / "params.yaml").read_text())
    (folder / "params.yaml").write_text(yaml.safe_dump(params | {"wnids": "all"}))
    tars = 0
    for name in tqdm(["natural", *params["sets"]], desc="tars", unit="set"):
        tars += make_tars(folder / "data" / "shards" / name)
    run(folder, "git", "init", "-q")

    from dvc.repo import Repo  # here: it takes a second

    with Repo(str(folder)) as repo:
        for stage in repo.index.stages:
            for each in [*stage.outs, *stage.deps]:
                if each.def_path and not each.def_path.endswith("params.yaml"):
                    stand_in(folder / each.def_path)
    run(folder, "dvc", "commit", "--force", "--quiet")
    return tars


def track_with_git(folder: Path, tars: Path) -> None:
    """Copy the tars into a repository of git's own."""
    shutil.copytree(tars, folder / "shards")
    for words in (("init", "-q"), ("add", "-A"), (*IDENTITY, "commit", "-qm", "tars")):
        run(folder, "git", *words)


def median(folder: Path, *words: str) -> float:
    """Return the median of three times, in seconds, after one run to warm up."""
    run(folder, *words)
    return statistics.median(run(folder, *words) for _ in range(3))


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        ours, gits = Path(name) / "dvc", Path(name) / "git"
        ours.mkdir(), gits.mkdir()
        tars = make_repository(ours)
        track_with_git(gits, ours / "data" / "shards")
        print(f"{tars:,} tars\nway                     seconds   ratio")
        base = 0.0
        for label, folder, words in (
            ("dvc repro", ours, ("dvc", "repro")),
            ("git status", gits, ("git", "status", "--porcelain")),
            ("sha256sum of all tars", gits, ("sh", "-c", "find shards -type f | xargs sha256sum")),
        ):
            seconds = median(folder, *words)
            base = base or seconds
            print(f"{label:22}  {seconds:7.2f}  {seconds / base:6.2f}")


if __name__ == "__main__":
    main()
