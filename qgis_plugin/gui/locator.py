"""`find WORDS` in QGIS's locator bar."""

from __future__ import annotations

import os
from typing import Any

from qgis.core import QgsFeedback, QgsLocatorContext, QgsLocatorFilter, QgsLocatorResult
from qgis.PyQt.QtCore import QObject, pyqtSignal
from qgis.PyQt.QtGui import QIcon

from .. import compat, settings
from ..translate import tr
from .where import ICONS

SEARCH, OUTLINE = "search", "outline"
SHOWN = 6


class Bell(QObject):
    """Carries a choice from whichever copy of the filter to the panel.

    Signals:
        rung: `search` or `outline`, and the text.
    """

    rung = pyqtSignal(str, str)


class SearchLocator(QgsLocatorFilter):
    """Offers to search, or outline, what is typed, and what was searched before."""

    def __init__(self, bell: Bell) -> None:
        super().__init__()
        self._bell = bell
        self._history: list[str] = []

    def clone(self) -> SearchLocator:
        """QGIS works with copies, one a search."""
        return SearchLocator(self._bell)

    def name(self) -> str:
        """Stable."""
        return "rsvlm"

    def displayName(self) -> str:
        """In the options of the locator."""
        return tr("Search imagery by text")

    def prefix(self) -> str:
        """Fewer than three characters are QGIS's own."""
        return "find"

    def prepare(self, text: str, context: QgsLocatorContext) -> list[str]:
        """Main thread."""
        self._history = settings.history()
        return []

    def fetchResults(self, text: str, context: QgsLocatorContext, feedback: QgsFeedback) -> None:
        """Any thread; asks nobody, so it is instant. Without the prefix it stays out of the way."""
        words = text.strip()
        if not context.usingPrefix or len(words) < 2:
            return
        self._offer(SEARCH, words, tr("Find places: {}").format(words), "search.svg", 1.0)
        self._offer(OUTLINE, words, tr("Outline: {}").format(words), "segment.svg", 0.9)
        older = [old for old in self._history if words.lower() in old.lower() and old != words]
        for old in older[:SHOWN]:
            self._offer(SEARCH, old, tr("Find places: {}").format(old), "search.svg", 0.5)

    def _offer(self, kind: str, words: str, shown: str, icon: str, score: float) -> None:
        result = QgsLocatorResult(self, shown, [kind, words])
        result.icon = QIcon(os.path.join(ICONS, icon))
        result.score = score
        self.resultFetched.emit(result)

    def triggerResult(self, result: QgsLocatorResult) -> None:
        """Main thread: the user has chosen."""
        data: Any = compat.locator_data(result)
        self._bell.rung.emit(str(data[0]), str(data[1]))
