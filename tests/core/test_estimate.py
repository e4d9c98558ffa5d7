"""The estimate of what a country costs: its number of tiles is that of the real grid."""

from __future__ import annotations

from pathlib import Path

import pytest
import rasterio
from affine import Affine

from rsvlm_core.imagery.raster import Raster
from rsvlm_core.tiles.grid import TileGrid
from tests.bench.estimate import GPU_MACS, Slopes, costs, slope, tiles_of


def test_tiles_are_those_of_the_grid(tmp_path: Path) -> None:
    side = 40_000  # 20 km of 0.5 m; the file is sparse
    with rasterio.open(
        tmp_path / "land.tif", "w", driver="GTiff", width=side, height=side, count=3, dtype="uint8", tiled=True,
        sparse_ok=True, crs="EPSG:32633", transform=Affine(0.5, 0, 5e5, 0, -0.5, 5.4e6),
    ):
        pass
    with Raster.open(str(tmp_path / "land.tif")) as raster:
        real = len(TileGrid(raster, (0.5, 1.0, 2.0), 224, 0.25))
    assert tiles_of(20 * 20, 0.5, 224, 0.25) == pytest.approx(real, rel=0.01)


def test_costs_follow_from_slopes() -> None:
    assert slope((10, 7.0), (30, 17.0)) == 0.5
    found = costs(Slopes(3.6, 100.0, 10.0, 1e-6, GPU_MACS), 2e6, 1.0, 0.5)
    assert found == {
        "tiles": 2e6, "pixels": 4e6, "core_hours": pytest.approx(2000), "gpu_hours": pytest.approx(2e6 / 3600),
        "part_bytes": 2e8, "map_bytes": 2e7, "exact_query_core_s": pytest.approx(2.0),
    }
