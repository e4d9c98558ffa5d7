"""Landmarks: vector features of any source, named in words.

OpenStreetMap tags (GeoPackage, PBF, shapefile extracts, GeoJSON), Overture's GeoParquet, or any layer with a column
that says what things are. A feature's tags become one noun phrase ("a car park", "farmland"); features that say
nothing are counted, not guessed at.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from pyproj import CRS
from pyproj.exceptions import ProjError
from shapely.geometry.base import BaseGeometry

from rsvlm_core.errors import DataError, UsageError, first_line
from training.build.osm import KEYS, noun_of, noun_of_value

_COLUMNS = (
    "class", "type", "fclass", "category", "categories", "kind", "landuse", "use", "label", "subtype", "basic_category",
)
_NAMES = ("name:en", "names", "name")
_OF_BUILDINGS = ("roof_shape", "num_floors", "facade_color")  # columns that Overture's buildings have, and nothing else
_EMPTY = frozenset({"", "yes", "no", "none", "nan", "null", "unknown", "other", "unclassified", "0"})


@dataclass(frozen=True)
class Landmark:
    """A feature on the ground.

    Attributes:
        noun: What it is, as in `training.data.vocabulary`.
        name: Its proper name as the map has it, or an empty string; see `refuse_name`.
        geometry: In the CRS asked for.
    """

    noun: str
    name: str
    geometry: BaseGeometry


def parse_hstore(text: str) -> dict[str, str]:
    """`"amenity"=>"parking","surface"=>"asphalt"` as GDAL's OSM driver writes it."""
    return dict(re.findall(r'"((?:[^"\\]|\\.)*)"=>"((?:[^"\\]|\\.)*)"', text))


def plain_noun(value: str) -> str | None:
    """A value of any other layer as a noun phrase: `Parking_Lots` -> `*parking lots`."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", value)
    words = " ".join(re.sub(r"[_\-/]+", " ", spaced).lower().split())
    if words in _EMPTY or not re.search(r"[a-z]{3}", words) or len(words) > 40:
        return None
    return f"*{words}" if words.endswith("s") and not words.endswith(("ss", "us")) else words


def read_landmarks(
    path: Path, crs: CRS, bounds: tuple[float, float, float, float], *, layer: str | None = None,
    column: str | None = None,
) -> tuple[list[Landmark], dict[str, int]]:
    """The landmarks of a vector file that touch an area.

    Args:
        path: Anything that GDAL or GeoParquet readers open.
        crs: Of the geometries wanted.
        bounds: xmin, ymin, xmax, ymax in that CRS.
        layer: Name; default all layers.
        column: Says what a feature is; default OSM tags, else a usual name such as `class` or `type`, else the
            layer's name.

    Returns:
        The landmarks, and how many features were left out, by reason.

    Raises:
        DataError: The file cannot be read, or has no CRS.
        UsageError: There is no such column.
    """
    found: list[Landmark] = []
    left = {"without geometry": 0, "without a place on Earth": 0, "without a usable tag": 0, "outside the imagery": 0}
    for name, frame in _frames(path, layer, _version(path)):
        if frame.crs is None:
            raise DataError(f"{path}, layer {name}, has no coordinate reference system.", "Assign one in QGIS.")
        if column is not None and column not in frame.columns:
            there = ", ".join(c for c in frame.columns if c != "geometry")
            raise UsageError(f"{path}, layer {name}, has no column {column}.", f"It has: {there}.")
        usable = frame.geometry.notna() & ~frame.geometry.is_empty
        left["without geometry"] += int((~usable).sum())
        try:
            moved = frame[usable].to_crs(crs)
        except ProjError as e:
            raise DataError(
                f"{path}, layer {name}, lies in a reference system that does not lead to the imagery's "
                f"({first_line(e)}).", "Assign the right one in QGIS."
            ) from e
        finite = np.isfinite(moved.geometry.bounds.to_numpy()).all(axis=1)
        left["without a place on Earth"] += int((~finite).sum())
        moved = moved[finite]
        near = moved.geometry.intersects(shapely.box(*bounds))
        left["outside the imagery"] += int((~near).sum())
        moved = moved[near]
        columns = [c for c in moved.columns if c != moved.geometry.name]
        records = moved[columns].to_dict("records")
        for record, geometry in zip(records, moved.geometry, strict=True):
            told = {str(k).lower(): _string(v) for k, v in record.items()}
            told |= parse_hstore(told.get("other_tags", "") or told.get("all_tags", ""))
            dimension = int(shapely.get_dimensions(geometry))
            noun = plain_noun(_string(record[column])) if column else _noun(told, name, dimension)
            if noun is None:
                left["without a usable tag"] += 1
                continue
            valid = geometry if geometry.is_valid else shapely.make_valid(geometry)
            found.append(Landmark(noun, next((told[n] for n in _NAMES if told.get(n)), ""), valid))
    return found, left


def _version(path: Path) -> tuple[int, int]:
    """Changes when a file does."""
    try:
        seen = path.stat()
    except OSError:
        return 0, 0
    return seen.st_mtime_ns, seen.st_size


@lru_cache(maxsize=2)  # of the same map for a folder of rasters
def _frames(path: Path, layer: str | None, version: tuple[int, int]) -> list[tuple[str, Any]]:
    import geopandas as gpd
    import pyogrio
    from pyarrow import ArrowException

    try:
        if path.suffix.lower() in (".parquet", ".geoparquet"):
            return [(path.stem, gpd.read_parquet(path))]
        names = [layer] if layer else [str(n) for n, kind in pyogrio.list_layers(path) if kind is not None]
        return [(n, gpd.read_file(path, layer=n)) for n in names]
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, ArrowException, OSError, ValueError) as e:
        raise DataError(f"{path} cannot be read as a vector layer ({e}).", "Give a GeoPackage, PBF, GeoParquet.") from e


def _string(value: Any) -> str:
    if isinstance(value, Mapping):  # Overture: {"primary": "Main Street", ...}
        value = value.get("primary")
    return "" if value is None or value != value else str(value).strip()


def _noun(tags: Mapping[str, str], layer: str, dimension: int) -> str | None:
    noun = noun_of(tags)
    if noun is not None:
        return noun
    building = (
        "building" in layer.lower() or tags.get("fclass") == "building" or any(c in tags for c in _OF_BUILDINGS))
    for name in _COLUMNS:
        if name in tags:
            # Geofabrik's and Overture's class values are OSM values without their key
            found = noun_of_value(tags[name], dimension == 1, building) or plain_noun(tags[name])
            if found is not None:
                return found
    generic = re.fullmatch(r"(multi)?(points?|lines?|linestrings|polygons?)|other_relations|layer\d*", layer, re.I)
    if generic or any(name in tags for name in _COLUMNS) or any(k in tags for k in KEYS):
        return None
    return plain_noun(layer)


def refuse_name(name: str) -> str:
    """Why a proper name cannot stand in an English caption; an empty string where it can."""
    letters = [c for c in name if c.isalpha()]
    if not letters or not 2 < len(name) <= 40:
        return "not a name of 3 to 40 characters"
    return "" if all("LATIN" in unicodedata.name(c, "") for c in letters) else "other script"
