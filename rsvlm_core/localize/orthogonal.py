"""Right angles for outlines of buildings, where that changes them little."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import affinity

MIN_OVERLAP = 0.85  # intersection over union with the outline as it was; below it the building is not rectangular
_COARSE = 2.0  # pixels: bends smaller than this are not walls


def orthogonalise(geometries: Sequence[Any | None], min_overlap: float = MIN_OVERLAP) -> list[Any | None]:
    """Snap outlines to their main direction and its perpendicular.

    Args:
        geometries: Polygons with coordinates in pixels (square on the ground, or nearly), or None.
        min_overlap: Outlines that would overlap less with themselves stay as they are.

    Returns:
        One entry for each input. Neighbours that came to overlap are cut at the earlier one, so they stay disjoint.
    """
    out = [None if g is None else _one(g, min_overlap) for g in geometries]
    alive = [i for i, g in enumerate(out) if g is not None]
    shapes = np.array([out[i] for i in alive], dtype=object)
    for one, other in zip(*shapely.STRtree(shapes).query(shapes, predicate="intersects"), strict=True):
        a, b = alive[one], alive[other]
        if one < other and out[a] is not None and out[b] is not None and out[a].intersection(out[b]).area > 0:
            out[b] = _largest(out[b].difference(out[a]))
    return out


def _one(geometry: Any, min_overlap: float) -> Any:
    parts = [_polygon(p) for p in shapely.get_parts(geometry)]
    squared = shapely.union_all(parts) if len(parts) > 1 else parts[0]
    union = squared.union(geometry).area
    if not squared.is_valid or squared.is_empty or squared.intersection(geometry).area < min_overlap * union:
        return geometry
    return squared


def _polygon(polygon: Any) -> Any:
    angle = _direction(polygon.exterior)
    turned = affinity.rotate(polygon, -angle, origin=(0, 0))
    exterior = _ring(turned.exterior)
    if exterior is None:
        return polygon
    holes = [h for h in (_ring(ring) for ring in turned.interiors) if h is not None]
    squared = shapely.make_valid(shapely.Polygon(exterior, holes))
    squared = _largest(squared)
    return polygon if squared is None else affinity.rotate(squared, angle, origin=(0, 0))


def _direction(ring: Any) -> float:
    """Degrees in 0..90 of the direction that most of the wall length follows, or is square to."""
    edges = np.diff(shapely.get_coordinates(ring.simplify(1.0)), axis=0)
    length = np.hypot(edges[:, 0], edges[:, 1])
    # Directions that repeat every 90 degrees become one when their angle is taken four times.
    mean = (length**2 * np.exp(4j * np.arctan2(edges[:, 1], edges[:, 0]))).sum()
    return float(np.degrees(np.angle(mean)) / 4 % 90)


def _ring(ring: Any) -> NDArray[np.float64] | None:
    """A ring with only horizontal and vertical edges, or None when nothing is left of it."""
    points = shapely.get_coordinates(ring.simplify(_COARSE))[:-1]
    if len(points) < 4:
        return None
    steps = np.roll(points, -1, axis=0) - points
    level = np.abs(steps[:, 0]) >= np.abs(steps[:, 1])  # horizontal walls
    if level.all() or not level.any():
        return None
    # Walls: runs of edges of one kind, starting where the kind changes; each becomes one straight line.
    first = int(np.flatnonzero(level != np.roll(level, 1))[0])
    order = np.roll(np.arange(len(points)), -first)
    walls: list[tuple[bool, float]] = []
    run: list[int] = []
    for i in [*order, None]:
        if run and (i is None or level[i] != level[run[-1]]):
            middles, weights = points[run] + steps[run] / 2, np.abs(steps[run]).max(axis=1) + 1e-9
            axis = 1 if level[run[0]] else 0
            walls.append((bool(level[run[0]]), float(np.average(middles[:, axis], weights=weights))))
            run = []
        if i is not None:
            run.append(int(i))
    if len(walls) < 4 or len(walls) % 2:
        return None
    corners = []
    for (flat, at), (_, other) in zip(walls, walls[1:] + walls[:1], strict=True):
        corners.append((other, at) if flat else (at, other))
    return np.array(corners)


def _largest(geometry: Any) -> Any | None:
    """The largest polygon of a geometry, or None."""
    parts = [p for p in shapely.get_parts(geometry) if p.geom_type in ("Polygon", "MultiPolygon") and p.area > 0]
    return max(parts, key=lambda p: p.area) if parts else None
