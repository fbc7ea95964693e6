"""What an ingestion found: counts for metrics, and a page that names what was left out."""

from collections.abc import Mapping, Sequence

import pandas as pd

from synset_factory.markdown import markdown_table
from synset_factory.records import SPLITS, TRAIN, VALIDATION
from synset_factory.worlds.imagenet.class_tars import SECOND, ClassFound

TOTALS = {TRAIN: 1_281_167, VALIDATION: 50_000}  # pictures of ImageNet-1K
NAMES_SHOWN = 20  # of each kind and split
KINDS = {
    "classes": "classes",
    "pictures": "pictures",
    "bytes": "bytes of them, which are kept as they are",
    "greyscale": "greyscale: readers make it RGB",
    "cmyk": "CMYK: readers make it RGB",
    "other_mode": "of another colour mode: readers make it RGB",
    "exif_rotated": "turned by EXIF: datasets heeds it; torchvision, timm, webdataset do not",
    "png": "PNG by content, whatever the name: readers go by the content",
    "duplicates": "the same bytes as a picture before it",
    "broken": "left out: cannot be read to its end as a JPEG or PNG",
    "repeated_names": "left out: a second file of one name",
    "other_files": "files passed over: by their names or places no pictures of a class",
    "unknown_classes": "folders or labels passed over: no classes of ImageNet-1K",
}


def split_counts(
    split: str,
    found: Sequence[ClassFound],
    index: pd.DataFrame,
    unknown: Sequence[str],
    other_files: int,
) -> dict[str, int]:
    """Return the figures of one split by the names of KINDS.

    `index` is that of the whole set; `other_files` are those in no class.
    """
    # The training split comes first: a validation picture that is in it too counts as well.
    duplicated = index["sha256"].duplicated()
    rows = index[index["split"] == split]
    reasons = [reason for each in found for reason in each.left_out.values()]
    odd = {kind: sum(each.counts[kind] for each in found) for kind in KINDS}
    return odd | {
        "classes": len(found),
        "pictures": len(rows),
        "bytes": int(rows["size"].sum()),
        "duplicates": int(duplicated[rows.index].sum()),
        "broken": sum(reason != SECOND for reason in reasons),
        "repeated_names": reasons.count(SECOND),
        "other_files": other_files + sum(each.other_files for each in found),
        "unknown_classes": len(unknown),
    }


def report_text(
    counts: Mapping[str, Mapping[str, int]],
    found: Mapping[str, Sequence[ClassFound]],
    unknown: Mapping[str, Sequence[str]],
    *,
    whole: bool,
) -> str:
    """Return the page: a table of the figures, and the names behind the rare ones.

    `whole` tells that all of ImageNet was wanted, so that what it lacks is said.
    """
    rows = [
        [text, *(f"{counts[split][kind]:,}" for split in SPLITS)] for kind, text in KINDS.items()
    ]
    parts = ["# ImageNet as it was found", markdown_table(["", *SPLITS], rows)]
    for split in SPLITS:
        lacking = TOTALS[split] - counts[split]["pictures"]
        if whole and lacking:
            which = f"{abs(lacking):,} {'are lacking' if lacking > 0 else 'too many are'} here"
            parts.append(
                f"ImageNet-1K has {TOTALS[split]:,} pictures in its {split} split: {which}."
            )
        lines = _names(found[split])
        lines += [f"{name}: no class of ImageNet-1K" for name in unknown[split]]
        if lines:
            parts.append(f"## {split.capitalize()}")
            parts.append("\n".join(f"- {line}" for line in lines))
    return "\n\n".join(parts) + "\n"


def _names(found: Sequence[ClassFound]) -> list[str]:
    left_out = [
        f"{each.tar.wnid}/{name}: left out, {reason}"
        for each in found
        for name, reason in each.left_out.items()
    ]
    named: dict[str, list[str]] = {}
    for each in found:
        for kind, names in each.named.items():
            named.setdefault(kind, []).extend(f"{each.tar.wnid}/{name}" for name in names)
    for kind, names in sorted(named.items()):
        more = f" and {len(names) - NAMES_SHOWN:,} more" if len(names) > NAMES_SHOWN else ""
        left_out.append(f"{kind}: {', '.join(names[:NAMES_SHOWN])}{more}")
    return left_out
