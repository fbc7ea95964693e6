"""Small tables for plots: of the site, and as metrics/plots/*.csv for `dvc plots`."""

from collections.abc import Sequence

import pandas as pd

from synset_factory import layout
from synset_factory.config import NATURAL, Common
from synset_factory.prompts.files import Synset
from synset_factory.site.class_facts import ClassFacts
from synset_factory.site.config import ReportConfig
from synset_factory.tables import Undefined, further_sets, read_measured
from synset_factory.whole_files import whole_folder

SETS_COLUMNS = ["name", "set", "centroid_distance", "accuracy"]
CLASSES_COLUMNS = [
    *("name", "set", "class", "wnid", "centroid_distance", "accuracy", "diagnosis"),
]


def sets_table(facts: ClassFacts, common: Common, config: ReportConfig) -> pd.DataFrame:
    """Return a row for each set that has both: its Centroid Distance, and the mean accuracy on
    natural images of the classifiers trained on it."""
    further, rows = further_sets(common.sets), []
    for image_set in [NATURAL, *common.sets]:
        accuracy = accuracy_on_natural(image_set, facts)
        distance = read_measured(layout.CENTROID_DISTANCE, image_set)
        if isinstance(distance, Undefined) and image_set in further:
            distance = read_measured(layout.FURTHER_SETS / image_set, "centroid_distance")
        if accuracy is not None and not isinstance(distance, Undefined):
            name = config.label(image_set)
            rows.append((name, image_set, distance["centroid_distance"], round(accuracy, 4)))
    return pd.DataFrame(rows, columns=SETS_COLUMNS)


def accuracy_on_natural(image_set: str, facts: ClassFacts) -> float | None:
    """Return the mean over classes of the accuracy of what was trained on a set, if it is known."""
    found = [
        value
        for (train, evaluation, _), value in facts.accuracies.items()
        if (train, evaluation) == (image_set, NATURAL)
    ]
    return sum(found) / len(found) if found else None


def classes_table(
    classes: Sequence[Synset], facts: ClassFacts, common: Common, config: ReportConfig
) -> pd.DataFrame:
    """Return the same for every class of every set."""
    rows = []
    for image_set in [NATURAL, *common.sets]:
        for synset in classes:
            label = synset.class_index
            distance = facts.centroid_distance(image_set, label)
            accuracy = facts.accuracies.get((image_set, NATURAL, label))
            if distance is None or accuracy is None:
                continue
            diagnosis, _ = facts.diagnoses.get((image_set, label), ("none yet", ""))
            of_class = (synset.lemmas[0], synset.wnid, round(distance, 6), round(accuracy, 4))
            rows.append((config.label(image_set), image_set, *of_class, diagnosis))
    return pd.DataFrame(rows, columns=CLASSES_COLUMNS)


def write_plots(sets: pd.DataFrame, classes: pd.DataFrame) -> None:
    """Write what `dvc plots` draws."""
    with whole_folder(layout.PLOTS) as folder:
        sets.to_csv(folder / "sets.csv", index=False)
        classes.to_csv(folder / "classes.csv", index=False)
