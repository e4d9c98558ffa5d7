"""The places found, as ranked pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qgis.core import QgsFeatureRequest, QgsGeometry, QgsRasterLayer, QgsRectangle, QgsVectorLayer
from qgis.PyQt.QtCore import (
    QAbstractListModel,
    QLocale,
    QModelIndex,
    QRect,
    QRectF,
    QSize,
    QSortFilterProxyModel,
    Qt,
    pyqtSignal,
)
from qgis.PyQt.QtGui import QColor, QFont, QKeySequence, QPainter, QPalette, QPen
from qgis.PyQt.QtWidgets import QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from .. import compat, layers
from ..translate import tr

try:  # Qt 6 has it elsewhere
    from qgis.PyQt.QtGui import QShortcut
except ImportError:
    from qgis.PyQt.QtWidgets import QShortcut
from .examples import LIKE, UNLIKE
from .thumbnails import Thumbnails

LEAST, MOST = 92, 132  # side of a picture, in pixels of the screen: between them so that a row is full
HIT = Qt.ItemDataRole.UserRole + 1
MARK = Qt.ItemDataRole.UserRole + 2
ACCEPTED = "accepted"
SPACING = 2
LISTED = 500  # places in a list: who looks at more looks at the map, and reading them all would hold up the window
SIGNS = {LIKE: "+", UNLIKE: "−", ACCEPTED: "✓"}


@dataclass(frozen=True)
class Hit:
    """One place of the result layer; `geometry` is in the layer's CRS."""

    fid: int
    rank: int
    score: float
    confidence: float
    text: str
    gsd_m: float
    geometry: QgsGeometry
    colour: str
    area_m2: float = 0.0

    def square(self) -> QgsRectangle:
        """What its picture shows: tiles as they are, outlines with some of their surroundings."""
        box = self.geometry.boundingBox()
        side = max(box.width(), box.height())
        if side > 1.2 * min(box.width(), box.height()) or self.area_m2 > 0:
            side *= 1.4
        return QgsRectangle.fromCenterAndSize(box.center(), side, side)

    def describe(self) -> str:
        """For tooltips and screen readers."""
        if self.area_m2 > 0:
            return tr("Outline {}: {}, confidence {:.0f} %, area {}").format(
                self.rank, self.text, 100 * self.confidence, spoken_area(self.area_m2))
        return tr("Place {}: {}, confidence {:.0f} %, score {:.3f}, pixel size {:g} m").format(
            self.rank, self.text, 100 * self.confidence, self.score, self.gsd_m)


def spoken_area(square_metres: float) -> str:
    """An area as people write it."""
    number = QLocale().toString
    if square_metres >= 1e4:
        return number(square_metres / 1e4, "f", 1) + " ha"
    return number(square_metres, "f", 0 if square_metres >= 10 else 1) + " m²"


def _number(value: Any) -> float:
    return 0.0 if compat.is_null(value) else float(value)


def read_hits(layer: QgsVectorLayer, texts: list[str], most: int = -1) -> list[Hit]:
    """The features of a result layer, or the first of them, in the order of their rank, which is that of the file."""
    found = []
    names = set(layer.fields().names())
    for feature in layer.getFeatures(QgsFeatureRequest().setLimit(most)):
        def value(name: str, feature: Any = feature) -> Any:
            return feature[name] if name in names else None

        text = str(value("text") or "")
        found.append(Hit(
            feature.id(), int(_number(value("rank"))), _number(value("score")), _number(value("confidence")), text,
            _number(value("gsd_m")), QgsGeometry(feature.geometry()), layers.colour_of(texts, text),
            _number(value("area_m2"))))
    return sorted(found, key=lambda hit: (hit.rank, hit.fid))


class HitsModel(QAbstractListModel):
    """Hits for a list view."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.hits: list[Hit] = []
        self.marks: dict[int, str] = {}

    def show_hits(self, hits: list[Hit], marks: dict[int, str] | None = None) -> None:
        """Replace all; `marks` are those of `mark` by feature id."""
        self.beginResetModel()
        self.hits = hits
        self.marks = dict(marks or {})
        self.endResetModel()

    def mark(self, fids: list[int], kind: str | None) -> None:
        """Show places as examples of a kind, or as none."""
        for fid in fids:
            self.marks.pop(fid, None)
            if kind is not None:
                self.marks[fid] = kind
        if self.hits:
            self.dataChanged.emit(self.index(0), self.index(len(self.hits) - 1))

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008  Qt's own signature
        """Called by Qt."""
        return 0 if parent.isValid() else len(self.hits)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Called by Qt."""
        if not index.isValid() or index.row() >= len(self.hits):
            return None
        hit = self.hits[index.row()]
        if role == HIT:
            return hit
        if role == MARK:
            return self.marks.get(hit.fid)
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            return hit.describe()
        return None


