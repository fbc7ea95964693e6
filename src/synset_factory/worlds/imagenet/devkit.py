"""The development kit of ILSVRC 2012: the classes of the validation pictures.

Its ground truth has numbers of its own, 1 to 1,000, which are not ImageNet's labels; meta.mat says
which wnid each of them is.
"""

import tarfile
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from synset_factory.errors import InputError

GROUND_TRUTH = "data/ILSVRC2012_validation_ground_truth.txt"
META = "data/meta.mat"
# What scipy and the steps after it raise of a file that is not the devkit's meta.mat.
DAMAGE = (
    MatReadError,
    ValueError,
    OverflowError,
    TypeError,
    LookupError,
    NotImplementedError,  # scipy, of a file in the form of MATLAB 7.3
    OSError,
    zlib.error,
)


def validation_wnids(devkit: Path) -> list[str]:
    """Return the wnid of each validation picture, in the order of their numbers, from 1 on.

    `devkit` is the folder ILSVRC2012_devkit_t12, or its .tar.gz. Raises InputError if it is none.
    """
    meta, ground_truth = _read(devkit, META), _read(devkit, GROUND_TRUTH)
    try:
        synsets = loadmat(BytesIO(meta), squeeze_me=True, variable_names=["synsets"])["synsets"]
        ids = np.asarray(synsets["ILSVRC2012_ID"]).astype(int)
        wnids = dict(zip(ids.tolist(), map(str, synsets["WNID"]), strict=True))
        return [wnids[int(line)] for line in ground_truth.split()]
    except DAMAGE:
        raise InputError(
            f"{devkit}: {META} does not tell which wnid each number of {GROUND_TRUTH} is; get the "
            "devkit again, ILSVRC2012_devkit_t12."
        ) from None


def _read(devkit: Path, name: str) -> bytes:
    """Return a file of the devkit, from its folder or from its archive."""
    try:
        if devkit.is_dir():
            return (devkit / name).read_bytes()
        with tarfile.open(devkit) as tar:
            for member in tar:
                stream = tar.extractfile(member) if member.name.endswith(f"/{name}") else None
                if stream:
                    return stream.read()
    except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
        raise InputError(
            f"{devkit} cannot be read as the devkit ({error}): name the folder "
            "ILSVRC2012_devkit_t12, or its .tar.gz."
        ) from None
    raise InputError(f"{devkit} has no {name}: name ILSVRC2012_devkit_t12 or its .tar.gz.")
