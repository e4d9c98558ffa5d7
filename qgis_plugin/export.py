"""Any raster layer as a GeoTIFF that the backend can read: web services, databases, what lives in memory.

The layer's private clone is drawn part by part, one at a time, into a four-band file: red, green, blue, and alpha for
what is there. A transparent pixel of a web service means "not arrived" or "nothing there", so a part with such pixels
is asked for again until two answers agree; how many parts stay with holes is told. Works in the thread that it is
made in, and needs an event loop there.
"""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from qgis.core import (
    Qgis,
    QgsCoordinateReferenceSystem,
    QgsDistanceArea,
    QgsMapRendererSequentialJob,
    QgsMapSettings,
    QgsPointXY,
    QgsProject,
    QgsRasterBlock,
    QgsRasterFileWriter,
    QgsRasterLayer,
    QgsRectangle,
)
from qgis.PyQt.QtCore import QByteArray, QObject, QSize, QTimer, pyqtSignal
from qgis.PyQt.QtGui import QColor, QImage

from . import placing, sources
from .protocol import BackendError
from .translate import tr

SIDE = 512  # pixels of a part
MOST_PIXELS = 120_000_000  # a polite limit, and half a gigabyte on disk
TILE = 256  # pixels of a tile of most services, for the estimate
PAUSES_MS = (400, 1000, 2500)  # before asking again
GREEDY_ZOOM_M = 0.02  # nobody's imagery is finer
SERVED = ("wms", "wcs", "arcgismapserver", "arcgisfeatureserver")  # providers whose pixels may arrive late or never


@dataclass(frozen=True)
class Plan:
    """What to draw.

    Attributes:
        extent: In the layer's CRS.
        width: Pixels.
        height: Pixels.
        gsd_m: Metres per pixel at the middle.
        own: The pixels of the layer's file where it is rotated: QGIS draws black around them.
        served: Whether the pixels come over a network, so that empty ones may be late or lost.
    """

    extent: QgsRectangle
    width: int
    height: int
    gsd_m: float
    own: placing.Grid | None = None
    served: bool = True

    @property
    def requests(self) -> int:
        """About how many tiles a service is asked for."""
        return math.ceil(self.width / TILE + 1) * math.ceil(self.height / TILE + 1)

    @property
    def megabytes(self) -> float:
        """Size of the file."""
        return self.width * self.height * 4 / 1e6

    def parts(self) -> Iterator[tuple[int, int, int, int, QgsRectangle]]:
        """Column, row, width and height in pixels, and extent, of each part."""
        across, up = self.extent.width() / self.width, self.extent.height() / self.height
        for row in range(0, self.height, SIDE):
            for column in range(0, self.width, SIDE):
                width, height = min(SIDE, self.width - column), min(SIDE, self.height - row)
                west, north = self.extent.xMinimum() + column * across, self.extent.yMaximum() - row * up
                yield column, row, width, height, QgsRectangle(west, north - height * up, west + width * across, north)

    def key(self, layer: QgsRasterLayer) -> tuple[Any, ...]:
        """What must be equal for an earlier file to serve again."""
        box = self.extent
        return (layer.source(), layer.providerType(), box.xMinimum(), box.yMinimum(), box.xMaximum(),
                box.yMaximum(), self.width, self.height)


def metres_per_unit(crs: QgsCoordinateReferenceSystem, middle: QgsPointXY, step: float) -> tuple[float, float]:
    """Metres on the ellipsoid that one unit of a CRS means at a place, to the east and to the north.

    Args:
        crs: Of the layer: degrees, feet or stretched metres alike.
        middle: The place, in the CRS.
        step: Length to measure over, in units.
    """
    measure = QgsDistanceArea()
    measure.setSourceCrs(crs, QgsProject.instance().transformContext())
    own = crs.ellipsoidAcronym()
    # QGIS 3.22 measures NaN on ellipsoids that are only given by their axes, as custom systems have them
    measure.setEllipsoid(own if own and not own.startswith("PARAMETER:") else "EPSG:7030")
    east = measure.measureLine(middle, QgsPointXY(middle.x() + step, middle.y()))
    north = measure.measureLine(middle, QgsPointXY(middle.x(), middle.y() + step))
    return east / step, north / step


def native_gsd(layer: QgsRasterLayer) -> float | None:
    """Metres per pixel of a layer that has pixels of its own; None for a service that has any."""
    provider = layer.dataProvider()
    if provider is None or provider.xSize() <= 0 or provider.ySize() <= 0:
        return None
    box = layer.extent()
    step = box.width() / provider.xSize()
    return step * metres_per_unit(layer.crs(), box.center(), step)[0]


