"""Caption extent, and ask about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputString,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterString,
)

from .. import jobs
from ..protocol import Request
from ..translate import mark, tr
from .base import RsvlmAlgorithm


class CaptionExtent(RsvlmAlgorithm):
    """A place in, a sentence out."""

    ID, ICON = "captionextent", "caption.svg"
    NAME = mark("Caption extent")
    ABOUT = mark(
        "Describes in a sentence what an extent of a raster shows. With a question, answers that instead. "
        "Extents of a few hundred metres work best."
    )

    def initAlgorithm(self, config: Any = None) -> None:
        """Parameters and outputs."""
        self.add_input()
        self.add_extent()
        self.addParameter(QgsProcessingParameterString(
            "TEXT", tr("Question (empty: describe what is there)"), optional=True))
        self.add_gsds()
        self.add_model()
        self.addParameter(QgsProcessingParameterFileDestination(
            "OUTPUT", tr("Text file"), tr("Text files (*.txt)"), optional=True, createByDefault=False))
        self.addOutput(QgsProcessingOutputString("CAPTION", tr("Caption or answer")))

    def request(self, parameters: Mapping[str, Any], context: QgsProcessingContext) -> Request:
        """Describe, or answer."""
        common = dict(self.common(parameters, context), extent=self.extent(parameters, context))
        question = self.text(parameters, "TEXT", context)
        source = self.sources(parameters, context)[0]
        return jobs.ask(source, question, **common) if question else jobs.caption(source, **common)

    def outputs(
        self, result: Mapping[str, Any], parameters: Mapping[str, Any], context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> dict[str, Any]:
        """The sentence, in a file too where one is named."""
        sentence = str(result.get("text") or "")
        feedback.pushInfo(sentence)
        found = {"CAPTION": sentence}
        if parameters.get("OUTPUT") not in (None, ""):
            found["OUTPUT"] = self.parameterAsFileOutput(parameters, "OUTPUT", context)
            with open(found["OUTPUT"], "w", encoding="utf-8") as file:
                file.write(sentence + "\n")
        return found
