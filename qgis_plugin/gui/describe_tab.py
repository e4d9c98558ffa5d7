"""The tab for words about a place: draw a rectangle and read what it shows, or ask about it."""

from __future__ import annotations

import html
import os
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from qgis.core import QgsCoordinateReferenceSystem, QgsGeometry, QgsRasterLayer, QgsRectangle
from qgis.PyQt.QtCore import QUrl, pyqtSignal
from qgis.PyQt.QtGui import QGuiApplication, QIcon
from qgis.PyQt.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QPushButton, QTextBrowser, QVBoxLayout, QWidget

from .. import jobs
from ..protocol import Request
from ..translate import tr
from . import places
from .where import ICONS


@dataclass(frozen=True)
class Place:
    """An extent of a raster, in the raster's CRS."""

    raster_name: str
    box: QgsRectangle
    crs: QgsCoordinateReferenceSystem


def sentence(words: str) -> str:
    """What a model says, which knows neither capitals nor where points stand, as people write it."""
    tidy = re.sub(r"\s+([.,;:!?])", r"\1", words.strip())
    return tidy[:1].upper() + tidy[1:]


class DescribeTab(QWidget):
    """Asks for captions and answers, and keeps them as a list.

    Signals:
        draw_wanted: The user wants to draw a rectangle.
        caption_wanted: The user wants to know what is there.
        answer_wanted: The user has a question.
    """

    draw_wanted = pyqtSignal()
    caption_wanted = pyqtSignal()
    answer_wanted = pyqtSignal()

    def __init__(self, iface: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._iface = iface
        self._places: list[Place] = []
        self._lines: list[str] = []
        self._plain: list[str] = []

        hint = QLabel(tr("Draw a rectangle on the map to read what it shows. A few hundred metres work best."))
        hint.setWordWrap(True)
        self.draw = QPushButton(QIcon(os.path.join(ICONS, "rectangle.svg")), tr("Draw"))
        self.draw.clicked.connect(self.draw_wanted.emit)
        self.button = QPushButton(QIcon(os.path.join(ICONS, "caption.svg")), tr("Describe"))
        self.button.setToolTip(tr("Describe what lies in the extent chosen under Where"))
        self.button.clicked.connect(self.caption_wanted.emit)
        self.question = QLineEdit()
        self.question.setPlaceholderText(tr("Ask about it: how many buildings are there?"))
        self.question.setClearButtonEnabled(True)
        self.question.setAccessibleName(tr("Question"))
        self.question.returnPressed.connect(self.answer_wanted.emit)
        self.ask = QPushButton(tr("Ask"))
        self.ask.clicked.connect(self.answer_wanted.emit)
        self.answers = QTextBrowser()
        self.answers.setOpenLinks(False)
        self.answers.anchorClicked.connect(self._clicked)
        self.answers.setAccessibleName(tr("Descriptions and answers"))
        self.answers.setPlaceholderText(tr("Descriptions and answers appear here."))
        self.copy = QPushButton(tr("Copy all"))
        self.copy.clicked.connect(lambda: QGuiApplication.clipboard().setText("\n".join(self._plain)))
        self.clear_all = QPushButton(tr("Clear"))
        self.clear_all.clicked.connect(self.clear)
        self.answers.textChanged.connect(self._state)
        self._state()

        first, second, third = QHBoxLayout(), QHBoxLayout(), QHBoxLayout()
        first.addWidget(self.draw)
        first.addWidget(self.button)
        first.addStretch(1)
        second.addWidget(self.question, 1)
        second.addWidget(self.ask)
        third.addStretch(1)
        third.addWidget(self.copy)
        third.addWidget(self.clear_all)
        column = QVBoxLayout(self)
        column.addWidget(hint)
        column.addLayout(first)
        column.addLayout(second)
        column.addWidget(self.answers, 1)
        column.addLayout(third)

    def caption_request(self, source: str, extent: list[float] | None, **common: Any) -> Request:
        """What is there."""
        return jobs.caption(source, extent=extent, **common)

    def answer_request(self, source: str, extent: list[float] | None, **common: Any) -> Request:
        """The question of the box.

        Raises:
            BackendError: The box is empty.
        """
        return jobs.ask(source, self.question.text(), extent=extent, **common)

    def place(self, raster: QgsRasterLayer, extent: list[float] | None) -> Place:
        """What is described, copied out of a layer that may be gone when the answer comes."""
        return Place(raster.name(), QgsRectangle(*extent) if extent else raster.extent(), raster.crs())

    def show_answer(self, place: Place, request: Request, result: dict[str, Any]) -> None:
        """Add a sentence to the list, newest first, with a link to its place."""
        self._places.append(place)
        question = str(request.params.get("question", ""))
        words = sentence(str(result.get("text") or tr("No answer.")))
        where = places.coordinates([QgsGeometry.fromRect(place.box)], place.crs)
        line = "<p>{}<b>{}</b><br/>{} · {} · {}</p>".format(
            f"<i>{html.escape(question)}</i><br/>" if question else "",
            html.escape(words),
            f'<a href="place:{len(self._places) - 1}">{where}</a>',
            html.escape(place.raster_name),
            datetime.now().strftime("%H:%M"),
        )
        self._lines.insert(0, line)
        self._plain.insert(0, "\t".join([where, question, words]))
        self.answers.setHtml("".join(self._lines))

    def _state(self) -> None:
        for button in (self.copy, self.clear_all):
            button.setEnabled(bool(self._lines))

    def clear(self) -> None:
        """Forget all."""
        self._places.clear()
        self._lines.clear()
        self._plain.clear()
        self.answers.clear()

    def _clicked(self, link: QUrl) -> None:
        number = int(link.path() or link.toString().split(":")[1])
        if 0 <= number < len(self._places):
            place = self._places[number]
            places.zoom_to(self._iface.mapCanvas(), QgsGeometry.fromRect(place.box), place.crs)
