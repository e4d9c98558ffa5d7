"""The panel: which raster, where, tabs for what to ask, progress, and what the answers become."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qgis.core import Qgis, QgsProject, QgsRasterLayer
from qgis.gui import QgsDockWidget, QgsProjectionSelectionDialog
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtWidgets import QFormLayout, QPushButton, QTabWidget, QVBoxLayout, QWidget

from .. import indexes, jobs, layers, log, settings, sources
from ..protocol import BackendError, Request
from ..session import Session
from ..translate import tr
from .describe_tab import DescribeTab
from .layer_box import LayerBox
from .outline_tab import OutlineTab
from .progress_bar import ProgressStrip
from .report_dialog import ReportDialog
from .results import Results
from .search_tab import SearchTab
from .setup_dialog import SetupDialog
from .web_layers import WebLayers
from .welcome import Welcome
from .where import WhereBox

Done = Callable[[dict], None]


def unwritten(error: OSError) -> BackendError:
    """What the system said of a file or folder of ours, for people."""
    return BackendError(
        tr("{} cannot be written: {}.").format(error.filename or tr("A file"), error.strerror or error),
        tr("Check free space and permissions, or choose another folder in the options."), "output")


class SearchDock(QgsDockWidget):
    """Asks the session, and turns what it gives into layers; computes nothing itself."""

    def __init__(self, iface: Any, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(tr("Search imagery by text"), parent)
        self.setObjectName("rsvlmPanel")
        self.setAllowedAreas(Qt.DockWidgetArea.LeftDockWidgetArea | Qt.DockWidgetArea.RightDockWidgetArea)
        self._iface, self._session = iface, session
        self._done: Done | None = None
        self._asked: Callable[[QgsRasterLayer, str], None] | None = None
        self._again: tuple[Request, str, Done] | None = None
        self._part: Callable[[Request], Done] | None = None  # what becomes of the finished part of a stopped request
        self._running = ""
        self._left = False
        self._seen = False

        self.layer = LayerBox()
        self.where = WhereBox(iface.mapCanvas())
        self.search = SearchTab(iface)
        self.outline = OutlineTab(iface)
        self.describe = DescribeTab(iface)
        self.web = WebLayers(iface)
        self.results = Results(self.search, self.outline, self.describe, self._pictures, self.web.holes)
        self.tabs = QTabWidget()
        self.tabs.addTab(self.search, tr("Search"))
        self.tabs.addTab(self.outline, tr("Outline"))
        self.tabs.addTab(self.describe, tr("Describe"))
        self.tabs.setUsesScrollButtons(False)  # in a narrow panel words are cut, none is hidden
        self.tabs.setElideMode(Qt.TextElideMode.ElideRight)
        self.progress = ProgressStrip()

        self.welcome = Welcome()
        self.welcome.set_up_wanted.connect(self.set_up)
        self.welcome.check_wanted.connect(self.check)

        form = QFormLayout()
        form.addRow(tr("Raster"), self.layer)
        form.addRow(tr("Where"), self.where)
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.addWidget(self.welcome)
        column.addLayout(form)
        column.addWidget(self.tabs, 1)
        column.addWidget(self.progress)
        self.setWidget(inside)

        self.search.wanted.connect(self.start_search)
        self.search.heatmap_wanted.connect(self.start_heatmap)
        self.search.index.build_wanted.connect(self.start_index)
        self.search.index.delete_wanted.connect(self.delete_index)
        self.layer.layerChanged.connect(self._show_index)
        self.outline.wanted.connect(self.start_outline)
        self.outline.failed.connect(self._complain)
        self.describe.draw_wanted.connect(self.where.start_drawing)
        self.describe.caption_wanted.connect(self.start_caption)
        self.describe.answer_wanted.connect(self.start_answer)
        self.where.drawn.connect(self._drawn)
        self.web.begun.connect(lambda words: (self.progress.begin(words), self._state()))
        self.web.progressed.connect(self.progress.progress)
        self.web.ended.connect(self._exported)
        self.progress.cancelled.connect(self.web.cancel)
        self.progress.cancelled.connect(session.stop)
        session.changed.connect(self._state)
        session.progressed.connect(self.progress.progress)
        session.silent.connect(self._silent)
        session.logged.connect(self._log)
        session.ended.connect(self._ended)
        session.kept.connect(self._kept)
        session.looked.connect(self._looked)
        iface.currentLayerChanged.connect(self._follow)
        QgsProject.instance().cleared.connect(self._project_closed)
        self._follow(iface.activeLayer())
        self._show_index()

    def leave(self) -> None:
        """Let go of everything outside the panel; called before it is deleted."""
        if self._left:
            return
        self._left = True
        self._iface.currentLayerChanged.disconnect(self._follow)
        QgsProject.instance().cleared.disconnect(self._project_closed)
        for signal, slot in (
            (self._session.changed, self._state), (self._session.progressed, self.progress.progress),
            (self._session.silent, self._silent), (self._session.logged, self._log),
            (self._session.ended, self._ended), (self._session.kept, self._kept),
            (self._session.looked, self._looked),
            (self.progress.cancelled, self._session.stop),
        ):
            signal.disconnect(slot)
        self.web.leave()
        self.where.leave()
        self.search.clear()
        self.outline.clear()

    def showEvent(self, event: Any) -> None:
        """The first time it is seen, find out whether there is an engine."""
        super().showEvent(event)
        if not self._seen:
            self._seen = True
            self._session.look()

    # what the user asks
    def find(self, kind: str, words: str) -> None:
        """Search or outline `words` in the chosen raster: what the locator bar asks."""
        self.setUserVisible(True)
        if kind == "outline":
            self.tabs.setCurrentWidget(self.outline)
            self.outline.text.setText(words)
            self.start_outline()
        else:
            self.tabs.setCurrentWidget(self.search)
            self.search.text.lineEdit().setText(words)
            self.start_search()

    def show_for(self, layer: Any) -> None:
        """Open for a raster: what the layer's menu asks."""
        self.setUserVisible(True)
        self._follow(layer)
        self.search.text.lineEdit().setFocus()

    def set_up(self) -> None:
        """Make an environment, or name one."""
        dialog = SetupDialog(self._iface.mainWindow())
        dialog.exec()
        dialog.deleteLater()
        self.settings_changed()

    def check(self) -> None:
        """Show the report."""
        dialog = ReportDialog(self._iface.mainWindow())
        dialog.exec()
        dialog.deleteLater()

    def choose_crs(self) -> bool:
        """Ask where the chosen rasters lie that do not say so, then do what was asked; whether all are placed."""
        for layer in (self.layer.currentLayer(), *self.layer.others()):
            if layer is not None and not layer.crs().isValid():
                dialog = QgsProjectionSelectionDialog(self._iface.mainWindow())
                dialog.setWindowTitle(tr("Coordinate system of “{}”").format(layer.name()))
                dialog.setCrs(self._iface.mapCanvas().mapSettings().destinationCrs())
                chosen = dialog.crs() if dialog.exec() else None
                dialog.deleteLater()
                if chosen is None or not chosen.isValid():
                    return False
                layer.setCrs(chosen)
        if self._asked is not None:
            self._ask(self._asked)
        return True

    def settings_changed(self) -> None:
        """Another interpreter, device or folder: the next request starts a child that knows."""
        self._session.forget_worker()
        self._session.look()

    def start_search(self) -> None:
        """Search with what the boxes say."""
        def ask(layer: QgsRasterLayer, source: str) -> None:
            words = "; ".join(jobs.split_texts(self.search.text.currentText())) or tr("examples")
            out = layers.result_path(settings.results_folder(), "places", words, ".gpkg")
            others = [sources.raster_source(other) for other in self.layer.others()]
            request = self.search.request(
                [source, *others], self._extent(layer), self.where.within(), out, **self._common())
            self.search.remember()
            self._run(request, tr("Searching for “{}”…").format(words),
                      lambda result: self.results.show_hits(layer, request, result))

        self._ask(ask)

    def start_index(self) -> None:
        """Build, continue or update the index of the chosen raster, all of it."""
        def ask(layer: QgsRasterLayer, source: str) -> None:
            folder = indexes.folder_of(source)
            fresh = indexes.status(source).kind == indexes.BUILT
            indexes.begin(folder)

            def done(result: dict[str, Any]) -> None:
                indexes.remember(source, folder, int(result.get("tiles") or 0))

            request = jobs.build_index([source], folder, fresh=fresh or None, **self._common())
            self._run(request, tr("Building the index…"), done)

        self._ask(ask)

    def delete_index(self) -> None:
        """Delete the index of the chosen raster."""
        def ask(layer: QgsRasterLayer, source: str) -> None:
            self._session.forget_worker()  # it may have the files open
            indexes.delete(source)
            self._show_index()

        if not self._session.busy:
            self._ask(ask)

    def _show_index(self) -> None:
        layer = self.layer.currentLayer()
        status = None
        if sources.is_file(layer) and not sources.needs_export(layer):
            try:
                status = indexes.status(sources.raster_source(layer))
            except BackendError:
                status = None  # a layer that cannot be searched says why when it is searched
        self.search.index.show_status(status)

    def start_heatmap(self, text: str) -> None:
        """Make the heatmap of a text."""
        def ask(layer: QgsRasterLayer, source: str) -> None:
            out = layers.result_path(settings.results_folder(), "heatmap", text, ".tif")
            request = jobs.heatmap(source, text, out, extent=self.where.extent(layer), **self._common())
            self._run(request, tr("Heatmap of “{}”…").format(text),
                      lambda result: self.results.show_heatmap(layer, request, result))

        self._ask(ask)

    def start_outline(self) -> None:
        """Outline what the boxes say."""
        def ask(layer: QgsRasterLayer, source: str) -> None:
            words = "; ".join(jobs.split_texts(self.outline.text.text()))
            out = layers.result_path(settings.results_folder(), "outlines", words, ".gpkg")
            others = [sources.raster_source(other) for other in self.layer.others()]
            scores, cosines = ("" if others else layers.result_path(settings.scratch_folder(), kind, words, ".tif")
                               for kind in ("scores", "cosines"))
            request = self.outline.request(
                [source, *others], self._extent(layer), self.where.within(), out, scores, cosines, **self._common())

            def shown(request: Request) -> Done:
                return lambda result: self.results.show_masks(layer, request, result)

            self._run(request, tr("Outlining “{}”…").format(words), shown(request), shown)

        self._ask(ask)

    def start_caption(self) -> None:
        """Describe what lies in the chosen extent."""
        def ask(layer: QgsRasterLayer, source: str) -> None:
            extent = self.where.extent(layer)
            place = self.describe.place(layer, extent)
            request = self.describe.caption_request(source, extent, **self._common(bands=False))
            self._run(request, tr("Looking at the place…"),
                      lambda result: self.describe.show_answer(place, request, result))

        self._ask(ask)

    def start_answer(self) -> None:
        """Answer the question about the chosen extent."""
        def ask(layer: QgsRasterLayer, source: str) -> None:
            extent = self.where.extent(layer)
            place = self.describe.place(layer, extent)
            question = self.describe.question.text().strip()
            out = layers.result_path(settings.results_folder(), "evidence", question, ".gpkg")
            request = self.describe.answer_request(source, extent, out=out, **self._common(bands=False))
            self._run(request, tr("Looking at the place…"),
                      lambda result: self.results.show_evidence(layer, place, request, result))

        self._ask(ask)

    def _drawn(self) -> None:
        """A rectangle drawn while the tab Describe is open is described, or asked about, at once."""
        if self.tabs.currentWidget() is self.describe and not self._session.busy:
            if self.describe.question.text().strip():
                self.start_answer()
            else:
                self.start_caption()

    def _common(self, bands: bool = True) -> dict[str, Any]:
        layer = self.layer.currentLayer()
        return {
            "bands": sources.renderer_bands(layer) if bands and not sources.needs_export(layer) else None,
            "model": settings.model() or None,
            "device": settings.device() if settings.device() != "auto" else None,
        }

    def _ask(self, ask: Callable[[QgsRasterLayer, str], None]) -> None:
        """Call `ask` with the chosen layer and its source; what it refuses is said, not raised.

        A layer that the backend cannot open is drawn into a file first.
        """
        self._asked = ask
        try:
            self._session.check_free()
            layer = self.layer.currentLayer()
            if sources.needs_export(layer):
                self.web.export(layer, self.where.extent(layer), self._gsd(),
                                lambda path: self._ask_with(ask, layer, path))
            else:
                ask(layer, sources.raster_source(layer))
        except BackendError as fault:
            self._complain(fault)
        except OSError as error:
            self._complain(unwritten(error))

    def _extent(self, layer: QgsRasterLayer) -> list[float] | None:
        """Where to look, in the CRS of the first raster, and over the further ones too."""
        return self.where.extent(layer, self.layer.others())

    def _ask_with(self, ask: Callable[[QgsRasterLayer, str], None], layer: QgsRasterLayer, path: str) -> None:
        """Call `ask` with a drawn layer, if that is still there."""
        try:
            if layers.alive(layer) is not None:
                ask(layer, path)
        except BackendError as fault:
            self._complain(fault)
        except OSError as error:
            self._complain(unwritten(error))

    def _gsd(self) -> float | None:
        """The finest pixel size that the user wants, for layers that have none of their own."""
        sizes = jobs.split_sizes(self.search.sizes.text())
        return min(sizes) if sizes else None

    def _run(
        self, request: Request, words: str, done: Done, part: Callable[[Request], Done] | None = None
    ) -> None:
        self._session.run(request)
        self._running = request.op
        self._done, self._part = done, part
        self._again = (request, words, done)
        self.progress.begin(words)

    def _project_closed(self) -> None:
        """What was asked in one project must not appear in the next; an index belongs to its raster and goes on."""
        self._again = None
        self.web.cancel()
        if self._running != "build_index":
            self._session.stop()

    def _run_again(self) -> None:
        """After the engine died: the same request to a new one, which continues what is finished."""
        if self._again is not None and not self._session.busy:
            self._run(*self._again)

    def _run_part(self, request: Request, words: str, part: Callable[[Request], Done]) -> bool:
        """After a request was stopped: what is finished of it, without another look; whether that could begin."""
        finished = jobs.only_finished(request)
        try:
            self._run(finished, words, part(finished), part)
        except BackendError as fault:
            self._complain(fault)
            return False
        return True

    # what the session tells
    def _ended(self, result: dict[str, Any] | None, fault: BackendError | None, request: Request) -> None:
        self.progress.end()
        done, self._done = self._done, None
        try:
            if fault is not None:
                raise fault
            if done is not None:
                done(result or {})
                self._tell_what_lacks(result or {})
        except BackendError as error:
            self._complain(error)
        except OSError as error:
            self._complain(unwritten(error))
        self._show_index()

    def _kept(self, request: Request, fault: BackendError) -> None:
        """What is kept of a stopped request is known now; it is of interest until another one began."""
        if self._again is not None and self._again[0] is request:
            self._complain(fault)

    def _tell_what_lacks(self, result: dict[str, Any]) -> None:
        """A result that came is not whole: how much is missing, and why; all of it lies in the log."""
        lacks = jobs.shortfalls(result)
        failed = result.get("failed") or []
        if isinstance(failed, list) and failed:
            log.write("\n".join(str(one) for one in failed), "warning")
        if lacks:
            self._say(" ".join(lacks), tr("Log") if failed else "", self._iface.openMessageLog)

    def _say(self, said: str, offered: str = "", work: Callable[[], Any] | None = None,
             level: Any = Qgis.MessageLevel.Warning) -> None:
        """A message that stays until it is closed, with a button where there is something to do."""
        bar = self._iface.messageBar()
        words = bar.createMessage(self.windowTitle(), said)
        if offered and work is not None:
            button = QPushButton(offered)
            button.clicked.connect(lambda: work() is not False and bar.popWidget(words))
            words.layout().addWidget(button)
        bar.pushWidget(words, level)

    def _complain(self, fault: BackendError) -> None:
        """One message for a fault, with what to do; details lie in the log."""
        if fault.code == "environment":
            self._looked(fault)
            return
        if fault.code == "stopped":
            if jobs.percent(fault.finished) and self._part is not None and self._again is not None:
                (request, words, _), part = self._again, self._part
                self._say(str(fault), tr("Outline that part"), lambda: self._run_part(request, words, part),
                          Qgis.MessageLevel.Info)
            else:
                self._iface.messageBar().pushMessage(self.windowTitle(), str(fault), Qgis.MessageLevel.Info, 5)
            return
        bar = self._iface.messageBar()
        words = bar.createMessage(self.windowTitle(), str(fault))
        if fault.details:
            button = QPushButton(tr("Log"))
            button.clicked.connect(self._iface.openMessageLog)
            words.layout().addWidget(button)
        if fault.code == "died" and self._again is not None:
            button = QPushButton(tr("Restart"))
            button.setToolTip(tr("Start the search engine again, and what it was doing"))
            button.clicked.connect(lambda: (bar.popWidget(words), self._run_again()))
            words.layout().addWidget(button)
        if fault.code == "crs":
            button = QPushButton(tr("Choose…"))
            button.clicked.connect(lambda: self.choose_crs() and bar.popWidget(words))
            words.layout().addWidget(button)
        bar.pushWidget(words, Qgis.MessageLevel.Warning)

    def _looked(self, fault: BackendError | None) -> None:
        """There is an engine, or the panel says how to get one."""
        self.welcome.setVisible(fault is not None)
        self.tabs.setEnabled(fault is None)
        if fault is not None:
            self.welcome.reason.setText(fault.message)

    def _exported(self, words: str, fault: BackendError | None) -> None:
        """A layer was drawn into a file, or was not."""
        self.progress.end()
        self._state()
        if fault is not None:
            self._complain(fault)
        elif words:
            self._say(words, tr("Fetch again"), self._fetch_again)

    def _fetch_again(self) -> None:
        """Draw what has empty places anew, for what was asked last."""
        self.web.forget_holes()
        if self._asked is not None:
            self._ask(self._asked)

    def _state(self) -> None:
        free = not self._session.busy and not self.web.busy
        for button in (self.search.button, self.search.heatmap, self.search.index.button, self.outline.button,
                       self.describe.button, self.describe.ask):
            button.setEnabled(free)

    def _silent(self, is_silent: bool) -> None:
        if is_silent:
            self.progress.say(tr("The search engine has not been heard for a while. Wait, or Cancel."))

    def _log(self, level: str, text: str) -> None:
        log.write(text, level)

    def _pictures(self, raster: Any) -> list[QgsRasterLayer]:
        """What small pictures are drawn from."""
        first = self.web.picture_layer(raster)
        return [*([first] if first is not None else []), *self.layer.others()]

    def _follow(self, layer: Any) -> None:
        """The raster that is active in the layer panel is the one to search, unless it is a result of ours."""
        if isinstance(layer, QgsRasterLayer) and not layers.is_ours(layer):
            self.layer.setLayer(layer)
