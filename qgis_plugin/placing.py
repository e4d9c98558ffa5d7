"""Where a file's own pixels lie: QGIS shows a rotated raster warped, with black corners that the file does not have."""

from __future__ import annotations

import hashlib
import math
import os
from dataclasses import dataclass
from html import escape

import numpy as np
from qgis.core import QgsCoordinateReferenceSystem, QgsPoint, QgsRasterDataProvider, QgsRasterLayer, QgsRectangle

from . import compat, settings

# Qgis.DataType and QgsRaster.ColorInterpretation, whose numbers are the same in all versions, in GDAL's words
GDAL_TYPES = {1: "Byte", 2: "UInt16", 3: "Int16", 4: "UInt32", 5: "Int32", 6: "Float32", 7: "Float64"}
COLOURS = {1: "Gray", 2: "Palette", 3: "Red", 4: "Green", 5: "Blue", 6: "Alpha"}
BEYOND = -1e300  # no raster's value: what a mosaic gives where its file has ended
LEEWAY = 8  # pixels by which the size of a rotated raster may be misjudged from its extent


@dataclass(frozen=True)
class Grid:
    """A file's own pixels.

    Attributes:
        transform: As GDAL has it: x of the corner, its steps by column and by row, then the same of y.
        width: Columns.
        height: Rows.
    """

    transform: tuple[float, float, float, float, float, float]
    width: int
    height: int

    @property
    def upright(self) -> bool:
        """Whether rows run west to east and the first is the northern one."""
        _, across, skew, _, tilt, up = self.transform
        return across > 0 > up and abs(skew) < abs(up) / 1e6 and abs(tilt) < across / 1e6

    def covers(self, box: QgsRectangle, width: int, height: int) -> np.ndarray:
        """Which pixels of a picture of `box` show the file: bool [height, width], by the pixels' middles."""
        x0, a, b, y0, d, e = self.transform
        x = box.xMinimum() + (np.arange(width) + 0.5) * box.width() / width - x0
        y = box.yMaximum() - (np.arange(height) + 0.5) * box.height() / height - y0
        size = a * e - b * d
        column = (e * x[None, :] - b * y[:, None]) / size
        row = (a * y[:, None] - d * x[None, :]) / size
        return (column >= 0) & (row >= 0) & (column < self.width) & (row < self.height)


_grids: dict[tuple[str, float], Grid | None] = {}


def transform(layer: QgsRasterLayer) -> tuple[float, float, float, float, float, float] | None:
    """The geotransform of a GDAL layer's file; None where there is none, as with one that is placed by points."""
    provider = layer.dataProvider()
    if layer.providerType() != "gdal" or provider is None or provider.xSize() <= 0:
        return None
    kind = QgsRasterDataProvider.TransformType.TransformImageToLayer
    far = float(max(provider.xSize(), provider.ySize()))
    places = [provider.transformCoordinates(QgsPoint(*at), kind) for at in ((0, 0), (far, 0), (0, far), (far, far))]
    if any(place.isEmpty() for place in places):
        return None
    x, y = [place.x() for place in places], [place.y() for place in places]
    a, b, d, e = (x[1] - x[0]) / far, (x[2] - x[0]) / far, (y[1] - y[0]) / far, (y[2] - y[0]) / far
    pixel = math.hypot(a, d)
    bent = max(abs(x[1] + x[2] - x[0] - x[3]), abs(y[1] + y[2] - y[0] - y[3]))
    if not pixel > 0 or bent > pixel or abs(a * e - b * d) < 1e-9 * pixel * math.hypot(b, e):
        return None
    return x[0], a, b, y[0], d, e


def grid(layer: QgsRasterLayer) -> Grid | None:
    """The pixels of a GDAL layer's file, looked at once; None where they make no grid."""
    if not os.path.exists(_file(layer)):
        return _grid(layer)
    key = (layer.source(), os.path.getmtime(_file(layer)))
    if key not in _grids:
        _grids[key] = _grid(layer)
    return _grids[key]


def _grid(layer: QgsRasterLayer) -> Grid | None:
    found = transform(layer)
    if found is None:
        return None
    shown = Grid(found, layer.dataProvider().xSize(), layer.dataProvider().ySize())
    if shown.upright:
        return shown
    size = _measured(layer, found)
    return None if size is None else Grid(found, *size)


def _file(layer: QgsRasterLayer) -> str:
    return layer.source().split("|")[0]


