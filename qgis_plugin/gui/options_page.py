"""The plugin's page under Settings › Options."""

from __future__ import annotations

import os
from collections.abc import Callable

from qgis.gui import QgsFileWidget, QgsOptionsPageWidget, QgsOptionsWidgetFactory
from qgis.PyQt.QtGui import QIcon
from qgis.PyQt.QtWidgets import QComboBox, QFormLayout, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from .. import backend, settings
from ..translate import tr
from .model_box import ModelBox
from .report_dialog import ReportDialog, open_log
from .setup_dialog import SetupDialog
from .where import ICONS

DEVICES = ("auto", "cpu", "cuda", "cuda:0", "cuda:1", "mps")


class OptionsPage(QgsOptionsPageWidget):
    """Interpreter, device, model, folders."""

    def __init__(self, applied: Callable[[], None], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._applied = applied
        self.python = QgsFileWidget()
        self.python.setFilePath(settings.interpreter())
        self.python.lineEdit().setPlaceholderText(tr("found by itself"))
        self.device = QComboBox()
        self.device.setEditable(True)
        self.device.addItems(DEVICES)
        self.device.setCurrentText(settings.device())
        self.model = ModelBox()
        self.model.fill()
        self.destroyed.connect(self.model.leave)
        self.index = self._folder(settings.index_folder(), tr("the user’s cache"))
        self.results = self._folder(settings.chosen_results_folder(), tr("in the user’s folder for data"))
        self.certificates = QgsFileWidget()
        self.certificates.setFilePath(settings.certificates())
        self.certificates.lineEdit().setPlaceholderText(tr("for a network that replaces certificates"))
        form = QFormLayout()
        form.addRow(tr("Python interpreter with rsvlm"), self.python)
        form.addRow(tr("Compute on"), self.device)
        form.addRow(tr("Model"), self.model)
        form.addRow(tr("Folder for indexes"), self.index)
        form.addRow(tr("Folder for results"), self.results)
        form.addRow(tr("Certificates for Set up"), self.certificates)
        buttons = QHBoxLayout()
        for words, work in ((tr("Set up…"), self._set_up), (tr("Check environment…"), self._check),
                            (tr("Open log file"), open_log), (tr("Clear search history"), settings.clear_history)):
            button = QPushButton(words)
            button.clicked.connect(lambda checked=False, work=work: work())
            buttons.addWidget(button)
        buttons.addStretch(1)
        column = QVBoxLayout()
        column.setContentsMargins(12, 12, 12, 12)  # QGIS takes those of the page's own layout away
        QVBoxLayout(self).addLayout(column)
        column.addLayout(form)
        column.addLayout(buttons)
        column.addStretch(1)

    def apply(self) -> None:
        """OK or Apply was pressed."""
        settings.set_interpreter(self.python.filePath())
        settings.set_device(self.device.currentText().strip() or "auto")
        settings.set_model(self.model.name())
        settings.set_index_folder(self.index.filePath())
        settings.set_results_folder(self.results.filePath())
        settings.set_certificates(self.certificates.filePath())
        backend.forget()
        self._applied()

    def _folder(self, path: str, words: str) -> QgsFileWidget:
        widget = QgsFileWidget()
        widget.setStorageMode(QgsFileWidget.StorageMode.GetDirectory)
        widget.setFilePath(path)
        widget.lineEdit().setPlaceholderText(words)
        return widget

    def _set_up(self) -> None:
        dialog = SetupDialog(self)
        dialog.exec()
        dialog.deleteLater()
        self.python.setFilePath(settings.interpreter())
        self._applied()

    def _check(self) -> None:
        dialog = ReportDialog(self)
        dialog.exec()
        dialog.deleteLater()


class OptionsFactory(QgsOptionsWidgetFactory):
    """Makes the page whenever the options open."""

    def __init__(self, applied: Callable[[], None]) -> None:
        super().__init__(tr("Search imagery by text"), QIcon(os.path.join(ICONS, "search.svg")))
        self._applied = applied

    def icon(self) -> QIcon:
        """In the list of pages."""
        return QIcon(os.path.join(ICONS, "search.svg"))

    def createWidget(self, parent: QWidget) -> OptionsPage:
        """Called by QGIS."""
        return OptionsPage(self._applied, parent)
