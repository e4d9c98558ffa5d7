"""Where to look: the whole layer, the map view, a drawn rectangle, or selected polygons."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsGeometry,
    QgsProject,
    QgsRasterLayer,
    QgsRectangle,
    QgsVectorLayer,
    QgsWkbTypes,
)
from qgis.gui import QgsMapToolExtent, QgsRubberBand
from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtGui import QColor, QIcon
from qgis.PyQt.QtWidgets import QComboBox, QHBoxLayout, QToolButton, QWidget

from .. import layers, settings, sources
from ..protocol import BackendError
from ..translate import tr

ICONS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "icons")
WHOLE, VIEW, RECTANGLE, POLYGONS = range(4)


class WhereBox(QWidget):
    """Chooser and drawing tool.

    Signals:
        changed: The choice or the rectangle is another.
        drawn: The user has drawn a rectangle.
    """

    changed = pyqtSignal()
    drawn = pyqtSignal()

    def __init__(self, canvas: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._canvas = canvas
        self._rectangle: QgsRectangle | None = None
        self._crs = QgsCoordinateReferenceSystem()
        self._band: QgsRubberBand | None = None
        self._tool: QgsMapToolExtent | None = None
        self._tool_before: Any = None
        self.choice = QComboBox()
        self.choice.addItems([tr("Whole layer"), tr("Map view"), tr("Drawn rectangle"), tr("Selected polygons")])
        self.choice.setAccessibleName(tr("Where to look"))
        self.choice.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.choice.setMinimumContentsLength(6)  # long words must not keep the panel wide
        self.choice.currentIndexChanged.connect(self._chosen)
        self.draw = QToolButton()
        self.draw.setIcon(QIcon(os.path.join(ICONS, "rectangle.svg")))
        self.draw.setToolTip(tr("Draw a rectangle on the map"))
        self.draw.setAccessibleName(self.draw.toolTip())
        self.draw.setCheckable(True)
        self.draw.clicked.connect(self._draw)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.choice, 1)
        row.addWidget(self.draw)

    def extent(self, layer: QgsRasterLayer, others: Sequence[QgsRasterLayer] = ()) -> list[float] | None:
        """The chosen extent in the layer's CRS, cut to the layer and to the others; None for all of them.

        Raises:
            BackendError: Nothing is drawn or selected, or it lies outside the layer.
        """
        choice = self.choice.currentIndex()
        if choice == VIEW:
            return sources.extent_of(
                layer, self._canvas.extent(), self._canvas.mapSettings().destinationCrs(), others)
        if choice == RECTANGLE:
            if self._rectangle is None:
                raise BackendError(tr("No rectangle is drawn."), tr("Draw one on the map with the button."), "usage")
            return sources.extent_of(layer, self._rectangle, self._crs, others)
        if choice == POLYGONS:
            geometries, crs = self._selected()
            box = QgsRectangle()
            for geometry in geometries:
                box.combineExtentWith(geometry.boundingBox())
            return sources.extent_of(layer, box, crs, others)
        return None

    def within(self) -> str | None:
        """A file with the selected polygons where these are chosen, else None.

        Raises:
            BackendError: Nothing is selected.
        """
        if self.choice.currentIndex() != POLYGONS:
            return None
        geometries, crs = self._selected()
        path = layers.result_path(settings.scratch_folder(), "within", "selected", ".gpkg")
        return sources.write_polygons(geometries, crs, path)

    def leave(self) -> None:
        """Take what is drawn off the map."""
        if self._tool is not None:
            self._canvas.unsetMapTool(self._tool)
            self._tool.deleteLater()
            self._tool = None
        self._forget()

    def _selected(self) -> tuple[list[QgsGeometry], QgsCoordinateReferenceSystem]:
        active = self._canvas.currentLayer()  # where two layers have a selection, the one that is worked with
        others = [layer for layer in QgsProject.instance().mapLayers().values() if layer is not active]
        for layer in [active, *others]:
            if (
                isinstance(layer, QgsVectorLayer)
                and layer.geometryType() == QgsWkbTypes.GeometryType.PolygonGeometry
                and layer.selectedFeatureCount()
            ):
                return [feature.geometry() for feature in layer.selectedFeatures()], layer.crs()
        raise BackendError(tr("No polygon is selected."), tr("Select some in a polygon layer."), "usage")

    def _chosen(self, choice: int) -> None:
        if choice == RECTANGLE and self._rectangle is None:
            self._draw(True)
        elif choice != RECTANGLE:
            self._forget()
        self.changed.emit()

    def start_drawing(self) -> None:
        """Give the map the tool for a rectangle."""
        self._draw(True)

    def _draw(self, wanted: bool) -> None:
        """Give the map our tool, or take it back."""
        if not wanted:
            self._canvas.unsetMapTool(self._tool)
            return
        if self._tool is None:
            self._tool = QgsMapToolExtent(self._canvas)
            self._tool.extentChanged.connect(self._drawn)
            self._tool.deactivated.connect(lambda: self.draw.setChecked(False))
        if self._canvas.mapTool() is not self._tool:
            self._tool_before = self._canvas.mapTool()
        self._canvas.setMapTool(self._tool)
        self.draw.setChecked(True)

    def _drawn(self, box: QgsRectangle) -> None:
        """A rectangle was drawn, in the CRS of the map."""
        if box.isEmpty():
            return
        self.set_rectangle(box, self._canvas.mapSettings().destinationCrs())
        if layers.alive(self._tool_before) is not None:  # the plugin that made it may be gone
            self._canvas.setMapTool(self._tool_before)
        else:
            self._canvas.unsetMapTool(self._tool)
        self.drawn.emit()

    def set_rectangle(self, box: QgsRectangle, crs: QgsCoordinateReferenceSystem) -> None:
        """Choose a rectangle and show it on the map."""
        self._forget()
        self._rectangle, self._crs = QgsRectangle(box), crs
        self._band = QgsRubberBand(self._canvas, QgsWkbTypes.GeometryType.PolygonGeometry)
        self._band.setColor(QColor("#4a90c2"))
        self._band.setFillColor(QColor(74, 144, 194, 25))
        self._band.setSecondaryStrokeColor(QColor(255, 255, 255, 220))
        self._band.setWidth(3)
        self._band.setToGeometry(QgsGeometry.fromRect(box), crs)
        self.choice.setCurrentIndex(RECTANGLE)
        self.changed.emit()

    def _forget(self) -> None:
        if self._band is not None:
            self._canvas.scene().removeItem(self._band)
            self._band = None
        self._rectangle = None
