"""A scene whose right answer is known: green ground with one red square, in any kind of file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.shutil
from affine import Affine

from tests.fakes import COLOURS

SIDE = 128
RED = (slice(24, 72), slice(64, 112))  # rows and columns of the red square
RED_CENTRE = (88.0, 48.0)  # column, row
UTM = "EPSG:32633"
NORTH_UP = Affine(0.5, 0, 500000.0, 0, -0.5, 5400000.0)


def rgb() -> np.ndarray:
    """[3, SIDE, SIDE] uint8."""
    scene = np.empty((SIDE, SIDE, 3), np.uint8)
    scene[:] = COLOURS["green"]
    scene[RED] = COLOURS["red"]
    return np.moveaxis(scene, 2, 0)


def write(
    path: Path, array: np.ndarray | None = None, *, driver: str = "GTiff", crs: str | None = UTM,
    transform: Affine = NORTH_UP, **options: Any,
) -> Path:
    """Write an array [bands, h, w], the scene by default."""
    array = rgb() if array is None else array
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(
        path, "w", driver=driver, count=len(array), height=array.shape[1], width=array.shape[2], dtype=array.dtype,
        crs=crs, transform=transform, **options,
    ) as dst:
        dst.write(array)
    return path


def as_driver(path: Path, driver: str, **options: Any) -> Path:
    """The scene through `CreateCopy`, for formats that cannot be written block by block; georeferenced beside it."""
    source = write(path.with_name("_source.tif"))
    rasterio.shutil.copy(source, path, driver=driver, **options)
    source.unlink()
    return path
