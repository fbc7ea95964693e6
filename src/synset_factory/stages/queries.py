"""Stage `queries`: images for questions that the sets do not answer (Appendix B, Figure 3)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from synset_factory import layout
from synset_factory.config import Common, claim_world, load_common, load_section
from synset_factory.drawing import GenerateConfig, image_settings, write_jobs
from synset_factory.errors import run_main
from synset_factory.generation_plan import ClassJob, plan_tar, summary
from synset_factory.machine_figures import Rates
from synset_factory.prebuilt import check_pulled
from synset_factory.prompts.files import (
    Synset,
    class_prompts,
    read_disambiguations,
    read_synsets,
    world_classes,
)
from synset_factory.query_images import (
    QueriesConfig,
    appendix_b_rows,
    check_queries,
    figure3_rows,
)
from synset_factory.records import ImageRow, ImageSettings
from synset_factory.set_stage import check_run, pin_threads
from synset_factory.shards.image_stock import ImageStock, Place, places_of, rows_of_tar
from synset_factory.whole_files import sole_writer


@dataclass(frozen=True, kw_only=True)
class QueryGroup:
    """Images for one question at one guidance scale."""

    name: str
    settings: ImageSettings
    jobs: list[ClassJob]


def plan_queries(
    common: Common,
    classes: list[Synset],
    promised: Mapping[str, str] | None = None,
    generator: str | None = None,
) -> list[QueryGroup]:
    """Return what has to be done; `classes` are the world's.

    `promised` are images that sets will have by then, as for ImageStock; `generator` is as for
    image_settings. Raises InputError for
    queries that this world cannot have, prompts that cannot be read, or a missing model.
    """
    queries = load_section(QueriesConfig, "queries")
    check_queries(queries, {synset.wnid for synset in classes})
    clarified = read_disambiguations(synset.wnid for synset in read_synsets())
    prompts = {each.wnid: each.disamb for each in class_prompts(classes, clarified)}
    drawn = image_settings(
        queries.appendix_b.guidance_scale,
        load_section(GenerateConfig, "generate"),
        generator=generator,
    )
    stock = ImageStock(None, promised)

    def group(name: str, scale: float, tars: Mapping[Path, list[ImageRow]]) -> QueryGroup:
        settings = replace(drawn, guidance_scale=scale)
        jobs = [plan_query(name, tar, rows, settings, stock) for tar, rows in tars.items()]
        return QueryGroup(name=name, settings=settings, jobs=jobs)

    appendix_b = appendix_b_rows(queries.appendix_b, common.seed)
    return [
        group("queries appendix_b", queries.appendix_b.guidance_scale, appendix_b),
        *(
            group(
                f"queries figure3 {scale}",
                scale,
                figure3_rows(queries.figure3, scale, prompts, common.seed),
            )
            for scale in queries.figure3.guidance_scales
        ),
    ]


def plan_query(
    name: str, tar: Path, rows: list[ImageRow], settings: ImageSettings, stock: ImageStock
) -> ClassJob:
    """Plan one tar: images are taken from the tar as it was, called `name`, then from the sets."""
    there = rows_of_tar(tar)
    own = {} if there is None else places_of(there, tar, name)
    held = None if there is None else list(zip(there["key"], there["digest"], strict=True))

    def find(digests: set[str]) -> dict[str, Place]:
        kept = {digest: own[digest] for digest in digests & own.keys()}
        return kept | stock.find(rows[0].split, rows[0].wnid, digests - kept.keys())

    return plan_tar(tar, rows, settings, held, find)


def prune_queries(groups: list[QueryGroup]) -> None:
    """Delete every file that is none of these tars."""
    belongs = {job.tar for group in groups for job in group.jobs}
    for path in sorted(layout.QUERIES.rglob("*")):
        if path.is_file() and path not in belongs:
            path.unlink()


def make_queries(common: Common) -> None:
    """Bring the folder up to date: an image is drawn only if it is nowhere on disk.

    Raises InputError as `plan_queries` does, for images that are to be pulled, another run, a full
    disk, or a model that draws NaN.
    """
    check_pulled(layout.QUERIES, "queries")
    classes = world_classes(read_synsets())
    with sole_writer(layout.QUERIES, layout.QUERIES_LOCK):
        groups = plan_queries(common, classes)
        for group in groups:
            rates = Rates(group.settings, common.run.device, common.threads)
            of_group = summary(group.name, group.jobs, rates.seconds_per_image, common.run.replicas)
            print(of_group, flush=True)
        for group in groups:
            write_jobs(group.name, group.jobs, group.settings, classes, common)
        prune_queries(groups)


def main() -> None:
    common = load_common()
    claim_world(common.world)
    check_run(common, by_engine=True)
    pin_threads(common)
    make_queries(common)


if __name__ == "__main__":
    run_main(main)
