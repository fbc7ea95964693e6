"""Stage `generate`: the class tars of one synthetic image set, drawn from its prompts."""

from synset_factory import layout
from synset_factory.config import Common, load_common, load_section
from synset_factory.drawing import GenerateConfig, image_settings, write_jobs
from synset_factory.errors import run_main
from synset_factory.generation_plan import plan_set, summary
from synset_factory.machine_figures import Rates
from synset_factory.prebuilt import check_pulled
from synset_factory.prompts.files import Synset, read_synsets, world_classes
from synset_factory.provenance import TRAINED_MODEL
from synset_factory.records import ImageSettings
from synset_factory.set_stage import begin_set_stage
from synset_factory.shards.image_stock import ImageStock
from synset_factory.shards.writer import prune, write_index
from synset_factory.whole_files import sole_writer


def generate(name: str, settings: ImageSettings, classes: list[Synset], common: Common) -> None:
    """Bring one set's folder up to date: an image is drawn only if it is nowhere on disk."""
    jobs = plan_set(name, settings, ImageStock(name))
    rate = Rates(settings, common.run.device, common.threads).seconds_per_image
    print(summary(name, jobs, rate, common.run.replicas), flush=True)
    write_jobs(name, jobs, settings, classes, common)
    wnids = [synset.wnid for synset in classes]
    prune(layout.shards(name), wnids)
    description = (
        f"Synthetic images from a text-to-image model (SHA-256 {settings.generator}), guidance "
        f"scale {settings.guidance_scale}, {settings.steps} steps of {settings.scheduler}."
    )
    write_index(layout.shards(name), name, wnids, description, TRAINED_MODEL)


def generate_set(name: str) -> None:
    """Bring a set of params.yaml up to date, unless another run is at it.

    Raises InputError for a set that is to be pulled, another run, a full disk, a missing model or
    one that draws NaN.
    """
    check_pulled(layout.shards(name), f"generate@{name}")
    common, config = load_common(), load_section(GenerateConfig, "generate")
    classes = world_classes(read_synsets())
    image_set = common.sets[name]
    settings = image_settings(image_set.guidance_scale, config, image_set.shortcuts)
    with sole_writer(layout.shards(name), layout.shards_lock(name)):
        generate(name, settings, classes, common)


def main() -> None:
    name, _ = begin_set_stage(__doc__, natural=False, by_engine=True)
    generate_set(name)


if __name__ == "__main__":
    run_main(main)
