"""Where every tile lies and how finely it was seen: what filters and hits need, without reading the parts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from rsvlm_core.errors import SearchIndexError
from rsvlm_core.index.maps import load_map
from rsvlm_core.index.parts import read_outlines, read_table

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Box = tuple[float, float, float, float]

NAME = "places"
LEAST_IMPOSSIBLE = (541.0, 91.0)  # degrees; an outline across the antimeridian may go once around
# the four corners in longitude and latitude, in the outline's order; not a number where a tile has no place there
PLACE: np.dtype[Any] = np.dtype([("gsd_m", "<f8"), ("corners", "<f8", (4, 2))])


class Places:
    """Outlines of all rows, as a memory map that `vectors` runs along.

    Args:
        folder: The index.
        parts: Its files.

    Raises:
        SearchIndexError: A part is missing or damaged.
    """

    def __init__(self, folder: Path, parts: Sequence[Path]) -> None:
        self._file = folder / f"{NAME}.npy"
        self._map, rows = load_map(folder, NAME, parts, PLACE, (), _read)
        self._ends = np.cumsum(rows, dtype=np.int64)

    def __len__(self) -> int:
        return len(self._map)

    def outlines(self, rows: Ints) -> NDArray[np.object_]:
        """[n] polygons in longitude and latitude; empty ones where a tile has no place there.

        Raises:
            SearchIndexError: A number is no longitude or latitude.
        """
        corners = np.asarray(self._map["corners"][rows])
        if (np.abs(corners) > LEAST_IMPOSSIBLE).any():
            raise SearchIndexError(f"{self._file} is damaged.", "Delete that file: it is made anew.")
        return outlines(corners)

    def gsds(self, rows: Ints) -> Floats:
        """[n] metres per pixel."""
        return np.asarray(self._map["gsd_m"][rows], dtype=np.float64)

    def near(self, box: Box) -> Ints:
        """Rows whose bounds touch west, south, east, north, in order; looks only into parts that do."""
        found = [np.zeros(0, np.int64)]
        for part in np.flatnonzero(_touch(self._part_boxes, box)):
            start = int(self._ends[part - 1]) if part else 0
            corners = self._map["corners"][start : int(self._ends[part])]
            bounds = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
            found.append(start + np.flatnonzero(_touch(bounds, box)))
        return np.concatenate(found)

    @cached_property
    def _part_boxes(self) -> Floats:
        """[P, 4] bounds of the parts; parts are small neighbourhoods, so most of them are out of the question."""
        boxes = np.full((len(self._ends), 4), np.nan)
        start = 0
        for part, end in enumerate(self._ends):
            corners = self._map["corners"][start:end].reshape(-1, 2)
            corners = corners[np.isfinite(corners[:, 0])]
            if len(corners):
                boxes[part] = [*corners.min(axis=0), *corners.max(axis=0)]
            start = int(end)
        return boxes


def outlines(corners: Floats) -> NDArray[np.object_]:
    """[n, 4, 2] corners -> [n] polygons, the first corner first; empty ones where corners are no numbers."""
    made = np.full(len(corners), shapely.Polygon(), dtype=object)
    there = np.isfinite(corners).all(axis=(1, 2))
    if there.any():
        rings = np.asarray(corners)[there]
        made[there] = shapely.polygons(np.concatenate([rings, rings[:, :1]], axis=1))
    # A tile may lie across itself: around a pole, or where a number on the disk has changed. GEOS cuts no such shapes.
    crossed = ~shapely.is_valid(made)
    made[crossed] = shapely.convex_hull(made[crossed])
    return made


def _touch(bounds: Floats, box: Box) -> NDArray[np.bool_]:
    west, south, east, north = box
    touching: NDArray[np.bool_] = (
        (bounds[:, 0] <= east) & (bounds[:, 2] >= west) & (bounds[:, 1] <= north) & (bounds[:, 3] >= south)
    )
    return touching


def _read(path: Path) -> NDArray[Any]:
    table = read_table(path, ["gsd_m", "geometry"])
    made = np.zeros(len(table), dtype=PLACE)
    made["gsd_m"] = table.column("gsd_m").to_numpy()
    made["corners"] = corners_of(read_outlines(path, table.column("geometry")))
    return made


def corners_of(shapes: NDArray[np.object_]) -> Floats:
    """[n] outlines of tiles, quadrilaterals or empty -> [n, 4, 2] corners, not numbers where empty."""
    corners = np.full((len(shapes), 4, 2), np.nan)
    there = ~shapely.is_empty(shapes)
    rings = shapely.get_exterior_ring(shapes[there])
    odd = shapely.get_num_points(rings) != 5
    if odd.any():  # not written by us; the rectangle around it stands for it
        rings[odd] = shapely.get_exterior_ring(shapely.oriented_envelope(rings[odd]))
    corners[there] = shapely.get_coordinates(rings).reshape(-1, 5, 2)[:, :4]
    return corners
