"""Choosing a model: the bundled one, folders of one's own under names, or anything that the engine knows."""

from __future__ import annotations

import os
import re

from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtWidgets import (
    QComboBox,
    QFileDialog,
    QGridLayout,
    QInputDialog,
    QLabel,
    QPushButton,
    QWidget,
)

from .. import jobs, settings, worker_client
from ..background import Background
from ..protocol import BackendError, Request
from ..translate import tr


class ModelTask(Background):
    """Asks the engine about models in a thread; it starts once for that."""

    def __init__(self, request: Request) -> None:
        super().__init__()
        self.request = request
        self.names: list[str] = []
        self.fault: BackendError | None = None

    def run(self) -> None:
        """In another thread."""
        try:
            found = worker_client.run(self.request, lambda *words: None, lambda *words: None, self.cancelled)
            self.names = [str(model.get("id")) for model in found.get("models") or []]
        except BackendError as error:
            self.fault = error
        except Exception as error:
            self.fault = BackendError(str(error), tr("Please report this."), "bug")


class ModelBox(QWidget):
    """A box with names, and a button that gives a folder with a model a name.

    Signals:
        filled: The names have come, or a fault is said.
    """

    filled = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._task: ModelTask | None = None
        self._wanted = ""
        self.box = QComboBox()
        self.box.setEditable(True)
        self.box.addItem("")
        self.box.lineEdit().setPlaceholderText(tr("the bundled one; or a folder, or open_clip:NAME/PRETRAINED"))
        self.box.setCurrentText(settings.model())
        self.box.setAccessibleName(tr("Model"))
        self.add = QPushButton(tr("Add…"))
        self.add.setToolTip(tr("Give a folder with a model of your own (config.json, model.safetensors) a name"))
        self.add.clicked.connect(self._choose)
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.words.hide()
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setColumnStretch(0, 1)
        grid.addWidget(self.box, 0, 0)
        grid.addWidget(self.add, 0, 1)
        grid.addWidget(self.words, 1, 0, 1, 2)

    def name(self) -> str:
        """What is chosen; empty is the bundled one."""
        return self.box.currentText().strip()

    def fill(self) -> None:
        """Fetch the names in the background."""
        self._start(jobs.models("list"))

    def remember(self, folder: str, name: str) -> None:
        """Give a folder a name and choose it, when the engine can use it."""
        self._wanted = name
        self._start(jobs.models("add", name, folder))

    def leave(self) -> None:
        """Stop asking."""
        if self._task is not None:
            self._task.completed.disconnect(self._ready)
            self._task.cancel()
            self._task = None

    def _choose(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, tr("Folder with a model"))
        if not folder:
            return
        proposed = re.sub(r"[^\w.-]+", "-", os.path.basename(folder)) or "model"
        name, good = QInputDialog.getText(self, tr("Add a model"), tr("Its name in lists:"), text=proposed)
        if good and name.strip():
            self.remember(folder, name.strip())

    def _start(self, request: Request) -> None:
        if self._task is not None:
            return
        self.add.setEnabled(False)
        self._task = ModelTask(request)
        self._task.completed.connect(self._ready)
        self._task.start()

    def _ready(self) -> None:
        task, self._task = self._task, None
        self.add.setEnabled(True)
        if task is None:
            return
        for name in task.names:
            if self.box.findText(name) < 0 and name != "bundled":
                self.box.addItem(name)
        adding = task.request.params["action"] == "add"
        if adding and task.fault is None:
            if self.box.findText(self._wanted) < 0:
                self.box.addItem(self._wanted)
            self.box.setCurrentText(self._wanted)
        self.words.setText(str(task.fault) if adding and task.fault is not None else "")
        self.words.setVisible(bool(self.words.text()))
        self.filled.emit()