def _measured(layer: QgsRasterLayer, found: tuple[float, ...]) -> tuple[int, int] | None:
    """Columns and rows of a rotated file: about so many by the extent that QGIS gives it, exactly so by looking."""
    x0, a, b, y0, d, e = found
    box = layer.extent()
    size = abs(a * e) - abs(b * d)
    if abs(size) > 0.3 * (abs(a * e) + abs(b * d)):
        width = (abs(e) * box.width() - abs(b) * box.height()) / size
        height = (abs(a) * box.height() - abs(d) * box.width()) / size
    else:  # turned by about half a right angle: in x or in y rows and columns run to opposite sides of the extent
        along, down, near, low, high = (a, b, x0, box.xMinimum(), box.xMaximum()) if a * b < 0 else (
            d, e, y0, box.yMinimum(), box.yMaximum())
        width = ((high if along > 0 else low) - near) / along
        height = ((high if down > 0 else low) - near) / down
    return _looked(layer, max(1, round(width)), max(1, round(height)))


def _looked(layer: QgsRasterLayer, width: int, height: int) -> tuple[int, int] | None:
    """The size of a file, of which `width` and `height` are guesses: a larger mosaic of it is empty from there on."""
    wide, high = width + LEEWAY, height + LEEWAY
    inside = (
        f'<VRTRasterBand dataType="Float64" band="1"><NoDataValue>{BEYOND!r}</NoDataValue>'
        f"{_simple_source(layer, 1, wide, high)}</VRTRasterBand>")
    probe = QgsRasterLayer(_write("probe", wide, high, "", (0.0, 1.0, 0.0, 0.0, 0.0, -1.0), inside), "probe", "gdal")
    if not probe.isValid():
        return None
    across, down = min(wide, 2 * LEEWAY), min(high, 2 * LEEWAY)
    provider = probe.dataProvider()
    first = provider.block(1, QgsRectangle(wide - across, -1, wide, 0), across, 1)
    columns = sum(not first.isNoData(0, at) for at in range(across))
    first = provider.block(1, QgsRectangle(0, -high, 1, down - high), 1, down)
    rows = sum(not first.isNoData(at, 0) for at in range(down))
    if not (0 < columns < across and 0 < rows < down):
        return None
    return wide - across + columns, high - down + rows


def _simple_source(layer: QgsRasterLayer, band: int, width: int, height: int) -> str:
    size = f'xOff="0" yOff="0" xSize="{width}" ySize="{height}"'
    return (f'<SimpleSource><SourceFilename relativeToVRT="0">{escape(_file(layer))}</SourceFilename>'
            f"<SourceBand>{band}</SourceBand><SrcRect {size}/><DstRect {size}/></SimpleSource>")


def _write(kind: str, width: int, height: int, wkt: str, found: tuple[float, ...], bands: str) -> str:
    """A mosaic of one file; its name depends on what it says, so that it is known again."""
    numbers = ", ".join(repr(float(number)) for number in found)
    text = (f'<VRTDataset rasterXSize="{width}" rasterYSize="{height}"><SRS>{escape(wkt)}</SRS>'
            f"<GeoTransform>{numbers}</GeoTransform>{bands}</VRTDataset>")
    mark = hashlib.sha256(text.encode("utf-8")).hexdigest()[:12]
    path = os.path.join(settings.scratch_folder(), f"{kind}-{mark}.vrt")
    if not os.path.exists(path):
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    return path


def placed_copy(layer: QgsRasterLayer) -> str:
    """A small file that stands for a raster in the coordinate system that the user gave it, pixel by pixel.

    The name depends on raster, place and coordinate system, so that the backend knows it again.
    """
    provider, own = layer.dataProvider(), grid(layer)
    if own is None:
        box = layer.extent()
        own = Grid((box.xMinimum(), box.width() / provider.xSize(), 0.0, box.yMaximum(), 0.0,
                    -box.height() / provider.ySize()), provider.xSize(), provider.ySize())
    bands = []
    for band in range(1, provider.bandCount() + 1):
        kind = GDAL_TYPES.get(compat.number(provider.sourceDataType(band)), "Byte")
        nodata = ""
        if provider.sourceHasNoDataValue(band):
            nodata = f"<NoDataValue>{provider.sourceNoDataValue(band)!r}</NoDataValue>"
        colour = COLOURS.get(compat.number(provider.colorInterpretation(band)), "Gray")
        bands.append(
            f'<VRTRasterBand dataType="{kind}" band="{band}"><ColorInterp>{colour}</ColorInterp>{nodata}'
            f"{_simple_source(layer, band, own.width, own.height)}</VRTRasterBand>")
    wkt = layer.crs().toWkt(QgsCoordinateReferenceSystem.WktVariant.WKT_PREFERRED_GDAL)
    return _write("placed", own.width, own.height, wkt, own.transform, "".join(bands))
