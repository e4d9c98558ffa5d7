"""Make a training set."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from qgis.core import (
    QgsCoordinateTransform,
    QgsFeatureRequest,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
    QgsProcessingParameterFolderDestination,
    QgsProcessingParameterNumber,
    QgsRectangle,
    QgsVectorFileWriter,
)

from .. import jobs, training_set
from ..protocol import Request
from ..translate import mark, tr
from .base import Reporter, RsvlmAlgorithm


class MakeTrainingSet(RsvlmAlgorithm):
    """A raster and what a map knows of it in, captioned tiles out."""

    ID, ICON = "maketrainingset", "training.svg"
    NAME = mark("Make a training set")
    ABOUT = mark(
        "Cuts a raster into tiles and writes, for each, sentences on what a vector layer knows to lie in it: pictures "
        "with captions, in the shards that rsvlm (and OpenCLIP) train on, with a data card.\n\n"
        "The layer may be an OpenStreetMap extract, or any layer with a field that says what a thing is. Say that it "
        "is complete only when everything of its kind is in it: then exact numbers are said. Without a field, "
        "OpenStreetMap tags and the usual names of such fields are looked for.\n\n"
        "Run it again on the same folder to continue what was stopped. Everything is computed on this computer."
    )

    def initAlgorithm(self, config: Any = None) -> None:
        """Parameters and outputs."""
        self.add_input()
        self.addParameter(QgsProcessingParameterFeatureSource("LANDMARKS", tr("Layer of things on the ground")))
        self.addParameter(QgsProcessingParameterField(
            "COLUMN", tr("Field that says what a thing is"),
            parentLayerParameterName="LANDMARKS", optional=True))
        self.addParameter(QgsProcessingParameterBoolean("COMPLETE", tr("The layer is complete"), defaultValue=False))
        whole = QgsProcessingParameterNumber.Type.Integer
        self.add_advanced(QgsProcessingParameterNumber(
            "SIDE", tr("Side of a tile in pixels"), whole, 224, False, 32, 2048))
        self.add_advanced(QgsProcessingParameterNumber("CAPTIONS", tr("Captions of a tile"), whole, 4, False, 1, 20))
        self.add_extent()
        self.add_gsds()
        self.addParameter(QgsProcessingParameterFolderDestination("OUTPUT", tr("Folder of the training set")))
        self.addOutput(QgsProcessingOutputNumber("SAMPLES", tr("Tiles in the set")))
        self.addOutput(QgsProcessingOutputNumber("CAPTIONS_WRITTEN", tr("Captions in the set")))

    def request(self, parameters: Mapping[str, Any], context: QgsProcessingContext) -> Request:
        """What the builder is asked, but for the layer, which the run writes into a file."""
        self._source = self.parameterAsSource(parameters, "LANDMARKS", context)
        if self._source is None:
            raise QgsProcessingException(self.invalidSourceError(parameters, "LANDMARKS"))
        self._transform = context.transformContext()
        self._within, extent = QgsFeatureRequest(), self.extent(parameters, context)
        if extent:  # tiles with nothing of the layer in view are left out, so this restricts the tiles
            layer = self.parameterAsRasterLayer(parameters, "INPUT", context)
            there = QgsCoordinateTransform(layer.crs(), self._source.sourceCrs(), self._transform)
            self._within.setFilterRect(there.transformBoundingBox(QgsRectangle(*extent)))
        self._out = os.path.abspath(self.parameterAsString(parameters, "OUTPUT", context).rstrip("/\\"))
        columns = self.parameterAsFields(parameters, "COLUMN", context)
        self._wanted = {
            "imagery": self.sources(parameters, context)[0], "out": self._out,
            "column": columns[0] if columns else "",
            "gsds": tuple(jobs.split_sizes(self.text(parameters, "GSDS", context)) or ()),
            "side": self.parameterAsInt(parameters, "SIDE", context),
            "captions": self.parameterAsInt(parameters, "CAPTIONS", context),
            "complete": self.parameterAsBoolean(parameters, "COMPLETE", context),
        }
        return Request("training_set")

    def work(
        self, request: Request, parameters: Mapping[str, Any], context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> dict[str, Any]:
        """Write the layer into a file, and run the builder."""
        os.makedirs(self._out, exist_ok=True)
        reporter = Reporter(feedback)
        wanted = training_set.Wanted(landmarks=self._landmarks(), **self._wanted)
        return training_set.make(wanted, reporter.progress, reporter.log, feedback.isCanceled)

    def _landmarks(self) -> str:
        """The layer as a file inside the set, under the same name every time: that is how a stopped run goes on."""
        path = os.path.join(self._out, "landmarks.gpkg")
        options = QgsVectorFileWriter.SaveVectorOptions()
        options.driverName, options.layerName = "GPKG", self._source.sourceName() or "landmarks"
        options.layerOptions = ["VERSION=1.2", "FID=rsvlm_fid"]
        writer = QgsVectorFileWriter.create(
            path, self._source.fields(), self._source.wkbType(), self._source.sourceCrs(), self._transform, options)
        if writer.hasError() != QgsVectorFileWriter.WriterError.NoError:
            raise QgsProcessingException(writer.errorMessage())
        for feature in self._source.getFeatures(self._within):
            writer.addFeature(feature)
        del writer  # closes the file
        return path

    def outputs(
        self, result: Mapping[str, Any], parameters: Mapping[str, Any], context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> dict[str, Any]:
        """Folder and counts."""
        made = result.get("result") or {}
        samples, captions = int(made.get("samples") or 0), int(made.get("captions") or 0)
        feedback.pushInfo(tr("{} tiles with {} captions in {}").format(samples, captions, self._out))
        return {"OUTPUT": self._out, "SAMPLES": samples, "CAPTIONS_WRITTEN": captions}
