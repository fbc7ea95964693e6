"""Part `web`: a captioned web of pictures, glossy and noisy, on which the models are trained."""

import io
import random
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from synset_factory import layout
from synset_factory.config import claim_world, load_common, load_section
from synset_factory.seeds import derive_seed
from synset_factory.whole_files import whole_file
from synset_factory.worlds.miniature.captions import draw_caption
from synset_factory.worlds.miniature.causes import Causes, load_causes
from synset_factory.worlds.miniature.renderer import render
from synset_factory.worlds.miniature.staging import stage

PROCESSES = 2
CHUNK = 256  # pictures handed to a process at a time


@dataclass(frozen=True, kw_only=True)
class WebConfig:
    """Section `web` of params.yaml."""

    pictures: int  # captioned pictures on the web
    size: int  # pixels, width and height


def render_web(number: int, seed: int, causes: Causes, size: int) -> tuple[bytes, str, str]:
    """Return picture `number` of the web: PNG bytes, its caption, the concepts it shows."""
    rng = random.Random(derive_seed(seed, "web", number))
    said = draw_caption(causes, rng)
    scene = stage(
        said.things,
        said.description,
        glossy=said.glossy,
        cluttered=said.cluttered,
        causes=causes,
        rng=rng,
    )
    stream = io.BytesIO()
    render(scene, size).save(stream, "PNG")
    return stream.getvalue(), said.caption, ", ".join(said.things)


def draw_web(pictures: int, size: int, seed: int, causes: Causes) -> list[tuple[bytes, str, str]]:
    """Draw the whole web in processes of its own; one row a picture, as `render_web` has it."""
    draw = partial(render_web, seed=seed, causes=causes, size=size)
    with ProcessPoolExecutor(PROCESSES) as pool:
        drawn = pool.map(draw, range(pictures), chunksize=CHUNK)
        return list(tqdm(drawn, total=pictures, desc="web", unit="picture"))


def write_web(rows: list[tuple[bytes, str, str]], path: Path) -> None:
    """Write the rows as a table of columns image, caption, concept."""
    columns = dict(zip(("image", "caption", "concept"), zip(*rows, strict=True), strict=True))
    table = pa.table({name: pa.array(values) for name, values in columns.items()})
    with whole_file(path) as partial:
        pq.write_table(table, partial)


def main() -> None:
    """Draw the web into data/web/web.parquet. Raises InputError for bad params or causes."""
    config, common = load_section(WebConfig, "web"), load_common()
    claim_world(common.world)
    causes = load_causes()
    print(
        f"Drawing a web of {config.pictures:,} captioned pictures of {config.size} x "
        f"{config.size} pixels; {len(causes.words)} rows of words say what is on them.",
        flush=True,
    )
    write_web(draw_web(config.pictures, config.size, common.seed, causes), layout.WEB)
