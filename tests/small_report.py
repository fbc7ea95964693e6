"""A small world on disk of which a report can be written: three classes, figures made by hand."""

import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from synset_factory import layout
from synset_factory.config import NATURAL
from synset_factory.embedding_files import IMAGE, PROMPT, write_embeddings
from synset_factory.records import VALIDATION, image_key
from synset_factory.shards.writer import write_class_tar, write_index
from synset_factory.tables import Row, Undefined, classifier_lines, experiments, write_rows
from tests.small_sets import LABELS, REPOSITORY, sample

BREASTPLATE, JAY, DRAKE = LABELS
HOSTILE = '<script>document.title=1</script> & "jay"'  # a prompt that is no HTML
NOT_MADE = "disamb10"  # params.yaml names it, and nothing of it is there
MADE = (NATURAL, "synset", "disamb", "disamb25", "promptaug")
IMAGES = 3  # a class; the drake of `disamb` has one
WHY = "experiment 15: the embeddings of class 97 cancel out: no centroid."
KEPT = (layout.SYNSETS, layout.MODIFIERS, layout.CLIP_TEMPLATES)


def write_small_world() -> None:
    """Write it into the working directory: what lies in git, and what stages would have made."""
    for path in KEPT:
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(REPOSITORY / path, path)
    write_prompts(HOSTILE)
    params = yaml.safe_load((REPOSITORY / layout.PARAMS).read_text())
    params["wnids"] = list(LABELS)
    params["report"] |= {"figure1_class": JAY, "figure7_classes": [JAY, DRAKE]}
    layout.PARAMS.write_text(yaml.safe_dump(params))
    for image_set in MADE:
        _write_set(image_set)
        _embeddings(image_set)
        _outcomes(image_set)
    _rows()
    _values_of_classes()


def write_prompts(jay: str) -> None:
    """Write the clarified prompts, jay's among them."""
    quoted = jay.replace('"', '""')
    layout.DISAMBIGUATIONS.write_text(
        "wnid,prompt,reason,note,source\n"
        f'{JAY},"{quoted}",homonym,,paper\n'
        f"{DRAKE},a drake duck,homonym,,paper\n"
    )


def _write_set(image_set: str) -> None:
    for wnid, label in LABELS.items():
        count = 1 if (image_set, wnid) == ("disamb", DRAKE) else IMAGES
        for split in ("train", "validation"):
            samples = [sample(image_set, wnid, label, split, number) for number in range(count)]
            write_class_tar(layout.shard(image_set, split, wnid), samples)
    write_index(layout.shards(image_set), image_set, list(LABELS), "Small.")
    if image_set != NATURAL:
        rows = [
            (wnid, split, number, _prompt(image_set, wnid, number), 0)
            for wnid in LABELS
            for split in ("train", "validation")
            for number in range(IMAGES)
        ]
        layout.IMAGE_PROMPTS.mkdir(exist_ok=True)
        pd.DataFrame(rows, columns=["wnid", "split", "number", "prompt", "seed"]).to_parquet(
            layout.prompts(image_set), index=False
        )


def _prompt(image_set: str, wnid: str, number: int) -> str:
    word = HOSTILE if wnid == JAY else wnid
    return f"{word}, number {number}" if image_set == "promptaug" else word


def _embeddings(image_set: str) -> None:
    modalities = [IMAGE] if image_set == NATURAL else [IMAGE, PROMPT]
    rows = [
        (modality, VALIDATION, wnid, label, image_key(wnid, VALIDATION, number))
        for modality in modalities
        for wnid, label in LABELS.items()
        for number in range(IMAGES)
    ]
    table = pd.DataFrame(rows, columns=["modality", "split", "wnid", "cls", "key"])
    vectors = np.random.default_rng(len(image_set)).standard_normal((len(rows), 8))
    write_embeddings(image_set, table, vectors)


