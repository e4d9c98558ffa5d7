"""Small pictures of places, drawn from the raster layer one after another in the background."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Any

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsMapLayer,
    QgsMapRendererParallelJob,
    QgsMapSettings,
    QgsRasterLayer,
    QgsRectangle,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QObject, QSize, pyqtSignal
from qgis.PyQt.QtGui import QColor, QImage

KEPT = 600


class Thumbnails(QObject):
    """Draws on demand and keeps the last `KEPT`.

    Signals:
        drawn: key of the place whose picture is ready.
    """

    drawn = pyqtSignal(object)

    def __init__(self, side: int, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._side = side
        self._layers: list[QgsMapLayer] = []
        self._crs = QgsCoordinateReferenceSystem()
        self._kept: OrderedDict[Any, QImage] = OrderedDict()
        self._waiting: deque[tuple[Any, QgsRectangle]] = deque()
        self._key: Any = None
        self._job: QgsMapRendererParallelJob | None = None

    def show_layers(
        self, rasters: list[QgsRasterLayer], over: QgsVectorLayer | None = None, side: int | None = None
    ) -> None:
        """Draw from other rasters, with outlines over them where given, in pixels of `side`; forgets all pictures."""
        self.stop()
        self._side = side or self._side
        self._kept.clear()
        self._layers = [*([over] if over is not None else []), *rasters] if rasters else []
        self._crs = rasters[0].crs() if rasters else QgsCoordinateReferenceSystem()
        for shown in self._layers:
            shown.willBeDeleted.connect(self._gone)

    def picture(self, key: Any, box: QgsRectangle) -> QImage | None:
        """The picture of `box` (in the first raster's CRS) when it is there; else None, and it is drawn soon."""
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        if self._layers and key != self._key and all(key != waiting for waiting, _ in self._waiting):
            self._waiting.append((key, QgsRectangle(box)))
            self._next()
        return None

    def start_over(self) -> None:
        """What is not begun is forgotten: it may be out of sight by now; what is in sight asks again."""
        self._waiting.clear()

    def stop(self) -> None:
        """Draw nothing more."""
        self._waiting.clear()
        job, self._job, self._key = self._job, None, None
        if job is not None:
            job.finished.disconnect(self._ready)
            job.cancel()

    def _gone(self) -> None:
        self.stop()
        self._layers = []

    def _next(self) -> None:
        if self._job is not None or not self._waiting or not self._layers:
            return
        self._key, box = self._waiting.popleft()
        wanted = QgsMapSettings()
        wanted.setLayers(self._layers)
        wanted.setDestinationCrs(self._crs)
        wanted.setExtent(box)
        wanted.setOutputSize(QSize(self._side, self._side))
        wanted.setBackgroundColor(QColor(128, 128, 128))
        self._job = QgsMapRendererParallelJob(wanted)
        self._job.finished.connect(self._ready)
        self._job.start()

    def _ready(self) -> None:
        job, self._job = self._job, None
        key, self._key = self._key, None
        if job is None:
            return
        self._kept[key] = job.renderedImage()
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        self.drawn.emit(key)
        self._next()
