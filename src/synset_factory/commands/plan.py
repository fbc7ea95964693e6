"""`synset-factory plan`: what would `dvc repro` make, and what would that take?"""

import argparse
from dataclasses import replace
from shutil import disk_usage
from typing import TYPE_CHECKING

from synset_factory import layout
from synset_factory.config import NATURAL, Common, claim_world, load_common, load_section

if TYPE_CHECKING:
    from synset_factory.models.classifier import ClassifierSettings
    from synset_factory.planning.needs import EmbeddingNeeds, SetNeeds
    from synset_factory.planning.report import DrawnSet
    from synset_factory.stages.train import TrainConfig

# What no figure of the plan is of.
NOT_COUNTED = (
    "the space of classifier_embed (time and disk), weights and tables; the time of embedding "
    "prompts, of evaluation and of the search for neighbours."
)
NATURAL_NOT_COUNTED = "the natural images, which are not there yet (time and disk); "
NO_MODEL = ""  # digest of a text-to-image model that is not there: no image on disk is of it


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command line."""
    parser.add_argument(
        "--measure",
        action="store_true",
        help="first let the models work for a minute or two, to find out what an image takes on "
        "this machine; later plans remember it",
    )


def plan(*, measure: bool = False) -> None:
    """Say what `dvc repro` would draw, embed and train, and what that takes: time, disk, memory.

    Nothing is made. It goes by data/prompts: after an edit of prompts/ or params.yaml run
    `dvc repro prompts` first. Times are those of such work on this machine, in earlier runs or
    with --measure.
    """
    # Imported here, and below: these libraries take seconds, and --help needs none of them.
    from synset_factory.planning.needs import embedding_needs
    from synset_factory.planning.report import sets_table
    from synset_factory.set_stage import check_run
    from synset_factory.stages.train import TrainConfig

    common, training = load_common(), load_section(TrainConfig, "train")
    claim_world(common.world)
    if measure:
        # Trials run on this machine, whatever cluster the stages are to join.
        check_run(common, by_engine=False)
    needs = needs_of_world(common)
    if measure:
        measure_machine(common, needs, training.classifier)
    drawn = [with_figures(each, common) for each in needs]
    print(f"World {common.world}, on {common.run.device}.")
    if not layout.TEXT_TO_IMAGE.is_dir():
        print(f"{layout.TEXT_TO_IMAGE} is not there yet, so no image on disk counts as its own.")
    print(f"\n{sets_table(drawn)}\n")
    classes = number_of_classes()
    a_set = classes * (common.splits.train + common.splits.validation)
    to_embed = embedding_needs([each for each in needs if each.name in common.sets], a_set)
    print_times(common, training, drawn, to_embed, classes)
    print_disk(drawn, to_embed)
    print_memory(common, training.classifier, drawn)
    natural_is_there = layout.index(NATURAL).exists()
    print(f"Not counted: {'' if natural_is_there else NATURAL_NOT_COUNTED}{NOT_COUNTED}")
    if not measure:
        print("What is not known here yet (?), `synset-factory plan --measure` finds out.")


def number_of_classes() -> int:
    """Return how many classes the world has."""
    from synset_factory.prompts.files import read_synsets, world_classes

    return len(world_classes(read_synsets()))


def needs_of_world(common: Common) -> "list[SetNeeds]":
    """Return what each set needs, in the order of params.yaml, and then each group of queries."""
    from synset_factory.drawing import GenerateConfig, image_settings
    from synset_factory.folder_digest import folder_digest
    from synset_factory.planning.needs import SetNeeds, sets_needs
    from synset_factory.prompts.files import read_synsets, world_classes
    from synset_factory.query_images import QueriesConfig
    from synset_factory.stages.queries import plan_queries

    there = layout.TEXT_TO_IMAGE.is_dir()
    generator = folder_digest(layout.TEXT_TO_IMAGE) if there else NO_MODEL
    config = load_section(GenerateConfig, "generate")
    settings = {
        name: image_settings(each.guidance_scale, config, each.shortcuts, generator)
        for name, each in common.sets.items()
    }
    queries = load_section(QueriesConfig, "queries")
    needs, promised = sets_needs(settings, {*queries.figure3.wnids, queries.appendix_b.wnid})
    for group in plan_queries(common, world_classes(read_synsets()), promised, generator):
        needs.append(SetNeeds(name=group.name, settings=group.settings))
        for job in group.jobs:
            needs[-1].add(job, cached=False)
    return needs


def measure_machine(
    common: Common, needs: "list[SetNeeds]", classifier: "ClassifierSettings"
) -> None:
    """Try each kind of drawing once, embedding, and training, where their models are there."""
    from synset_factory.machine_figures import Rates
    from synset_factory.planning import trials
    from synset_factory.prompts.files import read_synsets, world_classes
    from synset_factory.stages.embed import EmbedConfig

    run = common.run
    machine = trials.Machine(device=run.device, threads=common.threads, workers=run.workers)
    classes = world_classes(read_synsets())
    kinds = {
        Rates(each.settings, run.device, common.threads).seconds_key: each.settings
        for each in needs
    }
    for settings in kinds.values() if layout.TEXT_TO_IMAGE.is_dir() else ():
        guided = "with" if settings.guidance_scale > 1 else "without"
        print(f"Drawing {guided} guidance, {settings.steps} steps ...", flush=True)
        trials.in_a_process(trials.try_drawing, settings, classes[0].prompt, machine)
    if layout.CLIP.is_dir():
        print("Embedding ...", flush=True)
        batch_size = load_section(EmbedConfig, "embed").batch_size
        trials.in_a_process(trials.try_embedding, batch_size, machine)
    print("Training ...", flush=True)
    trials.in_a_process(trials.try_training, classifier, len(classes), machine)


def with_figures(needs: "SetNeeds", common: Common) -> "DrawnSet":
    """Put the needs of a set together with what an image of it takes here."""
    from synset_factory.machine_figures import Rates
    from synset_factory.planning.needs import TAR_BYTES
    from synset_factory.planning.report import DrawnSet

    rates = Rates(needs.settings, common.run.device, common.threads)
    finished = needs.finished_bytes / needs.finished_images if needs.finished_images else None
    jpeg = rates.bytes_per_jpeg or rates.bytes_half_drawn
    return DrawnSet(
        needs=needs,
        seconds_per_image=rates.seconds_per_image,
        bytes_per_image=finished or (jpeg and jpeg + TAR_BYTES),
        at_most=finished is None and rates.bytes_per_jpeg is None,
    )


def print_times(
    common: Common,
    training: "TrainConfig",
    drawn: "list[DrawnSet]",
    to_embed: "EmbeddingNeeds",
    classes: int,
) -> None:
    """Print the trainings, and what all the work takes with one copy of the models or more."""
    from synset_factory.machine_figures import recall
    from synset_factory.natural_classifiers import pretrained_folder
    from synset_factory.planning.needs import trainings_needs
    from synset_factory.planning.report import copies_table, times, total, trainings_table
    from synset_factory.planning.trials import embedding_key, training_key

    device, classifier = common.run.device, training.classifier
    sets = [each.needs for each in drawn if each.needs.name in common.sets]
    needs = trainings_needs(
        sets,
        classes * common.splits.train,
        natural=pretrained_folder(training.natural_from) is None,
        seeds=training.seeds,
        epochs=classifier.epochs,
        batch_size=classifier.batch_size,
    )
    a_step = recall(training_key(classifier, device, common.threads))
    if needs:
        print(f"{trainings_table(needs, a_step)}\n")
    clip_is_there = layout.CLIP.is_dir()
    an_embedding = recall(embedding_key(device, common.threads)) if clip_is_there else None
    parts = {
        "drawing": total([each.seconds for each in drawn]),
        "embedding": times(to_embed.images, an_embedding),
        "training": times(sum(each.images_seen for each in needs), a_step),
    }
    micro_batches = classifier.batch_size // max(classifier.micro_batch_size, 1) or 1
    print(f"{copies_table(parts, device, micro_batches)}\n")


def print_disk(drawn: "list[DrawnSet]", to_embed: "EmbeddingNeeds") -> None:
    """Print what images and embeddings need on disk, and whether there is room."""
    from synset_factory.planning.needs import (
        cache_folder,
        clip_width,
        nearest,
        same_disk,
        share_blocks,
    )
    from synset_factory.planning.report import Disk, total

    cache = cache_folder()
    disk = Disk(
        to_write=total([each.bytes_to_write for each in drawn]),
        to_cache=total([each.bytes_to_cache for each in drawn]),
        embeddings=to_embed.bytes_to_write(clip_width()),
        at_most=any(each.at_most and each.bytes_to_write for each in drawn),
        shared=share_blocks(layout.DATA, cache),
        one_disk=same_disk(layout.DATA, cache),
        free=disk_usage(nearest(layout.DATA)).free,
        free_for_cache=disk_usage(nearest(cache)).free,
    )
    print(disk.sentences())


def print_memory(common: Common, classifier: "ClassifierSettings", drawn: "list[DrawnSet]") -> None:
    """Print what drawing and training take in memory, as far as it was measured."""
    from synset_factory.machine_figures import Rates, recall
    from synset_factory.planning.trials import training_memory_key

    device, threads = common.run.device, common.threads
    settings = max((each.needs.settings for each in drawn), key=lambda s: s.guidance_scale)
    single = Rates(replace(settings, batch_size=1), device, threads).memory
    kinds = (
        (f"drawing {settings.batch_size} at a time", Rates(settings, device, threads).memory),
        ("drawing one at a time", single if settings.batch_size > 1 else None),
        ("training", recall(training_memory_key(classifier, device, threads))),
    )
    known = [f"{gib:.1f} GiB {kind}" for kind, gib in kinds if gib is not None]
    where = "main memory" if device == "cpu" else f"memory of {device}"
    print(f"Peak of {where}: {', '.join(known) or 'not measured yet'}.")