class ConfidenceFilter(QSortFilterProxyModel):
    """Hides hits below a confidence, or of other prompts."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.lowest = 0.0

    def set_lowest(self, lowest: float) -> None:
        """Filter anew."""
        self.lowest = lowest
        self.invalidateFilter()

    def filterAcceptsRow(self, row: int, parent: QModelIndex) -> bool:
        """Called by Qt."""
        hit = self.sourceModel().index(row, 0, parent).data(HIT)
        return hit is not None and hit.confidence >= self.lowest - 1e-9


class HitDelegate(QStyledItemDelegate):
    """Draws a place: picture, rank, confidence as number and bar, score or area, prompt's colour and words.

    Attributes:
        several: Whether there are places of several prompts, so that each says its own.
        side: Of a picture, in pixels of the screen.
    """

    def __init__(self, thumbnails: Thumbnails, parent: QWidget) -> None:
        super().__init__(parent)
        self._thumbnails = thumbnails
        self.several = False
        self.side = MOST

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:
        """Called by Qt."""
        return QSize(self.side + 10, self.side + 14 + option.fontMetrics.height() * (2 if self.several else 1))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        """Called by Qt."""
        hit: Hit | None = index.data(HIT)
        if hit is None:
            return
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        palette = option.palette
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        if selected:
            painter.fillRect(option.rect, palette.highlight())
        box = QRect(option.rect.left() + 5, option.rect.top() + 5, self.side, self.side)
        picture = self._thumbnails.picture(hit.fid, hit.square())
        if picture is None:
            painter.fillRect(box, palette.alternateBase())
            painter.setPen(palette.mid().color())
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, "…")
        else:
            painter.drawImage(box, picture)
        painter.setPen(QPen(QColor(hit.colour), 3, Qt.PenStyle.SolidLine, Qt.PenCapStyle.SquareCap,
                            Qt.PenJoinStyle.MiterJoin))
        painter.drawRect(QRectF(box).adjusted(1.5, 1.5, -1.5, -1.5))
        self._badge(painter, option, box, str(hit.rank), QColor(0, 0, 0, 190), right=False)
        if index.data(MARK) in SIGNS:
            self._badge(painter, option, box, SIGNS[index.data(MARK)], QColor(20, 90, 160, 230), right=True)
        bar = QRect(box.left(), box.bottom() - 4, box.width(), 5)
        painter.fillRect(bar, QColor(0, 0, 0, 150))
        painter.fillRect(QRect(bar.left(), bar.top(), round(bar.width() * min(1.0, max(0.0, hit.confidence))), 5),
                         QColor(hit.colour))
        line = QRect(box.left(), box.bottom() + 3, box.width(), option.fontMetrics.height())
        painter.setPen((palette.highlightedText() if selected else palette.text()).color())
        painter.drawText(line, Qt.AlignmentFlag.AlignLeft, f"{100 * hit.confidence:.0f} %")
        painter.drawText(line, Qt.AlignmentFlag.AlignRight,
                         spoken_area(hit.area_m2) if hit.area_m2 > 0 else f"{hit.score:.3f}")
        if self.several:
            painter.drawText(line.translated(0, line.height()), Qt.AlignmentFlag.AlignLeft,
                             option.fontMetrics.elidedText(hit.text, Qt.TextElideMode.ElideRight, box.width()))
        if option.state & QStyle.StateFlag.State_HasFocus:
            painter.setPen(QPen(palette.text().color(), 1, Qt.PenStyle.DotLine))
            painter.drawRect(option.rect.adjusted(1, 1, -2, -2))
        painter.restore()

    def _badge(self, painter: QPainter, option: QStyleOptionViewItem, box: QRect, words: str, colour: QColor,
               right: bool) -> None:
        """A few characters in an upper corner of the picture."""
        font = QFont(option.font)
        font.setBold(True)
        painter.setFont(font)
        width = option.fontMetrics.horizontalAdvance(words) + 10
        left = box.right() - 2 - width if right else box.left() + 3
        badge = QRect(left, box.top() + 3, width, option.fontMetrics.height() + 2)
        painter.fillRect(badge, colour)
        painter.setPen(QColor("#ffffff"))
        painter.drawText(badge, Qt.AlignmentFlag.AlignCenter, words)
        painter.setFont(option.font)


class HitsView(QListView):
    """A grid of places, by mouse and by keyboard.

    Signals:
        visited: A place was clicked, or reached with the arrow keys.
        chosen: A place was double-clicked, or Enter was pressed on it.
        discarded: Delete was pressed.
        menu_wanted: Right click, or the menu key: where on the screen.
    """

    visited = pyqtSignal(object)
    chosen = pyqtSignal(object)
    menu_wanted = pyqtSignal(object)
    discarded = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.places = HitsModel(self)
        self.filter = ConfidenceFilter(self)
        self.filter.setSourceModel(self.places)
        self.setModel(self.filter)
        self.thumbnails = Thumbnails(MOST, self)
        self.thumbnails.drawn.connect(lambda key: self.viewport().update())
        self._delegate = HitDelegate(self.thumbnails, self)
        self.setItemDelegate(self._delegate)
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setMovement(QListView.Movement.Static)
        self.setUniformItemSizes(True)
        self.setSpacing(SPACING)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setSelectionMode(QListView.SelectionMode.ExtendedSelection)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(
            lambda at: self.menu_wanted.emit(self.viewport().mapToGlobal(at)) if self.selected() else None)
        self.hint = ""
        self.setAccessibleName(tr("Places found"))
        discard = QShortcut(QKeySequence(QKeySequence.StandardKey.Delete), self)
        discard.setContext(Qt.ShortcutContext.WidgetShortcut)
        discard.activated.connect(self.discarded.emit)
        self.clicked.connect(lambda index: self.visited.emit(index.data(HIT)))
        self.activated.connect(lambda index: self.chosen.emit(index.data(HIT)))

    def show_hits(self, rasters: list[QgsRasterLayer], hits: list[Hit], over: QgsVectorLayer | None = None) -> None:
        """Show places of rasters, best first; `over` is drawn into the pictures."""
        # the screen that the panel lies on now
        self.thumbnails.show_layers(rasters, over, round(MOST * max(1.0, self.devicePixelRatioF())))
        self._delegate.several = len({hit.text for hit in hits}) > 1
        self.places.show_hits(hits)
        self.scrollToTop()

    def resizeEvent(self, event: Any) -> None:
        """As many pictures in a row as there is room for, which is kept for a scroll bar too."""
        bar = self.style().pixelMetric(QStyle.PixelMetric.PM_ScrollBarExtent)
        room = self.width() - 2 * self.frameWidth() - bar - 3 * SPACING
        around = 10 + SPACING
        row = max(1, room // (LEAST + around))
        self._delegate.side = max(LEAST, min(MOST, room // row - around))
        super().resizeEvent(event)
        self.scheduleDelayedItemsLayout()

    def paintEvent(self, event: Any) -> None:
        """While there is nothing to show, say what will be here."""
        if event.rect().contains(self.viewport().rect()):
            self.thumbnails.start_over()  # all that is seen asks again, in its order
        super().paintEvent(event)
        if self.hint and self.model().rowCount() == 0:
            painter = QPainter(self.viewport())
            painter.setPen(self.palette().color(QPalette.ColorRole.PlaceholderText))
            painter.drawText(self.viewport().rect().adjusted(16, 16, -16, -16),
                             Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, self.hint)
            painter.end()

    def selected(self) -> list[Hit]:
        """The places that are marked in the list, best first."""
        found = [index.data(HIT) for index in self.selectedIndexes()]
        return sorted((hit for hit in found if hit is not None), key=lambda hit: (hit.rank, hit.fid))

    def go_to(self, row: int) -> None:
        """Mark and visit the place in a row, or the last one where there are fewer."""
        index = self.model().index(min(row, self.model().rowCount() - 1), 0)
        if index.isValid():
            self.setCurrentIndex(index)
            self.visited.emit(index.data(HIT))

    def keyReleaseEvent(self, event: Any) -> None:
        """Moving with the arrow keys visits places too."""
        super().keyReleaseEvent(event)
        keys = (Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Space)
        if event.key() in keys and self.currentIndex().isValid() and not event.isAutoRepeat():
            self.visited.emit(self.currentIndex().data(HIT))
