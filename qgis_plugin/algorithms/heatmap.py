"""Score heatmap."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterString,
)

from .. import jobs, layers
from ..protocol import Request
from ..translate import mark, tr
from .base import RsvlmAlgorithm


class Heatmap(RsvlmAlgorithm):
    """How much each place looks like a text."""

    ID, ICON = "heatmap", "heatmap.svg"
    NAME = mark("Score heatmap")
    ABOUT = mark(
        "Writes a raster of scores: how much each place looks like a text. Places without data stay empty.\n\n"
        "Scores rank places for one text; they are not comparable between texts."
    )

    def initAlgorithm(self, config: Any = None) -> None:
        """Parameters and outputs."""
        self.add_input(optional=True)
        self.add_index()
        self.addParameter(QgsProcessingParameterString("TEXT", tr("What to look for")))
        self.add_options()
        self.addParameter(QgsProcessingParameterRasterDestination("OUTPUT", tr("Heatmap")))

    def request(self, parameters: Mapping[str, Any], context: QgsProcessingContext) -> Request:
        """Score."""
        self._out = self.parameterAsOutputLayer(parameters, "OUTPUT", context)
        self._text = self.text(parameters, "TEXT", context)
        return jobs.heatmap(
            self.sources(parameters, context)[0], self._text, self._out,
            **self.options(parameters, context),
        )

    def outputs(
        self, result: Mapping[str, Any], parameters: Mapping[str, Any], context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> dict[str, Any]:
        """The raster."""
        self.style_on_load(self._out, layers.style_heatmap, tr("Heatmap: {}").format(self._text), context)
        return {"OUTPUT": self._out}
