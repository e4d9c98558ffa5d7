"""Where to search: an extent, polygons of a file, or both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas as gpd
import shapely
from pyproj import CRS

from rsvlm_core.errors import UsageError
from rsvlm_core.imagery.projecting import project
from rsvlm_core.imagery.raster import Extent, as_geometry

_FARTHEST = 1e10  # beyond any projected coordinate, in whatever unit


def read_features(path: str | Path) -> gpd.GeoDataFrame:
    """Features of a vector file, with geometry and a CRS.

    Raises:
        UsageError: No such file, not a vector file, no features, or no CRS.
    """
    file = Path(path)
    if not file.exists():
        raise UsageError(f"{path}: no such file.", "Name a vector file, such as a GeoPackage or GeoJSON.")
    if not (file.is_file() or file.is_dir()):  # a pipe or a device: reading it can wait, or go on, for ever
        raise UsageError(f"{path} is not a file.", "Name a vector file, such as a GeoPackage or GeoJSON.")
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
    if not (abs(shapely.total_bounds(polygons)) < _FARTHEST).all():
        raise UsageError(
            f"{within} has coordinates that lie nowhere on Earth.", "Check its coordinate reference system."
        )
    try:
        moved = shapely.make_valid(project(shapely.force_2d(polygons), source, crs, densify=True))
    except shapely.errors.GEOSException as error:
        raise UsageError(
            f"{within} has coordinates that lie nowhere on Earth.", "Check its coordinate reference system."
        ) from error
    region = shapely.union_all(moved)
    if box is not None:
        region = region.intersection(box)
    if region.is_empty or region.area == 0:
        raise UsageError(f"The polygons of {within} leave nothing of the extent.", "Check where both lie.")
    return region
