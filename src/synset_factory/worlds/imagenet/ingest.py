"""Part `ingest`: ImageNet from the user's disk as the set `natural`, its files bit for bit.

The disk's copy is no dependency of DVC's: to hash 150 GB would take longer than to use them. What
was taken from it DVC knows as the output. It is looked at again when the section `ingest` changes,
or when asked to (`dvc repro --force --single-item` and the stage's name); then a class tar of which
the source has the same file names and sizes stays as it is.
"""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from synset_factory import layout
from synset_factory.config import NATURAL, claim_world, load_common, load_section
from synset_factory.errors import InputError
from synset_factory.prompts.files import Synset, read_synsets, world_classes
from synset_factory.records import SPLITS
from synset_factory.shards.set_card import INDEX_FIELDS, SOURCE_FIELDS
from synset_factory.shards.writer import prune, write_index_of
from synset_factory.whole_files import sole_writer, write_text
from synset_factory.worlds.imagenet import layouts
from synset_factory.worlds.imagenet.class_tars import ClassFound, ClassJob, ClassTar, ingest_class
from synset_factory.worlds.imagenet.devkit import validation_wnids
from synset_factory.worlds.imagenet.hub_parquet import ingest_parquet, read_rows
from synset_factory.worlds.imagenet.ingest_report import report_text, split_counts
from synset_factory.worlds.imagenet.processes import Map, mapping

LAYOUTS = ("class_folders", "tar_of_tars", "flat", "parquet")
DESCRIPTION = "ImageNet's photographs (ILSVRC 2012), each file as it was."


@dataclass(frozen=True, kw_only=True)
class SourceConfig:
    """Where one split of ImageNet lies."""

    # class_folders: <wnid>/<files>; tar_of_tars: ILSVRC2012_img_train.tar; flat: the validation
    # pictures in one folder or in ILSVRC2012_img_val.tar; parquet: the hub's files, in one folder.
    layout: str
    path: str  # of the folder or the tar; ~ is the home folder
    devkit: str  # of flat: the folder ILSVRC2012_devkit_t12, or its .tar.gz; else empty
    images: int  # of each class, the first by file name; 0 for all


@dataclass(frozen=True, kw_only=True)
class IngestConfig:
    """Section `ingest` of params.yaml."""

    train: SourceConfig
    validation: SourceConfig


@dataclass(frozen=True, kw_only=True)
class Source:
    """One split of ImageNet, looked into."""

    classes: list[str]  # names of its folders or tars, or its labels, whatever they are
    other_files: int  # that lie in no class
    ingest: Callable[[Sequence[ClassTar], Map], list[ClassFound]]


def open_source(split: str, config: SourceConfig, synsets: Sequence[Synset]) -> Source:
    """Look into one split. `synsets` are all of ImageNet's. Raises InputError if it is not there.

    Raises InputError as well for a layout that does not exist, and a devkit that is not asked for.
    """
    where = f"{layout.PARAMS}: ingest.{split}"
    if config.layout not in LAYOUTS:
        raise InputError(f"{where}.layout must be one of {', '.join(LAYOUTS)}.")
    if bool(config.devkit) != (config.layout == "flat"):
        raise InputError(f"{where}.devkit must be named for the layout flat, and be empty else.")
    if config.images < 0:
        raise InputError(f"{where}.images must be 0, for all, or a number of pictures a class.")
    path = _there(f"{where}.path", config.path)
    if config.layout == "parquet":
        rows = read_rows(path, split, [synset.wnid for synset in synsets])
        unknown = sorted(set(rows.loc[rows["wnid"] == "", "label"]))
        return Source(
            classes=[*sorted(set(rows["wnid"]) - {""}), *(f"label {label}" for label in unknown)],
            other_files=0,  # each row has a label
            ingest=partial(ingest_parquet, rows, images=config.images, title=split),
        )
    if config.layout == "flat":
        devkit = _there(f"{where}.devkit", config.devkit)
        contents = layouts.flat(path, validation_wnids(devkit))
    elif config.layout == "tar_of_tars":
        contents = layouts.tar_of_tars(path)
    else:
        contents = layouts.class_folders(path)
    return Source(
        classes=list(contents.classes),
        other_files=contents.other_files,
        ingest=partial(_ingest_listed, contents.classes, images=config.images, title=split),
    )


