"""What is going on, how long it will take, and Cancel."""

from __future__ import annotations

from qgis.PyQt.QtCore import Qt, pyqtSignal
from qgis.PyQt.QtWidgets import QGridLayout, QLabel, QProgressBar, QPushButton, QWidget

from ..translate import tr, unit_name


def spoken_time(seconds: float) -> str:
    """A duration as people say it."""
    if seconds < 90:
        return tr("{:.0f} s left").format(max(1.0, seconds))
    if seconds < 5400:
        return tr("{:.0f} min left").format(seconds / 60)
    return tr("{:.1f} h left").format(seconds / 3600)


class ProgressStrip(QWidget):
    """Hidden while nothing runs.

    Signals:
        cancelled: The user wants an end.
    """

    cancelled = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title = QLabel()
        self.title.setTextFormat(Qt.TextFormat.PlainText)
        self.title.setWordWrap(True)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setMaximumHeight(12)
        self.words = QLabel()
        self.words.setTextFormat(Qt.TextFormat.PlainText)
        self.words.setWordWrap(True)
        self.cancel = QPushButton(tr("Cancel"))
        self.cancel.clicked.connect(self._cancel)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(2)
        grid.setColumnStretch(0, 1)
        grid.addWidget(self.title, 0, 0, 1, 2)
        grid.addWidget(self.bar, 1, 0)
        grid.addWidget(self.words, 2, 0)
        grid.addWidget(self.cancel, 1, 1, 2, 1)
        self.hide()

    def begin(self, words: str) -> None:
        """Show an endless bar until the first number arrives."""
        self.bar.setRange(0, 0)
        self.title.setText(words)
        self.words.setText(tr("Starting…"))
        self.cancel.setEnabled(True)
        self.show()

    def progress(self, done: int, total: int, unit: str, left: float | None) -> None:
        """Move the bar and say where it is."""
        self.bar.setRange(0, max(0, total))
        self.bar.setValue(done)
        words = tr("{} of {} {}").format(done, total, unit_name(unit)) if total else unit_name(unit)
        self.words.setText(words if left is None else f"{words} · {spoken_time(left)}")

    def say(self, words: str) -> None:
        """Replace the words under the bar."""
        self.words.setText(words)

    def end(self) -> None:
        """Go."""
        self.hide()

    def _cancel(self) -> None:
        self.cancel.setEnabled(False)
        self.words.setText(tr("Stopping…"))
        self.cancelled.emit()
