"""Check environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputString,
    QgsProcessingParameterFileDestination,
)

from .. import report
from ..translate import mark, tr
from .base import Reporter, RsvlmAlgorithm


class CheckEnvironment(RsvlmAlgorithm):
    """Whether the search engine can work here, and what to do when it cannot."""

    ID, ICON = "checkenvironment", "check.svg"
    NAME = mark("Check environment")
    ABOUT = mark(
        "Starts the search engine and reports versions, devices, memory and models, and what to do about what is "
        "wrong. The report holds no user name and no home folder, so it can be pasted into an issue."
    )

    def initAlgorithm(self, config: Any = None) -> None:
        """Parameters and outputs."""
        self.addParameter(QgsProcessingParameterFileDestination(
            "OUTPUT", tr("Report"), tr("Markdown files (*.md)"), optional=True, createByDefault=False))
        self.addOutput(QgsProcessingOutputString("STATUS", tr("ok, or what is wrong")))
        self.addOutput(QgsProcessingOutputString("REPORT", tr("Report in Markdown")))

    def prepareAlgorithm(
        self, parameters: Mapping[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> bool:
        """Nothing to read."""
        return True

    def processAlgorithm(
        self, parameters: Mapping[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """A report is made of a broken environment too: that is its use."""
        reporter = Reporter(feedback)
        status, text = report.make(reporter.progress, reporter.log, feedback.isCanceled)
        feedback.pushInfo(text)
        found = {"STATUS": status, "REPORT": text}
        if parameters.get("OUTPUT") not in (None, ""):
            found["OUTPUT"] = self.parameterAsFileOutput(parameters, "OUTPUT", context)
            with open(found["OUTPUT"], "w", encoding="utf-8") as file:
                file.write(text + "\n")
        return found
