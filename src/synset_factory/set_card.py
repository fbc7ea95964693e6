"""The files beside a set's tars by which people and other readers find their way.

timm counts by `_info.json`, open_clip by `sizes.json`; datasets and people read README.md, and
whatever knows Croissant reads croissant.json.
"""

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from synset_factory.provenance import DIGITAL_SOURCE_TYPES
from synset_factory.records import SPLITS
from synset_factory.whole_files import write_text

# Counts of tars, by split and by the tar's path from the set's folder.
Lengths = Mapping[str, Mapping[str, int]]

PAPER = "Marwood, Baluja, Alon: Diversity and Diffusion. 2023."
SIZE_CATEGORIES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)  # bounds of the hub's categories
CROISSANT = "http://mlcommons.org/croissant/1.1"
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


def lengths_of(index: pd.DataFrame) -> Lengths:
    """Count the images of each tar of an index."""
    return {
        str(split): {str(tar): int(n) for tar, n in rows.groupby("tar", sort=False).size().items()}
        for split, rows in index.groupby("split", sort=False)
    }


def write_counts(root: Path, lengths: Lengths) -> None:
    """Write `_info.json` for timm and `sizes.json` for open_clip."""
    splits = {
        split: {
            "name": split,
            "num_samples": sum(counts.values()),
            "filenames": list(counts),
            "shard_lengths": list(counts.values()),
        }
        for split, counts in lengths.items()
    }
    sizes = {tar: count for counts in lengths.values() for tar, count in counts.items()}
    write_text(root / "_info.json", json.dumps({"splits": splits}, indent=1) + "\n")
    write_text(root / "sizes.json", json.dumps(sizes, indent=1) + "\n")


def card(title: str, text: str, images: int, tags: list[str]) -> str:
    """Return a dataset card: a header that datasets and the Hugging Face hub read, and the text.

    The header names the tars; datasets would go by the commonest file name ending otherwise.
    """
    data_files = [{"split": split, "path": f"{split}/*.tar"} for split in SPLITS]
    header = {
        "pretty_name": title,
        "tags": [*tags, "imagenet", "webdataset", "croissant"],
        "task_categories": ["image-classification"],
        "size_categories": [_size_category(images)],
        "configs": [{"config_name": "default", "data_files": data_files}],
    }
    return f"---\n{yaml.safe_dump(header, sort_keys=False)}---\n# {title}\n\n{text}"


def _size_category(images: int) -> str:
    names = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M")
    return names[sum(images >= bound for bound in SIZE_CATEGORIES)]


def set_card(name: str, description: str, index: pd.DataFrame, source_type: str | None) -> str:
    """Return the README.md of an image set."""
    counts = " and ".join(f"{(index['split'] == split).sum():,} {split}" for split in SPLITS)
    text = (
        f"{description}\n\n"
        f"{counts} images of {index['wnid'].nunique():,} ImageNet classes; one WebDataset tar a\n"
        "class. `.cls` is ImageNet's label (0 to 999), `.txt` the prompt, `.json` everything\n"
        "that determined the image and the SHA-256 of the JPEG. `index.parquet` has a row an\n"
        "image and locates its JPEG.\n"
    )
    if source_type:
        text += (
            "\nEvery JPEG says in its metadata (XMP, IPTC) that its digital source type is\n"
            f"`{source_type}`, and which model drew it.\n"
        )
    tags = ["synthetic"] if source_type else []
    return card(f"Image set {name}", text, len(index), tags)


def croissant(
    name: str, description: str, index_file: Path, source_type: str | None
) -> dict[str, Any]:
    """Return the Croissant metadata of an image set whose index is written.

    It says nothing of license, date and version: those are the publisher's to say.
    """
    source = {"digitalSourceType": DIGITAL_SOURCE_TYPES + source_type} if source_type else {}
    index = {
        "@type": "cr:FileObject",
        "@id": "index.parquet",
        "name": "index.parquet",
        "description": "One row an image.",
        "contentUrl": "index.parquet",
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
    images = {
        "@type": "cr:RecordSet",
        "@id": "images",
        "name": "images",
        "description": "One record an image, with the place of its JPEG.",
        "key": {"@id": "images/key"},
        "field": [_field(column, *about) for column, about in INDEX_FIELDS.items()],
    }
    return {
        "@context": CROISSANT_CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CROISSANT,
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
        "source": {"fileObject": {"@id": "index.parquet"}, "extract": {"column": column}},
    }
