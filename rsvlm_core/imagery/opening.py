"""Opening a raster, and saying clearly why one cannot be used."""

from __future__ import annotations

import os
import re
import stat
import warnings
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import rasterio
from affine import Affine
from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from rsvlm_core.errors import RasterError

# Decoded blocks that GDAL keeps: some rows of tiles. Its own choice is a twentieth of the memory, which grows with the
# machine and is felt on one that has other work. GDAL looks at the variable when it reads for the first time.
os.environ.setdefault("GDAL_CACHEMAX", "256")  # MB
# Formats whose files say where on this machine the tiles of a server are to be kept: reading a stranger's file would
# write what the stranger wants where the stranger wants, also from within a mosaic. GDAL leaves them out when it
# registers its drivers, which is when the first raster is opened.
_THAT_WRITE = ("MRF", "WCS", "WMS", "WMTS")
os.environ["GDAL_SKIP"] = " ".join(dict.fromkeys([*os.environ.get("GDAL_SKIP", "").split(), *_THAT_WRITE]))
# For files behind a web server: no directory listings, bounded waits, a few retries; few requests for many blocks, and
# what came once is kept.
_ENVIRONMENT = {
    "GDAL_INGESTED_BYTES_AT_OPEN": "32768",
    "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": "YES",
    "GDAL_HTTP_MULTIPLEX": "YES",
    "CPL_VSIL_CURL_CACHE_SIZE": "67108864",
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_HTTP_CONNECTTIMEOUT": "20",
    "GDAL_HTTP_TIMEOUT": "120",
    "GDAL_HTTP_MAX_RETRY": "3",
    "GDAL_HTTP_RETRY_DELAY": "1",
}
_REMOTE = re.compile(r"^(https?|s3|gs|az|ftp)://|^/vsi", re.IGNORECASE)
_PREFIXED = re.compile(r"^[A-Za-z][A-Za-z0-9_]+:")


def is_local(source: str) -> bool:
    """Whether a source is a plain path rather than a URL, a virtual file or a subdataset."""
    if _REMOTE.search(source) or source.lstrip().startswith("<"):
        return False
    return not _PREFIXED.match(source) or os.path.exists(source) or bool(re.match(r"^[A-Za-z]:[\\/]", source))


def environment(source: str) -> Any:
    """A context in which GDAL opens and reads a source; patient with servers."""
    return nullcontext() if is_local(source) else rasterio.Env(**_ENVIRONMENT)


def canonical(source: str) -> str:
    """The name under which a source is remembered: local paths are absolute, others stay as they are."""
    return os.path.abspath(os.path.expanduser(source)) if is_local(source) else source


def open_dataset(source: str) -> Any:
    """An open rasterio dataset that has pixels of a usable kind, a CRS and a place on the ground.

    Raises:
        RasterError: Anything else; the message says which and what to do.
    """
    _check_path(source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with environment(source):
                dataset = rasterio.open(source)
    except (RasterioError, OSError, ValueError) as error:
        raise RasterError(*_not_opened(source, error)) from error
    try:
        _check_driver(dataset, source)
        _check_pixels(dataset, source)
        _check_place(dataset, source)
        _check_parts(dataset, source)
    except BaseException:
        dataset.close()
        raise
    return dataset


def dataset_crs(dataset: Any, source: str) -> tuple[CRS, str]:
    """The CRS of an open dataset, and its full WKT (an authority's number would lose custom ones).

    Raises:
        RasterError: There is none, or it does not lie on the Earth's surface.
    """
    remedy = "Give it one: gdal_edit.py -a_srs EPSG:number FILE, or in QGIS Raster > Projections > Assign Projection."
    if dataset.crs is None:
        raise RasterError(f"{source} has no coordinate reference system.", remedy)
    try:
        wkt = dataset.crs.to_wkt(version="WKT2_2019")
        crs = CRS.from_wkt(wkt)
        if crs.geodetic_crs is not None:
            Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True)  # some that are read lead nowhere
    except (RasterioError, ProjError, ValueError) as error:
        raise RasterError(f"{source} has a coordinate reference system that cannot be read.", remedy) from error
    if crs.is_engineering or crs.is_geocentric or crs.geodetic_crs is None:
        raise RasterError(f"{source} has a coordinate reference system ({crs.name}) without a place on Earth.", remedy)
    return crs, wkt


def file_stamps(dataset: Any, source: str) -> list[tuple[str, int, int]]:
    """Name, size and modification time (ns) of each file that holds pixels; empty where nothing is local.

    Statistics and overviews that a viewer leaves beside a raster do not change its pixels and do not count.
    """
    stamps = []
    for name in sorted(set(dataset.files) or {source}):
        if name.lower().endswith((".aux.xml", ".ovr")):
            continue
        try:
            status = os.stat(name)
        except (OSError, ValueError):
            continue
        stamps.append((os.path.basename(name), status.st_size, status.st_mtime_ns))
    return stamps


