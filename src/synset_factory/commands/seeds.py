"""`synset-factory seeds N N ...`: the pipeline at several seeds, and how far its results spread."""

import argparse
import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

from synset_factory import layout
from synset_factory.config import load_params
from synset_factory.errors import InputError
from synset_factory.seed_spread import Run, spread_text
from synset_factory.tables import UNDEFINED, Undefined
from synset_factory.whole_files import write_text

REPORT = Path("docs/seeds.md")
# All that a run depends on. Edits elsewhere, of a report for instance, cost no run.
INPUTS = ("dvc.yaml", "params.yaml", "prompts", "src", "worlds")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command line."""
    parser.add_argument("numbers", metavar="N", type=int, nargs="+", help="a seed, 0 or larger")
    parser.add_argument(
        "--output",
        metavar="MD",
        type=Path,
        default=REPORT,
        help="where the report is written (default: %(default)s)",
    )


def seeds(*, numbers: list[int], output: Path) -> None:
    """Run the pipeline at each seed, and report mean and spread of every row and claim.

    Each run takes as long as `make run`, in a folder of its own (`dvc exp run --temp`): nothing
    here changes. A run that is finished is kept as a DVC experiment and not made again until
    prompts, params.yaml or code differ. One that was interrupted draws its images again, but what
    it had trained comes from DVC's cache.
    """
    load_params()  # says so if this is not the top of the repository
    numbers = sorted(set(numbers))
    if len(numbers) < 2 or numbers[0] < 0:
        raise InputError("name two seeds or more, each 0 or larger: a spread is between runs.")
    if output.is_dir():
        raise InputError(f"--output {output} is a folder: name a file.")
    digest = _inputs_digest()
    _require_committed()
    names = {number: f"seed{number}-{digest}" for number in numbers}
    finished = _experiments()
    missing = [number for number in numbers if names[number] not in finished]
    print(_plan(numbers, missing), flush=True)
    for number in missing:
        _run(number, names[number])
    finished = _experiments()
    text = spread_text({number: _rows(finished[name]) for number, name in names.items()})
    write_text(output, text)
    print(f"{text}\nThis report is {output}.")


def _plan(numbers: list[int], missing: list[int]) -> str:
    found = f"{len(numbers) - len(missing)} of {len(numbers)} runs are there already"
    if not missing:
        return f"{found}."
    return (
        f"{found}. {len(missing)} to make, seed {', '.join(map(str, missing))}: each takes as long "
        "as `make run`. Ctrl-C at any time: the same command goes on."
    )


def _require_committed() -> None:
    """Raise InputError if what runs depend on differs from the commit that they are named after."""
    changed = _git("status", "--porcelain", "--", *INPUTS)
    if changed:
        raise InputError(
            f"{changed.split()[1]} differs from the last commit: commit it first, so that the "
            "runs have a revision that they belong to."
        )


def _inputs_digest() -> str:
    return sha256(_git("ls-tree", "HEAD", "--", *INPUTS).encode()).hexdigest()[:7]


def _git(*words: str) -> str:
    try:
        done = subprocess.run(["git", *words], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise InputError("git is not installed: runs are kept as its commits.") from None
    if done.returncode:
        raise InputError(f"git says: {done.stderr.strip()}: runs need a repository with a commit.")
    return done.stdout


def _run(number: int, name: str) -> None:
    """Run the pipeline at a seed in a folder of its own. Raises InputError if it fails."""
    # `python` must be this one, and run the code of that folder, not what is being edited here.
    environment = os.environ | {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTHONPATH": os.pathsep.join(["src", os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep),
    }
    words = ["-m", "dvc", "exp", "run", "--temp", "--name", name, "--set-param", f"seed={number}"]
    with subprocess.Popen([sys.executable, *words], env=environment) as process:
        try:
            failed = process.wait()
        except KeyboardInterrupt:
            process.wait()  # DVC has been told as well: let it clean up
            raise
    if failed:
        raise InputError(
            f"the run at seed {number} failed, see above: once that is mended, the same command "
            "goes on."
        )


def _experiments() -> dict[str, str]:
    """Return the commits of all finished experiments by name."""
    # Imported here: it takes a second, and --help does not need it.
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo() as repo:
            found = repo.experiments.ls(all_commits=True)
    except DvcException as error:
        raise InputError(f"DVC cannot list the experiments: {error}.") from None
    return dict(pair for each in found.values() for pair in each)


def _rows(revision: str) -> Run:
    """Return all rows of metrics that a revision has."""
    from dvc.repo import Repo

    with Repo() as repo:
        shown = repo.metrics.show(revs=[revision])
    rows: dict[str, Any] = {}
    for path, content in shown[revision].get("data", {}).items():
        name = Path(path).relative_to(layout.METRICS).with_suffix("").as_posix()
        if "data" not in content:
            raise InputError(f"{path} of the experiment {revision[:7]} cannot be read.")
        row = content["data"]
        rows[name] = Undefined(row[UNDEFINED]) if UNDEFINED in row else row
    return rows
