"""Services and databases: asked about, drawn into a file once, and reused for every search of the same place."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from qgis.core import QgsRasterLayer, QgsRectangle
from qgis.PyQt.QtCore import QObject, pyqtSignal
from qgis.PyQt.QtWidgets import QMessageBox

from .. import export, layers, settings
from ..protocol import BackendError, Remaining
from ..translate import tr

ASK_FROM = 200  # requests; fewer are what one glance at the map costs


class WebLayers(QObject):
    """Keeps the files of a session.

    Attributes:
        holes: What is missing in each file, for people; empty where nothing is.

    Signals:
        begun: What begins.
        progressed: done, total, unit, and seconds left, or None while they are not known.
        ended: A warning or an empty string; None or the fault.
    """

    begun = pyqtSignal(str)
    progressed = pyqtSignal(int, int, str, object)
    ended = pyqtSignal(str, object)

    def __init__(self, iface: Any, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._iface = iface
        self._files: dict[tuple[Any, ...], str] = {}
        self.holes: dict[str, str] = {}
        self._shown: dict[str, QgsRasterLayer] = {}
        self._exporter: export.Exporter | None = None

    @property
    def busy(self) -> bool:
        """Whether a layer is being drawn."""
        return self._exporter is not None

    def export(
        self, layer: QgsRasterLayer, extent: list[float] | None, gsd_m: float | None, then: Callable[[str], None]
    ) -> None:
        """Call `then` with a file of the layer: at once when it was drawn before, else when it is.

        Args:
            layer: To draw.
            extent: In its CRS; None for all.
            gsd_m: Metres per pixel; None for the layer's own, else what the map shows now.
            then: Takes the file's name; not called when the user declines, cancels, or it fails.

        Raises:
            BackendError: It would be too much, or has no place.
        """
        if self.busy:
            raise BackendError(tr("A layer is being drawn."), tr("Wait for it, or cancel it."), "usage")
        size = gsd_m or export.native_gsd(layer) or self._map_gsd()
        grid = export.plan(layer, QgsRectangle(*extent) if extent else None, size)
        key = grid.key(layer)
        path = self._files.get(key, "")
        if path and os.path.exists(path):
            self._show(layer, path)
            then(path)
            return
        if grid.requests > ASK_FROM and not self.confirm(layer, grid):
            return
        path = layers.result_path(settings.scratch_folder(), "layer", layer.name(), ".tif")
        exporter = export.Exporter(export.private_clone(layer), grid, path, self)

        def ended(holes: int, fault: BackendError | None) -> None:
            self._exporter = None
            exporter.deleteLater()
            if layers.alive(layer) is not None:
                layer.willBeDeleted.disconnect(exporter.cancel)
                if fault is None:
                    self._files[key] = path
                    self._show(layer, path)
            self.holes[path] = exporter.lack()
            self.ended.emit(self.holes[path], fault)
            if fault is None:
                then(path)

        remaining = Remaining()
        exporter.progressed.connect(lambda done, total: self.progressed.emit(
            done, total, "parts", remaining.update(time.monotonic(), done, total, "parts")))
        exporter.ended.connect(ended)
        layer.willBeDeleted.connect(exporter.cancel)  # nobody would see what a server still gives
        self._exporter = exporter
        self.begun.emit(tr("Drawing “{}”: about {} requests, {:.0f} MB…").format(
            layer.name(), grid.requests, max(1.0, grid.megabytes)))
        exporter.start()

    def confirm(self, layer: QgsRasterLayer, grid: export.Plan) -> bool:
        """Say what it costs before anything is asked of a server."""
        words = tr(
            "“{}” has to be fetched first: {} × {} pixels of {:.2f} m, about {} requests and {:.0f} MB. "
            "Mind the terms of the service. Fetch it now?").format(
                layer.name(), grid.width, grid.height, grid.gsd_m, grid.requests, grid.megabytes)
        answer = QMessageBox.question(self._iface.mainWindow(), tr("Search imagery by text"), words)
        return answer == QMessageBox.StandardButton.Yes

    def picture_layer(self, layer: QgsRasterLayer) -> QgsRasterLayer | None:
        """What small pictures are drawn from: the file where there is one, so that no server is asked again."""
        if layers.alive(layer) is None:
            return None
        return self._shown.get(layer.id(), layer)

    def forget_holes(self) -> None:
        """Files with empty places do not serve again: what did not arrive may arrive now."""
        self._files = {key: path for key, path in self._files.items() if not self.holes.get(path)}

    def cancel(self) -> None:
        """Stop drawing."""
        if self._exporter is not None:
            self._exporter.cancel()

    def leave(self) -> None:
        """Let everything go."""
        self.blockSignals(True)
        self.cancel()
        self._shown.clear()

    def _show(self, layer: QgsRasterLayer, path: str) -> None:
        self._shown[layer.id()] = QgsRasterLayer(path, layer.name(), "gdal")

    def _map_gsd(self) -> float:
        """Metres per pixel of the map as it is shown."""
        wanted = self._iface.mapCanvas().mapSettings()
        step = wanted.mapUnitsPerPixel()
        return step * export.metres_per_unit(wanted.destinationCrs(), wanted.visibleExtent().center(), step)[0]
