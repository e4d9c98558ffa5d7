"""One line on the index of the chosen raster, and a menu to build, update or delete it."""

from __future__ import annotations

from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtWidgets import QHBoxLayout, QLabel, QMenu, QToolButton, QWidget

from .. import indexes
from ..translate import tr


class IndexRow(QWidget):
    """Hidden for layers that are no file.

    Signals:
        build_wanted: Build, continue or update.
        delete_wanted: Delete.
    """

    build_wanted = pyqtSignal()
    delete_wanted = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.words = QLabel()
        self.words.setWordWrap(True)
        font = self.words.font()
        font.setItalic(True)  # quieter than what people type, and as readable
        self.words.setFont(font)
        self.button = QToolButton()
        self.button.setText(tr("Index"))
        self.button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self.button)
        self.build = menu.addAction(tr("Build"), self.build_wanted.emit)
        self.delete = menu.addAction(tr("Delete"), self.delete_wanted.emit)
        self.button.setMenu(menu)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.words, 1)
        row.addWidget(self.button)

    def show_status(self, status: indexes.Status | None) -> None:
        """Say what there is; None hides the line."""
        self.setVisible(status is not None)
        if status is not None:
            self.words.setText(status.words())
            names = {indexes.NONE: tr("Build"), indexes.PARTIAL: tr("Continue"), indexes.STALE: tr("Update"),
                     indexes.BUILT: tr("Build again")}
            self.build.setText(names[status.kind])
            self.delete.setEnabled(status.kind != indexes.NONE)
