"""`synset-factory mend-remote [TARGET]`: damaged objects on the remote, found and replaced."""

import argparse
import hashlib
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from synset_factory import layout
from synset_factory.config import load_params
from synset_factory.errors import InputError

if TYPE_CHECKING:
    from dvc.repo import Repo

CONNECTIONS = 8  # objects read at a time: most of it is waiting
PATIENCE = 3  # seconds before a progress bar is shown


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command line."""
    parser.add_argument(
        "target",
        nargs="?",
        help=f"look only at this output or file, for example {layout.SHARDS}/disamb "
        "(default: everything that dvc.lock names)",
    )


def mend_remote(*, target: str | None) -> None:
    """Read what the remote has of data/, name what is damaged or missing, and push it again.

    Run it in a clone that has the data: each object is replaced from DVC's cache here. `dvc push`
    does not do that, since it goes by names alone.
    """
    # Imported here: it takes a second, and --help does not need it.
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    load_params()  # says so if this is not the top of the repository
    try:
        with Repo() as repo:
            _mend(repo, target)
    except DvcException as error:
        cause = error.__cause__ or error
        raise InputError(f"The remote cannot be mended: {cause}.") from None


def _mend(repo: "Repo", target: str | None) -> None:
    name = repo.config["core"].get("remote")
    if not name:
        raise InputError(
            "No remote is set: `dvc remote add --default storage PATH_OR_URL` sets one."
        )
    try:
        remote, cache = repo.cloud.get_remote_odb(name), repo.cache.local
    except ImportError as error:
        raise InputError(f"The remote '{name}' needs what is not installed: {error}.") from None
    used = repo.used_objs(targets=[target] if target else None, push=True)
    objects = sorted({each.value: each.obj_name for some in used.values() for each in some}.items())
    if not objects:
        raise InputError("dvc.lock names nothing that could be on a remote: run `dvc repro` first.")
    print(f"Reading {len(objects):,} objects of the remote '{name}' ...", flush=True)
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        states = list(
            tqdm(
                pool.map(lambda each: _fault(remote, each[0]), objects),
                total=len(objects),
                unit="object",
                delay=PATIENCE,
            )
        )
    lost = 0
    for (oid, path), fault in zip(objects, states, strict=True):
        if fault:
            mended = _fault(cache, oid) is None and _put(cache, remote, oid)
            lost += not mended
            then = "pushed again" if mended else "not mended: this clone has no sound copy of it"
            print(f"{path} ({remote.oid_to_path(oid)}) is {fault}; {then}.")
    if lost:
        sys.exit(1)
    print(f"The remote '{name}' has all of them, whole.")


def _fault(store: Any, oid: str) -> str | None:
    """Return what is wrong with an object of a store of DVC's, or None."""
    try:
        with store.fs.open(store.oid_to_path(oid), "rb") as stream:
            found = hashlib.file_digest(stream, "md5").hexdigest()
    except FileNotFoundError:
        return "missing"
    except Exception as error:  # each kind of remote has errors of its own
        raise InputError(f"{store.oid_to_path(oid)} cannot be read: {error}.") from None
    return None if found == oid.removesuffix(".dir") else "damaged"


def _put(cache: Any, remote: Any, oid: str) -> bool:
    """Write an object of the cache over what the remote has; tell whether it is whole then."""
    with suppress(NotImplementedError, OSError):  # plain HTTP deletes nothing, and writes over it
        remote.delete(oid)
    try:
        remote.add(cache.oid_to_path(oid), cache.fs, oid, check_exists=False, verify=False)
    except Exception as error:  # each kind of remote has errors of its own
        raise InputError(
            f"The remote does not take {remote.oid_to_path(oid)} ({error}): see that it is running "
            "and that this clone may push to it."
        ) from None
    return _fault(remote, oid) is None
