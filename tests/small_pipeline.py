"""The miniature of the miniature: a clone in which every stage runs for real, in minutes."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import yaml
from filelock import FileLock

REPOSITORY = Path(__file__).parents[1]
WNIDS = ["n01580077", "n01847000", "n04146614"]  # jay, drake, school bus
FURTHER = {"extra25": {"prompts": "hypernym", "guidance_scale": 2.5}}  # a set of the user's own


def small_params() -> dict[str, object]:
    """The committed params with a further set, three classes, a handful of images and of steps."""
    params = yaml.safe_load((REPOSITORY / "params.yaml").read_text())
    params["wnids"] = WNIDS
    params["sets"] |= FURTHER
    params["splits"] = {"train": 4, "validation": 2}
    params["web"]["pictures"] = 64
    params["natural"] |= {"train": 4, "validation": 3}
    params["clip"] |= {"steps": 2, "batch_size": 16}
    for part in ("vae", "unet"):
        params["text_to_image"][part] |= {"steps": 2, "batch_size": 16}
    params["generate"] |= {"steps": 2, "batch_size": 4}
    params["queries"]["appendix_b"]["images"] = 5
    params["queries"]["figure3"] |= {"wnids": WNIDS[1:], "images": 2}
    params["ambiguity"]["images"] = 3
    params["review_list"]["share"] = 0.67
    params["quality"]["neighbours"] = 2
    params["train"]["seeds"] = 2
    params["train"]["classifier"] |= {"epochs": 1, "warmup_epochs": 0}
    params["train"]["classifier"] |= {"batch_size": 4, "micro_batch_size": 4}
    return params


def environment(folder: Path) -> dict[str, str]:
    """The environment in which .venv's commands run the code of a folder."""
    bin_folder = Path(sys.executable).parent
    return os.environ | {
        "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(folder / "src"),  # its own code, not the installed one
    }


def command(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run one of .venv's commands in a folder."""
    return subprocess.run(
        words, cwd=folder, env=environment(folder), capture_output=True, text=True, check=False
    )


def run(folder: Path, *words: str) -> str:
    """Run a command that must succeed; return what it prints."""
    done = command(folder, *words)
    assert done.returncode == 0, " ".join(words) + done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout + done.stderr


def commit(folder: Path, message: str) -> None:
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    run(folder, "git", "add", "-A")
    run(folder, "git", *identity, "commit", "-qm", message)


def run_small_pipeline(folder: Path) -> None:
    """Make a clone of the working tree in an empty folder, and let the small pipeline run there."""
    listed = command(REPOSITORY, "git", "ls-files", "-co", "--exclude-standard").stdout
    for name in listed.splitlines():
        # Results and the lock belong to the committed run, not to this one.
        if (REPOSITORY / name).is_file() and not name.startswith(("metrics/", "dvc.lock")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, folder / name)
    (folder / "params.yaml").write_text(yaml.safe_dump(small_params()))
    run(folder, "git", "init", "-q")
    commit(folder, "start")
    run(folder, "dvc", "repro")
    commit(folder, "Made")


def made_once(folder: Path, make: Callable[[Path], None]) -> Path:
    """Return a folder that `make` has filled, in whichever process came first.

    `make` is given it empty. Where it fails, every process fails, and none tries a second time.
    """
    done, failed = (
        folder.with_name(f"{folder.name}.done"),
        folder.with_name(f"{folder.name}.failed"),
    )
    with FileLock(folder.with_name(f"{folder.name}.lock")):
        assert not failed.exists(), f"another process could not make it:\n{failed.read_text()}"
        if not done.exists():
            folder.mkdir()
            try:
                make(folder)
            except BaseException as error:
                failed.write_text(repr(error))
                raise
            done.touch()
    return folder
