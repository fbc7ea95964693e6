"""Appendix B's rows from embeddings made by hand."""

from io import BytesIO
from math import cos, radians, sin
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from synset_factory import embedding, layout
from synset_factory.embedding_files import COLUMNS, Embeddings, write_embeddings
from synset_factory.errors import InputError
from synset_factory.shards.writer import Sample, encode_jpeg, write_class_tar
from synset_factory.stages import appendix_b
from synset_factory.stages.appendix_b import query_rows
from synset_factory.tables import Undefined, read_measured, read_row

REPOSITORY = Path(__file__).parents[2]
BUS, OTHER = 779, 5  # ImageNet's labels


def embeddings(degrees: list[float], label: int = BUS, length: float = 1.0) -> Embeddings:
    """Return vectors in a plane; the bus's reference centroid lies at 0 degrees."""
    vectors = [[length * cos(radians(a)), length * sin(radians(a))] for a in degrees]
    return Embeddings(
        vectors=np.array(vectors, dtype=np.float32),
        labels=np.full(len(degrees), label),
        keys=np.array([f"n1_appendix_b_{number:06d}" for number in range(len(degrees))]),
    )


def references() -> Embeddings:
    """Two classes, the bus at 0 degrees and the other at 90."""
    bus, other = embeddings([-20.0, 20.0]), embeddings([70.0, 110.0], OTHER)
    return Embeddings(
        vectors=np.concatenate([other.vectors, bus.vectors]),
        labels=np.concatenate([other.labels, bus.labels]),
        keys=np.concatenate([other.keys, bus.keys]),
    )


def test_figures_of_images_at_known_angles() -> None:
    rows, table = query_rows(
        {"narrow": embeddings([-10.0, 10.0]), "shifted": embeddings([20.0, 60.0], length=3.0)},
        references(),
        seed=0,
    )
    assert list(rows) == ["1_narrow", "2_shifted"]
    assert rows["1_narrow"] == {
        "centroid_accuracy": 100.0,
        "centroid_distance": pytest.approx((1 - cos(radians(10))) ** 2, rel=1e-5),
        "centroid_shift": pytest.approx(0.0, abs=1e-7),
        "images": 2,
    }
    # Around 40 degrees; the second image is nearer to the other class, at 90.
    assert rows["2_shifted"] == {
        "centroid_accuracy": 50.0,
        "centroid_distance": pytest.approx((1 - cos(radians(20))) ** 2, rel=1e-5),
        "centroid_shift": pytest.approx(1 - cos(radians(40)), rel=1e-5),
        "images": 2,
    }
    assert list(table.columns) == appendix_b.COLUMNS
    assert list(table["query"]) == ["narrow", "narrow", "shifted", "shifted"]
    assert list(table["centroid_accuracy"]) == [True, True, True, False]
    assert list(table["number"]) == [0, 1, 0, 1]
    assert set(table["cls"]) == {BUS}


def test_the_stored_values_of_images_have_the_rows_for_means() -> None:
    rng = np.random.default_rng(0)
    angles = {name: list(rng.uniform(0.0, 80.0, 50)) for name in ("a", "b")}
    queries = {name: embeddings(degrees) for name, degrees in angles.items()}
    rows, table = query_rows(queries, references(), seed=0)
    for place, name in enumerate(queries, start=1):
        row, of_query = rows[f"{place}_{name}"], table[table["query"] == name]
        assert not isinstance(row, Undefined)
        assert 100 * of_query["centroid_accuracy"].mean() == pytest.approx(row["centroid_accuracy"])
        assert of_query["squared_codiff"].mean() == pytest.approx(row["centroid_distance"])
    shuffled = rng.permutation(50)
    again, _ = query_rows({"a": embeddings([angles["a"][i] for i in shuffled])}, references(), 0)
    assert again["1_a"] == pytest.approx(rows["1_a"])


def test_images_without_a_centroid_are_said_in_words_and_the_others_stay() -> None:
    rows, table = query_rows(
        {"opposite": embeddings([0.0, 180.0]), "single": embeddings([30.0])}, references(), seed=0
    )
    said = rows["1_opposite"]
    assert isinstance(said, Undefined)
    assert said.why.startswith("the images of opposite: ") and "cancel out" in said.why
    assert rows["2_single"] == pytest.approx(
        {
            "centroid_accuracy": 100.0,
            "centroid_distance": 0.0,
            "centroid_shift": 1 - cos(radians(30)),
            "images": 1,
        },
        abs=1e-6,
    )
    assert set(table["query"]) == {"single"}


