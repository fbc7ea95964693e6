"""Stage `classifier_tables`: Tables 1 and 2, from stored outcomes."""

from synset_factory import layout
from synset_factory.config import claim_world, load_common
from synset_factory.errors import run_main
from synset_factory.table_rows import accuracy_row
from synset_factory.tables import classifier_lines, write_rows


def main() -> None:
    claim_world(load_common().world)
    for table, folder in (("table1", layout.TABLE1), ("table2", layout.TABLE2)):
        lines = classifier_lines(table)
        write_rows(folder, {x.name: accuracy_row(x.train, x.evaluation) for x in lines})


if __name__ == "__main__":
    run_main(main)