def _outcomes(image_set: str) -> None:
    """The natural classifiers are always right; those of another set at its first image alone."""
    pairs = [(NATURAL, image_set)]
    if image_set != NATURAL:
        pairs += [(image_set, NATURAL), (image_set, image_set)]
    rows = [
        (
            *(train, evaluation, 0, image_key(wnid, VALIDATION, number), label),
            label if train == NATURAL or number == 0 else 0,
        )
        for train, evaluation in pairs
        for wnid, label in LABELS.items()
        for number in range(IMAGES)
    ]
    layout.OUTCOMES.mkdir(exist_ok=True)
    columns = ["train", "evaluation", "seed", "key", "cls", "predicted"]
    pd.DataFrame(rows, columns=columns).to_parquet(layout.outcomes(image_set), index=False)


def _rows() -> None:
    """Table 1, Table 6 with a row that has no figures, a few of the further ones; no Table 2."""
    spread: Row = {"ci95_low": 22.4, "ci95_high": 27.3, "n": 4400, "seeds": 3, "seed_sd": 1.9}
    lines = classifier_lines("table1")
    write_rows(layout.TABLE1, {line.name: {"accuracy": 24.8, **spread} for line in lines})
    rows: dict[str, Row | Undefined] = {
        each.name: {key: 0.5 if "cosine" in key else 50.0 for key in each.paper}
        for each in experiments()
    }
    rows["15_disamb25_im_on_disamb25_im"] = Undefined(WHY)
    write_rows(layout.TABLE6, rows)
    distances: dict[str, Row] = {
        name: {"centroid_distance": 0.01 * place, "classes": 3}
        for place, name in enumerate(MADE, start=1)
    }
    write_rows(layout.CENTROID_DISTANCE, distances)
    low_and_high: Row = {"centroid_distance_low": 0.009, "centroid_distance_high": 0.011}
    write_rows(layout.INTERVALS / "centroid_distance", {NATURAL: low_and_high})
    claim: Row = {"larger": 50.0, "smaller": 40.0, "difference": 10.0, "holds": 1}
    noisy: Row = {"difference_low": -2.0, "difference_high": 22.0, "certain": 0}
    untold = Undefined("Nobody has counted it.")
    claims: dict[str, Row | Undefined] = {"01": claim, "02": claim | noisy, "03": untold}
    write_rows(layout.CLAIMS, claims)
    write_rows(layout.FRECHET, {"natural_vs_synset": {"mean_term": 0.25, "distance": 5000.0}})


def _values_of_classes() -> None:
    columns = ["measure", "left", "right", "wnid", "cls", "value"]
    rows = [
        ("centroid_distance", image_set, "", wnid, label, 0.01)
        for image_set in MADE
        for wnid, label in LABELS.items()
    ]
    rows += [("centroid_shift", NATURAL, "synset", JAY, LABELS[JAY], 0.345)]
    rows += [("centroid_shift", NATURAL, "disamb", JAY, LABELS[JAY], float("nan"))]
    _parquet(layout.GEOMETRY_CLASSES, rows, columns)
    outcomes = [
        (each.number, image_key(wnid, VALIDATION, number), label, number > 0)
        for each in experiments()
        for wnid, label in LABELS.items()
        for number in range(IMAGES)
    ]
    _parquet(layout.CLIP_OUTCOMES, outcomes, ["experiment", "key", "cls", "centroid_accuracy"])
    left_out = ("disamb", "", DRAKE, LABELS[DRAKE], "one image alone has no spread")
    _parquet(layout.GEOMETRY_LEFT_OUT, [left_out], ["left", "right", "wnid", "cls", "why"])
    diagnosis = ("disamb25", JAY, LABELS[JAY], "ambiguous word", "the prompt <finds> them")
    columns = ["set", "wnid", "cls", "diagnosis", "because"]
    _parquet(layout.DIAGNOSES, [diagnosis], columns)


def _parquet(path: Path, rows: Iterable[object], columns: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows, columns=columns).to_parquet(path, index=False)
