"""`dvc repro` with nothing to do, at the paper's size: five sets of 1,000 classes, two splits.

    python benchmarks/noop_repro.py [--classes 250 1000]

A stand-in: this repository's own dvc.yaml over 12,000 small tars (the natural set is the sixth),
and over a quarter of them; all else one small file an output; `dvc commit` has recorded it as up to
date. DVC goes by the times and sizes of files, so the size of a tar plays no part. Beside it: git,
asked the same question (`git status`) of the same tars, tracked by git; and reading every tar again
(`sha256sum`).
"""

import os
import shutil
import subprocess
import sys
import tempfile
from argparse import ArgumentParser
from collections.abc import Callable
from functools import partial
from pathlib import Path

import yaml
from measuring import compare, print_comparison
from tqdm import tqdm

from synset_factory.prompts.files import Synset, read_synsets
from synset_factory.records import SPLITS, image_key
from synset_factory.shards.writer import Sample, write_class_tar

REPOSITORY = Path(__file__).parents[1]
KEPT = ("dvc.yaml", "params.yaml", ".dvcignore", ".gitignore", "prompts", "src", "worlds", ".dvc")
IDENTITY = ("-c", "user.name=benchmark", "-c", "user.email=benchmark@example.org")


def run(folder: Path, *words: str) -> None:
    """Run a command that must succeed, and find nothing to do."""
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(words, cwd=folder, env=environment, check=True, capture_output=True)
    assert b"Running stage" not in done.stdout, "there was something to do"


def make_tars(root: Path, synsets: list[Synset]) -> int:
    """Write a set of these classes, one image a tar; return how many tars."""
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


def make_repository(folder: Path, classes: int) -> int:
    """Make a repository in which every stage is up to date; return how many tars it holds."""
    for name in KEPT:
        source = REPOSITORY / name
        if source.is_dir():
            ignore = shutil.ignore_patterns("cache", "tmp", "config.local", "__pycache__")
            shutil.copytree(source, folder / name, ignore=ignore)
        else:
            shutil.copy2(source, folder / name)
    params = yaml.safe_load((folder / "params.yaml").read_text())
    synsets = read_synsets()[:classes]
    params["wnids"] = [synset.wnid for synset in synsets]
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    tars = 0
    for name in tqdm(["natural", *params["sets"]], desc="tars", unit="set"):
        tars += make_tars(folder / "data" / "shards" / name, synsets)
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


def command(folder: Path, *words: str) -> Callable[[], None]:
    """What is timed: a command that must succeed, and find nothing to do."""
    return partial(run, folder, *words)


def compare_ways(classes: int) -> None:
    """Print the table of sets of so many classes."""
    with tempfile.TemporaryDirectory() as name:
        ours, gits = Path(name) / "dvc", Path(name) / "git"
        ours.mkdir(), gits.mkdir()
        tars = make_repository(ours, classes)
        track_with_git(gits, ours / "data" / "shards")
        ways = {
            "git status": partial(command, gits, "git", "status", "--porcelain"),
            "sha256sum of all tars": partial(
                command, gits, "sh", "-c", "find shards -type f | xargs sha256sum"
            ),
            "ours: dvc repro": partial(command, ours, "dvc", "repro"),
        }
        print_comparison(f"nothing to do over {tars:,} tars", compare(ways))


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument(
        "--classes", type=int, nargs="+", default=[250, 1_000], help="of each set (250 1000)"
    )
    for classes in parser.parse_args().classes:
        compare_ways(classes)


if __name__ == "__main__":
    main()