def own_grid(layer: QgsRasterLayer, box: QgsRectangle) -> tuple[QgsRectangle, int, int] | None:
    """The layer's own pixels that a rectangle touches: extent, columns and rows; None for a service that has any."""
    provider, whole = layer.dataProvider(), layer.extent()
    if provider is None or provider.xSize() <= 0 or provider.ySize() <= 0:
        return None
    across, up = whole.width() / provider.xSize(), whole.height() / provider.ySize()
    left = max(0, math.floor((box.xMinimum() - whole.xMinimum()) / across + 1e-6))
    right = min(provider.xSize(), math.ceil((box.xMaximum() - whole.xMinimum()) / across - 1e-6))
    top = max(0, math.floor((whole.yMaximum() - box.yMaximum()) / up + 1e-6))
    bottom = min(provider.ySize(), math.ceil((whole.yMaximum() - box.yMinimum()) / up - 1e-6))
    if right <= left or bottom <= top:
        return None
    return (QgsRectangle(whole.xMinimum() + left * across, whole.yMaximum() - bottom * up,
                         whole.xMinimum() + right * across, whole.yMaximum() - top * up), right - left, bottom - top)


def plan(layer: QgsRasterLayer, extent: QgsRectangle | None, gsd_m: float | None) -> Plan:
    """Turn an extent and a pixel size into a grid of parts.

    Args:
        layer: To draw.
        extent: In the layer's CRS; None for all of it.
        gsd_m: Metres per pixel; None for the layer's own.

    Raises:
        BackendError: No pixel size is known, the layer has no place, or it would be too much.
    """
    if not layer.crs().isValid():
        raise BackendError(
            tr("“{}” has no coordinate system.").format(layer.name()),
            tr("Choose the one that it was made in."), "crs")
    size = gsd_m or native_gsd(layer)
    if size is None:
        raise BackendError(
            tr("“{}” is a service without a pixel size of its own.").format(layer.name()),
            tr("Give the pixel size in metres."), "usage")
    size = max(size, GREEDY_ZOOM_M)
    box = QgsRectangle(extent) if extent is not None else layer.extent()
    east, north = metres_per_unit(layer.crs(), box.center(), max(box.width(), box.height()) / 1000)
    across, up = box.width() * east / size, box.height() * north / size
    if not (math.isfinite(across) and math.isfinite(up) and across > 0 and up > 0):
        raise BackendError(tr("The extent cannot be measured."), tr("Choose another one."), "usage")
    width, height = math.ceil(across), math.ceil(up)
    own = None if gsd_m and not math.isclose(size, native_gsd(layer) or 0.0, rel_tol=0.01) else own_grid(layer, box)
    if own is not None:  # no pixel is drawn twice or left out
        grown, width, height = own
    else:
        grown = QgsRectangle(box.xMinimum(), box.yMaximum() - height * size / north,
                             box.xMinimum() + width * size / east, box.yMaximum())
    if width * height > MOST_PIXELS:
        raise BackendError(
            tr("This would be {:.0f} million pixels of {:g} m; the limit is {:.0f} million.").format(
                width * height / 1e6, size, MOST_PIXELS / 1e6),
            tr("Choose a smaller extent or larger pixels."), "usage")
    file = placing.grid(layer) if layer.providerType() == "gdal" else None
    served = layer.providerType() in SERVED or layer.source().startswith(sources.OVER_A_NETWORK)
    return Plan(grown, width, height, size, None if file is None or file.upright else file, served)


def private_clone(layer: QgsRasterLayer) -> QgsRasterLayer:
    """A copy that nobody else draws, restyles or removes, opaque and visible at every scale."""
    clone = layer.clone()
    clone.setScaleBasedVisibility(False)
    clone.setOpacity(1.0)
    return clone


