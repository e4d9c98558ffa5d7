"""Landmarks: vector features of any source, named in words.

OpenStreetMap tags (GeoPackage, PBF, shapefile extracts, GeoJSON), Overture's GeoParquet, or any layer with a column
that says what things are. A feature's tags become one noun phrase ("a car park", "farmland"); features that say
nothing are counted, not guessed at.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import shapely
from pyproj import CRS
from shapely.geometry.base import BaseGeometry

from rsvlm_core.errors import DataError, UsageError
from training.build.osm import KEYS, noun_of, noun_of_value

_COLUMNS = ("class", "type", "fclass", "category", "kind", "landuse", "use", "label", "subtype")
_EMPTY = frozenset({"", "yes", "no", "none", "nan", "null", "unknown", "other", "unclassified", "0"})


@dataclass(frozen=True)
class Landmark:
    """A feature on the ground.

    Attributes:
        noun: What it is, as in `training.data.vocabulary`.
        name: Its proper name, or an empty string.
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
    left = {"without geometry": 0, "without a usable tag": 0, "outside the imagery": 0}
    for name, frame in _frames(path, layer):
        if frame.crs is None:
            raise DataError(f"{path}, layer {name}, has no coordinate reference system.", "Assign one in QGIS.")
        if column is not None and column not in frame.columns:
            there = ", ".join(c for c in frame.columns if c != "geometry")
            raise UsageError(f"{path}, layer {name}, has no column {column}.", f"It has: {there}.")
        usable = frame.geometry.notna() & ~frame.geometry.is_empty
        left["without geometry"] += int((~usable).sum())
        moved = frame[usable].to_crs(crs)
        near = moved.geometry.intersects(shapely.box(*bounds))
        left["outside the imagery"] += int((~near).sum())
        moved = moved[near]
        columns = [c for c in moved.columns if c != moved.geometry.name]
        records = moved[columns].to_dict("records")
        for record, geometry in zip(records, moved.geometry, strict=True):
            told = {str(k).lower(): _string(v) for k, v in record.items()}
            noun = plain_noun(_string(record[column])) if column else _noun(told, name)
            if noun is None:
                left["without a usable tag"] += 1
                continue
            valid = geometry if geometry.is_valid else shapely.make_valid(geometry)
            found.append(Landmark(noun, _proper_name(told), valid))
    return found, left


def _frames(path: Path, layer: str | None) -> list[tuple[str, Any]]:
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


def _noun(told: Mapping[str, str], layer: str) -> str | None:
    tags = {**told, **parse_hstore(told.get("other_tags", "") or told.get("all_tags", ""))}
    noun = noun_of(tags)
    if noun is not None:
        return noun
    for name in _COLUMNS:
        if name in told:
            # Geofabrik's and Overture's class values are OSM values without their key
            found = noun_of_value(told[name]) or plain_noun(told[name])
            if found is not None:
                return found
    generic = re.fullmatch(r"(multi)?(points?|lines?|linestrings|polygons?)|other_relations|layer\d*", layer, re.I)
    if generic or any(name in told for name in _COLUMNS) or any(k in told for k in KEYS):
        return None
    return plain_noun(layer)


def _proper_name(told: Mapping[str, str]) -> str:
    name = told.get("name:en") or told.get("names") or told.get("name") or ""
    return name if 2 < len(name) <= 40 and any(c.isalpha() for c in name) else ""
