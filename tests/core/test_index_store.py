"""An opened index: its maps are caches of its parts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shapely
from affine import Affine

from rsvlm_core import jobs
from rsvlm_core.errors import SearchIndexError
from rsvlm_core.index import approximate, places
from rsvlm_core.index.store import open_index
from tests.core.indexes import Make, build, content
from tests.fakes import FakeEncoder

pytestmark = pytest.mark.usefixtures("small_parts")


def test_a_damaged_part_is_named_and_made_again(scene: str, tmp_path: Path) -> None:
    out = tmp_path / "x.rsindex"
    build(scene, out)
    whole = content(out)
    part = out / "parts" / "part-00002.parquet"
    part.write_bytes(part.read_bytes()[:100])
    with pytest.raises(SearchIndexError, match="part-00002.parquet is missing or damaged"):
        _ = open_index(out, None).table
    build(scene, out)
    assert content(out)[0] == whole[0]


def test_vectors_are_a_cache(scene: str, tmp_path: Path) -> None:
    out = tmp_path / "x.rsindex"
    build(scene, out)
    vectors = np.array(open_index(out, None).vectors)
    for damage in ("gone", "short", "other"):
        if damage == "gone":
            (out / "vectors.npy").unlink()
        elif damage == "short":
            np.save(out / "vectors.npy", vectors[:3])
        else:
            (out / "vectors.json").unlink()
            np.save(out / "vectors.npy", np.zeros_like(vectors))
        assert (open_index(out, None).vectors == vectors).all(), damage
    assert isinstance(open_index(out, None).vectors, np.memmap)


def test_some_rows_without_reading_all(scene: str, tmp_path: Path) -> None:
    build(scene, tmp_path / "x.rsindex")
    whole, index = open_index(tmp_path / "x.rsindex", None).table, open_index(tmp_path / "x.rsindex", None)
    numbers = np.array([60, 3, 17, 3, 0, len(whole) - 1, 16])
    assert index.rows(numbers)["tile_id"].tolist() == whole["tile_id"].iloc[numbers].tolist()
    assert "table" not in index.__dict__
    assert len(index.rows(numbers[:0])) == 0


def test_places_are_those_of_the_rows(scene: str, make_raster: Make, tmp_path: Path) -> None:
    out = tmp_path / "x.rsindex"
    feet = Affine(1.5, 0, 990000, 0, -1.5, 200000)
    other = str(make_raster(np.full((3, 100, 100), 99, np.uint8), "feet.tif", crs="EPSG:2263", transform=feet))
    build([scene, other], out)
    index = open_index(out, None)
    every = np.arange(len(index))
    assert shapely.equals_exact(index.places.outlines(every), index.table.geometry.to_numpy(), 0).all()
    assert (index.places.gsds(every) == index.table["gsd_m"]).all()
    assert index.sources(every).tolist() == index.table["source"].tolist()
    assert (index.on([other]) == (index.table["source"] == other)).all()
    for row in (0, 5, len(index) - 1):
        box = index.table.geometry.iloc[row].buffer(-1e-6).bounds
        touching = index.table.geometry.intersects(shapely.box(*box)).to_numpy()
        near = index.places.near(box)
        assert row in near and set(np.flatnonzero(touching)) <= set(near) and len(near) < len(index)
    assert len(index.places.near((0.0, 0.0, 1.0, 1.0))) == 0


def test_an_outline_that_lies_across_itself_can_be_cut_all_the_same() -> None:
    """As around a pole, or after a flipped bit: GEOS refuses to cut a crossed shape."""
    square = [[0, 0], [1, 0], [1, 1], [0, 1]]
    crossed, right = places.outlines(np.array([[[0, 0], [1, 1], [1, 0], [0, 1]], square], dtype=float))
    assert crossed.is_valid and shapely.intersection(crossed, right).area == 1
    assert shapely.get_coordinates(right)[:4].tolist() == square


def test_places_without_coordinates() -> None:
    shapes = np.array([shapely.box(0, 0, 1, 1), shapely.Polygon(), shapely.Point(0, 0).buffer(1)], dtype=object)
    corners = places.corners_of(shapes)
    made = places.outlines(corners)
    assert shapely.equals_exact(made[0], shapes[0], 0) and made[1].is_empty
    assert made[2].contains(shapes[2].buffer(-1e-9)), "the rectangle around what is no quadrilateral"


def test_lists_are_made_and_used_from_some_size_on(
    scene: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("faiss", reason="FAISS is not installed (requirements-scale.txt)")
    out, encoder = tmp_path / "x.rsindex", FakeEncoder()
    context = jobs.Context()
    monkeypatch.setattr(context.encoders, "get", lambda *wanted: encoder)
    params = {"sources": [scene], "out": str(out)}
    jobs.job("build_index")(jobs.Params(params), context)
    assert open_index(out, None).approximate is None, "not for so few"
    monkeypatch.setattr(approximate, "FROM_ROWS", 10)
    monkeypatch.setattr(approximate, "FEW_ROWS", 10)
    jobs.job("build_index")(jobs.Params(params), context)
    index = open_index(out, None)
    assert index.approximate is not None and index.approximate.lists.rows == len(index)
    asked = []
    monkeypatch.setattr(
        approximate.Approximate, "search", lambda self, vectors, query, k, mask: asked.append(k) or ([], [])
    )
    index.search(encoder.encode_texts(["red"]), 5)
    mask = np.zeros(len(index), bool)
    mask[:9] = True
    rows, _ = index.search(encoder.encode_texts(["red"]), 5, mask)
    exact, _ = index.search(encoder.encode_texts(["red"]), 5, exact=True)
    assert asked == [5] and len(rows[0]) == len(exact[0]) == 5 and (rows[0] < 9).all()
    (out / "parts" / "part-00001.parquet").unlink()
    assert open_index(out, None).approximate is None, "lists of other parts"


def test_a_place_that_cannot_be_is_a_damaged_file(scene: str, tmp_path: Path) -> None:
    build([scene], tmp_path / "x.rsindex")
    kept = tmp_path / "x.rsindex" / "places.npy"
    data = bytearray(kept.read_bytes())
    data[-1] ^= 0x01  # in the exponent of the last latitude
    kept.write_bytes(data)
    index = open_index(tmp_path / "x.rsindex", None)
    with pytest.raises(SearchIndexError, match=r"places\.npy is damaged"):
        index.places.outlines(np.arange(len(index)))
    kept.unlink()
    index = open_index(tmp_path / "x.rsindex", None)
    assert shapely.is_valid(index.places.outlines(np.arange(len(index)))).all()
