"""Programs that some tests need and a laptop may lack."""

import os
import shutil

import pytest


def require(program: str) -> str:
    """Return the path of a program: without it the test is skipped, but failed where CI=true."""
    found = shutil.which(program, path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin")
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{program} is not installed")
        pytest.skip(f"{program} is not installed")
    return found
