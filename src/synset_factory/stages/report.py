"""Stage `report`: what people read: tables beside the paper's, the sheet of Figure 5, the site.

It works on whatever there is: what is missing is said in words at its place.
"""

from synset_factory import layout
from synset_factory.config import claim_world, load_common, load_section
from synset_factory.errors import run_main
from synset_factory.natural_classifiers import recipe_note
from synset_factory.prompts.files import (
    class_prompts,
    read_disambiguations,
    read_synsets,
    world_classes,
)
from synset_factory.report_sheet import figure5
from synset_factory.report_tables import tables_text
from synset_factory.site.class_facts import read_class_facts
from synset_factory.site.config import ReportConfig
from synset_factory.site.plots import classes_table, sets_table, write_plots
from synset_factory.site.site import Site, write_site
from synset_factory.tables import PAPER_SETS, further_sets
from synset_factory.whole_files import whole_file, whole_folder, write_text


def main() -> None:
    common = load_common()
    claim_world(common.world)
    config = load_section(ReportConfig, "report")
    synsets = read_synsets()
    clarified = read_disambiguations(synset.wnid for synset in synsets)
    world = world_classes(synsets)

    write_text(layout.TABLES, tables_text(further_sets(common.sets), config, recipe_note()))
    classes = class_prompts(world, clarified)
    classes.sort(key=lambda prompts: prompts.synset == prompts.disamb)
    # Sheet and plots are in git: where no set is made yet, what a run left there says more.
    if any(layout.index(name).exists() for name in PAPER_SETS) or not layout.FIGURE5.exists():
        sheet = figure5(classes[: config.sheet_classes], config)
        # 256 colours: it is kept in git, anew with each run.
        with whole_file(layout.FIGURE5) as partial:
            sheet.quantize(256).save(partial, format="PNG", optimize=True)

    facts = read_class_facts(common.sets, config.labels)
    sets = sets_table(facts, common, config)
    of_classes = classes_table(world, facts, common, config)
    if len(sets) or not layout.PLOTS.exists():
        write_plots(sets, of_classes)
    site = Site(
        common=common,
        config=config,
        classes=world,
        clarified=clarified,
        facts=facts,
        sets_table=sets,
        classes_table=of_classes,
        note=recipe_note(),
    )
    with whole_folder(layout.REPORT) as folder:
        write_site(site, folder)
    print(f"The report: {layout.REPORT / 'index.html'}")


if __name__ == "__main__":
    run_main(main)
