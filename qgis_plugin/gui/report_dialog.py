"""Check environment: the report, made in the background, to read and to copy."""

from __future__ import annotations

from typing import Any

from qgis.PyQt.QtCore import QUrl
from qgis.PyQt.QtGui import QDesktopServices, QGuiApplication
from qgis.PyQt.QtWidgets import QDialog, QHBoxLayout, QLabel, QPushButton, QTextBrowser, QVBoxLayout, QWidget

from .. import log, report
from ..background import Background
from ..translate import tr


def open_log() -> None:
    """Show the plugin's log file in the program that the system has for it; it is made when there is none."""
    log.write(tr("Log opened"), show=False)
    QDesktopServices.openUrl(QUrl.fromLocalFile(log.path()))


class ReportTask(Background):
    """Makes the report in a thread; it starts the engine once."""

    def __init__(self) -> None:
        super().__init__()
        self.status, self.text = "", ""

    def run(self) -> None:
        """In another thread."""
        try:
            self.status, self.text = report.make(lambda *words: None, lambda *words: None, self.cancelled)
        except Exception as error:
            self.status = self.text = str(error)


class ReportDialog(QDialog):
    """Shows the report when it is there."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Check environment"))
        self.resize(680, 560)
        self.status = QLabel(tr("Starting the search engine…"))
        self.status.setWordWrap(True)
        self.text = QTextBrowser()
        copy = QPushButton(tr("Copy report"))
        copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(self._plain))
        copy.setDefault(True)
        copy.setEnabled(False)
        self.copy = copy
        close = QPushButton(tr("Close"))
        close.clicked.connect(self.accept)
        buttons = QHBoxLayout()
        buttons.addWidget(QLabel(tr("No user name and no home folder is in it.")), 1)
        log_file = QPushButton(tr("Open log file"))
        log_file.clicked.connect(open_log)
        buttons.addWidget(log_file)
        buttons.addWidget(copy)
        buttons.addWidget(close)
        column = QVBoxLayout(self)
        column.addWidget(self.status)
        column.addWidget(self.text, 1)
        column.addLayout(buttons)
        self._plain = ""
        self._task: Any = ReportTask()
        self._task.completed.connect(self._ready)
        self._task.start()

    def _ready(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            self._plain = task.text
            self.copy.setEnabled(True)
            self.status.setText(tr("All is well.") if task.status == "ok" else task.status)
            self.text.setMarkdown(task.text)

    def done(self, result: int) -> None:
        """Closing stops the check."""
        if self._task is not None:
            self._task.completed.disconnect(self._ready)
            self._task.cancel()
            self._task = None
        super().done(result)