def _check_path(source: str) -> None:
    if not source.strip():
        raise RasterError("The name of the raster is empty.", "Name a raster file.")
    if not is_local(source):
        return
    path = Path(source)
    try:
        kind = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        kind = 0
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or error
        raise RasterError(f"{source} cannot be looked at: {reason}.", "Check its name and permissions.") from error
    if not kind:
        folder = path.parent
        where = "Check the spelling." if folder.is_dir() else f"There is no folder {folder} either."
        raise RasterError(f"{source}: no such file.", where)
    if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
        # reading a pipe or a device can wait, or go on, for ever
        raise RasterError(f"{source} is a pipe, a socket or a device, not a file.", "Name a raster file.")
    if path.is_file() and path.stat().st_size == 0:
        raise RasterError(f"{source} is empty (0 bytes).", "Copy or download it again.")
    if path.is_file() and not os.access(path, os.R_OK):
        raise RasterError(f"{source} may not be read.", "Check its permissions.")
    if path.is_dir() and not any(path.glob("*")):
        raise RasterError(f"{source} is an empty folder.", "Name a raster file.")


def _not_opened(source: str, error: BaseException) -> tuple[str, str]:
    if is_local(source):
        if os.path.isdir(source):
            return f"{source} is a folder, not a raster.", "Name the raster files in it."
        return (
            f"{source} is not a raster that GDAL can open, or is damaged.",
            "Check it with gdalinfo; GeoTIFF, VRT, JPEG 2000 and many other formats work.",
        )
    text = (str(error.__cause__ or error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
    return f"{source} cannot be opened: {text}.", "Check the address and the connection, or download the file."


def _check_driver(dataset: Any, source: str) -> None:
    """Where another program registered GDAL's drivers before us, those that write are still there."""
    if dataset.driver in _THAT_WRITE:
        raise RasterError(
            f"{source} is a description of tiles elsewhere ({dataset.driver}), which may write where it likes.",
            "Save what it shows as a GeoTIFF, and name that.",
        )


def _check_pixels(dataset: Any, source: str) -> None:
    if dataset.count == 0:
        inner = list(dataset.subdatasets)
        if inner:
            raise RasterError(
                f"{source} holds {len(inner)} rasters rather than one.", f"Name one of them, for instance {inner[0]}."
            )
        raise RasterError(f"{source} has no bands.", "Name a raster with pixels.")
    if dataset.width == 0 or dataset.height == 0:
        raise RasterError(f"{source} has no pixels.", "Name a raster with pixels.")
    if any("complex" in t or t == "cint16" for t in dataset.dtypes):
        raise RasterError(
            f"{source} holds complex numbers ({dataset.dtypes[0]}).",
            "Turn them into amplitudes first: gdal_calc.py -A FILE --calc='abs(A)' --outfile amplitude.tif.",
        )


def _check_place(dataset: Any, source: str) -> None:
    transform: Affine = dataset.transform
    if transform.is_identity:
        points, _ = dataset.gcps
        if points or dataset.rpcs:
            kind = "ground control points" if points else "a camera model (RPC)"
            raise RasterError(
                f"{source} is placed by {kind} only, not by a grid.",
                f"Warp it first: gdalwarp {'' if points else '-rpc '}FILE warped.tif.",
            )
        raise RasterError(
            f"{source} has no georeference: it is not known where it lies.",
            "Place it with QGIS's Georeferencer, or put its world file (.tfw, .jgw) beside it.",
        )
    numbers = np.array(transform[:6], dtype=float)
    if not np.isfinite(numbers).all() or transform.determinant == 0:
        raise RasterError(
            f"{source} has a georeference that cannot be used: {tuple(numbers)}.", "Georeference it again."
        )


def _check_parts(dataset: Any, source: str) -> None:
    """Name the missing files of a mosaic now, rather than find holes in it later."""
    if dataset.driver != "VRT" or not is_local(source):
        return
    try:
        root = ElementTree.parse(source).getroot()
    except (ElementTree.ParseError, OSError):
        return
    folder = os.path.dirname(os.path.abspath(source))
    missing = []
    for element in root.iter("SourceFilename"):
        name = (element.text or "").strip()
        if element.get("relativeToVRT") == "1":
            name = os.path.join(folder, name)
        if is_local(name) and not os.path.exists(name) and name not in missing:
            missing.append(name)
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise RasterError(
            f"{source} is a mosaic of files that are not there: {', '.join(missing[:3])}{more}.",
            "Put them back, or build the mosaic again with gdalbuildvrt.",
        )
