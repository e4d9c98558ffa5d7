"""Splits by place: images that overlap or lie side by side never fall on both sides of a split."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Any

# Cells of 0.05 degrees hold a few hundred overlapping Sentinel-2 tiles of 1.28 km.
CELL_DEG = 0.05
# A kept place for training and one for testing are at least twice this apart: more than such a tile at mid latitudes.
GUARD_DEG = 0.007


def place_fold(lat: float, lon: float, folds: int = 5, seed: int = 0) -> int:
    """The fold of a place (degrees, WGS 84): that of its cell."""
    cell = f"{seed}:{math.floor(lat / CELL_DEG)}:{math.floor(lon / CELL_DEG)}"
    return int.from_bytes(hashlib.sha256(cell.encode()).digest()[:8], "big") % folds


def side(meta: Mapping[str, Any], fold: int, folds: int = 5, seed: int = 0) -> str:
    """The side of a sample when one fold of places is for testing.

    Args:
        meta: With `lat` and `lon` in degrees; samples without are for training.
        fold: The fold that is for testing.
        folds: Number of folds.
        seed: Of the assignment of cells to folds.

    Returns:
        "test", "train", or "neither" for the strip between the two, which neither side may use.
    """
    if meta.get("lat") is None or meta.get("lon") is None:
        return "train"
    lat, lon = float(meta["lat"]), float(meta["lon"])
    around = [(lat + dy * GUARD_DEG, lon + dx * GUARD_DEG) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    near = {place_fold(*place, folds, seed) == fold for place in around}
    return "neither" if len(near) == 2 else "test" if near == {True} else "train"
