"""Stage `generate`: the class tars of one synthetic image set, drawn from its prompts."""

import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from filelock import FileLock, Timeout
from tqdm import tqdm

from synset_factory import layout
from synset_factory.config import ImageSet, load_section
from synset_factory.errors import InputError, run_main
from synset_factory.models.text_to_image import TextToImage, folder_digest
from synset_factory.prompt_files import Synset, read_synsets, world_classes
from synset_factory.records import ImageRow, ImageSettings, image_digest
from synset_factory.set_stage import begin_set_stage
from synset_factory.shard_writer import (
    Sample,
    encode_jpeg,
    prune,
    read_members,
    write_class_tar,
    write_index,
)
from synset_factory.whole_files import whole_file

# The code's part of what determines an image: raised when this code would draw other pictures
# from the same rows and settings (tests/stages/test_generate.py tells when).
RECIPE = 1


@dataclass(frozen=True, kw_only=True)
class GenerateConfig:
    """How every synthetic set is drawn."""

    negative_prompt: str
    steps: int  # of the scheduler
    scheduler: str  # class of diffusers
    height: int  # pixels
    width: int  # pixels
    dtype: str  # float32, bfloat16 or float16
    batch_size: int  # images drawn together
    jpeg_quality: int  # 1 ... 100


def image_settings(image_set: ImageSet, config: GenerateConfig) -> ImageSettings:
    """Put together all that determines the images of a set besides their rows."""
    return ImageSettings(
        guidance_scale=image_set.guidance_scale,
        generator=folder_digest(layout.TEXT_TO_IMAGE),
        recipe=RECIPE,
        **asdict(config),
    )


def read_rows(image_set: str) -> list[ImageRow]:
    """Return one row an image of the set, as stage `prompts` wrote them.

    Raises InputError if they have not been made.
    """
    path = layout.prompts(image_set)
    if not path.exists():
        raise InputError(f"{path} is missing: make it with `dvc repro prompts`.")
    return [ImageRow(**row) for row in pq.read_table(path).to_pylist()]


def is_made(path: Path, rows: list[ImageRow], settings: ImageSettings) -> bool:
    """Tell whether a tar holds exactly the images of these rows (one class of one split)."""
    if not path.exists():
        return False
    try:
        found = [(member["key"], member.get("digest")) for member in read_members(path)]
    except InputError:
        return False
    return found == [(row.key, image_digest(row, settings)) for row in rows]


def take_from_other_set(name: str, rows: list[ImageRow], settings: ImageSettings) -> bool:
    """Copy the tar of these rows from another set on disk that has the same images.

    Nothing in a tar names its set, so the bytes are those that drawing would give.
    """
    path = layout.shard(name, rows[0].split, rows[0].wnid)
    for root in sorted(layout.SHARDS.iterdir()):
        donor = root / path.relative_to(layout.shards(name))
        if root.name != name and is_made(donor, rows, settings):
            with whole_file(path) as partial:
                shutil.copyfile(donor, partial)
            return True
    return False


def draw_samples(
    model: TextToImage,
    rows: list[ImageRow],
    class_index: int,
    settings: ImageSettings,
    bar: "tqdm[Any]",
) -> Iterator[Sample]:
    """Draw the images of one class of one split, in chunks aligned to their numbers."""
    for start in range(0, len(rows), settings.batch_size):
        chunk = rows[start : start + settings.batch_size]
        images = model.draw([row.prompt for row in chunk], [row.seed for row in chunk])
        for row, image in zip(chunk, images, strict=True):
            yield Sample(
                key=row.key,
                jpg=encode_jpeg(image, settings.jpeg_quality),
                cls=class_index,
                txt=row.prompt,
                json={**asdict(row), **asdict(settings), "digest": image_digest(row, settings)},
            )
        bar.update(len(chunk))


def generate(name: str, settings: ImageSettings, classes: list[Synset], device: str) -> None:
    """Bring one set's folder up to date; classes that are there already are kept."""
    by_class: dict[tuple[str, str], list[ImageRow]] = {}
    for row in read_rows(name):
        by_class.setdefault((row.split, row.wnid), []).append(row)
    absent = [
        rows
        for (split, wnid), rows in by_class.items()
        if not is_made(layout.shard(name, split, wnid), rows, settings)
    ]
    missing = [rows for rows in absent if not take_from_other_set(name, rows, settings)]
    total, not_kept, to_make = (sum(map(len, x)) for x in (by_class.values(), absent, missing))
    print(
        f"{name}: {total:,} images, {total - not_kept:,} kept, "
        f"{not_kept - to_make:,} reused from other sets, {to_make:,} to make",
        flush=True,
    )
    class_indices = {synset.wnid: synset.class_index for synset in classes}
    if missing:
        model = TextToImage(layout.TEXT_TO_IMAGE, settings, device)
        with tqdm(total=to_make, desc=name, unit="image") as bar:
            for rows in missing:
                split, wnid = rows[0].split, rows[0].wnid
                samples = draw_samples(model, rows, class_indices[wnid], settings, bar)
                write_class_tar(layout.shard(name, split, wnid), samples)
    wnids = [synset.wnid for synset in classes]
    prune(layout.shards(name), wnids)
    description = (
        "Synthetic images drawn by the Stable Diffusion pipeline of this repository's revision, "
        f"guidance scale {settings.guidance_scale}."
    )
    write_index(layout.shards(name), name, wnids, description)


def main() -> None:
    name, common = begin_set_stage(__doc__, natural=False)
    config = load_section(GenerateConfig, "generate")
    classes = world_classes(read_synsets())
    settings = image_settings(common.sets[name], config)
    lock = FileLock(layout.SHARDS / f"{name}.lock")
    layout.SHARDS.mkdir(parents=True, exist_ok=True)
    try:
        with lock.acquire(timeout=0):
            generate(name, settings, classes, common.run.device)
    except Timeout:
        raise InputError(
            f"{layout.shards(name)} is being written by another run (DVC killed leaves its stage "
            "running): wait for it, or end that process, and try again."
        ) from None


if __name__ == "__main__":
    run_main(main)
