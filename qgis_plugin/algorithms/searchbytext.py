"""Search by text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingParameterFeatureSink,
    QgsProcessingParameterNumber,
    QgsProcessingParameterString,
)

from .. import jobs, layers
from ..protocol import Request
from ..translate import mark, tr
from .base import POLYGONS, RsvlmAlgorithm


class SearchByText(RsvlmAlgorithm):
    """Words in, ranked places out."""

    ID, ICON = "searchbytext", "search.svg"
    NAME = mark("Search by text")
    ABOUT = mark(
        "Finds the places of a raster that look like a text and returns them as ranked polygons with a score (the "
        "cosine of the model) and a confidence between 0 and 1 that can be compared between texts.\n\n"
        "Several texts are separated by semicolons. With a raster, the index is built on the first search and "
        "kept; with an index folder the search takes milliseconds.\n\n"
        "Short descriptions of what is seen from above work best: “a harbour with small boats”, “solar panels on a "
        "roof”, “dense forest”. Everything is computed on this computer; no imagery leaves it."
    )

    def initAlgorithm(self, config: Any = None) -> None:
        """Parameters and outputs."""
        self.add_input(optional=True)
        self.add_index()
        self.addParameter(QgsProcessingParameterString("TEXT", tr("What to look for (several: separated by ;)")))
        self.addParameter(QgsProcessingParameterNumber(
            "TOP", tr("Number of places"), QgsProcessingParameterNumber.Type.Integer, 50, False, 1, 10000))
        self.add_advanced(QgsProcessingParameterNumber(
            "MIN_SCORE", tr("Lowest score"), QgsProcessingParameterNumber.Type.Double, None, True, -1.0, 1.0))
        self.add_polygons("WITHIN", tr("Only inside these polygons"))
        self.add_polygons("LIKE", tr("More like these examples"))
        self.add_polygons("UNLIKE", tr("Not like these examples"))
        self.add_options()
        self.addParameter(QgsProcessingParameterFeatureSink("OUTPUT", tr("Places found"), POLYGONS))
        self.addOutput(QgsProcessingOutputNumber("COUNT", tr("Number of places found")))
        self.addOutput(QgsProcessingOutputNumber("BEST_SCORE", tr("Best score")))
        self.addOutput(QgsProcessingOutputNumber("BEST_CONFIDENCE", tr("Best confidence")))

    def request(self, parameters: Mapping[str, Any], context: QgsProcessingContext) -> Request:
        """Search."""
        self._texts = jobs.split_texts(self.text(parameters, "TEXT", context))
        self._path = self.scratch("hits.gpkg")
        return jobs.search(
            self.sources(parameters, context), self._texts, self._path,
            self.parameterAsInt(parameters, "TOP", context),
            min_score=self.number(parameters, "MIN_SCORE", context),
            within=self.polygons(parameters, "WITHIN", context),
            like=self.polygons(parameters, "LIKE", context),
            unlike=self.polygons(parameters, "UNLIKE", context),
            **self.options(parameters, context),
        )

    def outputs(
        self, result: Mapping[str, Any], parameters: Mapping[str, Any], context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> dict[str, Any]:
        """Polygons, their number, the best."""
        texts = self._texts
        identifier, count = self.fill_sink(
            self._path, parameters, context, feedback,
            lambda layer: layers.style_hits(layer, texts), tr("Places: {}").format("; ".join(texts)))
        hits = [hit for hit in result.get("hits") or [] if isinstance(hit, dict)]
        feedback.pushInfo(tr("{} places found").format(count))
        return {
            "OUTPUT": identifier, "COUNT": count,
            "BEST_SCORE": max((float(hit.get("score") or 0) for hit in hits), default=0.0),
            "BEST_CONFIDENCE": max((float(hit.get("confidence") or 0) for hit in hits), default=0.0),
        }
