"""Wires the plugin into QGIS and out of it again; nothing is decided here."""

from __future__ import annotations

import os
from typing import Any

from qgis.core import QgsApplication, QgsSettings
from qgis.PyQt.QtCore import QCoreApplication, Qt, QTranslator
from qgis.PyQt.QtGui import QIcon, QKeySequence
from qgis.PyQt.QtWidgets import QAction

from . import log
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
        self._layer_actions: list[QAction] = []
        self._options: Any = None
        self._locator: Any = None
        self._bell: Any = None
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
        self._offer_elsewhere()

    def _offer_elsewhere(self) -> None:
        """The layer's menu, the options, and the locator bar."""
        from . import compat
        from .gui.locator import Bell, SearchLocator
        from .gui.options_page import OptionsFactory

        for icon, words, work in (
            ("search.svg", tr("Search this layer by text…"), lambda: self.dock.show_for(self.iface.activeLayer())),
            ("training.svg", tr("Make a training set of this layer…"), self._make_training_set),
        ):
            action = QAction(QIcon(os.path.join(HERE, "icons", icon)), words, self.iface.mainWindow())
            action.triggered.connect(lambda checked=False, work=work: work())
            self.iface.addCustomActionForLayerType(action, "", compat.RASTER_LAYER, True)
            self._layer_actions.append(action)
        self._options = OptionsFactory(self.dock.settings_changed)
        self.iface.registerOptionsWidgetFactory(self._options)
        self._bell = Bell()
        self._bell.rung.connect(self.dock.find)
        self._locator = SearchLocator(self._bell)
        self.iface.registerLocatorFilter(self._locator)

    def _make_training_set(self) -> None:
        """The algorithm's own dialog, with the raster in it."""
        layer = self.iface.activeLayer()
        try:
            from processing import execAlgorithmDialog
        except ImportError:  # QGIS's plugin Processing is switched off
            self.iface.messageBar().pushMessage(
                tr("Search imagery by text"), tr("Switch the plugin Processing on in the plugin manager."))
            return
        execAlgorithmDialog("rsvlm:maketrainingset", {"INPUT": layer.id()} if layer is not None else {})

    def unload(self) -> None:
        """Take everything out again, children last."""
        if self.provider is not None:
            QgsApplication.processingRegistry().removeProvider(self.provider)
            self.provider = None
        for action in self._layer_actions:
            self.iface.removeCustomActionForLayerType(action)
            action.deleteLater()
        self._layer_actions.clear()
        if self._options is not None:
            self.iface.unregisterOptionsWidgetFactory(self._options)
            self.iface.deregisterLocatorFilter(self._locator)
            self._options = self._locator = self._bell = None
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
        log.close()
        if self._translator is not None:
            QCoreApplication.removeTranslator(self._translator)
            self._translator = None
