"""One class a tile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import shapely

from rsvlm_core.errors import UsageError
from rsvlm_core.index.builder import build_index
from rsvlm_core.pipelines.classify import class_embeddings, classify
from tests.fakes import COLOURS, FakeEncoder

Make = Callable[..., Path]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RSVLM_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def quarters(make_raster: Make) -> str:
    picture = np.empty((128, 128, 3), np.uint8)
    picture[:64, :64], picture[:64, 64:] = COLOURS["red"], COLOURS["green"]
    picture[64:, :64], picture[64:, 64:] = COLOURS["blue"], COLOURS["white"]
    return str(make_raster(picture))


def test_each_quarter_has_its_class(quarters: str) -> None:
    tiles = classify(quarters, ["white", "red", "blue", "green"], FakeEncoder())
    assert len(tiles) == 16 and tiles.crs.to_epsg() == 32633
    assert tiles["text"].tolist() == ["white"] * 4 + ["red"] * 4 + ["blue"] * 4 + ["green"] * 4
    assert tiles["rank"].tolist() == [1, 2, 3, 4] * 4 and (tiles["score"] > 0.95).all()
    assert tiles["confidence"].between(0.5, 1).all() and set(tiles["model"]) == {"fake"}
    for name, box in (("red", (0, -32, 32, 0)), ("white", (32, -64, 64, -32))):
        area = shapely.union_all(tiles[tiles["text"] == name].geometry.to_numpy())
        wanted = shapely.box(500000 + box[0], 5400000 + box[1], 500000 + box[2], 5400000 + box[3])
        assert area.symmetric_difference(wanted).area < 0.05 * wanted.area
    total = shapely.union_all(tiles.geometry.to_numpy()).area
    assert tiles.area.sum() == pytest.approx(total, rel=1e-3), "tiles do not overlap"


def test_an_extent_an_index_and_scales(quarters: str, tmp_path: Path) -> None:
    part = classify(quarters, ["red", "green"], FakeEncoder(), extent=(500000, 5399970, 500031, 5400000))
    assert len(part) == 4 and set(part["text"]) == {"red"}
    build_index([quarters], tmp_path / "x.rsindex", FakeEncoder())
    finest = classify(str(tmp_path / "x.rsindex"), ["red", "green"], FakeEncoder())
    assert finest["gsd_m"].nunique() == 1
    assert classify(quarters, ["red", "green"], FakeEncoder(), gsds=[0.5, 1.0])["gsd_m"].nunique() == 2


def test_classes_are_steadied_by_sentences() -> None:
    vectors = class_embeddings(["red", "blue"], FakeEncoder())
    assert vectors.shape == (2, 4) and np.allclose(np.linalg.norm(vectors, axis=1), 1)
    assert np.allclose(vectors, FakeEncoder().encode_texts(["red", "blue"]), atol=1e-5)


def test_nothing_to_choose(quarters: str) -> None:
    with pytest.raises(UsageError, match="One class"):
        classify(quarters, ["red", " red "], FakeEncoder())
    with pytest.raises(UsageError, match="empty"):
        classify(quarters, ["red", ""], FakeEncoder())
    with pytest.raises(UsageError, match="lies outside"):
        classify(quarters, ["red", "blue"], FakeEncoder(), extent=(0, 0, 1, 1))


def test_no_tile_is_a_valid_result(make_raster: Make) -> None:
    values = np.zeros((3, 64, 64), np.uint8)
    values[:, 32:] = 90
    path = str(make_raster(values, nodata=0))
    tiles = classify(path, ["red", "blue"], FakeEncoder(), extent=(500000, 5399999, 500001, 5400000))
    assert len(tiles) == 0 and "text" in tiles.columns and tiles.crs.to_epsg() == 32633
