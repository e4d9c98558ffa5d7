"""Geotagged photographs: folders of files with EXIF positions, or a table with coordinates."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from rsvlm_core.errors import DataError

_GPS, _SUFFIXES = 0x8825, (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".heic")
_LAT = ("lat", "latitude", "gpslatitude", "y")
_LON = ("lon", "lng", "long", "longitude", "gpslongitude", "x")
_FILE = ("filename", "file", "path", "photo", "image", "id")


@dataclass(frozen=True)
class Photo:
    """A photograph and where it was taken.

    Attributes:
        name: As its source names it.
        path: The file.
        lon: Degrees, WGS 84.
        lat: Degrees, WGS 84.
    """

    name: str
    path: Path
    lon: float
    lat: float


@dataclass(frozen=True)
class Unplaced:
    """A photograph that cannot be used: its name and why."""

    name: str
    reason: str


def read_photos(source: Path, folder: Path | None = None) -> Iterator[Photo | Unplaced]:
    """Photographs of a folder (EXIF) or a CSV table.

    Args:
        source: A folder, searched through, or a CSV with columns such as `filename, lat, lon` (Flickr's `latitude,
            longitude` and Mapillary's `id, lat, lon` are known; an `id` is a file name without suffix).
        folder: Where the table's files lie; default beside it.

    Raises:
        DataError: No such source, or a table without these columns.
    """
    if source.is_dir():
        for path in sorted(p for p in source.rglob("[!.]*") if p.suffix.lower() in _SUFFIXES):
            yield _from_exif(path, path.relative_to(source).as_posix())
    elif source.is_file():
        yield from _from_table(source, folder or source.parent)
    else:
        raise DataError(f"There is no folder or table {source}.", "Give a folder of photographs or a CSV.")


def _from_exif(path: Path, name: str) -> Photo | Unplaced:
    try:
        with Image.open(path) as image:
            gps: dict[int, Any] = dict(image.getexif().get_ifd(_GPS))
    except (OSError, SyntaxError, ValueError):
        return Unplaced(name, "broken image")
    if 2 not in gps or 4 not in gps:
        return Unplaced(name, "no position")
    try:
        lat, lon = _degrees(gps[2], gps.get(1, "N")), _degrees(gps[4], gps.get(3, "E"))
    except (TypeError, ValueError, ZeroDivisionError):
        return Unplaced(name, "unreadable position")
    return _checked(name, path, lat, lon)


def _degrees(parts: Any, reference: Any) -> float:
    degrees, minutes, seconds = (float(p) for p in (*parts, 0, 0)[:3])
    letter = reference.decode() if isinstance(reference, bytes) else str(reference)
    return (degrees + minutes / 60 + seconds / 3600) * (-1 if letter.strip("\x00 ").upper() in ("S", "W") else 1)


def _checked(name: str, path: Path, lat: float, lon: float) -> Photo | Unplaced:
    if not (math.isfinite(lat) and math.isfinite(lon)) or (lat == 0 and lon == 0):
        return Unplaced(name, "no position")  # zero, zero is what devices write when they do not know
    if abs(lat) > 90 or abs(lon) > 180:
        return Unplaced(name, "not a place on Earth")
    return Photo(name, path, lon, lat)


def _from_table(table: Path, folder: Path) -> Iterator[Photo | Unplaced]:
    try:
        with open(table, newline="", encoding="utf-8-sig") as handle:
            reader = csv.DictReader(handle)
            columns = {str(c).strip().lower(): c for c in reader.fieldnames or ()}
            named = [next((columns[n] for n in names if n in columns), None) for names in (_FILE, _LAT, _LON)]
            if None in named:
                raise DataError(f"{table} has columns {', '.join(columns)}.", "It needs filename, lat and lon.")
            rows = [tuple(str(row[str(c)] or "") for c in named) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as e:
        raise DataError(f"{table} cannot be read ({e}).", "Give a UTF-8 CSV with filename, lat, lon.") from e
    for name, lat, lon in rows:
        path = _find(folder, name)
        if path is None:
            yield Unplaced(name, "no such file")
            continue
        try:
            yield _checked(name, path, float(lat), float(lon))
        except ValueError:
            yield Unplaced(name, "no position")


def _find(folder: Path, name: str) -> Path | None:
    if not name:
        return None
    for suffix in ("", *_SUFFIXES):
        path = folder / f"{name}{suffix}"
        if path.is_file():
            return path
    return None
