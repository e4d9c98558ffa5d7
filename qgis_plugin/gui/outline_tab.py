"""The tab for outlines: classes, threshold, refinement."""

from __future__ import annotations

from typing import Any

from qgis.core import QgsVectorLayer
from qgis.PyQt.QtCore import Qt, pyqtSignal
from qgis.PyQt.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from .. import jobs, layers
from ..protocol import Request
from ..translate import tr

REFINEMENTS = ("none", "edges", "sam")


class OutlineTab(QWidget):
    """Asks for outlines.

    Signals:
        wanted: The user asks for outlines.
    """

    wanted = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
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
        self.threshold = QDoubleSpinBox()
        self.threshold.setRange(-1.0, 1.0)
        self.threshold.setDecimals(3)
        self.threshold.setSingleStep(0.01)
        self.threshold.setEnabled(False)
        self.threshold.setAccessibleName(tr("Threshold"))
        self.automatic.toggled.connect(lambda automatic: self.threshold.setEnabled(not automatic))
        threshold = QHBoxLayout()
        threshold.addWidget(self.automatic)
        threshold.addWidget(self.threshold, 1)
        self.refine = QComboBox()
        self.refine.addItems([tr("none"), tr("snap to edges in the image"), tr("segment-geospatial (if installed)")])
        self.refine.setAccessibleName(tr("Refinement"))
        self.smallest = QDoubleSpinBox()
        self.smallest.setRange(0.0, 1e9)
        self.smallest.setDecimals(1)
        self.smallest.setSuffix(" m²")
        self.smallest.setSpecialValueText(tr("automatic"))
        self.smallest.setAccessibleName(tr("Smallest area"))
        form = QFormLayout()
        form.addRow(tr("Threshold"), threshold)
        form.addRow(tr("Refinement"), self.refine)
        form.addRow(tr("Smallest area"), self.smallest)
        self.summary = QLabel()
        self.summary.setTextFormat(Qt.TextFormat.RichText)
        self.summary.setWordWrap(True)

        column = QVBoxLayout(self)
        column.addLayout(first)
        column.addLayout(form)
        column.addWidget(self.summary)
        column.addStretch(1)

    def request(self, source: str, extent: list[float] | None, out: str, **common: Any) -> Request:
        """The segmentation that the boxes describe.

        Raises:
            BackendError: There is no text.
        """
        return jobs.segment(
            [source], jobs.split_texts(self.text.text()), out,
            threshold="auto" if self.automatic.isChecked() else self.threshold.value(),
            refine=REFINEMENTS[self.refine.currentIndex()],
            min_area_m2=self.smallest.value() or None, extent=extent, **common)

    def show_result(self, layer: QgsVectorLayer, result: dict[str, Any], texts: list[str]) -> None:
        """Say what was found."""
        found = result.get("threshold")
        thresholds = found if isinstance(found, dict) else {}
        if len(thresholds) == 1:
            self.threshold.setValue(float(next(iter(thresholds.values()))))
        index = layer.fields().indexOf("text")
        counts: dict[str, int] = {}
        for feature in layer.getFeatures():
            text = str(feature.attribute(index)) if index >= 0 else ""
            counts[text] = counts.get(text, 0) + 1
        self.summary.setText("<br/>".join(
            '<span style="color:{}">■</span> {}'.format(
                layers.colour_of(texts, text),
                tr("{}: {} outlines, threshold {:.3f}").format(
                    text.replace("<", "&lt;"), counts.get(text, 0), float(thresholds.get(text, 0.0))))
            for text in texts))
