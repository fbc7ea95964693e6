"""Programs that some tests need and a laptop may lack."""

import os
import shutil

import pytest


def require(*names: str) -> str:
    """Return the path of the first of some programs that is there.

    Without any the test is skipped, but failed where CI=true.
    """
    # Servers are often there, on a path that is root's alone.
    places = f"{os.environ['PATH']}{os.pathsep}/usr/sbin"
    found = next(filter(None, (shutil.which(name, path=places) for name in names)), None)
    if found is None:
        message = f"{' or '.join(names)} is not installed"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return found
