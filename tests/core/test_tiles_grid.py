"""Tiles cover the ground, are all alike, and stay the same whoever asks."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rsvlm_core.errors import UsageError
from rsvlm_core.imagery.raster import Raster
from rsvlm_core.tiles.grid import TileGrid, default_gsds
from rsvlm_core.tiles.layout import starts
from tests.fakes import FakeEncoder

Make = Callable[..., Path]
QUIET = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(length=st.floats(0.5, 5000), piece=st.floats(0.5, 800), overlap=st.floats(0, 0.9))
@settings(max_examples=200, deadline=None)
def test_pieces_cover_a_length(length: float, piece: float, overlap: float) -> None:
    first = starts(length, piece, piece * (1 - overlap))
    if length <= piece:
        assert len(first) == 1 and first[0] == pytest.approx((length - piece) / 2)
        return
    assert first[0] == 0 and first[-1] == pytest.approx(length - piece)
    assert (np.diff(first) > -1e-6).all() and (np.diff(first) <= piece * (1 + 1e-3)).all(), "gaps"
    # none too many: dropping one would leave a gap wider than the stride allows
    assert len(first) == 1 or (len(first) - 2) * piece * (1 - overlap) < length - piece


def test_ten_tiles_do_not_become_eleven() -> None:
    assert len(starts(2240, 223.9999, 223.9999)) == 10
    assert starts(2240, 224, 224).tolist() == [224 * i for i in range(10)]
    assert len(starts(2241, 224, 224)) == 11


def _empty(path: Path, width: int, height: int, transform: Affine, crs: str = "EPSG:32633", **options: Any) -> str:
    with rasterio.open(
        path, "w", driver="GTiff", width=width, height=height, count=3, dtype="uint8", crs=crs, transform=transform,
        SPARSE_OK=True, **options,
    ):  # fmt: skip
        pass
    return str(path)


@QUIET
@given(
    width=st.integers(1, 400), height=st.integers(1, 400), size=st.sampled_from([16, 32, 100]),
    gsd=st.floats(0.3, 4), overlap=st.sampled_from([0.0, 0.25, 0.5]), angle=st.sampled_from([0.0, 33.0]),
    tall=st.floats(0.5, 2), tiled=st.booleans(),
)  # fmt: skip
def test_tiles_cover_the_raster(
    tmp_path: Path, width: int, height: int, size: int, gsd: float, overlap: float, angle: float, tall: float,
    tiled: bool,
) -> None:  # fmt: skip
    place = Affine.translation(5e5, 5.4e6) * Affine.rotation(angle) * Affine.scale(0.5, -0.5 * tall)
    options = {"tiled": True, "blockxsize": 16, "blockysize": 16} if tiled and width > 16 else {}
    with Raster.open(_empty(tmp_path / "r.tif", width, height, place, **options)) as raster:
        tiles = list(TileGrid(raster, [gsd], size, overlap))
        seen = np.zeros((height, width), int)
        for tile in tiles:
            w = tile.window
            assert w.width * raster.gsd_m[0] == pytest.approx(size * tile.gsd_m), "square on the ground"
            assert w.height * raster.gsd_m[1] == pytest.approx(size * tile.gsd_m)
            for start, length, limit in ((w.col, w.width, width), (w.row, w.height, height)):
                if length <= limit:
                    assert start >= -1e-6 and start + length <= limit + 1e-6, "full tiles stay inside"
                else:
                    assert start == pytest.approx((limit - length) / 2), "a small raster is in the middle"
            rows = slice(max(0, int(np.ceil(w.row - 1e-6))), int(np.floor(w.row + w.height + 1e-6)))
            cols = slice(max(0, int(np.ceil(w.col - 1e-6))), int(np.floor(w.col + w.width + 1e-6)))
            seen[rows, cols] += 1
        union = shapely.union_all([t.geometry for t in tiles])
        assert union.symmetric_difference(raster.footprint).area < 1e-3 * raster.footprint.area
        if overlap == 0.25 and width > 60 and height > 60:
            assert seen.max() <= 9
    assert len({t.tile_id for t in tiles}) == len(tiles) == len({(t.row, t.col) for t in tiles})


@QUIET
@given(
    x=st.floats(0.01, 0.9), y=st.floats(0.01, 0.9), w=st.floats(0.001, 0.5), h=st.floats(0.001, 0.5),
    angle=st.sampled_from([0.0, 33.0]),
)  # fmt: skip
def test_an_extent_selects_and_never_moves(
    tmp_path: Path, x: float, y: float, w: float, h: float, angle: float
) -> None:
    place = Affine.translation(5e5, 5.4e6) * Affine.rotation(angle) * Affine.scale(0.5, -0.5)
    with Raster.open(_empty(tmp_path / "r.tif", 500, 400, place)) as raster:
        every = {t.tile_id: t for t in TileGrid(raster, [0.5, 1.0], 64)}
        left, bottom, right, top = raster.bounds
        extent = (
            left + x * (right - left), bottom + y * (top - bottom),
            left + min(1, x + w) * (right - left), bottom + min(1, y + h) * (top - bottom),
        )  # fmt: skip
        area = shapely.box(*extent)
        if area.intersection(raster.footprint).area < 1e-3:
            return
        chosen = list(TileGrid(raster, [1.0, 0.5], 64, extent=extent))
    assert all(every[t.tile_id] == t for t in chosen)
    touching = {i for i, t in every.items() if t.geometry.intersection(area).area > 1e-6 * t.geometry.area}
    assert {t.tile_id for t in chosen} >= touching
    missing = area.intersection(raster.footprint).difference(shapely.union_all([t.geometry for t in chosen]))
    assert missing.area < 1e-6 * area.area


def test_the_same_in_every_run(make_raster: Make) -> None:
    path = str(make_raster(np.zeros((3, 300, 200), np.uint8)))
    with Raster.open(path) as one, Raster.open(path) as two:
        assert list(TileGrid(one, [0.5], 64)) == list(TileGrid(two, [0.5], 64))
        grid = TileGrid(one, [0.5], 64)
        assert list(grid)[3:7] == grid.tiles(3, 7)


def test_a_level_keeps_its_ids_beside_others(make_raster: Make) -> None:
    with Raster.open(str(make_raster(np.zeros((3, 300, 200), np.uint8)))) as raster:
        alone = {t.tile_id for t in TileGrid(raster, [1.0], 64)}
        beside = {t.tile_id for t in TileGrid(raster, [0.5, 1.0, 2.0], 64)}
    assert alone < beside


def test_what_others_selected_is_left_out(make_raster: Make) -> None:
    with Raster.open(str(make_raster(np.zeros((3, 300, 200), np.uint8)))) as raster:
        xmin, ymin, xmax, ymax = raster.bounds
        west = shapely.box(xmin, ymin, (xmin + xmax) / 2, ymax)
        every, some = TileGrid(raster, [0.5], 64), TileGrid(raster, [0.5], 64, extent=west)
        rest = every.without([west])
        assert len(rest) + len(some) == len(every) and len(rest) > 0
        assert not {t.tile_id for t in rest} & {t.tile_id for t in some}
        assert len(every.without([None])) == 0


def test_a_grid_of_millions_of_tiles_is_small(tmp_path: Path) -> None:
    place = Affine(0.5, 0, 3e5, 0, -0.5, 6e6)
    options = {"tiled": True, "blockxsize": 512, "blockysize": 512, "interleave": "pixel", "BIGTIFF": "YES"}
    with Raster.open(_empty(tmp_path / "r.tif", 60_000, 60_000, place, **options)) as raster:
        tracemalloc.start()
        grid = TileGrid(raster, (0.5, 1.0, 2.0), 64)
        last = grid.tiles(len(grid) - 3, len(grid))
        middle = grid.tiles(1_000_000, 1_000_003)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        whole = TileGrid(raster, (4.0,), 64)
        half = TileGrid(raster, (4.0,), 64, extent=(3e5, 6e6 - 30_000, 3e5 + 15_000, 6e6))
    assert len(grid) > 2_000_000 and len({t.tile_id for t in (*last, *middle)}) == 6
    assert peak < 8e6, "four bytes a tile at most; numbers and windows of all of them would take fifty"
    assert 0.5 <= len(half) / len(whole) < 0.51


def test_wrong_wishes(make_raster: Make) -> None:
    with Raster.open(str(make_raster(np.zeros((3, 30, 20), np.uint8)))) as raster:
        with pytest.raises(UsageError, match="positive"):
            TileGrid(raster, [0.0], 32)
        with pytest.raises(UsageError, match="positive"):
            TileGrid(raster, [], 32)
        with pytest.raises(UsageError, match="overlap"):
            TileGrid(raster, [1.0], 32, overlap=1.0)
        with pytest.raises(UsageError, match="lies outside"):
            TileGrid(raster, [1.0], 32, extent=(0, 0, 1, 1))


@pytest.mark.parametrize("overlap", [0.0, 0.25])
def test_tiles_keep_their_size_from_the_equator_to_the_north(tmp_path: Path, overlap: float) -> None:
    place = Affine(0.01, 0, 10.0, 0, -0.01, 70.0)
    with Raster.open(_empty(tmp_path / "deg.tif", 500, 7000, place, crs="EPSG:4326")) as raster:
        tiles = list(TileGrid(raster, [1000.0], 64, overlap))
        for tile in tiles[:: len(tiles) // 25]:
            w = tile.window
            across, along = raster.gsd_at(w.col + w.width / 2, w.row + w.height / 2)
            assert w.width * across == pytest.approx(64_000, rel=0.01), "degrees shrink towards the pole, tiles do not"
            assert w.height * along == pytest.approx(64_000, rel=0.05 if tile.row else 0.01)
        union = shapely.union_all([t.geometry for t in tiles])
        assert union.symmetric_difference(raster.footprint).area < 1e-6 * raster.footprint.area
        north = sum(t.row == 0 for t in tiles)
        south = sum(t.row == max(t.row for t in tiles) for t in tiles)
    assert south > 2 * north


def test_default_scales(tmp_path: Path) -> None:
    info = FakeEncoder(image_size=32).info  # knows 0.1 to 10 m

    def scales(gsd: float, side: int) -> tuple[float, ...]:
        place = Affine(gsd, 0, 5e5, 0, -gsd, 5.4e6)
        with Raster.open(_empty(tmp_path / "r.tif", side, side, place)) as raster:
            return default_gsds(raster, info)

    assert scales(0.5, 1000) == pytest.approx((0.5, 1.0, 2.0), rel=1e-3)
    assert scales(0.5, 65) == pytest.approx((0.5, 1.0), rel=1e-3), "no tile larger than the raster"
    assert scales(0.5, 10) == pytest.approx((0.5,), rel=1e-3)
    assert scales(0.02, 1000) == pytest.approx((0.1, 0.2, 0.4), rel=1e-3), "not sharper than the model knows"
    assert scales(0.02, 80) == pytest.approx((0.05,), rel=1e-2), "sharper, where the raster is smaller than a tile"
    assert scales(4.0, 1000) == pytest.approx((4.0, 8.0), rel=1e-3), "not coarser than the model knows"
    assert scales(30.0, 1000) == pytest.approx((30.0,), rel=1e-3), "coarse imagery is seen as it is"
