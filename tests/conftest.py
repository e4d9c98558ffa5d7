"""Fixtures shared by all rooms."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from rsvlm_core.settings import data_dir  # noqa: E402
from tests.fakes import FakeEncoder  # noqa: E402


@pytest.fixture
def shared_data() -> Path:
    """The folder with real data; the test is skipped where a stranger does not have it, never in CI."""
    folder = data_dir()
    if not (folder / "rasters").is_dir():
        if os.environ.get("CI"):
            pytest.fail(f"CI must have the shared data; {folder} is not there")
        pytest.skip(f"no shared data at {folder} (set RSVLM_DATA)")
    return folder


@pytest.fixture
def fake_encoder() -> FakeEncoder:
    """The colour encoder."""
    return FakeEncoder()


@pytest.fixture
def make_raster(tmp_path: Path) -> Callable[..., Path]:
    """Writes a small GeoTIFF: `make_raster(array [bands, h, w] or [h, w, 3], gsd=0.5, crs="EPSG:32633", ...)`."""
    import rasterio
    from affine import Affine

    def write(
        array: np.ndarray, name: str = "r.tif", *, gsd: float = 0.5, crs: str | None = "EPSG:32633",
        transform: Affine | None = None, nodata: float | None = None, **options: object,
    ) -> Path:
        if array.ndim == 3 and array.shape[2] in (3, 4) and array.shape[0] > 4:
            array = np.moveaxis(array, 2, 0)
        if array.ndim == 2:
            array = array[None]
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with rasterio.open(
            path, "w", driver="GTiff", count=array.shape[0], height=array.shape[1], width=array.shape[2],
            dtype=array.dtype, crs=crs, nodata=nodata,
            transform=transform or Affine(gsd, 0, 500000.0, 0, -gsd, 5400000.0), **options,
        ) as dst:
            dst.write(array)
        return path

    return write
