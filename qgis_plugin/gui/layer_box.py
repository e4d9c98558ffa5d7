"""Which rasters: one, and on request others beside it."""

from __future__ import annotations

from functools import partial
from typing import Any

from qgis.core import QgsMapLayerProxyModel, QgsProject, QgsRasterLayer
from qgis.gui import QgsMapLayerComboBox
from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtWidgets import QComboBox, QHBoxLayout, QMenu, QToolButton, QWidget

from .. import layers, sources
from ..translate import tr


class LayerBox(QWidget):
    """A chooser for the raster, and a menu of further ones to search with it.

    Signals:
        layerChanged: The raster is another.
    """

    layerChanged = pyqtSignal(object)  # noqa: N815  as QGIS names it

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._others: set[str] = set()
        self.box = QgsMapLayerComboBox()
        self.box.setFilters(QgsMapLayerProxyModel.Filter.RasterLayer)
        self.box.setAccessibleName(tr("Raster layer"))
        self.box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.box.setMinimumContentsLength(6)  # long names of layers must not keep the panel wide
        self.box.layerChanged.connect(self._changed)
        self.more = QToolButton()
        self.more.setText("+")
        self.more.setToolTip(tr("Search further rasters at the same time"))
        self.more.setAccessibleName(self.more.toolTip())
        self.more.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.menu = QMenu(self.more)
        self.menu.aboutToShow.connect(self._fill)
        self.more.setMenu(self.menu)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.box, 1)
        row.addWidget(self.more)

    def currentLayer(self) -> Any:
        """The raster, or None."""
        return self.box.currentLayer()

    def setLayer(self, layer: QgsRasterLayer) -> None:
        """Choose the raster."""
        self.box.setLayer(layer)

    def others(self) -> list[QgsRasterLayer]:
        """Further rasters that are still there, in the order of their names."""
        project, first = QgsProject.instance(), self.currentLayer()
        found = [project.mapLayer(identifier) for identifier in self._others]
        return sorted((one for one in found if one is not None and one is not first), key=lambda one: one.name())

    def set_others(self, others: list[QgsRasterLayer]) -> None:
        """Choose the further rasters."""
        self._others = {layer.id() for layer in others}
        self._show()

    def _fill(self) -> None:
        self.menu.clear()
        project = QgsProject.instance()
        for layer in sorted(project.mapLayers().values(), key=lambda one: one.name()):
            readable = sources.is_file(layer) and not sources.needs_export(layer)
            if readable and layer is not self.currentLayer() and not layers.is_ours(layer):
                action = self.menu.addAction(layer.name())
                action.setCheckable(True)
                action.setChecked(layer.id() in self._others)
                action.toggled.connect(partial(self._toggle, layer.id()))
        if self.menu.isEmpty():
            self.menu.addAction(tr("There is no other raster file in the project.")).setEnabled(False)

    def _toggle(self, identifier: str, on: bool) -> None:
        (self._others.add if on else self._others.discard)(identifier)
        self._show()

    def _show(self) -> None:
        count = len(self.others())
        self.more.setText(f"+{count}" if count else "+")

    def _changed(self, layer: Any) -> None:
        self._show()
        self.layerChanged.emit(layer)
