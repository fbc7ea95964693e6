"""Stage `classifier_embed`: embeddings of a set's images in the space of a classifier.

Stage `classifier_space` compares them. A set that changes is embedded anew, and no other.
"""

from dataclasses import dataclass
from pathlib import Path

from synset_factory import layout
from synset_factory.config import load_section
from synset_factory.embedding_files import IMAGE, write_batches
from synset_factory.errors import run_main
from synset_factory.models.penultimate import Penultimate
from synset_factory.set_stage import begin_set_stage
from synset_factory.shards.reader import JpegDataset, read_index


@dataclass(frozen=True, kw_only=True)
class ClassifierEmbedConfig:
    """Whose space it is."""

    model: str  # folder of a classifier of natural images, as timm saves one
    batch_size: int  # images at once


def main() -> None:
    name, common = begin_set_stage(__doc__, natural=True, by_engine=False)
    config = load_section(ClassifierEmbedConfig, "classifier_embed")

    model = Penultimate(Path(config.model), common.run.device)
    index = read_index(name)
    dataset = JpegDataset(name, index, model.preprocess)
    batches = model.embed_images(dataset, config.batch_size, common.run.workers, name)
    write_batches(layout.classifier_embeddings(name), index.assign(modality=IMAGE), batches)


if __name__ == "__main__":
    run_main(main)
