"""The Processing provider; imports no window, so it serves qgis_process and the model designer too."""

from __future__ import annotations

import os

from qgis.core import QgsProcessingProvider
from qgis.PyQt.QtGui import QIcon

from .algorithms import ALGORITHMS
from .translate import tr

ICONS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "icons")


class RsvlmProvider(QgsProcessingProvider):
    """Everything the backend does, for the toolbox, models, batch runs and qgis_process."""

    def id(self) -> str:
        """Stable: scripts and models store it."""
        return "rsvlm"

    def name(self) -> str:
        """Heading in the toolbox."""
        return tr("Search imagery by text")

    def longName(self) -> str:
        """Heading where there is room."""
        return tr("Search imagery by text (rsvlm)")

    def icon(self) -> QIcon:
        """The plugin's icon."""
        return QIcon(os.path.join(ICONS, "search.svg"))

    def loadAlgorithms(self) -> None:
        """Register all algorithms."""
        for algorithm in ALGORITHMS:
            self.addAlgorithm(algorithm())
