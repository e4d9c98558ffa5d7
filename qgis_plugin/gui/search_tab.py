"""The tab for text search: words, how many, the places found as pictures, and what can be done with them."""

from __future__ import annotations

from dataclasses import replace
from html import escape
from typing import Any

from qgis.core import QgsProject, QgsRasterLayer, QgsVectorLayer
from qgis.PyQt.QtCore import Qt, pyqtSignal
from qgis.PyQt.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QPushButton,
    QSizePolicy,
    QSlider,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from .. import indexes, jobs, layers, settings
from ..protocol import Request
from ..translate import tr
from . import places
from .examples import LIKE, UNLIKE, ExamplesBar
from .hits_view import Hit, HitsView, read_hits
from .index_row import IndexRow

# Prompts that show what kind of words work. Not translated: the bundled model understands English.
EXAMPLES = ("houses", "dense forest", "a harbour with small boats", "solar panels on a roof",
            "a road crossing; a roundabout")


def _square(colour: str, words: str) -> str:
    """Words beside a square in a colour, as rich text."""
    return f'<span style="color:{colour}">■</span>&nbsp;{words}'


class SearchTab(QWidget):
    """Asks for a search and shows its result.

    Signals:
        wanted: The user asks for a search.
        heatmap_wanted: The user asks for the heatmap of a text.
    """

    wanted = pyqtSignal()
    heatmap_wanted = pyqtSignal(str)

    def __init__(self, iface: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._iface = iface
        self._layer: QgsVectorLayer | None = None
        self._heatmap: QgsRasterLayer | None = None
        self._heatmap_of = ("", "")  # its text, and id of the raster
        self._of = ""  # id of the raster of the result
        self._texts: list[str] = []
        self._tiles = 0

        self.text = QComboBox()
        self.text.setEditable(True)
        self.text.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.text.lineEdit().setPlaceholderText(tr("What to find, in English"))
        self.text.setToolTip(tr("What is seen from above, in English; several texts: separated by ;"))
        self.text.lineEdit().setClearButtonEnabled(True)
        self.text.setAccessibleName(tr("What to look for"))
        self.text.lineEdit().returnPressed.connect(self.wanted.emit)
        self._fill_history()
        self.button = QPushButton(tr("Search"))
        self.button.setDefault(True)
        self.button.clicked.connect(self.wanted.emit)

        self.top = QSpinBox()
        self.top.setRange(1, 500)
        self.top.setValue(20)
        self.top.setToolTip(tr("For each text"))
        self.top.setAccessibleName(tr("Number of places"))
        self.sizes = QLineEdit()
        self.sizes.setPlaceholderText(tr("automatic"))
        self.sizes.setAccessibleName(tr("Pixel sizes (m)"))
        self.sizes.setToolTip(tr("Metres per pixel to look at, separated by commas: small objects need small ones"))

        first = QHBoxLayout()
        first.addWidget(self.text, 1)
        first.addWidget(self.button)
        options = QFormLayout()
        second = QHBoxLayout()
        second.addWidget(self.top)
        second.addWidget(QLabel(tr("Pixels (m)")))
        second.addWidget(self.sizes, 1)
        options.addRow(tr("Places"), second)

        self.index = IndexRow()
        self.examples = ExamplesBar()
        self.examples.changed.connect(self._examples_changed)
        self.summary = QLabel()
        self.summary.setWordWrap(True)
        self.summary.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.legend = QLabel()
        self.legend.setTextFormat(Qt.TextFormat.RichText)
        self.legend.setWordWrap(True)
        self.confidence = QSlider(Qt.Orientation.Horizontal)
        self.confidence.setRange(0, 100)
        self.confidence.setAccessibleName(tr("Lowest confidence shown"))
        self.confidence.valueChanged.connect(self._filter)
        self.confidence_words = QLabel()
        self.heatmap = QCheckBox(tr("Heatmap"))
        self.heatmap.setToolTip(tr(
            "Show how much each place looks like the text; with several texts, like that of the marked picture"))
        self.heatmap.clicked.connect(self._toggle_heatmap)
        self.filters = QWidget()
        third = QHBoxLayout(self.filters)
        third.setContentsMargins(0, 0, 0, 0)
        third.addWidget(QLabel(tr("Confidence from")))
        third.addWidget(self.confidence, 1)
        third.addWidget(self.confidence_words)
        above = QHBoxLayout()
        above.setSpacing(12)
        above.addWidget(self.summary, 1)
        above.addWidget(self.heatmap)
        self.view = HitsView()
        self._hint = tr(
            "Type what is seen from above, in English; several texts: separated by\u00a0;\n\n"
            "Places appear here as pictures, best first.\n\nTry: {}").format(" · ".join(EXAMPLES[:4]))
        self.view.visited.connect(self.zoom_to)
        self.view.chosen.connect(self.select)
        self.view.menu_wanted.connect(self._menu)

        column = QVBoxLayout(self)
        column.addLayout(first)
        column.addLayout(options)
        column.addWidget(self.index)
        column.addWidget(self.examples)
        column.addLayout(above)
        column.addWidget(self.legend)
        column.addWidget(self.filters)
        column.addWidget(self.view, 1)
        self.clear()

    def _fill_history(self) -> None:
        self.text.clear()
        old = settings.history()
        self.text.addItems(old)
        if old:
            self.text.insertSeparator(len(old))
        self.text.addItems([example for example in EXAMPLES if example not in old])
        self.text.setCurrentIndex(-1)
        self.text.lineEdit().clear()

    def request(
        self, rasters: list[str], extent: list[float] | None, within: str | None, out: str, **common: Any
    ) -> Request:
        """The search that the boxes describe.

        Raises:
            BackendError: There is no text, or the pixel sizes are no numbers.
        """
        texts = jobs.split_texts(self.text.currentText())
        sizes = jobs.split_sizes(self.sizes.text())
        status = indexes.status(rasters[0])
        if status.kind == indexes.BUILT and sizes is None and len(rasters) == 1:
            rasters, common = [status.folder], {**common, "bands": None}  # an index has its own sizes and bands
        return jobs.search(
            rasters, texts, out, self.top.value(), extent=None if within else extent, within=within,
            gsds=sizes, like=self.examples.file(LIKE),
            unlike=self.examples.file(UNLIKE), **common)

    def remember(self) -> None:
        """Put the text into the history."""
        words = self.text.currentText().strip()
        if not words:
            return
        settings.remember(words)
        self._fill_history()
        self.text.lineEdit().setText(words)
        self.text.lineEdit().setCursorPosition(0)  # of a long one the beginning is seen

    def show_result(self, layer: QgsVectorLayer, rasters: list[QgsRasterLayer], result: dict[str, Any],
                    texts: list[str], of: str = "") -> None:
        """Show the places of a result layer; `of` is the id of the raster."""
        if self._heatmap_of[0] not in texts or self._heatmap_of[1] != of:
            self.hide_heatmap()
            self._lost_heatmap()
        self._forget_places()
        self._layer, self._texts, self._of = layer, texts, of
        layer.willBeDeleted.connect(self._lost)
        hits = read_hits(layer, texts)
        if len(texts) < 2:  # as on the map
            hits = [replace(hit, colour=layers.colour_of_confidence(hit.confidence)) for hit in hits]
        self.view.show_hits(rasters, hits)
        for kind in (LIKE, UNLIKE):
            boxes = [example.geometry.boundingBox() for example in self.examples.of(kind)]
            self.view.places.mark([hit.fid for hit in hits if hit.geometry.boundingBox() in boxes], kind)
        self._tiles = int(result.get("tiles_searched") or 0)
        steps = zip(layers.CONFIDENT, layers.CONFIDENT[1:], layers.SURE)
        self.legend.setText(" &nbsp; ".join(
            [self._sign(text) for text in texts] if len(texts) > 1 else
            [_square(colour, f"{100 * low:.0f}–{100 * high:.0f}&nbsp;%") for low, high, colour in steps]))
        self.legend.setVisible(bool(hits))
        self.summary.show()
        self.filters.setVisible(bool(hits))
        self.heatmap.setVisible(bool(hits))
        self.confidence.setValue(0)
        self._filter(0)

    def _sign(self, text: str) -> str:
        """A text beside its colour; a short one stays in one line."""
        words = escape(text) if len(text) > 30 else escape(text).replace(" ", "&nbsp;")
        return _square(layers.colour_of(self._texts, text), words)

    def show_heatmap(self, layer: QgsRasterLayer, text: str, of: str = "") -> None:
        """A heatmap of a text has come; `of` is the id of the raster."""
        self.hide_heatmap()
        self._lost_heatmap()
        self._heatmap, self._heatmap_of = layer, (text, of)
        layer.willBeDeleted.connect(self._lost_heatmap)
        self.heatmap.setChecked(True)

    def hide_heatmap(self) -> None:
        """Other results would lie under it; the box brings it back."""
        layers.hide(QgsProject.instance(), self._heatmap)
        self.heatmap.setChecked(False)

    def clear(self) -> None:
        """Show no result."""
        self._forget_places()
        self._lost_heatmap()

    def _forget_places(self) -> None:
        if self._layer is not None:
            self._layer.willBeDeleted.disconnect(self._lost)
            self._layer = None
        self.view.show_hits([], [])
        self.view.hint = self._hint
        self.summary.hide()
        self.legend.hide()
        self.filters.hide()
        self.heatmap.hide()

    def _lost(self) -> None:
        """The result layer was removed from the project."""
        self._layer = None
        self.clear()

    def _lost_heatmap(self) -> None:
        if layers.alive(self._heatmap) is not None:
            self._heatmap.willBeDeleted.disconnect(self._lost_heatmap)
        self._heatmap = None
        self.heatmap.setChecked(False)

    def _filter(self, percent: int) -> None:
        """Hide places below a confidence, in the list and on the map."""
        self.confidence_words.setText(f"{percent} %")
        self.view.filter.set_lowest(percent / 100)
        if self._layer is not None and not self._layer.isEditable():
            self._layer.setSubsetString(f'"confidence" >= {percent / 100 - 1e-6:.6f}' if percent else "")
            self._layer.triggerRepaint()
        if self._layer is not None:
            self._show_summary()

    def _show_summary(self) -> None:
        """How many places there are, how many of them are shown, and how closely was looked."""
        hits, shown = self.view.places.hits, self.view.model().rowCount()
        sizes = ", ".join(dict.fromkeys(f"{size:.3g}" for size in sorted({hit.gsd_m for hit in hits})))
        if shown < len(hits):
            words = tr("{} of {} places; {} tiles, pixels of {} m").format(shown, len(hits), self._tiles, sizes)
            self.view.hint = tr("No place is that sure. Move the slider to the left.")
        elif hits:
            words = tr("{} places; {} tiles, pixels of {} m").format(len(hits), self._tiles, sizes)
        else:
            words = tr("No place in {} tiles").format(self._tiles)
            self.view.hint = (
                tr("No place was found. Try other words, or a larger extent.") if self._tiles
                else tr("There is nothing to look at: no data, or less than a tile of it."))
        self.summary.setText(words)

    def _toggle_heatmap(self, wanted: bool) -> None:
        marked = self.view.selected()
        text = marked[0].text if marked and marked[0].text in self._texts else (self._texts or [""])[0]
        if self._heatmap is not None and (not wanted or self._heatmap_of == (text, self._of)):
            node = QgsProject.instance().layerTreeRoot().findLayer(self._heatmap.id())
            if node is not None:
                node.setItemVisibilityChecked(wanted)
        elif wanted:
            self.heatmap.setChecked(False)
            if text:
                self.heatmap_wanted.emit(text)

    def zoom_to(self, hit: Hit) -> None:
        """Bring a place into the middle of the map and flash it."""
        if self._layer is not None:
            places.zoom_to(self._iface.mapCanvas(), hit.geometry, self._layer.crs())

    def select(self, hit: Hit) -> None:
        """Select a place in its layer and make that the active one."""
        if self._layer is not None:
            self._layer.selectByIds([hit.fid])
            self._iface.setActiveLayer(self._layer)
            self.zoom_to(hit)

    def add_examples(self, kind: str) -> None:
        """Search again for more like, or for less like, the places marked in the list."""
        hits = self.view.selected()
        if self._layer is not None and hits:
            self.view.places.mark([hit.fid for hit in hits], kind)
            self.examples.add([hit.geometry for hit in hits], self._layer.crs(), kind)

    def _examples_changed(self) -> None:
        if self.text.currentText().strip() or self.examples.of(LIKE):
            self.wanted.emit()

    def _menu(self, at: Any) -> None:
        """What can be done with the places marked in the list."""
        if self._layer is None:
            return
        hits, crs = self.view.selected(), self._layer.crs()
        menu = QMenu(self)
        menu.addAction(tr("More like this"), lambda: self.add_examples(LIKE))
        menu.addAction(tr("Not like this"), lambda: self.add_examples(UNLIKE))
        menu.addSeparator()
        menu.addAction(tr("Zoom to"), lambda: self.zoom_to(hits[0]))
        menu.addAction(tr("Select in the layer"),
                       lambda: self._layer and self._layer.selectByIds([hit.fid for hit in hits]))
        menu.addAction(tr("Copy coordinates"), lambda: places.copy_coordinates([h.geometry for h in hits], crs))
        menu.exec(at)
        menu.deleteLater()
