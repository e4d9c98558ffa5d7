"""Where to search: an extent, polygons of a file, or both, and which tiles lie there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from rsvlm_core.errors import UsageError
from rsvlm_core.imagery.projecting import LONLAT, project, project_one
from rsvlm_core.imagery.raster import Extent, as_geometry

# A tile belongs to a region when this share of the smaller of the two lies in the other.
INSIDE_SHARE = 0.5


def read_features(path: str | Path) -> gpd.GeoDataFrame:
    """Features of a vector file, with geometry and a CRS.

    Raises:
        UsageError: No such file, not a vector file, no features, or no CRS.
    """
    file = Path(path)
    if not file.exists():
        raise UsageError(f"{path}: no such file.", "Name a vector file, such as a GeoPackage or GeoJSON.")
    try:
        frame: Any = gpd.read_parquet(file) if file.suffix.lower() == ".parquet" else gpd.read_file(file)
    except Exception as error:  # noqa: BLE001 - each driver raises its own kind
        raise UsageError(
            f"{path} is not a vector file that can be read.", "GeoPackage, GeoJSON, GeoParquet and Shapefile work."
        ) from error
    if not isinstance(frame, gpd.GeoDataFrame):
        raise UsageError(f"{path} has no geometry.", "Name a file with features on a map.")
    frame = frame[~(frame.geometry.isna() | frame.geometry.is_empty)]
    if not len(frame):
        raise UsageError(f"{path} has no features.", "Draw at least one.")
    if frame.crs is None:
        raise UsageError(f"{path} has no coordinate reference system.", "Give it one in QGIS: Layer > Set Projection.")
    return frame


def region_of(extent: Extent | None, within: str | Path | None, crs: CRS) -> shapely.Geometry | None:
    """The ground to search, in `crs`; None is everything.

    Args:
        extent: xmin, ymin, xmax, ymax or a geometry, in `crs`.
        within: Vector file whose polygons are searched.
        crs: Of the first raster.

    Raises:
        UsageError: Either covers no ground, or they share none.
    """
    box = None if extent is None else as_geometry(extent)
    if within is None:
        return box
    frame = read_features(within)
    polygons = frame.geometry[frame.geometry.geom_type.isin(["Polygon", "MultiPolygon"])].to_numpy()
    if not len(polygons):
        raise UsageError(f"{within} has no polygons.", "Points and lines enclose nothing; draw polygons.")
    source = CRS.from_user_input(frame.crs)
    moved = shapely.make_valid(project(shapely.force_2d(polygons), source, crs, densify=True))
    region = shapely.union_all(moved)
    if box is not None:
        region = region.intersection(box)
    if region.is_empty or region.area == 0:
        raise UsageError(f"The polygons of {within} leave nothing of the extent.", "Check where both lie.")
    return region


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
