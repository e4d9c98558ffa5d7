"""A raster on the ground, read by windows."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeAlias

import numpy as np
import shapely
from affine import Affine
from pyproj import CRS, Geod, Transformer
from rasterio.errors import RasterioError
from rasterio.windows import Window as PixelWindow
from shapely.geometry.base import BaseGeometry

from rsvlm_core.errors import RasterError, UsageError
from rsvlm_core.imagery.bands import Bands, choose_bands
from rsvlm_core.imagery.opening import canonical, dataset_crs, environment, file_stamps, open_dataset
from rsvlm_core.imagery.patch import Patch, Window, empty_patch, resample
from rsvlm_core.imagery.reader import BandReader
from rsvlm_core.imagery.sample import take_sample
from rsvlm_core.imagery.stretch import Stretch

__all__ = ["Extent", "Outline", "Patch", "Raster", "Window", "as_geometry", "outside", "peek"]

Extent: TypeAlias = tuple[float, float, float, float] | BaseGeometry

# Pixels of context around a decimated read, so that neighbouring windows agree on what they share.
_MARGIN = 2


class Raster:
    """An open raster; one handle, used by one thread, closed by `with`.

    Attributes:
        source: As remembered: an absolute path, or the URL or GDAL name that was given.
        crs: Coordinate reference system.
        wkt: Its full WKT.
        transform: Pixel (column, row) to CRS coordinates; may be rotated, sheared or south-up.
        width: Columns.
        height: Rows.
        bands: 1-based bands seen as red, green, blue.
        stretch: How values become 0..255.
        gsd_m: Metres per pixel along the column and the row axis at the centre, measured on the ellipsoid.
        fingerprint: Hash that changes when the file does.
        footprint: The raster's outline in its CRS.
    """

    def __init__(self, dataset: Any, source: str, bands: Bands, stretch: Stretch | None) -> None:
        self._dataset = dataset
        self.source = source
        self.crs: CRS
        self.crs, self.wkt = dataset_crs(dataset, source)
        self.transform: Affine = dataset.transform
        self.width, self.height = int(dataset.width), int(dataset.height)
        self.bands = bands
        self._to_degrees = Transformer.from_crs(self.crs, self.crs.geodetic_crs, always_xy=True)
        self._geod = self.crs.get_geod() or Geod(ellps="WGS84")
        self.gsd_m = self.gsd_at(self.width / 2, self.height / 2)
        self.footprint = self.polygon(Window(0, 0, self.width, self.height))
        self._reader = BandReader(dataset, bands, source)
        self.stretch = self._look(stretch)
        self.fingerprint = _fingerprint(dataset, source)

    @classmethod
    def open(
        cls, source: str, *, bands: Sequence[int] | None = None, stretch: Stretch | None = None
    ) -> Raster:
        """Open a file, URL or mosaic.

        Args:
            source: A path, URL, or GDAL name of a subdataset.
            bands: Which to see as red, green, blue (1-based); None chooses.
            stretch: One stored earlier; None derives it from a sample, and refuses a raster without valid pixels.

        Raises:
            RasterError: It cannot be used; the message says why and what to do.
            UsageError: A band does not exist.
        """
        dataset = open_dataset(source)
        try:
            return cls(dataset, canonical(source), choose_bands(dataset, bands), stretch)
        except BaseException:
            dataset.close()
            raise

    def __enter__(self) -> Raster:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the file."""
        self._dataset.close()

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """xmin, ymin, xmax, ymax of the footprint, in the CRS."""
        xmin, ymin, xmax, ymax = self.footprint.bounds
        return xmin, ymin, xmax, ymax

    @property
    def striped(self) -> bool:
        """Whether the file is stored in rows that span its width, so that reading along rows is cheapest."""
        return bool(self._dataset.block_shapes[self.bands[0] - 1][1] >= self.width)

    def polygon(self, window: Window) -> shapely.Polygon:
        """The outline of a window, in the CRS; for many at once see `corners`."""
        return shapely.Polygon(self.corners(np.array([[window.col, window.row, window.width, window.height]]))[0])

    def corners(self, windows: np.ndarray[Any, np.dtype[np.float64]]) -> np.ndarray[Any, np.dtype[np.float64]]:
        """[N, 4] windows (col, row, width, height) -> [N, 4, 2] corner coordinates in the CRS, as a ring."""
        col, row, width, height = np.asarray(windows, dtype=np.float64).T
        cols = np.stack([col, col + width, col + width, col], axis=1)
        rows = np.stack([row, row, row + height, row + height], axis=1)
        t = self.transform
        return np.stack([t.a * cols + t.b * rows + t.c, t.d * cols + t.e * rows + t.f], axis=-1)

    def window(self, extent: Extent) -> Window:
        """The window that holds the part of an extent inside this raster.

        Args:
            extent: xmin, ymin, xmax, ymax or a geometry, in this raster's CRS.

        Raises:
            UsageError: The extent does not touch the raster; the message names both.
        """
        part = as_geometry(extent).intersection(self.footprint)
        if part.is_empty or part.area == 0:
            raise UsageError(*outside(extent, self.footprint.bounds, self.source))
        inverse = ~self.transform
        points = np.array([inverse * (x, y) for x, y in shapely.get_coordinates(part)])
        (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
        left, top = max(0.0, float(left)), max(0.0, float(top))
        right, bottom = min(float(self.width), float(right)), min(float(self.height), float(bottom))
        return Window(left, top, right - left, bottom - top)

    def gsd_at(self, col: float, row: float) -> tuple[float, float]:
        """Metres per pixel along the column and the row axis at a place in pixels.

        Raises:
            RasterError: The place is not on Earth.
        """
        steps = np.array([[col - 0.5, row], [col + 0.5, row], [col, row - 0.5], [col, row + 0.5]])
        x, y = self.transform * (steps[:, 0], steps[:, 1])
        lon, lat = self._to_degrees.transform(x, y)
        if not (np.isfinite(lon).all() and np.isfinite(lat).all() and np.abs(lat).max() <= 90.0 + 1e-9):
            raise RasterError(
                f"{self.source} lies where its coordinate reference system ({self.crs.name}) is not valid.",
                "Check that it has the right one: degrees and metres are easily mixed up.",
            )
        lat = np.clip(lat, -90, 90)
        _, _, metres = self._geod.inv(lon[[0, 2]], lat[[0, 2]], lon[[1, 3]], lat[[1, 3]])
        if not (np.isfinite(metres).all() and min(metres) > 0):
            raise RasterError(f"{self.source} has pixels without a size on the ground.", "Georeference it again.")
        return float(metres[0]), float(metres[1])

    def read(self, window: Window, shape: tuple[int, int]) -> Patch:
        """See a window at a size.

        Shrinking averages valid pixels, through overviews where there are any; enlarging is bilinear. What is
        held in memory depends on `shape` alone.

        Args:
            window: In pixels of this raster; may be fractional and stick out, where nothing is valid.
            shape: (h, w) of the result.

        Raises:
            RasterError: The file cannot be read there.
        """
        height, width = shape
        if self.width * width < 0.25 * window.width or self.height * height < 0.25 * window.height:
            return empty_patch(shape)  # less than a quarter of a pixel: no pixel can get half of its weight from it
        step_x, step_y = _whole_step(window.width / width), _whole_step(window.height / height)
        c0, c1 = _span(window.col, window.width, step_x, self.width)
        r0, r1 = _span(window.row, window.height, step_y, self.height)
        if c1 <= c0 or r1 <= r0:
            return empty_patch(shape)
        between = (math.ceil((r1 - r0) / step_y), math.ceil((c1 - c0) / step_x))
        values, valid = self._reader.read((r0, r1), (c0, c1), between)
        if not valid.any():
            return empty_patch(shape)
        rgb = np.moveaxis(self.stretch.apply(values), 0, -1)
        fy, fx = between[0] / (r1 - r0), between[1] / (c1 - c0)
        box = (
            (window.col - c0) * fx, (window.row - r0) * fy,
            (window.col + window.width - c0) * fx, (window.row + window.height - r0) * fy,
        )
        return resample(rgb, valid, box, shape)

    def empty(self, window: Window) -> bool:
        """Whether nothing in a window can be valid, as far as the file tells without decoding it; False where unsure.

        Blocks that a GeoTIFF never got hold nodata alone.
        """
        return self._reader.absent(
            (max(0, math.floor(window.row)), min(self.height, math.ceil(window.row + window.height))),
            (max(0, math.floor(window.col)), min(self.width, math.ceil(window.col + window.width))),
        )

    def _look(self, stored: Stretch | None) -> Stretch:
        """Sample the raster once: its stretch, and whether it holds anything at all."""
        if stored is not None and self._reader.dtype.kind != "f":
            return stored
        if self._reader.dtype == np.uint8 and not self._reader.can_be_invalid:
            return Stretch((0.0, 0.0, 0.0), (255.0, 255.0, 255.0), True)
        sample = take_sample(self._reader)
        self._reader.poisoned = sample.poisoned
        if stored is not None:
            return stored
        if sample.values.shape[1] == 0:
            raise RasterError(
                f"{self.source} holds no valid pixel: all is nodata, masked or transparent.",
                "Check its nodata value with gdalinfo, and that it was copied completely.",
            )
        return Stretch.of_sample(sample, self._reader.dtype)


def as_geometry(extent: Extent) -> BaseGeometry:
    """An extent as a geometry.

    Raises:
        UsageError: It is empty or turned around.
    """
    if isinstance(extent, BaseGeometry):
        if extent.is_empty:
            raise UsageError("The extent is empty.", "Draw or give one that covers some ground.")
        return extent if extent.is_valid else extent.buffer(0)
    xmin, ymin, xmax, ymax = extent
    if not all(math.isfinite(v) for v in extent) or xmax <= xmin or ymax <= ymin:
        raise UsageError(
            f"The extent {_numbers(extent)} covers no ground.", "Give xmin,ymin,xmax,ymax in the raster's coordinates."
        )
    return shapely.box(xmin, ymin, xmax, ymax)


def outside(extent: Extent, bounds: tuple[float, ...], source: str) -> tuple[str, str]:
    """Message and remedy for an extent that misses a raster."""
    return (
        f"The extent {_numbers(as_geometry(extent).bounds)} lies outside {source}, "
        f"which covers {_numbers(bounds)}.",
        "Give the extent as xmin,ymin,xmax,ymax in the raster's own coordinates.",
    )


@dataclass(frozen=True)
class Outline:
    """What is known of a raster without looking at its pixels; see `Raster` for the fields."""

    source: str
    crs: CRS
    footprint: shapely.Polygon
    fingerprint: str


def peek(source: str) -> Outline:
    """Where a raster lies and whether it changed, without looking at its pixels.

    Raises:
        RasterError: It cannot be opened or placed.
    """
    with open_dataset(source) as dataset:
        crs, _ = dataset_crs(dataset, source)
        size = ((0, 0), (dataset.width, 0), (dataset.width, dataset.height), (0, dataset.height))
        footprint = shapely.Polygon([dataset.transform * corner for corner in size])
        return Outline(canonical(source), crs, footprint, _fingerprint(dataset, source))


def _numbers(values: Sequence[float]) -> str:
    return ",".join(f"{v:.10g}" for v in values)


def _fingerprint(dataset: Any, source: str) -> str:
    files = file_stamps(dataset, source)
    facts = {
        "files": files or _glimpse(dataset, source),
        "size": [dataset.width, dataset.height, dataset.count],
        "types": list(dataset.dtypes),
        "nodata": [repr(n) for n in dataset.nodatavals],
        "transform": [repr(float(v)) for v in dataset.transform[:6]],
        "crs": dataset.crs.to_wkt() if dataset.crs else "",
    }
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _glimpse(dataset: Any, source: str) -> str:
    """Hash of some pixels in the middle, for a source that has no files with a size and a time."""
    middle = PixelWindow(dataset.width // 2, dataset.height // 2, min(32, dataset.width), min(32, dataset.height))
    try:
        with environment(source):
            pixels = dataset.read(1, window=middle)
    except RasterioError:
        return ""
    return hashlib.sha256(pixels.tobytes()).hexdigest()


def _whole_step(scale: float) -> int:
    """The power of two that is not above `scale`, by a hundredth forgiven: what a read may leave to GDAL."""
    return 1 << max(0, int(math.log2(scale * 1.01)))


def _span(start: float, length: float, step: int, limit: int) -> tuple[int, int]:
    """Whole pixels that hold a fractional span with its margin, on multiples of the step, inside the raster."""
    first = (math.floor(start / step) - _MARGIN) * step
    last = (math.ceil((start + length) / step) + _MARGIN) * step
    return max(0, min(first, limit)), max(0, min(last, limit))
