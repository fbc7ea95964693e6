"""`synset-factory plan`: what would `dvc repro` draw, and how long would it take?"""

from synset_factory.config import claim_world, load_common, load_section


def plan() -> None:
    """Say of each image set how many images are to be drawn and how many are there already.

    After the sets come the images for other questions (stage `queries`).

    It goes by data/prompts: after an edit of prompts/ or params.yaml run `dvc repro prompts` first.
    """
    # Imported here: these libraries take seconds, and --help needs none of them.
    from synset_factory.drawing import GenerateConfig, image_settings
    from synset_factory.generation_plan import Rates, plan_set, summary
    from synset_factory.image_stock import ImageStock
    from synset_factory.prompt_files import read_synsets, world_classes
    from synset_factory.stages.queries import plan_queries

    common, config = load_common(), load_section(GenerateConfig, "generate")
    claim_world(common.world)
    promised: dict[str, str] = {}  # by digest: what the sets before will have drawn
    for name, image_set in common.sets.items():
        settings = image_settings(image_set.guidance_scale, config, image_set.shortcuts)
        jobs = plan_set(name, settings, ImageStock(name, promised))
        print(summary(name, jobs, Rates(settings, common.run.device).seconds_per_image), flush=True)
        promised |= {digest: name for job in jobs for digest in job.digests}
    for group in plan_queries(common, world_classes(read_synsets()), promised):
        rate = Rates(group.settings, common.run.device).seconds_per_image
        print(summary(group.name, group.jobs, rate), flush=True)
