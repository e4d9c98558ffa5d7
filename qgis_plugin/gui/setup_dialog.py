"""Set up: one screen that says what will happen, a log of it happening, and Cancel."""

from __future__ import annotations

import os
import time
from typing import Any

from qgis.gui import QgsCollapsibleGroupBox, QgsFileWidget
from qgis.PyQt.QtCore import QTimer
from qgis.PyQt.QtWidgets import (
    QComboBox,
    QDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QRadioButton,
    QStyle,
    QVBoxLayout,
    QWidget,
)

from .. import backend, environment, settings
from ..protocol import BackendError
from ..redaction import redact
from ..translate import mark, tr

KINDS = (
    (backend.LIGHT, mark("Light: the bundled model on the processor (about 1 GB)")),
    (backend.FULL, mark("Full: any model, with torch for the processor (about 2 GB)")),
    (environment.CUDA, mark("Full: any model, with torch for an NVIDIA card (about 6 GB)")),
)


class SetupDialog(QDialog):
    """Makes an environment, or takes an existing interpreter."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Set up Search imagery by text"))
        self.resize(640, 620)
        self._builder: environment.Builder | None = None
        self.changed = self._closed = False

        words = QLabel(tr(
            "The search engine runs in a Python of its own, beside QGIS. QGIS’s own Python is not touched.\n\n"
            "Set up makes that Python in your user folder and installs free packages into it. The model itself came "
            "with the plugin. Nothing else is sent or fetched, then or later."
        ))
        words.setWordWrap(True)
        self.make = QRadioButton(tr("Make an environment for the search engine"))
        self.make.setChecked(True)
        self.base = QComboBox()
        self.base.setEditable(True)
        self.base.addItems(environment.base_candidates())
        self.base.setAccessibleName(tr("Python to start from"))
        self.packages = QComboBox()
        for kind, words_of in KINDS:
            if kind in backend.requirement_files() or kind == environment.CUDA:
                self.packages.addItem(tr(words_of), kind)
        self.packages.setAccessibleName(tr("Packages"))
        self.wheelhouse = QgsFileWidget()
        self.wheelhouse.setStorageMode(QgsFileWidget.StorageMode.GetDirectory)
        self.wheelhouse.setToolTip(tr("For a computer without network: a folder that pip download has filled"))
        self.certificates = QgsFileWidget()
        self.certificates.setFilePath(settings.certificates())
        self.certificates.setToolTip(tr("For networks that replace certificates: your organisation’s file"))
        self.wheelhouse.lineEdit().setPlaceholderText(tr("for a computer without network"))
        self.certificates.lineEdit().setPlaceholderText(tr("for a network that replaces certificates"))
        self.room = QLabel()
        self.room.setWordWrap(True)
        self.packages.currentIndexChanged.connect(self._show_room)
        self._show_room()
        indent = self.style().pixelMetric(QStyle.PixelMetric.PM_IndicatorWidth) + 8  # under the words of the choice
        form = QFormLayout()
        form.setContentsMargins(indent, 0, 0, 0)
        form.addRow(tr("Python to start from"), self.base)
        form.addRow(tr("Packages"), self.packages)
        form.addRow("", self.room)
        more = QgsCollapsibleGroupBox(tr("Network"))
        more.setCollapsed(True)
        inside = QFormLayout(more)
        inside.addRow(tr("Folder of wheels"), self.wheelhouse)
        inside.addRow(tr("Certificates"), self.certificates)
        form.addRow(more)

        self.use = QRadioButton(tr("Use a Python that has the packages already"))
        self.existing = QgsFileWidget()
        self.existing.setFilePath(settings.interpreter())
        self.existing.setEnabled(False)
        self.use.toggled.connect(self.existing.setEnabled)
        self.existing.lineEdit().setPlaceholderText("…\\python.exe" if os.name == "nt" else "…/bin/python")
        self.use.toggled.connect(lambda use: [w.setDisabled(use) for w in (self.base, self.packages, self.room, more)])
        self.use.toggled.connect(lambda use: (self._say(""), self.start.setText(tr("Use it") if use else tr("Set up"))))

        self.sign = QLabel()
        side = self.style().pixelMetric(QStyle.PixelMetric.PM_LargeIconSize)
        icon = self.style().standardIcon(QStyle.StandardPixmap.SP_MessageBoxWarning)
        self.sign.setPixmap(icon.pixmap(side, side))
        self.sign.hide()
        self.step = QLabel()
        self.step.setWordWrap(True)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setMaximumHeight(10)
        self.bar.hide()
        self.log = QPlainTextEdit()
        self.log.setReadOnly(True)
        self.log.setMaximumBlockCount(5000)
        self.log.setAccessibleName(tr("Log"))
        self.log.setPlaceholderText(tr("What is done appears here, line by line."))
        self.log.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.start = QPushButton(tr("Set up"))
        self.start.setDefault(True)
        self.start.clicked.connect(self._start)
        self.stop = QPushButton(tr("Cancel"))
        self.stop.clicked.connect(self._stop)
        self._clock = QTimer(self)
        self._clock.setInterval(1000)
        self._clock.timeout.connect(self._tick)
        self._words = ""

        buttons = QHBoxLayout()
        buttons.addWidget(self.sign)
        buttons.addWidget(self.step, 1)
        buttons.addWidget(self.start)
        buttons.addWidget(self.stop)
        column = QVBoxLayout(self)
        column.addWidget(words)
        column.addWidget(self.make)
        column.addLayout(form)
        column.addWidget(self.use)
        beside = QHBoxLayout()
        beside.setContentsMargins(indent, 0, 0, 0)
        beside.addWidget(self.existing)
        column.addLayout(beside)
        column.addWidget(self.log, 1)
        column.addWidget(self.bar)
        column.addLayout(buttons)

    def _show_room(self) -> None:
        """Where the environment comes to lie, and whether it fits."""
        needed = environment.NEEDED_GB[self.packages.currentData()]
        folder = environment.new_folder()
        self.room.setText(tr("Goes to {}; needs {:.0f} GB of room, {:.0f} GB are free.").format(
            redact(folder), needed, environment.room(folder)[1]))

    def _say(self, words: str, fault: bool = False) -> None:
        """Under the log; a fault has a sign beside it."""
        self.step.setText(words)
        self.sign.setVisible(fault)

    def _start(self) -> None:
        settings.set_certificates(self.certificates.filePath())
        try:
            if self.use.isChecked():
                self._take(self.existing.filePath())
            else:
                plan = environment.Plan(
                    self.base.currentText().strip(), environment.new_folder(), self.wheelhouse.filePath(),
                    self.packages.currentData())
                builder = environment.Builder(plan, self)
                builder.said.connect(self.log.appendPlainText)
                builder.stepped.connect(self._stepped)
                builder.ended.connect(self._ended)
                builder.start()
                self._builder = builder
                self._running(True)
                self._tick()
        except BackendError as fault:
            self._say(str(fault), fault=True)

    def _take(self, path: str) -> None:
        """Try an interpreter in the background, and use it when it has the packages."""
        self._say(tr("Looking at {}…").format(path))
        self._running(True)
        environment.look(lambda: backend.probe(backend.Candidate(path, tr("chosen here"))),
                         lambda verdict: self._tried(path, verdict))

    def _tried(self, path: str, verdict: Any) -> None:
        if self._closed:
            return
        self._running(False)
        if not getattr(verdict, "usable", False):
            self._say("{}: {}. {}".format(path, getattr(verdict, "reason", verdict), tr("Choose another one.")), True)
            return
        settings.set_interpreter(path)
        backend.forget()
        self.changed = True
        self.accept()

    def _stepped(self, words: str) -> None:
        self._words = words
        self.log.appendPlainText("— " + words)
        self._tick()

    def _tick(self) -> None:
        if self._builder is not None:
            seconds = int(time.monotonic() - self._builder.begun)
            self._say(f"{self._words} {seconds // 60}:{seconds % 60:02d}")

    def _ended(self, fault: BackendError | None) -> None:
        self._builder = None
        self._running(False)
        if fault is None:
            self.changed = True
            self._say(tr("Ready. The search engine can be used."))
            self.start.hide()
            self.stop.setText(tr("Close"))
        else:
            self._say(str(fault), fault=fault.code != "stopped")

    def _running(self, running: bool) -> None:
        self.start.setEnabled(not running)
        for widget in (self.make, self.use):
            widget.setEnabled(not running)
        for widget in (self.base, self.packages, self.wheelhouse, self.certificates):
            widget.setEnabled(not running and self.make.isChecked())
        self.existing.setEnabled(not running and self.use.isChecked())
        self.bar.setRange(0, 0 if running else 1)
        self.bar.setVisible(running)
        if running:
            self._clock.start()
        else:
            self._clock.stop()

    def _stop(self) -> None:
        if self._builder is not None:
            self._builder.cancel()
        else:
            self.done(QDialog.DialogCode.Accepted if self.changed else QDialog.DialogCode.Rejected)

    def done(self, result: int) -> None:
        """Nothing that is still looked at is taken after the dialog is closed."""
        self._closed = True
        super().done(result)

    def reject(self) -> None:
        """Escape and the window's cross cancel what runs first."""
        if self._builder is not None:
            self._builder.cancel()
        else:
            super().reject()
