"""`synset-factory mend-remote [TARGET]`: damaged objects on the remote, found and replaced."""

import argparse
import sys
from concurrent.futures import ThreadPoolExecutor
from hashlib import md5
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from synset_factory import layout
from synset_factory.config import load_params
from synset_factory.errors import InputError

if TYPE_CHECKING:
    from dvc.repo import Repo

CONNECTIONS = 8  # objects read at a time: most of it is waiting
BLOCK = 1 << 20  # bytes read at a time
MISSING, DAMAGED = "missing", "damaged"  # what an object of a remote can be
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
            is_here = _fault(cache, oid) is None
            if is_here:
                _push_again(cache, remote, oid, fault)
            lost += not is_here
            then = "pushed again" if is_here else "not mended: this clone has no sound copy of it"
            print(f"{path} ({remote.oid_to_path(oid)}) is {fault}; {then}.")
    if lost:
        sys.exit(1)
    print(f"The remote '{name}' has all of them, whole.")


def _fault(store: Any, oid: str) -> str | None:
    """Return what is wrong with an object of a store of DVC's, or None."""
    try:
        with store.fs.open(store.oid_to_path(oid), "rb") as stream:
            found = md5()
            while block := stream.read(BLOCK):
                found.update(block)
    except FileNotFoundError:
        return MISSING
    except Exception as error:  # each kind of remote has errors of its own
        raise InputError(f"{store.oid_to_path(oid)} cannot be read: {error}.") from None
    return None if found.hexdigest() == oid.removesuffix(".dir") else DAMAGED


def _push_again(cache: Any, remote: Any, oid: str, fault: str) -> None:
    """Put an object of the cache in the place of what the remote has.

    Raises InputError if the remote refuses it, or does not have it whole afterwards.
    """
    try:
        if fault == DAMAGED:
            _delete(remote, oid)
        remote.add(cache.oid_to_path(oid), cache.fs, oid, check_exists=False, verify=False)
    except Exception as error:  # each kind of remote has errors of its own
        raise InputError(
            f"The remote does not take {remote.oid_to_path(oid)} ({error}): see that it is running "
            "and that this clone may push to it."
        ) from None
    if still := _fault(remote, oid):
        raise InputError(f"{remote.oid_to_path(oid)} is {still} after it was pushed again.")


def _delete(remote: Any, oid: str) -> None:
    """Make room for an object, since a folder keeps its objects read-only."""
    try:
        remote.delete(oid)
    except NotImplementedError:
        return  # plain HTTP deletes nothing: what is put there replaces what there was
