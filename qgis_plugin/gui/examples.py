"""Places that the next search should, or should not, resemble."""

from __future__ import annotations

from dataclasses import dataclass

from qgis.core import QgsCoordinateReferenceSystem, QgsGeometry
from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtWidgets import QHBoxLayout, QLabel, QPushButton, QWidget

from .. import layers, settings, sources
from ..translate import tr

LIKE, UNLIKE = "like", "unlike"


@dataclass(frozen=True)
class Example:
    """One place: its geometry, the CRS of that, and `like` or `unlike`."""

    geometry: QgsGeometry
    crs: QgsCoordinateReferenceSystem
    kind: str


class ExamplesBar(QWidget):
    """How many examples there are, Undo and Clear; hidden when there are none.

    Signals:
        changed: There are others now.
    """

    changed = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._steps: list[list[Example]] = []
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.undo = QPushButton(tr("Undo"))
        self.undo.setToolTip(tr("Take the last examples back and search again"))
        self.undo.clicked.connect(self._undo)
        self.clear_all = QPushButton(tr("Clear"))
        self.clear_all.setToolTip(tr("Forget all examples"))
        self.clear_all.clicked.connect(self.clear)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.words, 1)
        row.addWidget(self.undo)
        row.addWidget(self.clear_all)
        self.hide()

    def add(self, geometries: list[QgsGeometry], crs: QgsCoordinateReferenceSystem, kind: str) -> None:
        """Add places of one kind; one step of Undo."""
        self._steps.append([Example(QgsGeometry(geometry), crs, kind) for geometry in geometries])
        self._show()

    def of(self, kind: str) -> list[Example]:
        """All examples of a kind."""
        return [example for step in self._steps for example in step if example.kind == kind]

    def file(self, kind: str) -> str | None:
        """The examples of a kind as a file for the backend; None where there are none."""
        found = self.of(kind)
        if not found:
            return None
        crs = found[0].crs
        path = layers.result_path(settings.scratch_folder(), kind, "examples", ".gpkg")
        return sources.write_polygons([sources.shape_in_crs(e.geometry, e.crs, crs) for e in found], crs, path)

    def clear(self) -> None:
        """Forget all."""
        if self._steps:
            self._steps.clear()
            self._show()

    def _undo(self) -> None:
        if self._steps:
            self._steps.pop()
            self._show()

    def _show(self) -> None:
        self.words.setText(tr("Examples: {} like, {} not like").format(len(self.of(LIKE)), len(self.of(UNLIKE))))
        self.setVisible(bool(self._steps))
        self.changed.emit()