class Exporter(QObject):
    """Draws a plan into a file.

    Signals:
        progressed: Parts done, parts in all.
        ended: Number of parts with empty places, and None or the fault.
    """

    progressed = pyqtSignal(int, int)
    ended = pyqtSignal(int, object)

    def __init__(self, clone: QgsRasterLayer, grid: Plan, path: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._clone, self._grid, self._path = clone, grid, path
        self._parts = list(grid.parts())
        self._at, self._tries, self._before = 0, 0, -1
        self._best: np.ndarray | None = None
        self._holes = 0
        self._reason = ""
        self._job: QgsMapRendererSequentialJob | None = None
        self._file: Any = None
        self._over = False

    def start(self) -> None:
        """Begin; `ended` comes from the event loop."""
        free = shutil.disk_usage(os.path.dirname(self._path)).free / 1e6
        if free < self._grid.megabytes:
            self._refuse(tr("Drawing the layer needs {:.0f} MB of room; {:.0f} MB are free at {}.").format(
                self._grid.megabytes, free, os.path.dirname(self._path)))
            return
        writer = QgsRasterFileWriter(self._path)
        writer.setOutputFormat("GTiff")
        writer.setCreateOptions(["PHOTOMETRIC=RGB", "ALPHA=YES", "TILED=YES", "BIGTIFF=IF_SAFER"])
        self._file = writer.createMultiBandRaster(
            Qgis.DataType.Byte, self._grid.width, self._grid.height, self._grid.extent, self._clone.crs(), 4)
        if self._file is None or not self._file.isValid():
            self._refuse(tr("{} cannot be written.").format(self._path))
            return
        self._file.setEditable(True)
        QTimer.singleShot(0, self._draw)

    def _refuse(self, words: str) -> None:
        """End for want of room, from the event loop."""
        fault = BackendError(words, tr("Make room on the disk."), "output")
        QTimer.singleShot(0, lambda: self._end(fault))

    def lack(self) -> str:
        """How many parts have empty places, and what QGIS said of them, for people; empty where none has."""
        if not self._holes:
            return ""
        told = tr("{} of {} parts of the layer have empty places: nothing is there, or it did not arrive.").format(
            self._holes, len(self._parts))
        return f"{told} ({self._reason})" if self._reason else told

    def cancel(self) -> None:
        """Stop soon."""
        if not self._over:
            self._end(BackendError(tr("Stopped."), tr("Nothing of the layer was kept."), "stopped"))

    def _draw(self) -> None:
        if self._over:
            return
        _, _, width, height, box = self._parts[self._at]
        wanted = QgsMapSettings()
        wanted.setLayers([self._clone])
        wanted.setDestinationCrs(self._clone.crs())
        wanted.setExtent(box)
        wanted.setOutputSize(QSize(width, height))
        wanted.setOutputDpi(96)
        wanted.setBackgroundColor(QColor(0, 0, 0, 0))
        wanted.setFlag(QgsMapSettings.Flag.DrawLabeling, False)
        self._job = QgsMapRendererSequentialJob(wanted)
        self._job.finished.connect(self._drawn)
        self._job.start()

    def _drawn(self) -> None:
        job, self._job = self._job, None
        if job is None or self._over:
            return
        pixels = image_pixels(job.renderedImage())
        if self._grid.own is not None:
            _, _, width, height, box = self._parts[self._at]
            pixels[~self._grid.own.covers(box, width, height)] = 0
        empty = int((pixels[..., 3] == 0).sum())
        if self._best is None or empty < int((self._best[..., 3] == 0).sum()):
            self._best = pixels
        said = [error.message for error in job.errors()]
        agreed = (empty == self._before or not self._grid.served) and not said
        if (empty or said) and not agreed and self._tries < len(PAUSES_MS):
            pause = PAUSES_MS[self._tries]
            self._tries, self._before = self._tries + 1, empty
            QTimer.singleShot(pause, self._draw)
            return
        self._reason = self._reason or "; ".join(said)
        if said or (self._grid.served and (self._best[..., 3] == 0).any()):  # else it is nodata, as in the layer
            self._holes += 1
        if not self._write(self._best):
            self._refuse(tr("{} cannot be written.").format(self._path))
            return
        self._best, self._tries, self._before = None, 0, -1
        self._at += 1
        self.progressed.emit(self._at, len(self._parts))
        if self._at < len(self._parts):
            QTimer.singleShot(0, self._draw)
        else:
            self._end(None)

    def _write(self, pixels: np.ndarray) -> bool:
        """Put a part into the file; whether that went well."""
        column, row, width, height, _ = self._parts[self._at]
        for band in range(4):
            block = QgsRasterBlock(Qgis.DataType.Byte, width, height)
            block.setData(QByteArray(np.ascontiguousarray(pixels[..., band]).tobytes()))
            if not self._file.writeBlock(block, band + 1, column, row):
                return False
        return True

    def _end(self, fault: BackendError | None) -> None:
        if self._over:
            return
        self._over = True
        if self._job is not None:
            self._job.finished.disconnect(self._drawn)
            self._job.cancelWithoutBlocking()
            self._job = None
        if self._file is not None:
            self._file.setEditable(False)
            self._file = None  # closes the file
        if fault is not None and os.path.exists(self._path):
            os.remove(self._path)
        self.ended.emit(self._holes, fault)


def image_pixels(image: QImage) -> np.ndarray:
    """A picture as uint8 [height, width, 4]: red, green, blue, alpha; not premultiplied."""
    plain = image.convertToFormat(QImage.Format.Format_RGBA8888)
    bits = plain.constBits()
    bits.setsize(plain.sizeInBytes())
    rows = np.frombuffer(bytes(bits), np.uint8).reshape(plain.height(), plain.bytesPerLine())
    return rows[:, : plain.width() * 4].reshape(plain.height(), plain.width(), 4).copy()
