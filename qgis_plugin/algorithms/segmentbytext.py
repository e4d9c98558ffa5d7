"""Segment by text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingParameterEnum,
    QgsProcessingParameterFeatureSink,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterString,
)

from .. import jobs, layers
from ..protocol import BackendError, Request
from ..translate import mark, tr
from .base import POLYGONS, RsvlmAlgorithm

REFINEMENTS = ["none", "edges", "sam"]


class SegmentByText(RsvlmAlgorithm):
    """Words in, outlines out."""

    ID, ICON = "segmentbytext", "segment.svg"
    NAME = mark("Segment by text")
    ABOUT = mark(
        "Outlines what a text names and returns polygons with score, confidence and area.\n\n"
        "Several classes are separated by semicolons; each pixel then takes the class that fits best, or none.\n\n"
        "Threshold: auto chooses it from the scores; a number sets it. Refinement: none, edges (snaps outlines to "
        "edges in the image) or sam (segment-geospatial, when it is installed).\n\n"
        "Everything is computed on this computer; no imagery leaves it."
    )

    def initAlgorithm(self, config: Any = None) -> None:
        """Parameters and outputs."""
        self.add_input()
        self.addParameter(QgsProcessingParameterString("TEXT", tr("What to outline (several classes: separated by ;)")))
        self.addParameter(QgsProcessingParameterString("THRESHOLD", tr("Threshold (0 to 1, or auto)"), "auto"))
        self.addParameter(QgsProcessingParameterEnum(
            "REFINE", tr("Refinement of outlines"), REFINEMENTS, False, "none", False, True))
        self.addParameter(QgsProcessingParameterNumber(
            "MIN_AREA", tr("Smallest area (m²)"), QgsProcessingParameterNumber.Type.Double, None, True, 0.0))
        self.add_polygons("WITHIN", tr("Only outlines that meet these polygons"))
        self.add_options()
        self.addParameter(QgsProcessingParameterFeatureSink("OUTPUT", tr("Outlines"), POLYGONS))
        self.addParameter(QgsProcessingParameterRasterDestination(
            "MASK_RASTER", tr("Mask raster"), optional=True, createByDefault=False))
        self.addParameter(QgsProcessingParameterRasterDestination(
            "SCORES", tr("Score raster"), optional=True, createByDefault=False))
        self.addOutput(QgsProcessingOutputNumber("COUNT", tr("Number of outlines")))

    def checkParameterValues(self, parameters: dict[str, Any], context: QgsProcessingContext) -> tuple[bool, str]:
        """Refuse a threshold that is no number before anything starts."""
        try:
            jobs.threshold(self.text(parameters, "THRESHOLD", context))
        except BackendError as error:
            return False, str(error)
        return super().checkParameterValues(parameters, context)

    def request(self, parameters: Mapping[str, Any], context: QgsProcessingContext) -> Request:
        """Segment."""
        self._texts = jobs.split_texts(self.text(parameters, "TEXT", context))
        self._path = self.scratch("masks.gpkg")
        self._rasters = {
            name: self.parameterAsOutputLayer(parameters, name, context)
            for name in ("MASK_RASTER", "SCORES") if parameters.get(name) not in (None, "")
        }
        options = self.options(parameters, context)
        sizes = options.pop("gsds") or [None]
        return jobs.segment(
            self.sources(parameters, context), self._texts, self._path,
            threshold=jobs.threshold(self.text(parameters, "THRESHOLD", context)),
            refine=self.parameterAsEnumString(parameters, "REFINE", context) or "none",
            gsd=sizes[0], min_area_m2=self.number(parameters, "MIN_AREA", context),
            within=self.polygons(parameters, "WITHIN", context),
            mask_raster=self._rasters.get("MASK_RASTER"), scores=self._rasters.get("SCORES"), **options,
        )

    def outputs(
        self, result: Mapping[str, Any], parameters: Mapping[str, Any], context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> dict[str, Any]:
        """Polygons, rasters on request, their number."""
        texts = self._texts
        identifier, count = self.fill_sink(
            self._path, parameters, context, feedback,
            lambda layer: layers.style_masks(layer, texts), tr("Outlines: {}").format("; ".join(texts)))
        if "SCORES" in self._rasters:
            self.style_on_load(self._rasters["SCORES"], layers.style_heatmap, "", context)
        feedback.pushInfo(tr("{} outlines").format(count))
        return {"OUTPUT": identifier, "COUNT": count, **self._rasters}
