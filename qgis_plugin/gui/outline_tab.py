"""The tab for outlines: classes, a threshold that shows on the map at once, and a review of what was found."""

from __future__ import annotations

import os
from collections import Counter
from html import escape
from typing import Any

from qgis.core import (
    QgsFeature,
    QgsFeatureIterator,
    QgsFeatureRequest,
    QgsProject,
    QgsRasterLayer,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import Qt, QTimer, pyqtSignal
from qgis.PyQt.QtGui import QKeySequence
from qgis.PyQt.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QPushButton,
    QSizePolicy,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from .. import jobs, layers
from ..protocol import BackendError, Request
from ..translate import tr
from . import hits_view, places
from .append_dialog import AppendDialog
from .hits_view import ACCEPTED, Hit, HitsView, QShortcut, read_hits

REFINEMENTS = ("none", "edges", "sam")
SLICE = 1000  # features read at once: a few milliseconds


class OutlineTab(QWidget):
    """Asks for outlines, shows and edits them.

    Signals:
        wanted: The user asks for outlines.
        failed: A `BackendError` to show.
    """

    wanted = pyqtSignal()
    failed = pyqtSignal(object)

    def __init__(self, iface: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._iface = iface
        self._layer: QgsVectorLayer | None = None
        self._found: dict[str, int] = {}  # threshold of each class of the result in percent
        self._limits: dict[str, int] = {}  # the same as the slider has it now
        self._accepted: set[int] = set()  # ids of outlines that were looked at and are right
        self._kept: dict[str, Any] = {}  # what the last full run was asked: its scores serve other thresholds
        self._previews: list[str] = []
        self._texts: list[str] = []
        self._counting: QgsFeatureIterator | None = None

        self.text = QLineEdit()
        self.text.setPlaceholderText(tr("What to outline: building; road; tree"))
        self.text.setClearButtonEnabled(True)
        self.text.setAccessibleName(tr("What to outline"))
        self.text.returnPressed.connect(self.wanted.emit)
        self.button = QPushButton(tr("Outline"))
        self.button.clicked.connect(self.wanted.emit)
        first = QHBoxLayout()
        first.addWidget(self.text, 1)
        first.addWidget(self.button)

        self.automatic = QCheckBox(tr("automatic"))
        self.automatic.setChecked(True)
        self.automatic.toggled.connect(self._show_threshold)
        self.threshold = QSlider(Qt.Orientation.Horizontal)
        self.threshold.setRange(1, 99)
        self.threshold.setValue(50)
        self.threshold.setToolTip(tr("Move it to see at once, on the map, what a threshold would outline"))
        self.threshold.setAccessibleName(tr("Threshold in percent"))
        self.threshold.valueChanged.connect(self._preview)
        self.threshold_words = QLabel()
        self.of = QComboBox()
        self.of.setToolTip(tr("Whose threshold the slider sets"))
        self.of.setAccessibleName(self.of.toolTip())
        self.of.currentIndexChanged.connect(self._show_limit)
        threshold, whose = QHBoxLayout(), QHBoxLayout()
        threshold.addWidget(self.threshold, 1)
        threshold.addWidget(self.threshold_words)
        whose.addWidget(self.automatic)
        whose.addWidget(self.of, 1)
        self.refine = QComboBox()
        self.refine.addItems([tr("none"), tr("snap to edges in the image"), tr("segment-geospatial (if installed)")])
        self.refine.setAccessibleName(tr("Refinement"))
        for box in (self.refine, self.of):  # long words must not keep the panel wide
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            box.setMinimumContentsLength(6)
        self.smallest = QDoubleSpinBox()
        self.smallest.setRange(0.0, 1e9)
        self.smallest.setDecimals(1)
        self.smallest.setSuffix(" m²")
        self.smallest.setMinimumWidth(80)  # not that of the largest number
        self.smallest.setSpecialValueText(tr("automatic"))
        self.smallest.setAccessibleName(tr("Smallest area"))
        form = QFormLayout()
        form.addRow(tr("Threshold"), threshold)
        form.addRow(whose)
        form.addRow(tr("Refinement"), self.refine)
        form.addRow(tr("Smallest area"), self.smallest)
        self.button.setDefault(True)
        self.summary = QLabel()
        self.summary.setTextFormat(Qt.TextFormat.RichText)
        self.summary.setWordWrap(True)
        self.preview_words = QLabel(tr("The map shows what this threshold would outline. Press Outline to make it so."))
        self.preview_words.setWordWrap(True)
        font = self.preview_words.font()
        font.setItalic(True)
        self.preview_words.setFont(font)
        self.preview_words.hide()
        self.view = HitsView()
        self.view.setAccessibleName(tr("Outlines found"))
        self.view.visited.connect(self._zoom_to)
        self.view.chosen.connect(self._zoom_to)
        self.view.menu_wanted.connect(self._menu)
        self.view.discarded.connect(self.discard)
        self.accept_button = QPushButton(tr("Accept"))
        self.accept_button.setToolTip(tr("Tick the selected outlines as right, and go to the next (Space)"))
        self.accept_button.clicked.connect(self.accept)
        tick = QShortcut(QKeySequence(Qt.Key.Key_Space), self.view)
        tick.setContext(Qt.ShortcutContext.WidgetShortcut)
        tick.activated.connect(self.accept)
        self.discard_button = QPushButton(tr("Discard"))
        self.discard_button.setToolTip(tr("Take the selected outlines out of the layer, and go to the next (Delete)"))
        self.discard_button.clicked.connect(self.discard)
        self.undo = QPushButton(tr("Undo"))
        self.undo.clicked.connect(self._undo)
        self.save = QPushButton(tr("Save"))
        self.save.setToolTip(tr("Write what was discarded into the layer"))
        self.save.clicked.connect(self._save)
        self.append = QPushButton(tr("Append to layer…"))
        self.append.setToolTip(tr("Copy all outlines, those accepted, or those selected into another polygon layer"))
        self.append.clicked.connect(self._append)
        self.review = QWidget()
        grid = QGridLayout(self.review)
        grid.setContentsMargins(0, 0, 0, 0)
        for place, button in (((0, 0, 1, 1), self.accept_button), ((0, 1, 1, 1), self.discard_button),
                              ((0, 2, 1, 1), self.undo), ((1, 0, 1, 1), self.save), ((1, 1, 1, 2), self.append)):
            button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)  # no wider than its words
            button.setMinimumWidth(button.fontMetrics().horizontalAdvance(button.text()) + 8)
            grid.addWidget(button, *place)

        column = QVBoxLayout(self)
        column.addLayout(first)
        column.addLayout(form)
        column.addWidget(self.preview_words)
        column.addWidget(self.summary)
        column.addWidget(self.view, 1)
        column.addWidget(self.review)
        self._show_threshold()
        self.clear()

    # asking
    def request(
        self, rasters: list[str], extent: list[float] | None, within: str | None, out: str, scores: str, cosines: str,
        **common: Any,
    ) -> Request:
        """What the boxes describe: a segmentation, or its kept scores cut anew where only the threshold is another.

        Raises:
            BackendError: There is no text.
        """
        texts = jobs.split_texts(self.text.text())
        limits = sorted({self._limits.get(text, self.threshold.value()) for text in texts})
        wanted = jobs.segment(
            rasters, texts, out, threshold="auto" if self.automatic.isChecked() else limits[0] / 100 if limits else 0.5,
            refine=REFINEMENTS[self.refine.currentIndex()],
            min_area_m2=self.smallest.value() or None, extent=extent, within=within, scores=scores,
            cosines=cosines, **common)
        if self._serves(wanted):
            return jobs.polygons(
                self._kept["scores"], self._kept["cosines"],
                [self._limits.get(text, self.threshold.value()) / 100 for text in texts], out,
                min_area_m2=wanted.params.get("min_area_m2"), within=within)
        if len(limits) > 1 and not self.automatic.isChecked():
            raise BackendError(
                tr("A new look at the imagery takes one threshold for all classes."),
                tr("Choose “all”, or automatic, beside the slider."), "usage")
        return wanted

    def texts_of(self, request: Request) -> list[str]:
        """The classes of a request of `request`."""
        return list(request.params.get("texts") or self._kept.get("texts", []))

    def _serves(self, wanted: Request) -> bool:
        """Whether the kept scores answer a request: all that the scores depend on is as it was."""
        if wanted.params["threshold"] == "auto" or wanted.params["refine"] != "none":
            return False
        free = {"threshold", "min_area_m2", "within", "out", "scores", "cosines", "refine"}
        asked, before = ({k: v for k, v in params.items() if k not in free} for params in (wanted.params, self._kept))
        files = [self._kept.get(name, "") for name in ("scores", "cosines")]
        return asked == before and all(os.path.exists(path) for path in files)

    def _keep(self, request: Request) -> None:
        """Remember a full run; the scores of the one before go."""
        if request.op != "segment":
            return
        now = {request.params.get(name) for name in ("scores", "cosines")}
        for path in {self._kept.get(name, "") for name in ("scores", "cosines")} - now:
            try:
                os.remove(path)
            except OSError:  # there is none, or a preview has it open; it goes with QGIS
                continue
        self._kept = dict(request.params) if request.params.get("scores") else {}

    # showing
    def show_result(self, layer: QgsVectorLayer, rasters: list[QgsRasterLayer], result: dict[str, Any],
                    request: Request) -> None:
        """Show the outlines of a result layer."""
        self.clear()
        self._layer, self._texts = layer, self.texts_of(request)
        self._keep(request)
        layer.willBeDeleted.connect(self._lost)
        layer.editingStarted.connect(self._state)
        layer.editingStopped.connect(self._reload)
        hits = read_hits(layer, self._texts, hits_view.LISTED)
        self.view.show_hits(rasters, hits, layer)
        found = result.get("threshold")
        thresholds = found if isinstance(found, dict) else {}
        self._found = {text: round(100 * float(thresholds.get(text) or 0.0)) for text in self._texts}
        self._limits = dict(self._found)
        self._show_summary()
        self.of.blockSignals(True)
        self.of.clear()
        self.of.addItems([tr("all"), *self._texts])
        self.of.setVisible(len(self._texts) > 1)
        self.of.blockSignals(False)
        self._show_limit()
        self._show_threshold()
        self.view.hint = "" if hits else tr("Nothing was outlined. Try a lower threshold, or other words.")
        self.summary.show()
        self.review.show()
        self._state()

    def _show_summary(self) -> None:
        """How many outlines each class has, and at which threshold."""
        self._counting = None
        if self._layer is None:
            return
        listed, found = len(self.view.places.hits), self._layer.featureCount()
        if listed == found:
            self._say_counts(Counter(hit.text for hit in self.view.places.hits))
        elif len(self._texts) == 1:
            self._say_counts(Counter({self._texts[0]: found}))
        else:
            wanted = QgsFeatureRequest().setFlags(QgsFeatureRequest.Flag.NoGeometry)
            wanted.setSubsetOfAttributes(["text"], self._layer.fields())
            self._counting = self._layer.getFeatures(wanted)
            self._count(self._counting, Counter())

    def _count(self, features: QgsFeatureIterator, counts: Counter[str]) -> None:
        """Count a slice of the features, so that many do not hold up the window, and say the sums at the end."""
        if features is not self._counting or self._layer is None:
            return  # others are counted by now
        feature = QgsFeature()
        for _ in range(SLICE):
            if not features.nextFeature(feature):
                self._counting = None
                self._say_counts(counts)
                return
            counts[str(feature["text"])] += 1
        QTimer.singleShot(0, lambda: self._count(features, counts))

    def _say_counts(self, counts: Counter[str]) -> None:
        listed, found = len(self.view.places.hits), self._layer.featureCount()
        more = "" if listed == found else "<br/>" + tr(
            "The {} surest of {} are listed here; the layer holds all.").format(listed, found)
        self.summary.setText("<br/>".join(
            '<span style="color:{}">■</span> {}'.format(
                layers.colour_of(self._texts, text),
                tr("{}: {} outlines, threshold {:.0f} %").format(escape(text), counts[text], self._found.get(text, 0)))
            for text in self._texts) + more)

    def clear(self) -> None:
        """Show no result."""
        if self._layer is not None:
            self._layer.willBeDeleted.disconnect(self._lost)
            self._layer.editingStarted.disconnect(self._state)
            self._layer.editingStopped.disconnect(self._reload)
            self._layer = None
        self._counting = None
        self._end_preview()
        self._found, self._limits, self._accepted = {}, {}, set()
        self._show_threshold()
        self.of.hide()
        self.view.show_hits([], [])
        self.view.hint = tr(
            "Type one or several classes, in English, separated by\u00a0;\n\n"
            "Outlines appear here for review, surest first.")
        self.summary.hide()
        self.review.hide()

    def _lost(self) -> None:
        """The result layer was removed from the project."""
        self._layer = self._counting = None
        self.clear()

    def _state(self) -> None:
        editing = self._layer is not None and self._layer.isEditable()
        self.undo.setEnabled(editing)
        self.save.setEnabled(editing)

    def _reload(self) -> None:
        if self._layer is not None:
            hits = read_hits(self._layer, self._texts, hits_view.LISTED)
            self._accepted &= {hit.fid for hit in hits}
            self.view.places.show_hits(hits, dict.fromkeys(self._accepted, ACCEPTED))
            self._show_summary()
        self._state()

    def _zoom_to(self, hit: Hit) -> None:
        if self._layer is not None:
            places.zoom_to(self._iface.mapCanvas(), hit.geometry, self._layer.crs())

    # threshold
    def _show_threshold(self) -> None:
        automatic = self.automatic.isChecked()
        if automatic:
            self._end_preview()
            self._limits = dict(self._found)
            self._show_limit()
        elif self._found:
            self._show_limit()
        if not self._found:
            self.threshold_words.setText("–" if automatic else f"{self.threshold.value()} %")

    def _show_limit(self) -> None:
        """The slider goes to the threshold of the class that is chosen beside it; of all, to the highest."""
        own = self._limits.get(self.of.currentText()) if self.of.currentIndex() > 0 else None
        percent = own if own is not None else max(self._limits.values(), default=50)
        self.threshold.blockSignals(True)
        self.threshold.setValue(percent)
        self.threshold.blockSignals(False)
        least = min(self._limits.values(), default=percent) if own is None else percent
        if self._found or not self.automatic.isChecked():
            self.threshold_words.setText(f"{percent} %" if least == percent else f"{least}–{percent} %")

    def _preview(self, percent: int) -> None:
        """Show on the map what a threshold would outline, from the scores of the last run."""
        chosen = [self.of.currentText()] if self.of.currentIndex() > 0 else list(self._limits)
        self._limits.update(dict.fromkeys(chosen, percent))
        self.automatic.setChecked(False)
        self._show_threshold()
        if not self._kept or self._layer is None:
            return
        self.preview_words.show()
        layers.hide(QgsProject.instance(), self._layer)
        self._style_previews()
        self._open_preview()

    def _open_preview(self) -> None:
        """Add the next text's scores to the map; one at a time, since QGIS takes a while to open turned rasters."""
        if self.preview_words.isHidden() or self._layer is None or len(self._previews) >= len(self._texts):
            return  # there are all, or the preview has ended meanwhile
        project = QgsProject.instance()
        try:
            name = tr("Preview: {}").format(self._texts[len(self._previews)])
            layer = layers.open_raster(self._kept["scores"], name, {})
        except BackendError as fault:
            self.failed.emit(fault)
            return
        group = project.layerTreeRoot().findLayer(self._layer.id()).parent().name()
        self._previews.append(layers.add(project, layer, group, on_top=False).id())
        self._style_previews()
        QTimer.singleShot(0, self._open_preview)

    def _style_previews(self) -> None:
        for band, (identifier, text) in enumerate(zip(self._previews, self._texts), 1):
            layer = QgsProject.instance().mapLayer(identifier)
            if layer is not None:
                layers.style_threshold(layer, min(band, layer.bandCount()), layers.colour_of(self._texts, text),
                                       self._limits.get(text, self.threshold.value()) / 100)

    def _end_preview(self) -> None:
        self.preview_words.hide()
        project = QgsProject.instance()
        mine, self._previews = [i for i in self._previews if project.mapLayer(i) is not None], []
        if mine:
            project.removeMapLayers(mine)
        node = project.layerTreeRoot().findLayer(self._layer.id()) if self._layer is not None else None
        if mine and node is not None:
            node.setItemVisibilityChecked(True)

    # review
    def accept(self) -> None:
        """Tick the selected outlines, or take the tick of one back that has it; go to the next."""
        chosen = {hit.fid for hit in self.view.selected()}
        if not chosen:
            return
        last = max(index.row() for index in self.view.selectedIndexes())
        taken_back = chosen <= self._accepted
        self._accepted = self._accepted - chosen if taken_back else self._accepted | chosen
        self.view.places.mark(list(chosen), None if taken_back else ACCEPTED)
        if last + 1 < self.view.model().rowCount():
            self.view.go_to(last + 1)

    def discard(self) -> None:
        """Take the selected outlines out of the layer, and go to the next; Undo brings them back."""
        marked = [hit.fid for hit in self.view.selected()]
        if self._layer is None or not marked:
            return
        if not self._layer.isEditable() and not self._layer.startEditing():
            self.failed.emit(BackendError(tr("The layer cannot be edited."), tr("Check its file."), "output"))
            return
        first = min(index.row() for index in self.view.selectedIndexes())
        self._layer.beginEditCommand(tr("Discard outlines"))
        self._layer.deleteFeatures(marked)
        self._layer.endEditCommand()
        self._reload()
        self.view.go_to(first)

    def _undo(self) -> None:
        if self._layer is not None and self._layer.isEditable():
            self._layer.undoStack().undo()
            self._reload()

    def _save(self) -> None:
        if self._layer is not None and not self._layer.commitChanges():
            self.failed.emit(BackendError(
                tr("The layer cannot be saved."), "; ".join(self._layer.commitErrors()), "output"))

    def _append(self) -> None:
        if self._layer is None:
            return
        dialog = AppendDialog(self._layer, sorted(self._accepted), [hit.fid for hit in self.view.selected()], self)
        dialog.exec()
        dialog.deleteLater()

    def _menu(self, at: Any) -> None:
        """What can be done with the outlines marked in the list."""
        if self._layer is None:
            return
        hits, layer = self.view.selected(), self._layer
        menu = QMenu(self)
        menu.addAction(tr("Accept"), self.accept)
        menu.addAction(tr("Discard"), self.discard)
        menu.addAction(tr("Append to layer…"), self._append)
        menu.addSeparator()
        menu.addAction(tr("Zoom to"), lambda: self._zoom_to(hits[0]))
        menu.addAction(tr("Select in the layer"), lambda: layer.selectByIds([hit.fid for hit in hits]))
        menu.addAction(tr("Copy coordinates"),
                       lambda: places.copy_coordinates([hit.geometry for hit in hits], layer.crs()))
        menu.exec(at)
        menu.deleteLater()
