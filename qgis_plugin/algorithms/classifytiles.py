"""Classify tiles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingParameterFeatureSink,
    QgsProcessingParameterString,
)

from .. import jobs, layers
from ..protocol import Request
from ..translate import mark, tr
from .base import POLYGONS, RsvlmAlgorithm


class ClassifyTiles(RsvlmAlgorithm):
    """The best of several texts for each tile."""

    ID, ICON = "classifytiles", "classify.svg"
    NAME = mark("Classify tiles")
    ABOUT = mark(
        "Gives every tile of a raster the class that fits it best, with its score. Classes are free words, "
        "separated by commas. It also serves to compare how well different wordings work."
    )

    def initAlgorithm(self, config: Any = None) -> None:
        """Parameters and outputs."""
        self.add_input()
        self.addParameter(QgsProcessingParameterString("TEXT", tr("Classes (separated by commas)")))
        self.add_options()
        self.addParameter(QgsProcessingParameterFeatureSink("OUTPUT", tr("Classified tiles"), POLYGONS))
        self.addOutput(QgsProcessingOutputNumber("COUNT", tr("Number of tiles")))

    def request(self, parameters: Mapping[str, Any], context: QgsProcessingContext) -> Request:
        """Classify."""
        self._path = self.scratch("classes.gpkg")
        return jobs.classify(
            self.sources(parameters, context)[0],
            jobs.split_classes(self.text(parameters, "TEXT", context)),
            self._path,
            **self.options(parameters, context),
        )

    def outputs(
        self, result: Mapping[str, Any], parameters: Mapping[str, Any], context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> dict[str, Any]:
        """Polygons and their number."""
        identifier, count = self.fill_sink(
            self._path, parameters, context, feedback, layers.style_classes, tr("Classified tiles"))
        return {"OUTPUT": identifier, "COUNT": count}
