"""Geometries from one coordinate reference system to another."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Transformer

LONLAT = CRS.from_user_input("OGC:CRS84")


def project(geometries: NDArray[np.object_], source: CRS, target: CRS, *, densify: bool = False) -> NDArray[np.object_]:
    """Transform geometries, corner by corner.

    Args:
        geometries: [N] shapely geometries in `source`.
        source: Their CRS.
        target: Wanted CRS.
        densify: Add points along edges first, so that a long straight edge stays where it was on the ground.

    Returns:
        [N] geometries; empty ones where a place has no coordinates in `target`.
    """
    if source == target:
        return geometries
    if densify:
        spans = shapely.bounds(geometries)
        lengths = (spans[:, 2:] - spans[:, :2]).max(axis=1) / 32
        long = lengths > 0  # not empty, nor a line from a point to itself, which GEOS refuses
        geometries = geometries.copy()
        geometries[long] = shapely.segmentize(geometries[long], lengths[long])
    transformer = Transformer.from_crs(source, target, always_xy=True)
    points = shapely.get_coordinates(geometries)
    x, y = transformer.transform(points[:, 0], points[:, 1])
    lost = ~(np.isfinite(x) & np.isfinite(y))
    moved = shapely.set_coordinates(
        shapely.force_2d(geometries.copy()), np.stack([np.where(lost, 0, x), np.where(lost, 0, y)], axis=1)
    )
    if lost.any():
        owner = shapely.get_coordinates(geometries, return_index=True)[1]
        moved[np.unique(owner[lost])] = shapely.Polygon()
    result: NDArray[np.object_] = moved
    return result


def project_one(geometry: shapely.Geometry, source: CRS, target: CRS) -> shapely.Geometry:
    """One geometry with densified edges; see `project`."""
    return project(np.array([geometry], dtype=object), source, target, densify=True)[0]
