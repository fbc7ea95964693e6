"""Stage `embed`: CLIP embeddings of a set's images, from the stored JPEGs, and of its prompts."""

from dataclasses import dataclass
from itertools import chain

import numpy as np
import pandas as pd

from synset_factory import layout
from synset_factory.config import NATURAL, load_section
from synset_factory.embedding import embed, image_batches, text_batches
from synset_factory.embedding_files import COLUMNS, IMAGE, PROMPT, write_embeddings
from synset_factory.errors import run_main
from synset_factory.records import image_key
from synset_factory.set_stage import begin_set_stage
from synset_factory.shards.reader import read_index


@dataclass(frozen=True, kw_only=True)
class EmbedConfig:
    """How CLIP is run."""

    batch_size: int  # images or texts at once


def distinct_prompts(rows: pd.DataFrame, index: pd.DataFrame) -> pd.DataFrame:
    """Return each different prompt of a class and split once, with the first key it belongs to.

    Where all images of a class share a prompt, the class has one vector, as in the paper's
    Disamb2.5-PRMT; where each has its own, as many as images (PromptAug-PRMT).
    """
    labels = index.drop_duplicates("wnid").set_index("wnid")["cls"]
    first = rows.drop_duplicates(["wnid", "split", "prompt"])
    places = zip(first["wnid"], first["split"], first["number"], strict=True)
    return first.assign(
        modality=PROMPT,
        cls=first["wnid"].map(labels),
        key=[image_key(*place) for place in places],
    )


def main() -> None:
    name, common = begin_set_stage(__doc__, natural=True, by_engine=True)
    config = load_section(EmbedConfig, "embed")

    index = read_index(name)
    table, numbers = index.assign(modality=IMAGE)[COLUMNS], np.arange(len(index))
    texts: list[str] = []
    if name != NATURAL:
        prompts = distinct_prompts(pd.read_parquet(layout.prompts(name)), index)
        # Each text once: classes that share a prompt must have exactly the same vector.
        places, distinct = pd.factorize(prompts["prompt"])
        texts = list(distinct)
        table = pd.concat([table, prompts[COLUMNS]], ignore_index=True)
        numbers = np.concatenate([numbers, len(index) + places])
    batches = chain(
        image_batches(name, index, config.batch_size), text_batches(texts, config.batch_size)
    )
    vectors = embed(batches, len(index) + len(texts), name, common)[numbers]
    write_embeddings(name, table, vectors)


if __name__ == "__main__":
    run_main(main)
