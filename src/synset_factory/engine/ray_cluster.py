"""The Ray cluster of `run.engine: ray`: one on this machine alone, or one that is joined.

Whoever reaches a Ray cluster can run any code on it, so one that is started here listens to this
machine alone, asks for a token that only this process knows, and has no dashboard.
"""

import importlib.metadata
import os
import secrets
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from synset_factory.config import Common
from synset_factory.errors import InputError
from synset_factory.layout import PARAMS

PACKAGE = Path(__file__).parent
# Ray reads these from the environment when it is imported, so nothing of ours imports it before
# `ray_cluster` has set them: no reports of its use to its makers; in a cluster of our own,
# addresses of this machine alone, as on the systems that the variable is named after, and a token.
# The last two are PyTorch's, whose processes talk to each other while a classifier is trained.
QUIET = {"RAY_USAGE_STATS_ENABLED": "0"}
LOOPBACK = "lo0" if sys.platform == "darwin" else "lo"
ALONE = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_AUTH_MODE": "token",
    "GLOO_SOCKET_IFNAME": LOOPBACK,
    "NCCL_SOCKET_IFNAME": LOOPBACK,
}
# Other versions of these may give other bytes.
LIBRARIES = (
    "diffusers",
    "numpy",
    "open_clip_torch",
    "pillow",
    "timm",
    "torch",
    "torchvision",
    "transformers",
)

ANSWERS_WITHIN = 10.0  # seconds


@contextmanager
def ray_cluster(common: Common) -> Iterator[None]:
    """Start a Ray cluster on this machine, or join the one at `run.address`; leave it at the end.

    A cluster that was started here ends with it. Workers of one that was joined get this code
    (not its libraries) from here. Inside of another such context nothing is done.

    Raises InputError if Ray is not installed, or no cluster can be joined at the address.
    """
    run = common.run
    os.environ.update(QUIET)
    if run.address:
        _check_answers(run.address)
    else:
        os.environ.update(ALONE)
        # Ray reads it once, so a second cluster of this process has the same.
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    ray = import_ray()
    if ray.is_initialized():
        yield
        return
    if run.address:
        _join(ray, run.address)
    else:
        # One more than the replicas need, for whatever watches over them.
        cpus = run.replicas * common.threads + 1
        print("Starting Ray on this machine.", flush=True)
        ray.init("local", num_cpus=cpus, include_dashboard=False, **_quietly())
    try:
        yield
    finally:
        ray.shutdown()


def import_ray() -> Any:
    """Return the module `ray`. Raises InputError if it is not installed."""
    try:
        import ray
    except ModuleNotFoundError:
        raise InputError(
            f"{PARAMS}: run.engine is ray, which is not installed: pip install -e '.[ray]', or set "
            "run.engine to local."
        ) from None
    return ray


def versions() -> dict[str, str]:
    """Return the versions of the libraries on which bytes depend."""
    return {name: importlib.metadata.version(name) for name in LIBRARIES}


def check_versions(wanted: dict[str, str]) -> None:
    """Raise InputError if this machine's libraries are not those of the machine of the run."""
    for name, version in versions().items():
        if version != wanted[name]:
            raise InputError(
                f"{socket.gethostname()} has {name} {version}, but the machine of the run "
                f"{wanted[name]}: install the same, or bytes would differ."
            )


def _check_answers(address: str) -> None:
    """Check that something listens at HOST:PORT: Ray itself would wait for minutes."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=ANSWERS_WITHIN).close()
    except (OSError, OverflowError, ValueError) as error:
        raise _unreachable(address, error) from None


def _join(ray: Any, address: str) -> None:
    print(f"Joining the Ray cluster at {address}.", flush=True)
    try:
        ray.init(address, runtime_env={"py_modules": [str(PACKAGE)]}, **_quietly())
    except (ray.exceptions.AuthenticationError, OSError, RuntimeError, ValueError) as error:
        raise _unreachable(address, error) from None


def _unreachable(address: str, error: Exception) -> InputError:
    why = str(error).partition("\n")[0]
    return InputError(
        f"{PARAMS}: no Ray cluster can be joined at run.address {address} ({why}): start one as "
        "docs/ray.md says and give its HOST:PORT, or leave the address empty for this machine "
        "alone."
    )


def _quietly() -> dict[str, Any]:
    """What workers print stays in Ray's own logs; errors come back with what was asked of them."""
    return {"log_to_driver": False, "logging_level": "error"}
