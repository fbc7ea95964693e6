"""Images that were made before, elsewhere: they are pulled, not drawn again by mistake."""

import os
from configparser import ConfigParser
from pathlib import Path

import yaml

from synset_factory.errors import InputError

LOCK = Path("dvc.lock")
DVC_CONFIG = (Path(".dvc/config"), Path(".dvc/config.local"))
FRESH = "SYNSET_FACTORY_FRESH"  # environment variable: not empty, and everything is drawn anew


def check_pulled(folder: Path, stage: str) -> None:
    """Refuse to draw a stage's folder of images from nothing that the remote may have.

    Raises InputError if dvc.lock names an earlier state of the folder, nothing of it is on disk,
    and a remote is set.
    """
    if folder.exists() or os.environ.get(FRESH):
        return
    remote = _default_remote()
    if remote and _is_locked(stage):
        raise InputError(
            f"{LOCK} names an earlier {folder}, which is not on disk: get it "
            f"from the remote '{remote}' with `make pull`, or draw it anew with `make run FRESH=1`."
        )


def _is_locked(stage: str) -> bool:
    if not LOCK.exists():
        return False
    locked = yaml.safe_load(LOCK.read_text(encoding="utf-8")) or {}
    return stage in locked.get("stages", {})


def _default_remote() -> str | None:
    # Read here and not asked of DVC: no stage that draws imports it.
    config = ConfigParser(interpolation=None)
    config.read(DVC_CONFIG, encoding="utf-8")
    return config.get("core", "remote", fallback=None)
