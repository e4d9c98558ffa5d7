"""What the panel shows while there is no engine: what this is, and two ways to get going."""

from __future__ import annotations

from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from ..translate import tr


class Welcome(QFrame):
    """One screen.

    Signals:
        set_up_wanted: The user wants to set up.
        check_wanted: The user wants the report.
    """

    set_up_wanted = pyqtSignal()
    check_wanted = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFrameShape(QFrame.Shape.StyledPanel)
        words = QLabel(tr(
            "<p><b>Type what you are looking for, and get the places in your images.</b></p>"
            "<p>Everything is computed on this computer: no account, no upload. The search engine runs in a Python of "
            "its own, which has to be set up once (a few minutes).</p>"))
        words.setWordWrap(True)
        self.reason = QLabel()
        self.reason.setWordWrap(True)
        set_up = QPushButton(tr("Set up…"))
        set_up.setDefault(True)
        set_up.clicked.connect(self.set_up_wanted.emit)
        check = QPushButton(tr("Check environment…"))
        check.clicked.connect(self.check_wanted.emit)
        buttons = QHBoxLayout()
        buttons.addWidget(set_up)
        buttons.addWidget(check)
        buttons.addStretch(1)
        column = QVBoxLayout(self)
        column.addWidget(words)
        column.addWidget(self.reason)
        column.addLayout(buttons)
        self.hide()
