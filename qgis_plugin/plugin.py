"""Wires the plugin into QGIS and out of it again; nothing is decided here."""

from __future__ import annotations

import os
from typing import Any

from qgis.core import QgsApplication, QgsSettings
from qgis.PyQt.QtCore import QCoreApplication, Qt, QTranslator
from qgis.PyQt.QtGui import QIcon, QKeySequence
from qgis.PyQt.QtWidgets import QAction

from .provider import RsvlmProvider
from .translate import tr

HERE = os.path.dirname(os.path.abspath(__file__))


class SearchImageryByText:
    """The plugin object that QGIS keeps. `iface` is None under qgis_process: then there is only the provider."""

    def __init__(self, iface: Any) -> None:
        self.iface = iface
        self.provider: RsvlmProvider | None = None
        self.dock: Any = None
        self._actions: list[QAction] = []
        self._session: Any = None
        self._translator: QTranslator | None = None
        self._translate()

    def _translate(self) -> None:
        """Load the user's language, where there is one."""
        language = str(QgsSettings().value("locale/userLocale", "en"))[:2]
        path = os.path.join(HERE, "i18n", f"search_imagery_by_text_{language}.qm")
        if os.path.exists(path):
            self._translator = QTranslator()
            self._translator.load(path)
            QCoreApplication.installTranslator(self._translator)

    def initProcessing(self) -> None:
        """Register the algorithms; all that qgis_process calls."""
        self.provider = RsvlmProvider()
        QgsApplication.processingRegistry().addProvider(self.provider)

    def initGui(self) -> None:
        """Add the panel and its menu entry; the engine starts with the first search."""
        self.initProcessing()
        from .gui.dock import SearchDock
        from .session import Session

        self._session = Session()
        self.dock = SearchDock(self.iface, self._session)
        self.iface.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, self.dock)
        self.dock.hide()
        action = QAction(QIcon(os.path.join(HERE, "icons", "search.svg")), tr("Search imagery by text"),
                         self.iface.mainWindow())
        action.setObjectName("rsvlmTogglePanel")
        action.setCheckable(True)
        action.setShortcut(QKeySequence("Ctrl+Alt+F"))
        action.toggled.connect(self.dock.setUserVisible)
        self.dock.visibilityChanged.connect(action.setChecked)
        self.iface.addPluginToRasterMenu(tr("Search imagery by text"), action)
        self.iface.addToolBarIcon(action)
        self._actions.append(action)

    def unload(self) -> None:
        """Take everything out again, children last."""
        if self.provider is not None:
            QgsApplication.processingRegistry().removeProvider(self.provider)
            self.provider = None
        for action in self._actions:
            self.iface.removePluginRasterMenu(tr("Search imagery by text"), action)
            self.iface.removeToolBarIcon(action)
            action.deleteLater()
        self._actions.clear()
        if self.dock is not None:
            self.dock.leave()
            self.iface.removeDockWidget(self.dock)
            self.dock.deleteLater()
            self.dock = None
        if self._session is not None:
            self._session.close()
            self._session = None
        if self._translator is not None:
            QCoreApplication.removeTranslator(self._translator)
            self._translator = None
