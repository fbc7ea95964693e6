"""Part `web`: a captioned web of pictures, glossy and noisy, on which the models are trained."""

import io
import os
import random
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from synset_factory import layout
from synset_factory.config import claim_world, load_common, load_section
from synset_factory.seeds import derive_seed
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


def main() -> None:
    """Draw the web into data/web/web.parquet. Raises InputError for bad params or causes."""
    config, common = load_section(WebConfig, "web"), load_common()
    claim_world(common.world)
    causes = load_causes()
    print(
        f"Drawing a web of {config.pictures:,} captioned pictures of {config.size} x "
        f"{config.size} pixels; {len(causes.words)} rows of words say what is on them."
    )
    draw = partial(render_web, seed=common.seed, causes=causes, size=config.size)
    numbers = range(config.pictures)
    with ProcessPoolExecutor(PROCESSES) as pool:
        drawn = pool.map(draw, numbers, chunksize=CHUNK)
        rows = list(tqdm(drawn, total=config.pictures, desc="web", unit="picture"))
    columns = dict(zip(("image", "caption", "concept"), zip(*rows, strict=True), strict=True))
    table = pa.table({name: pa.array(values) for name, values in columns.items()})
    layout.WEB.parent.mkdir(parents=True, exist_ok=True)
    temporary = layout.partial(layout.WEB)
    pq.write_table(table, temporary)
    os.replace(temporary, layout.WEB)