def test_without_reference_centroids_no_query_has_figures() -> None:
    nothing = embeddings([0.0, 180.0])
    rows, table = query_rows({"a": embeddings([1.0]), "b": embeddings([2.0])}, nothing, seed=0)
    assert all(isinstance(row, Undefined) for row in rows.values())
    assert list(table.columns) == appendix_b.COLUMNS
    assert len(table) == 0


class ColourClip:
    """Stands in for CLIP: an image is its mean colour."""

    def __init__(self, folder: Path, device: str) -> None:
        pass

    def prepare(self, batch: list[bytes]) -> list[np.ndarray]:
        return [np.asarray(Image.open(BytesIO(jpeg))) for jpeg in batch]

    def compute(self, images: list[np.ndarray]) -> np.ndarray:
        return np.array([image.mean(axis=(0, 1)) for image in images], dtype=np.float32)

    def finish(self, vectors: np.ndarray) -> np.ndarray:
        return vectors


def write_query(name: str, colours: list[tuple[int, int, int]]) -> None:
    samples = [
        Sample(
            key=f"n04146614_appendix_b_{number:06d}",
            jpg=encode_jpeg(Image.new("RGB", (8, 8), colour), 95),
            cls=BUS,
            txt=name,
            json={"digest": str(number)},
        )
        for number, colour in enumerate(colours)
    ]
    write_class_tar(layout.appendix_b_query(name), samples)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Red buses and blue others as references, and a CLIP that sees colours only."""
    monkeypatch.chdir(tmp_path)
    params = yaml.safe_load((REPOSITORY / layout.PARAMS).read_text())
    params["queries"]["appendix_b"]["prompts"] = ["bus", "blue bus"]
    layout.PARAMS.write_text(yaml.safe_dump(params, sort_keys=False))
    table = pd.DataFrame(
        [["image", "train", "n04146614", BUS, "a"], ["image", "train", "n2", OTHER, "b"]],
        columns=COLUMNS,
    )
    write_embeddings("disamb25", table, np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]))
    monkeypatch.setattr(embedding, "Clip", ColourClip)
    monkeypatch.setattr(appendix_b, "pin_threads", lambda common: None)


def test_the_stage_embeds_the_tars_and_writes_a_row_a_prompt(world: None) -> None:
    write_query("bus", [(250, 0, 0), (240, 0, 0)])
    write_query("blue_bus", [(0, 0, 250), (250, 0, 0), (0, 0, 240)])
    appendix_b.main()
    assert read_row(layout.APPENDIX_B, "1_bus")["centroid_accuracy"] == 100.0
    second = read_row(layout.APPENDIX_B, "2_blue_bus")
    assert second["centroid_accuracy"] == pytest.approx(100 / 3)
    assert second["images"] == 3
    table = pd.read_parquet(layout.APPENDIX_B_OUTCOMES)
    assert list(table["key"]) == [
        f"n04146614_appendix_b_{number:06d}" for number in (0, 1, 0, 1, 2)
    ]
    assert list(table["centroid_accuracy"]) == [True, True, False, True, False]


def test_a_prompt_that_is_no_more_has_no_row(world: None) -> None:
    write_query("bus", [(250, 0, 0)])
    write_query("blue_bus", [(0, 0, 250)])
    appendix_b.main()
    layout.PARAMS.write_text(layout.PARAMS.read_text().replace("    - blue bus\n", ""))
    appendix_b.main()
    assert [path.name for path in layout.APPENDIX_B.iterdir()] == ["1_bus.json"]
    assert isinstance(read_measured(layout.APPENDIX_B, "2_blue_bus"), Undefined)


def test_images_that_are_not_made_are_named(world: None) -> None:
    write_query("bus", [(250, 0, 0)])
    with pytest.raises(InputError, match=r"appendix_b/blue_bus.tar is missing: make it with"):
        appendix_b.main()
