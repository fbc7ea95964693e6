"""`synset-factory export SET [FOLDER]`: a shuffled copy of an image set, for other trainers."""

import argparse
from pathlib import Path

from tqdm import tqdm

from synset_factory import layout
from synset_factory.config import NATURAL, claim_world, load_common, require_set
from synset_factory.errors import InputError

IMAGES_PER_TAR = 1000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command line."""
    parser.add_argument("image_set", help=f"name of a set in {layout.PARAMS}, or '{NATURAL}'")
    parser.add_argument(
        "folder", nargs="?", type=Path, help="where to write it (default: exports/<set>)"
    )
    parser.add_argument(
        "--images-per-tar",
        type=int,
        default=IMAGES_PER_TAR,
        help="at most so many; a trainer needs as many tars as it has processes that read "
        f"(default: {IMAGES_PER_TAR:,})",
    )


def export(*, image_set: str, folder: Path | None, images_per_tar: int = IMAGES_PER_TAR) -> None:
    """Copy a set into tars of mixed classes, which timm, open_clip and webdataset train on."""
    # Imported here: these libraries take seconds, and --help needs none of them.
    from synset_factory.shards import exports
    from synset_factory.shards.reader import read_index

    common = load_common()
    claim_world(common.world)
    require_set(image_set, common)
    if images_per_tar < 1:
        raise InputError(f"--images-per-tar {images_per_tar} cannot be: a tar holds 1 or more.")
    folder = exports.replaceable(
        folder or layout.EXPORTS / image_set, exports.is_tar_of_export(image_set)
    )
    index = read_index(image_set)
    size = exports.bytes_of(image_set, index)
    print(
        f"{layout.shards(image_set)} -> {folder}: {len(index):,} images, "
        f"{tqdm.format_sizeof(size, 'B')}.",
        flush=True,
    )
    exports.check_space(folder, size)
    tars = exports.deal(image_set, index, images_per_tar, common.seed)
    exports.write_export(image_set, tars, folder)
    counts = [f"{len(by_tar):,} {split}" for split, by_tar in tars.items()]
    print(f"{folder} is whole: {' and '.join(counts)} tars.")
