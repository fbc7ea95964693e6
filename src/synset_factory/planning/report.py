"""The plan of a run as text: tables of what is to be made, and sentences on what it takes."""

from collections.abc import Sequence
from dataclasses import dataclass

from synset_factory.planning.needs import SetNeeds, TrainingNeeds

UNKNOWN = "?"
COPIES = (1, 2, 4, 8)  # of the models, each on a device of its own


def duration(seconds: float | None) -> str:
    """Return a time in the unit that reads best; a question mark for one that is not known."""
    if seconds is None:
        return UNKNOWN
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:,.{0 if seconds >= 10 * length else 1}f} {unit}"
    return f"{seconds:.0f} s"


def size(number: float | None) -> str:
    """Return a number of bytes in the unit that reads best."""
    if number is None:
        return UNKNOWN
    for unit, length in (("GiB", 2**30), ("MiB", 2**20)):
        if number >= length:
            return f"{number / length:,.{0 if number >= 10 * length else 1}f} {unit}"
    return f"{number / 1024:.0f} KiB"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return rows in columns: the first to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip()
        for row in (header, *rows)
    )


@dataclass(frozen=True, kw_only=True)
class DrawnSet:
    """A set's needs with what this machine is known to take for them."""

    needs: SetNeeds
    seconds_per_image: float | None  # None: never measured here
    bytes_per_image: float | None  # in a tar
    at_most: bool  # bytes_per_image is of images that are larger than finished ones

    @property
    def seconds(self) -> float | None:
        return times(self.needs.to_make, self.seconds_per_image)

    @property
    def bytes_to_write(self) -> float | None:
        return times(self.needs.to_write, self.bytes_per_image)

    @property
    def bytes_to_cache(self) -> float | None:
        return times(self.needs.to_cache, self.bytes_per_image)


def times(count: int, each: float | None) -> float | None:
    """Return what so many take, if it is known what one takes."""
    if count == 0:
        return 0.0
    return None if each is None else count * each


def total(parts: Sequence[float | None]) -> float | None:
    """Return the sum, which is not known if a part of it is not."""
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None


def sets_table(sets: Sequence[DrawnSet]) -> str:
    """Return a row for each set: what of it is there, what is to be made, and what that takes."""
    rows = [
        (
            *(each.needs.name, f"{each.needs.settings.guidance_scale:g}"),
            str(each.needs.settings.steps),
            *_counts([each]),
            ", ".join(f"{count:,} {name}" for name, count in sorted(each.needs.donors.items())),
        )
        for each in sets
    ]
    rows.append(("all", "", "", *_counts(sets), ""))
    header = ("set", "cgs", "steps", "images", "reused", "to make", "time", "disk", "reused from")
    return table(header, rows)


def _counts(sets: Sequence[DrawnSet]) -> tuple[str, ...]:
    images, to_make = sum(s.needs.images for s in sets), sum(s.needs.to_make for s in sets)
    return (
        *(f"{count:,}" for count in (images, images - to_make, to_make)),
        duration(total([s.seconds for s in sets])),
        size(total([s.bytes_to_write for s in sets])),
    )


def trainings_table(needs: Sequence[TrainingNeeds], seconds_per_image: float | None) -> str:
    """Return a row for each set whose classifiers are to be trained."""
    rows = [
        (
            each.image_set,
            f"{each.images:,}{'' if each.known else ' ?'}",
            *(str(each.classifiers), str(each.epochs), f"{each.steps:,}"),
            duration(times(each.images_seen, seconds_per_image)),
        )
        for each in needs
    ]
    steps, seen = sum(n.steps for n in needs), sum(n.images_seen for n in needs)
    rows.append(("all", "", "", "", f"{steps:,}", duration(times(seen, seconds_per_image))))
    return table(("classifiers of", "images", "seeds", "epochs", "steps", "time"), rows)


def copies_table(parts: dict[str, float | None], device: str, micro_batches: int) -> str:
    """Return how long each part takes with 1, 2, 4 and 8 equal devices, at the very best.

    Of these the part `training` has as many at work as can share the micro-batches of a step
    evenly.
    """
    times_of = {
        name: [
            None if s is None else s / (sharing(micro_batches, n) if name == "training" else n)
            for n in COPIES
        ]
        for name, s in parts.items()
    }
    times_of["all"] = [total(column) for column in zip(*times_of.values(), strict=True)]
    rows = [(name, *map(duration, each)) for name, each in times_of.items()]
    text = table((f"copies of {device}", *map(str, COPIES)), rows)
    idle = [str(n) for n in COPIES if sharing(micro_batches, n) < n]
    if not idle:
        return text
    return (
        f"{text}\nCopies must share the micro-batches of a training step evenly. It has "
        f"{micro_batches}, so `train` takes no run.replicas of {' or '.join(idle)}: the time there "
        "is that of fewer."
    )


def sharing(micro_batches: int, copies: int) -> int:
    """Return how many of the copies of a model can share so many micro-batches evenly."""
    return max(n for n in range(1, copies + 1) if micro_batches % n == 0)


@dataclass(frozen=True, kw_only=True)
class Disk:
    """What images and embeddings need, and what there is."""

    to_write: float | None  # bytes of tars
    to_cache: float | None  # bytes of DVC's copy of them, where it takes any
    embeddings: float | None  # bytes of them, in CLIP's space; DVC's copy takes as many
    at_most: bool  # the bytes of tars are upper bounds
    shared: bool | None  # the cache shares the blocks of the tars; None: it may
    one_disk: bool  # data/ and the cache are on one
    free: int  # bytes, where data/ is
    free_for_cache: int  # bytes, where the cache is

    def sentences(self) -> str:
        """Say what is needed, and whether there is room for it, as far as is known."""
        at_cache = total([self.to_cache, self.embeddings])
        needs, cache_needs = (
            sum(part or 0.0 for part in (tars, self.embeddings))
            for tars in (self.to_write, self.to_cache)
        )
        free = f"{size(self.free)} are free."
        if self.shared:
            copy = "DVC's cache shares their blocks (reflinks)."
        elif self.one_disk and self.shared is None:
            copy = (
                "DVC's cache shares their blocks if this file system has reflinks (APFS has), and"
                f" takes {size(at_cache)} more if not."
            )
        elif self.one_disk:
            copy = (
                f"DVC's cache takes {size(at_cache)} more: this file system has no reflinks"
                " (XFS, Btrfs and APFS have)."
            )
            needs += cache_needs
        else:
            copy = f"DVC's cache takes {size(at_cache)} more: it lies on another disk."
            free = f"{size(self.free)} are free, {size(self.free_for_cache)} at the cache."
        full = needs > self.free or (not self.one_disk and cache_needs > self.free_for_cache)
        most = "at most " if self.at_most else ""
        return (
            f"Disk: {most}{size(self.to_write)} of tars, {size(self.embeddings)} of embeddings. "
            f"{copy} {free}{' THAT IS NOT ENOUGH.' if full else ''}"
        )
