"""Heat maps: georeferenced cosines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from rsvlm_core.errors import OutputError, Stopped, UsageError
from rsvlm_core.index.builder import build_index
from rsvlm_core.pipelines import heatmap as module
from rsvlm_core.pipelines.heatmap import heatmap
from tests.fakes import COLOURS, FakeEncoder

Make = Callable[..., Path]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RSVLM_CACHE", str(tmp_path / "cache"))


def _half_red() -> np.ndarray:
    picture = np.full((200, 240, 3), 128, np.uint8)
    picture[:, :120] = COLOURS["red"]
    return np.moveaxis(picture, 2, 0)


def test_red_is_hot_where_it_is(make_raster: Make, tmp_path: Path) -> None:
    scene, out = str(make_raster(_half_red(), "scene.tif")), tmp_path / "heat.tif"
    result = heatmap([scene], "red", out, FakeEncoder())
    with rasterio.open(out) as heat, rasterio.open(scene) as raster:
        assert heat.dtypes == ("float32",) and np.isnan(heat.nodata) and heat.crs == raster.crs
        assert heat.bounds.left == pytest.approx(raster.bounds.left, abs=0.01)
        assert heat.bounds.top == pytest.approx(raster.bounds.top, abs=0.01)
        assert heat.bounds.right - raster.bounds.right < heat.res[0] + 0.01
        values = heat.read(1)
        assert heat.tags()["TEXT"] == "red" and heat.descriptions[0] == "cosine with: red"

        def at(x: float, y: float) -> float:
            return float(next(heat.sample([(x, y)]))[0])

        west, east = at(500015, 5399950), at(500105, 5399950)
    assert np.isfinite(values).all() and west > 0.9 > 0.5 > east
    assert (result.low, result.high) == pytest.approx((values.min(), values.max()))
    assert (result.height, result.width) == values.shape and -1 <= result.low <= result.high <= 1.0001
    steps = np.diff(values.mean(axis=0))
    assert steps.max() < 0.05, "it falls from west to east"


def test_a_single_tile_has_its_score_everywhere(make_raster: Make, tmp_path: Path) -> None:
    scene = str(make_raster(np.full((3, 32, 32), 128, np.uint8)))
    heatmap([scene], "grey", tmp_path / "h.tif", FakeEncoder(), gsds=[0.5])
    with rasterio.open(tmp_path / "h.tif") as heat:
        values = heat.read(1)
    assert values.shape == (8, 8) and np.ptp(values) < 1e-6 and values[0, 0] > 0.99


def test_a_turned_raster_leaves_corners_empty(make_raster: Make, tmp_path: Path) -> None:
    turned = Affine.translation(5e5, 5.4e6) * Affine.rotation(30) * Affine.scale(0.5, -0.5)
    scene = str(make_raster(_half_red(), transform=turned))
    heatmap([scene], "red", tmp_path / "h.tif", FakeEncoder())
    with rasterio.open(tmp_path / "h.tif") as heat:
        values, place = heat.read(1), heat.transform
        rows, cols = np.nonzero(np.isfinite(values))
    assert 0.3 < np.isfinite(values).mean() < 0.9 and np.isnan(values[0, 0])
    x, y = place * (cols + 0.5, rows + 0.5)
    col, row = ~turned * (x, y)
    assert col.min() > -0.01 and col.max() < 240.01 and row.min() > -0.01 and row.max() < 200.01
    hot = values[rows, cols]
    assert hot[col < 80].min() > hot[col > 160].max() + 0.3


def test_an_index_an_extent_and_strips(make_raster: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = str(make_raster(_half_red()))
    build_index([scene], tmp_path / "x.rsindex", FakeEncoder())
    heatmap([scene], "red", tmp_path / "a.tif", FakeEncoder())
    monkeypatch.setattr(module, "_STRIP_ROWS", 5)
    told: list[tuple[int, int, str]] = []
    heatmap([str(tmp_path / "x.rsindex")], "red", tmp_path / "b.tif", FakeEncoder(), progress=lambda *a: told.append(a))
    with rasterio.open(tmp_path / "a.tif") as one, rasterio.open(tmp_path / "b.tif") as two:
        whole = one.read(1)
        assert np.array_equal(whole, two.read(1), equal_nan=True) and one.transform == two.transform
    assert told[-1][0] == told[-1][1] == len(whole)
    box = (500020.0, 5399930.0, 500090.0, 5399970.0)
    heatmap([str(tmp_path / "x.rsindex")], "red", tmp_path / "c.tif", FakeEncoder(), extent=box)
    with rasterio.open(tmp_path / "c.tif") as part:
        assert part.bounds.left == pytest.approx(box[0]) and part.bounds.top == pytest.approx(box[3])
        assert part.bounds.right - box[2] < part.res[0] and np.isfinite(part.read(1)).all()


def test_what_goes_wrong_leaves_the_old_file(make_raster: Make, tmp_path: Path) -> None:
    scene, out = str(make_raster(_half_red())), tmp_path / "h.tif"
    out.write_text("old")
    with pytest.raises(UsageError, match="text is empty"):
        heatmap([scene], " ", out, FakeEncoder())
    with pytest.raises(UsageError, match=r"does not end in \.tif"):
        heatmap([scene], "red", tmp_path / "h.png", FakeEncoder())
    with pytest.raises(OutputError, match="no folder"):
        heatmap([scene], "red", tmp_path / "nowhere" / "h.tif", FakeEncoder())
    with pytest.raises(UsageError, match="lies outside"):
        heatmap([scene], "red", out, FakeEncoder(), extent=(0, 0, 1, 1))
    heatmap([scene], "red", tmp_path / "other.tif", FakeEncoder())
    with pytest.raises(Stopped):
        heatmap([scene], "red", out, FakeEncoder(), should_stop=lambda: True)
    assert out.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".h")] == []


def test_rasters_far_apart_are_refused(make_raster: Make, tmp_path: Path) -> None:
    far = Affine(0.5, 0, 700000, 0, -0.5, 6400000)
    pair = [str(make_raster(_half_red(), "a.tif")), str(make_raster(_half_red(), "b.tif", transform=far))]
    with pytest.raises(UsageError, match="cells"):
        heatmap(pair, "red", tmp_path / "h.tif", FakeEncoder())


def test_nothing_valid(make_raster: Make, tmp_path: Path) -> None:
    values = _half_red()
    values[:, :100, :120] = 0
    scene = str(make_raster(values, nodata=0))
    with pytest.raises(UsageError, match="no valid imagery"):
        heatmap([scene], "red", tmp_path / "h.tif", FakeEncoder(), gsds=[0.5], extent=(5e5, 5399999, 500002, 5.4e6))
