"""The files beside a set's tars by which people and other readers find their way.

timm counts by `_info.json`, open_clip by `sizes.json`; datasets and people read README.md, and
whatever knows Croissant reads croissant.json.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import yaml

from synset_factory.errors import InputError
from synset_factory.provenance import DIGITAL_SOURCE_TYPES
from synset_factory.whole_files import write_text

INFO, CARD, SIZES, CROISSANT = "_info.json", "README.md", "sizes.json", "croissant.json"
INDEX = "index.parquet"
PAPER = "Marwood, Baluja, Alon: Diversity and Diffusion. 2023."
SIZE_CATEGORIES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)  # bounds of the hub's categories
CONFORMS_TO = "http://mlcommons.org/croissant/1.1"
# The context that the specification prescribes, word for word.
CROISSANT_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "name": {"@container": "@language"},
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
# Columns of index.parquet: type of Croissant and what it means.
INDEX_FIELDS = {
    "key": ("sc:Text", "name of the image in its tar"),
    "split": ("sc:Text", "train or validation"),
    "wnid": ("sc:Text", "WordNet 3.0 id of the class"),
    "cls": ("sc:Integer", "ImageNet's label of the class, 0 to 999"),
    "tar": ("sc:Text", "path of the tar"),
    "offset": ("sc:Integer", "where the JPEG begins in the tar, in bytes"),
    "size": ("sc:Integer", "length of the JPEG, in bytes"),
    "digest": ("sc:Text", "SHA-256 of everything that determined the image"),
    "sha256": ("sc:Text", "SHA-256 of the JPEG"),
}
# A further column, of a set of photographs.
SOURCE_FIELDS = {"source": ("sc:Text", "name of the file that the photograph was")}


@dataclass(frozen=True, kw_only=True)
class Split:
    """What readers want to know of the tars of one split."""

    lengths: dict[str, int]  # images in each tar, by the tar's name in the split's folder
    classes: list[int]  # ImageNet's labels, sorted
    source_type: str | None  # digital source type that every JPEG names, if it does

    @property
    def images(self) -> int:
        return sum(self.lengths.values())


def splits_of(index: pd.DataFrame, source_type: str | None) -> dict[str, Split]:
    """Return the splits of an image set, in the order of its index."""
    return {
        str(name): Split(
            lengths={
                Path(str(tar)).name: int(count)
                for tar, count in rows.groupby("tar", sort=False).size().items()
            },
            classes=sorted(int(label) for label in rows["cls"].unique()),
            source_type=source_type,
        )
        for name, rows in index.groupby("split", sort=False)
    }


def read_split(root: Path, split: str) -> Split:
    """Return a split as `_info.json` of a set or an export has it.

    Raises InputError if it has no such split, or is damaged or of an earlier version.
    """
    path = root / INFO
    try:
        told = json.loads(path.read_text(encoding="utf-8"))["splits"][split]
        tars = [Path(name).name for name in told["filenames"]]
        return Split(
            lengths=dict(zip(tars, map(int, told["shard_lengths"]), strict=True)),
            classes=[int(label) for label in told["classes"]],
            source_type=told["digital_source_type"],
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise InputError(
            f"{path} has no {split} split, is damaged, or was written by an earlier version of "
            "this program: make a set with `dvc repro`, an export with `synset-factory export`."
        ) from None


def write_beside(root: Path, splits: Mapping[str, Split], card_text: str) -> None:
    """Write the card and what readers count by: `_info.json` and `<split>/sizes.json`.

    open_clip looks for sizes.json where the tars are, and for their bare names in it.
    """
    # _info.json comes first: by it an export knows what a killed run of it has left.
    write_text(root / INFO, json.dumps(_timm_info(splits), indent=1) + "\n")
    write_text(root / CARD, card_text)
    for name, split in splits.items():
        write_text(root / name / SIZES, json.dumps(split.lengths, indent=1) + "\n")


def _timm_info(splits: Mapping[str, Split]) -> dict[str, Any]:
    """Return what timm reads, and what `read_split` reads besides."""
    return {
        "splits": {
            name: {
                "name": name,
                "num_samples": split.images,
                "filenames": [f"{name}/{tar}" for tar in split.lengths],
                "shard_lengths": list(split.lengths.values()),
                "classes": split.classes,
                "digital_source_type": split.source_type,
            }
            for name, split in splits.items()
        }
    }


def card(
    title: str,
    text: str,
    splits: Mapping[str, Split],
    tags: Sequence[str] = (),
    *,
    columns: Mapping[str, str] | None = None,
) -> str:
    """Return a dataset card: a header that datasets and the Hugging Face hub read, and the text.

    The header names the tars: datasets would go by the commonest ending of file names otherwise.
    `columns` are the types of datasets' columns, by name, where it would not find them by itself.
    """
    classes = {label for split in splits.values() for label in split.classes}
    images = sum(split.images for split in splits.values())
    source_types = {split.source_type for split in splits.values()}
    synthetic = ["synthetic"] if source_types - {None} else []
    header: dict[str, Any] = {
        "pretty_name": title,
        "tags": [*synthetic, *tags, "imagenet", "webdataset"],
        "task_categories": ["image-classification"],
        "size_categories": [_size_category(images)],
        "configs": [
            {
                "config_name": "default",
                "data_files": [{"split": name, "path": f"{name}/*.tar"} for name in splits],
            }
        ],
    }
    if columns:
        features = [{"name": name, "dtype": kind} for name, kind in columns.items()]
        header["dataset_info"] = {"features": features}
    counts = " and ".join(f"{split.images:,} {name}" for name, split in splits.items())
    return (
        f"---\n{yaml.safe_dump(header, sort_keys=False)}---\n# {title}\n\n{text}\n\n"
        f"{counts} images of {len(classes):,} ImageNet classes, in WebDataset tars. `.cls` is\n"
        "ImageNet's label (0 to 999), `.txt` the prompt, `.json` everything that determined the\n"
        f"image and the SHA-256 of the JPEG.\n{_origin(splits)}"
    )


def _origin(splits: Mapping[str, Split]) -> str:
    """Say what the JPEGs say of themselves in their metadata."""
    told = [f"`{each.source_type}` ({name})" for name, each in splits.items() if each.source_type]
    if not told:
        return ""
    return f"\nThe digital source type in each JPEG's metadata (XMP, IPTC): {', '.join(told)}.\n"


def _size_category(images: int) -> str:
    names = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M")
    return names[sum(images >= bound for bound in SIZE_CATEGORIES)]


def set_card(name: str, description: str, splits: Mapping[str, Split]) -> str:
    """Return the README.md of an image set."""
    text = (
        f"{description}\n\n"
        "One tar a class; `index.parquet` has a row an image and locates its JPEG."
    )
    return card(f"Image set {name}", text, splits, ["croissant"])


def croissant(
    name: str, description: str, index_file: Path, source_type: str | None
) -> dict[str, Any]:
    """Return the Croissant metadata of an image set whose index is written.

    It says nothing of license, date and version: those are the publisher's to say.
    """
    source = {"digitalSourceType": DIGITAL_SOURCE_TYPES + source_type} if source_type else {}
    index = {
        "@type": "cr:FileObject",
        "@id": INDEX,
        "name": INDEX,
        "description": "One row an image.",
        "contentUrl": INDEX,
        "encodingFormat": "application/x-parquet",
        "sha256": sha256(index_file.read_bytes()).hexdigest(),
    }
    tars = {
        "@type": "cr:FileSet",
        "@id": "tars",
        "name": "tars",
        "description": "WebDataset tars, one a class, split by folder.",
        "includes": "*/*.tar",
        "encodingFormat": "application/x-tar",
    }
    columns = pq.read_schema(index_file).names
    fields = {
        name: each for name, each in (INDEX_FIELDS | SOURCE_FIELDS).items() if name in columns
    }
    images = {
        "@type": "cr:RecordSet",
        "@id": "images",
        "name": "images",
        "description": "One record an image, with the place of its JPEG.",
        "key": {"@id": "images/key"},
        "field": [_field(column, *about) for column, about in fields.items()],
    }
    return {
        "@context": CROISSANT_CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": name,
        "description": description,
        "citeAs": PAPER,
        **source,
        "distribution": [index, tars],
        "recordSet": [images],
    }


def _field(column: str, data_type: str, description: str) -> dict[str, Any]:
    return {
        "@type": "cr:Field",
        "@id": f"images/{column}",
        "name": column,
        "description": description,
        "dataType": data_type,
        "source": {"fileObject": {"@id": INDEX}, "extract": {"column": column}},
    }
