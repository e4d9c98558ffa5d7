"""Build search index."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterFolderDestination,
)

from .. import jobs
from ..protocol import Request
from ..translate import mark, tr
from .base import RsvlmAlgorithm


class BuildIndex(RsvlmAlgorithm):
    """A raster's tiles, embedded once and searched in milliseconds ever after."""

    ID, ICON = "buildindex", "index.svg"
    NAME = mark("Build search index")
    ABOUT = mark(
        "Cuts a raster into ground-sized tiles, computes what each shows, and keeps that in an index folder. "
        "Searching an index takes milliseconds, however often.\n\n"
        "Running it again on the same folder finishes what was left, adds a new raster, and does nothing where "
        "nothing changed. Cancel keeps the finished part.\n\n"
        "Everything is computed on this computer; no imagery leaves it."
    )

    def initAlgorithm(self, config: Any = None) -> None:
        """Parameters and outputs."""
        self.add_input()
        self.add_options()
        self.add_advanced(QgsProcessingParameterBoolean(
            "FRESH", tr("Start afresh instead of continuing"), defaultValue=False))
        self.addParameter(QgsProcessingParameterFolderDestination("OUTPUT", tr("Index folder (name.rsindex)")))
        self.addOutput(QgsProcessingOutputNumber("TILES", tr("Tiles in the index")))
        self.addOutput(QgsProcessingOutputNumber("FAILED", tr("Tiles that could not be read")))

    def request(self, parameters: Mapping[str, Any], context: QgsProcessingContext) -> Request:
        """Build or continue."""
        self._out = self.parameterAsString(parameters, "OUTPUT", context).rstrip("/\\")
        return jobs.build_index(
            self.sources(parameters, context), os.path.abspath(self._out),
            gsds=jobs.split_sizes(self.text(parameters, "GSDS", context)),
            extent=self.extent(parameters, context),
            fresh=self.parameterAsBoolean(parameters, "FRESH", context) or None,
            **self.common(parameters, context),
        )

    def outputs(
        self, result: Mapping[str, Any], parameters: Mapping[str, Any], context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> dict[str, Any]:
        """Folder and counts."""
        failed = result.get("failed") or 0
        tiles = int(result.get("tiles", result.get("count", 0)) or 0)
        feedback.pushInfo(tr("{} tiles in {}").format(tiles, self._out))
        return {"OUTPUT": self._out, "TILES": tiles, "FAILED": len(failed) if isinstance(failed, list) else failed}
