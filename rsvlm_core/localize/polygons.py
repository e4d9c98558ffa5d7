"""Label raster -> polygons: block by block, one polygon per connected object however many blocks it crosses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from rasterio.features import shapes
from scipy import ndimage

from rsvlm_core.model.encoder import Float32, UInt8

Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Region:
    """A connected object of one class.

    Attributes:
        label: Class, 1...n.
        geometry: Polygon in pixel corners of the label raster: x is the column, y the row, (0, 0) the upper left corner
            of the first pixel.
        pixels: Number of pixels.
        means: [C] mean of every value channel over the pixels.
        peaks: [C] maximum of every value channel.
    """

    label: int
    geometry: Any
    pixels: int
    means: NDArray[np.float64]
    peaks: NDArray[np.float64]


def connected(labels: UInt8) -> Ids:
    """Number the pieces of equal, non-zero labels that hang together over sides.

    Args:
        labels: [h, w]; 0 is background.

    Returns:
        [h, w] int64: 0 in the background, else 1...n, label after label.
    """
    ids = np.zeros(labels.shape, np.int64)
    for value in np.unique(labels[labels > 0]):
        pieces, _ = ndimage.label(labels == value)
        ids[pieces > 0] = pieces[pieces > 0] + int(ids.max())
    return ids


class RegionCollector:
    """Collects blocks of a label raster in reading order and joins what touches across their seams.

    Joining is exact: two pieces are one object when pixels of the same class face each other across a seam, so the
    result does not depend on where the blocks were cut. Objects are 4-connected; different classes never overlap.
    Memory holds the outlines and one row of ids, never the raster.
    """

    def __init__(self, width: int, channels: int) -> None:
        self._width, self._channels = width, channels
        self._parent: list[int] = [0]
        self._labels: list[int] = [0]
        self._counts: list[int] = [0]
        self._sums: list[NDArray[np.float64]] = [np.zeros(channels)]
        self._peaks: list[NDArray[np.float64]] = [np.full(channels, -np.inf)]
        self._shapes: list[Any] = [None]
        self._above: Ids = np.zeros(width, np.int64)  # ids of the last row seen in every column
        self._left: Ids | None = None
        self._next_row, self._next_col, self._block_rows = 0, 0, 0
        self._below: Ids = np.zeros(width, np.int64)

    def add(self, row: int, col: int, labels: UInt8, values: Float32) -> None:
        """Take the next block.

        Args:
            row: First row of the block in the label raster.
            col: First column.
            labels: [h, w] uint8, 0 for background.
            values: [h, w, C] float32, averaged over each object; what lies on background is not looked at.

        Raises:
            ValueError: Blocks do not come row by row and left to right without gaps.
        """
        h, w = labels.shape
        if (row, col) != (self._next_row, self._next_col) or col + w > self._width:
            raise ValueError(f"expected the block at {self._next_row}, {self._next_col}, not {row}, {col}")
        if col > 0 and h != self._block_rows:
            raise ValueError(f"a block of {h} rows beside one of {self._block_rows}")
        ids = self._label_block(row, col, labels, values)
        self._join(self._above[col : col + w], ids[0])
        if self._left is not None:
            self._join(self._left, ids[:, 0])
        self._below[col : col + w] = ids[-1]
        self._left, self._block_rows = ids[:, -1], h
        if col + w == self._width:
            self._above, self._below = self._below, np.zeros(self._width, np.int64)
            self._left, self._next_row, self._next_col = None, row + h, 0
        else:
            self._next_col = col + w

    def finish(self, min_pixels: float = 1.0) -> list[Region]:
        """All objects of at least `min_pixels`, in reading order of their first piece."""
        groups: dict[int, list[int]] = {}
        for i in range(1, len(self._parent)):
            groups.setdefault(self._root(i), []).append(i)
        regions = []
        for members in groups.values():
            count = sum(self._counts[i] for i in members)
            if count < min_pixels:
                continue
            pieces = [self._shapes[i] for i in members]
            whole = pieces[0] if len(pieces) == 1 else shapely.union_all(pieces)
            regions.append(
                Region(
                    label=self._labels[members[0]],
                    geometry=whole,
                    pixels=count,
                    means=np.sum([self._sums[i] for i in members], axis=0) / count,
                    peaks=np.max([self._peaks[i] for i in members], axis=0),
                )
            )
        return regions

    def _label_block(self, row: int, col: int, labels: UInt8, values: Float32) -> Ids:
        local = connected(labels)
        n = int(local.max())
        if n == 0:
            return np.zeros(labels.shape, np.int64)
        first = len(self._parent)
        flat = local.ravel()
        inside = flat > 0
        names, pixels = flat[inside], values.reshape(-1, self._channels)[inside]
        area = np.bincount(names, minlength=n + 1)[1:]
        sums = np.stack([np.bincount(names, pixels[:, c], n + 1)[1:] for c in range(self._channels)], axis=1)
        order = np.argsort(names, kind="stable")
        peaks = np.maximum.reduceat(pixels[order], np.cumsum(area) - area, axis=0).astype(np.float64)
        outlines: list[Any] = [None] * n
        for outline, value in shapes(
            local.astype(np.int32), mask=local > 0, connectivity=4, transform=Affine.translation(col, row)
        ):
            outlines[int(value) - 1] = shapely.geometry.shape(outline)
        at = np.zeros(n + 1, np.int64)  # any pixel of each object, to read its class
        at[local.ravel()] = np.arange(local.size)
        self._parent.extend(range(first, first + n))
        self._labels.extend(int(v) for v in labels.ravel()[at[1:]])
        self._counts.extend(int(a) for a in area)
        self._sums.extend(sums)
        self._peaks.extend(peaks)
        self._shapes.extend(outlines)
        return np.where(local > 0, local.astype(np.int64) + (first - 1), 0)

    def _join(self, one: Ids, other: Ids) -> None:
        touching = (one > 0) & (other > 0)
        for a, b in np.unique(np.stack([one[touching], other[touching]], axis=1), axis=0):
            if self._labels[a] == self._labels[b]:
                ra, rb = self._root(int(a)), self._root(int(b))
                self._parent[max(ra, rb)] = min(ra, rb)

    def _root(self, i: int) -> int:
        while self._parent[i] != i:
            self._parent[i] = self._parent[self._parent[i]]
            i = self._parent[i]
        return i


def clean(
    geometries: Sequence[Any], tolerance: float, min_hole: float = 4.0, neighbours: bool = True
) -> list[Any]:
    """Outlines as an analyst would draw them: small holes filled, slivers dropped, staircases straightened.

    Neighbours that share an edge share it afterwards, so disjoint classes stay disjoint.

    Args:
        geometries: Polygons with pixel-corner coordinates of one label raster, not overlapping.
        tolerance: In pixels; details smaller than about this are removed. 0 keeps every corner.
        min_hole: Holes of fewer pixels are filled, unless another polygon lies in them.
        neighbours: Whether polygons may share edges, as those of several classes do; of one class they cannot.

    Returns:
        One entry for each input: a Polygon, a MultiPolygon where straightening cut it, or None for a sliver (nowhere
        wider than one pixel).
    """
    kept = [i for i, g in enumerate(geometries) if not _is_sliver(g)]
    shapes_ = np.array([geometries[i] for i in kept], dtype=object)
    out: list[Any] = [None] * len(geometries)
    if not kept:
        return out
    shapes_ = _fill_holes(shapes_, min_hole)
    if tolerance > 0:
        # An edge of one polygon may run past the corner where two neighbours meet: give it that corner, or the shared
        # edge would be straightened differently on its two sides.
        noded = shapely.transform(shapely.segmentize(shapes_, 1.0), np.round) if neighbours else shapes_
        shapes_ = shapely.coverage_simplify(noded, tolerance)
    shapes_ = np.where(shapely.is_valid(shapes_), shapes_, shapely.make_valid(shapes_))
    for i, geometry in zip(kept, shapes_, strict=True):
        parts = [p for p in shapely.get_parts(geometry) if p.geom_type in ("Polygon", "MultiPolygon") and p.area > 0]
        whole = shapely.union_all(parts) if len(parts) > 1 else parts[0] if parts else None
        out[i] = whole
    return out


def place(geometries: Sequence[Any], transform: Affine) -> list[Any]:
    """Pixel-corner coordinates -> CRS coordinates, through the full geotransform (rotation and shear included)."""
    a, b, c, d, e, f = transform[:6]

    def forward(xy: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.stack([a * xy[:, 0] + b * xy[:, 1] + c, d * xy[:, 0] + e * xy[:, 1] + f], axis=1)

    return list(shapely.transform(np.array(geometries, dtype=object), forward)) if len(geometries) else []


def ellipsoidal_areas(geometries: Sequence[Any], crs: CRS) -> NDArray[np.float64]:
    """[N] areas in square metres on the ellipsoid of `crs`, whatever its units; edges are geodesics.

    Raises:
        ValueError: The CRS has no ellipsoid.
    """
    if not len(geometries):
        return np.zeros(0)
    flat = CRS(crs).to_2d()
    geographic = flat.geodetic_crs
    geod = flat.get_geod()
    if geographic is None or geod is None:
        raise ValueError("a CRS without an ellipsoid has no areas on the ground")
    geographic = geographic.to_2d()
    lonlat = np.array(geometries, dtype=object)
    forward = Transformer.from_crs(flat, geographic, always_xy=True)
    # Degrees, whatever angle unit the geographic CRS counts in.
    scale = np.degrees(geographic.axis_info[0].unit_conversion_factor) if geographic.axis_info else 1.0

    def to_lonlat(xy: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.stack(forward.transform(xy[:, 0], xy[:, 1]), axis=1) * scale

    lonlat = shapely.transform(lonlat, to_lonlat)
    areas = np.zeros(len(lonlat))
    for i, geometry in enumerate(lonlat):
        for part in shapely.get_parts(geometry):
            areas[i] += _ring_area(geod, part.exterior) - sum(_ring_area(geod, hole) for hole in part.interiors)
    return areas


def _ring_area(geod: Any, ring: Any) -> float:
    xy = shapely.get_coordinates(ring)
    return abs(float(geod.polygon_area_perimeter(xy[:, 0], xy[:, 1])[0]))


def _is_sliver(geometry: Any) -> bool:
    # Twice the area over the perimeter is about the width; only doubtful shapes pay for the exact test.
    if 2 * geometry.area / geometry.length > 1.6:
        return False
    return bool(geometry.buffer(-0.51, join_style="mitre").is_empty)


def _fill_holes(polygons: NDArray[np.object_], min_hole: float) -> NDArray[np.object_]:
    tree = shapely.STRtree(polygons)
    out: NDArray[np.object_] = polygons.copy()
    for i, polygon in enumerate(polygons):
        if not polygon.interiors:
            continue
        keep = []
        for ring in polygon.interiors:
            hole = shapely.Polygon(ring)
            # What has pixels in a hole lies wholly in it: objects are 4-connected.
            if hole.area >= min_hole or len(tree.query(hole, predicate="covers")):
                keep.append(ring)
        if len(keep) < len(polygon.interiors):
            out[i] = shapely.Polygon(polygon.exterior, keep)
    return out
