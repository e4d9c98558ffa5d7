"""Which tiles take part in a search: those of a region, those of some rasters, or both."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from rsvlm_core.imagery.projecting import LONLAT, project, project_one

# A tile belongs to a region when this share of the smaller of the two lies in the other.
INSIDE_SHARE = 0.5


@dataclass(frozen=True)
class Where:
    """A filter, applied before tiles are ranked.

    Attributes:
        region: Ground to search, in `crs`; None is everywhere.
        crs: Of the region.
        sources: Rasters to search; None is all.
    """

    region: shapely.Geometry | None = None
    crs: CRS = LONLAT
    sources: tuple[str, ...] | None = None

    @property
    def everything(self) -> bool:
        """Whether nothing is left out."""
        return self.region is None and self.sources is None

    @cached_property
    def box(self) -> tuple[float, float, float, float] | None:
        """West, south, east, north of the region in degrees; None is everywhere."""
        return None if self.region is None else project_one(self.region, self.crs, LONLAT).bounds

    @cached_property
    def key(self) -> tuple[object, ...]:
        """Equal for filters that leave the same."""
        return None if self.region is None else self.region.wkb, self.crs.to_wkt(), self.sources

    def keeps(self, outlines: NDArray[np.object_]) -> NDArray[np.bool_]:
        """Which of [N] outlines, in longitude and latitude, lie in the region."""
        return inside(self.region, outlines, self.crs)


def inside(region: shapely.Geometry | None, outlines: NDArray[np.object_], crs: CRS) -> NDArray[np.bool_]:
    """Which tiles belong to a region.

    A tile belongs when half of it lies in the region, or half of one of the region's polygons lies in the tile, so
    that a region smaller than a tile finds the tiles around it.

    Args:
        region: In `crs`; None is everything.
        outlines: [N] tile outlines in longitude and latitude.
        crs: Of the region.

    Returns:
        [N] bool.
    """
    chosen = np.ones(len(outlines), dtype=bool)
    if region is None:
        return chosen
    west, south, east, north = project_one(region, crs, LONLAT).bounds
    bounds = shapely.bounds(outlines).reshape(-1, 4)
    near = np.flatnonzero(
        (bounds[:, 0] <= east) & (bounds[:, 2] >= west) & (bounds[:, 1] <= north) & (bounds[:, 3] >= south)
    )
    chosen[:] = False
    if not len(near):
        return chosen
    tiles = project(outlines[near], LONLAT, crs)
    areas = shapely.area(tiles)
    shapely.prepare(region)
    touching = np.flatnonzero(shapely.intersects(region, tiles))
    shared = shapely.area(shapely.intersection(region, tiles[touching]))
    hit = np.zeros(len(near), dtype=bool)
    hit[touching] = shared >= INSIDE_SHARE * areas[touching]
    parts = np.array(shapely.get_parts(region), dtype=object)
    which, part = shapely.STRtree(parts).query(tiles, predicate="intersects")
    held = shapely.area(shapely.intersection(tiles[which], parts[part])) >= INSIDE_SHARE * shapely.area(parts[part])
    hit[which[held & (shapely.area(parts[part]) > 0)]] = True
    chosen[near[hit]] = True
    return chosen