def _there(key: str, text: str) -> Path:
    """Return the path that a key names. Raises InputError if it is not there, or out of reach."""
    try:
        path = Path(text).expanduser()
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"{key}: {text} does not exist; name where it lies.") from None
    except (OSError, RuntimeError) as error:  # the latter: ~ of a user who has no home folder
        raise InputError(
            f"{key}: {text} cannot be reached ({error}); correct the path, or its rights."
        ) from None
    return path


def _ingest_listed(
    listings: dict[str, layouts.Listing],
    tars: Sequence[ClassTar],
    run_all: Map,
    *,
    images: int,
    title: str,
) -> list[ClassFound]:
    jobs = [ClassJob(tar=tar, listing=listings[tar.wnid], images=images) for tar in tars]
    return list(tqdm(run_all(ingest_class, jobs), total=len(jobs), desc=title, unit="tar"))


def check_classes(split: str, source: Source, classes: Sequence[Synset]) -> None:
    """Raise InputError if a class of this world is not in the source."""
    missing = [synset.wnid for synset in classes if synset.wnid not in set(source.classes)]
    if missing:
        more = f" and {len(missing) - 3:,} more" if len(missing) > 3 else ""
        raise InputError(
            f"{layout.PARAMS}: ingest.{split}.path has no class {', '.join(missing[:3])}{more}: "
            "get what is missing, correct the layout, or take the classes out of wnids."
        )


def main() -> None:
    """Write ImageNet into data/shards/natural. Raises InputError for bad input."""
    config, common = load_section(IngestConfig, "ingest"), load_common()
    claim_world(common.world)
    synsets = read_synsets()
    classes = world_classes(synsets)
    configs = {split: getattr(config, split) for split in SPLITS}
    print("Looking into ImageNet's files.", flush=True)
    sources = {split: open_source(split, configs[split], synsets) for split in SPLITS}
    for split, source in sources.items():
        check_classes(split, source, classes)
        print(f"{split}: {len(classes):,} classes from {configs[split].path}.", flush=True)
    print(f"Class tars in {layout.shards(NATURAL)} that have them already stay.", flush=True)
    with sole_writer(layout.shards(NATURAL), layout.shards_lock(NATURAL)):
        found = _ingest(sources, classes, common.run.workers)
        index = _write_beside(found, classes)
        known = {synset.wnid for synset in synsets}
        unknown = {
            split: [name for name in source.classes if name not in known]
            for split, source in sources.items()
        }
        counts = {
            split: split_counts(
                split, found[split], index, unknown[split], sources[split].other_files
            )
            for split in SPLITS
        }
        whole = len(classes) == len(synsets) and not any(each.images for each in configs.values())
        text = report_text(counts, found, unknown, whole=whole)
        write_text(layout.INGEST_COUNTS, json.dumps(counts, indent=1) + "\n")
        write_text(layout.INGEST_REPORT, text)
        print(text)


def _ingest(
    sources: dict[str, Source], classes: Sequence[Synset], workers: int
) -> dict[str, list[ClassFound]]:
    found = {}
    with mapping(workers) as run_all:
        for split, source in sources.items():
            tars = [
                ClassTar(wnid=synset.wnid, split=split, class_index=synset.class_index)
                for synset in classes
            ]
            found[split] = source.ingest(tars, run_all)
    shutil.rmtree(layout.INGEST_FACTS, ignore_errors=True)
    return found


def _write_beside(found: dict[str, list[ClassFound]], classes: Sequence[Synset]) -> pd.DataFrame:
    """Delete what does not belong to the set, write its index and cards, and return the index."""
    prune(layout.shards(NATURAL), [synset.wnid for synset in classes])
    rows = [row for split in SPLITS for each in found[split] for row in each.rows]
    index = pd.DataFrame(rows)[[*INDEX_FIELDS, *SOURCE_FIELDS]]
    write_index_of(layout.shards(NATURAL), NATURAL, index, DESCRIPTION)
    return index
