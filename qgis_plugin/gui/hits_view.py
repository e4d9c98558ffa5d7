"""The places found, as ranked pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qgis.core import QgsGeometry, QgsRasterLayer, QgsRectangle, QgsVectorLayer
from qgis.PyQt.QtCore import (
    QAbstractListModel,
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

SIDE = 108  # of a picture, in pixels of the screen
HIT = Qt.ItemDataRole.UserRole + 1
MARK = Qt.ItemDataRole.UserRole + 2
SIGNS = {LIKE: "＋", UNLIKE: "－"}


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
        return tr("Place {}: {}, confidence {:.0f} %, score {:.3f}, pixel size {:g} m").format(
            self.rank, self.text, 100 * self.confidence, self.score, self.gsd_m)


def _number(value: Any) -> float:
    return 0.0 if compat.is_null(value) else float(value)


def read_hits(layer: QgsVectorLayer, texts: list[str]) -> list[Hit]:
    """The features of a result layer in the order of their rank."""
    found = []
    names = set(layer.fields().names())
    for feature in layer.getFeatures():
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

    def show_hits(self, hits: list[Hit]) -> None:
        """Replace all."""
        self.beginResetModel()
        self.hits = hits
        self.marks = {}
        self.endResetModel()

    def mark(self, fids: list[int], kind: str | None) -> None:
        """Show places as examples of a kind, or as none."""
        for fid in fids:
            self.marks.pop(fid, None)
            if kind is not None:
                self.marks[fid] = kind
        if self.hits:
            self.dataChanged.emit(self.index(0), self.index(len(self.hits) - 1))

    def take_out(self, fids: list[int]) -> None:
        """Forget places that were discarded."""
        self.beginResetModel()
        self.hits = [hit for hit in self.hits if hit.fid not in set(fids)]
        self.endResetModel()

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
    """Draws a place: picture, rank, confidence as number and bar, prompt's colour and words."""

    def __init__(self, thumbnails: Thumbnails, parent: QWidget) -> None:
        super().__init__(parent)
        self._thumbnails = thumbnails

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:
        """Called by Qt."""
        return QSize(SIDE + 10, SIDE + 10 + option.fontMetrics.height() + 4)

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
        box = QRect(option.rect.left() + 5, option.rect.top() + 5, SIDE, SIDE)
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
        line = QRect(box.left(), box.bottom() + 3, SIDE, option.fontMetrics.height())
        painter.setPen((palette.highlightedText() if selected else palette.text()).color())
        percent = f"{100 * hit.confidence:.0f} %"
        painter.drawText(line, Qt.AlignmentFlag.AlignRight, percent)
        room = SIDE - option.fontMetrics.horizontalAdvance(percent) - 6
        painter.drawText(line, Qt.AlignmentFlag.AlignLeft,
                         option.fontMetrics.elidedText(hit.text, Qt.TextElideMode.ElideRight, room))
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
        self.thumbnails = Thumbnails(SIDE, self)
        self.thumbnails.drawn.connect(lambda key: self.viewport().update())
        self.setItemDelegate(HitDelegate(self.thumbnails, self))
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setMovement(QListView.Movement.Static)
        self.setUniformItemSizes(True)
        self.setSpacing(2)
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
        self.thumbnails.show_layers(rasters, over, round(SIDE * max(1.0, self.devicePixelRatioF())))
        self.places.show_hits(hits)
        self.scrollToTop()

    def paintEvent(self, event: Any) -> None:
        """While there is nothing to show, say what will be here."""
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

    def keyReleaseEvent(self, event: Any) -> None:
        """Moving with the arrow keys visits places too."""
        super().keyReleaseEvent(event)
        keys = (Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Space)
        if event.key() in keys and self.currentIndex().isValid() and not event.isAutoRepeat():
            self.visited.emit(self.currentIndex().data(HIT))
