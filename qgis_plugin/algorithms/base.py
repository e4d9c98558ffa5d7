"""What the algorithms share: prepared on the main thread, run in a child process, loaded on the main thread."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Callable

from qgis.core import (
    QgsFeature,
    QgsFeatureRequest,
    QgsFeatureSink,
    QgsField,
    QgsFields,
    QgsMapLayer,
    QgsProcessing,
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingLayerPostProcessorInterface,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterExtent,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterFile,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
    QgsProcessingUtils,
    QgsRasterLayer,
    QgsRectangle,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QEventLoop, QThread, QTimer
from qgis.PyQt.QtGui import QIcon

from .. import about, export, jobs, log, settings, sources, worker_client
from ..protocol import BackendError, Remaining, Request
from ..translate import tr, unit_name

ICONS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "icons")
ADVANCED = QgsProcessingParameterDefinition.Flag.FlagAdvanced
# taken from the child's layer as they are; `fid` and geometry make themselves
HIDDEN_FIELDS = ("fid", "ogc_fid")


class Styler(QgsProcessingLayerPostProcessorInterface):
    """Styles a layer when Processing loads it, on the main thread."""

    def __init__(self, style: Callable[[QgsMapLayer], None]) -> None:
        super().__init__()
        self._style = style

    def postProcessLayer(
        self, layer: QgsMapLayer, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> None:
        """Called by Processing."""
        self._style(layer)


class RsvlmAlgorithm(QgsProcessingAlgorithm):
    """An algorithm whose work is one request.

    `request` reads layers and parameters on the main thread; `outputs` turns the result into Processing's outputs in
    the thread of the run, without touching project, layers or widgets.
    """

    ID = ""
    ICON = "search.svg"
    NAME = ""  # in the toolbox; marked for translation, like ABOUT, which stands beside the dialog
    ABOUT = ""

    def __init__(self) -> None:
        super().__init__()
        self._request: Request | None = None
        self._export: tuple[QgsRasterLayer, export.Plan, str] | None = None
        self._stylers: list[Styler] = []  # Processing does not keep them

    # what QGIS asks
    def name(self) -> str:
        """Stable id."""
        return self.ID

    def displayName(self) -> str:
        """In the toolbox."""
        return tr(self.NAME)

    def shortHelpString(self) -> str:
        """Beside the dialog."""
        return tr(self.ABOUT)

    def createInstance(self) -> RsvlmAlgorithm:
        """A fresh copy for one run."""
        return type(self)()

    def icon(self) -> QIcon:
        """From the plugin's own files."""
        return QIcon(os.path.join(ICONS, self.ICON))

    def helpUrl(self) -> str:
        """The plugin's page."""
        return about.help_url()

    def group(self) -> str:
        """All lie at the top of the provider."""
        return ""

    def groupId(self) -> str:
        """All lie at the top of the provider."""
        return ""

    def tags(self) -> list[str]:
        """Words by which the toolbox finds every one of them."""
        return tr("clip,text,search,imagery,aerial,satellite,ai,deep learning").split(",")

    # shared parameters
    def add_input(self, optional: bool = False) -> None:
        """`INPUT`: a raster layer."""
        self.addParameter(QgsProcessingParameterRasterLayer("INPUT", tr("Raster layer"), optional=optional))

    def add_index(self) -> None:
        """`INDEX`: a folder made by Build search index, instead of a raster."""
        folder = QgsProcessingParameterFile.Behavior.Folder
        self.addParameter(QgsProcessingParameterFile(
            "INDEX", tr("Search index (instead of a raster)"), folder, optional=True))

    def add_extent(self) -> None:
        """`EXTENT`: where; all of the raster by default."""
        self.addParameter(QgsProcessingParameterExtent("EXTENT", tr("Only in this extent"), optional=True))

    def add_options(self) -> None:
        """`EXTENT`, `GSDS`, `BANDS`, `MODEL`: what nearly every one of them takes; `options` reads them."""
        self.add_extent()
        self.add_gsds()
        self.add_bands()
        self.add_model()

    def add_polygons(self, name: str, words: str) -> None:
        """An advanced, optional parameter for polygons."""
        self.add_advanced(QgsProcessingParameterFeatureSource(name, words, [POLYGONS], optional=True))

    def polygons(self, parameters: Mapping[str, Any], name: str, context: QgsProcessingContext) -> str | None:
        """The polygons of such a parameter as a file for the backend, or None."""
        source = self.parameterAsSource(parameters, name, context)
        if source is None:
            return None
        geometries = [feature.geometry() for feature in source.getFeatures(QgsFeatureRequest().setNoAttributes())]
        return sources.write_polygons(geometries, source.sourceCrs(), self.scratch(name.lower() + ".gpkg"))

    def add_model(self) -> None:
        """`MODEL`: advanced; the bundled one by default."""
        self.add_advanced(QgsProcessingParameterString(
            "MODEL", tr("Model (empty: the one in the options, else the bundled one)"), optional=True))

    def add_gsds(self) -> None:
        """`GSDS`: advanced; chosen from the raster by default, needed for a web layer."""
        self.add_advanced(QgsProcessingParameterString(
            "GSDS", tr("Pixel sizes to look at, in metres (empty: automatic; web layers need one)"), optional=True))

    def add_bands(self) -> None:
        """`BANDS`: advanced; the raster's own colours by default."""
        self.add_advanced(QgsProcessingParameterString(
            "BANDS", tr("Bands for red, green, blue (empty: automatic)"), optional=True))

    def add_advanced(self, parameter: QgsProcessingParameterDefinition) -> None:
        """A parameter that hides under Advanced."""
        parameter.setFlags(parameter.flags() | ADVANCED)
        self.addParameter(parameter)

    # reading parameters, on the main thread
    def sources(self, parameters: Mapping[str, Any], context: QgsProcessingContext) -> list[str]:
        """The raster or the index to work on."""
        index = self.text(parameters, "INDEX", context) if self.parameterDefinition("INDEX") else ""
        if index:
            return [index]
        layer = self.parameterAsRasterLayer(parameters, "INPUT", context)
        if layer is None:
            raise BackendError(
                tr("Neither a raster nor a search index is given, or the raster cannot be opened."),
                tr("Choose a raster layer or the folder of an index."), "usage")
        if sources.needs_export(layer):
            return [self._plan_export(layer, parameters, context)]
        return [sources.raster_source(layer)]

    def _plan_export(
        self, layer: QgsRasterLayer, parameters: Mapping[str, Any], context: QgsProcessingContext
    ) -> str:
        """A service or database layer is drawn into a file before the run; returns the file's name."""
        sizes = jobs.split_sizes(self.text(parameters, "GSDS", context)) if self.parameterDefinition("GSDS") else None
        extent = self.extent(parameters, context)
        grid = export.plan(layer, QgsRectangle(*extent) if extent else None, min(sizes) if sizes else None)
        clone = export.private_clone(layer)
        clone.moveToThread(None)  # the thread of the run takes it
        self._export = (clone, grid, self.scratch("layer.tif"))
        return self._export[2]

    def _draw_layer(self, feedback: QgsProcessingFeedback) -> None:
        """Carry the export out, in the thread of the run.

        Raises:
            BackendError: It failed, or the user stopped it.
        """
        if self._export is None:
            return
        clone, grid, path = self._export
        clone.moveToThread(QThread.currentThread())
        feedback.pushInfo(tr("Drawing {} × {} pixels of {:g} m: about {} requests.").format(
            grid.width, grid.height, grid.gsd_m, grid.requests))
        loop, clock, ended = QEventLoop(), QTimer(), []
        exporter = export.Exporter(clone, grid, path)
        exporter.progressed.connect(lambda done, total: feedback.setProgress(100.0 * done / total))
        exporter.ended.connect(lambda holes, fault: (ended.append((holes, fault)), loop.quit()))
        clock.timeout.connect(lambda: exporter.cancel() if feedback.isCanceled() else None)
        clock.start(100)
        exporter.start()
        loop.exec()
        clock.stop()
        self._export = None
        holes, fault = ended[0]
        if fault is not None:
            raise fault
        if holes:
            feedback.reportError(exporter.lack(), False)

    def extent(self, parameters: Mapping[str, Any], context: QgsProcessingContext) -> list[float] | None:
        """`EXTENT` in the raster's CRS, cut to the raster; None for all of it."""
        if parameters.get("EXTENT") in (None, ""):
            return None
        box = self.parameterAsExtent(parameters, "EXTENT", context)
        crs = self.parameterAsExtentCrs(parameters, "EXTENT", context)
        layer = self.parameterAsRasterLayer(parameters, "INPUT", context)
        if layer is None:  # an index: its backend knows where it lies, and extents are in its CRS
            return [box.xMinimum(), box.yMinimum(), box.xMaximum(), box.yMaximum()]
        return sources.extent_of(layer, box, crs if crs.isValid() else layer.crs())

    def text(self, parameters: Mapping[str, Any], name: str, context: QgsProcessingContext) -> str:
        """A string parameter without spaces around it; empty where not given."""
        return str(self.parameterAsString(parameters, name, context) or "").strip()

    def number(self, parameters: Mapping[str, Any], name: str, context: QgsProcessingContext) -> float | None:
        """A number parameter; None where not given."""
        return None if parameters.get(name) in (None, "") else self.parameterAsDouble(parameters, name, context)

    def options(self, parameters: Mapping[str, Any], context: QgsProcessingContext) -> dict[str, Any]:
        """What `add_options` declares, as options of a request."""
        return {
            "extent": self.extent(parameters, context),
            "gsds": jobs.split_sizes(self.text(parameters, "GSDS", context)),
            **self.common(parameters, context),
        }

    def common(self, parameters: Mapping[str, Any], context: QgsProcessingContext) -> dict[str, Any]:
        """Bands, model and device; bands are those of the layer's style where none are given."""
        layer = self.parameterAsRasterLayer(parameters, "INPUT", context) if self.parameterDefinition("INPUT") else None
        bands = jobs.split_bands(self.text(parameters, "BANDS", context)) if self.parameterDefinition("BANDS") else None
        shown = None if layer is None or sources.needs_export(layer) else sources.renderer_bands(layer)
        return {
            "bands": (bands or shown) if self.parameterDefinition("BANDS") else None,
            "model": self.text(parameters, "MODEL", context) or settings.model() or None,
            "device": settings.device() if settings.device() != "auto" else None,
        }

    # the run
    def request(self, parameters: Mapping[str, Any], context: QgsProcessingContext) -> Request:
        """What to ask of the backend; main thread."""
        raise QgsProcessingException(self.ID)

    def outputs(
        self, result: Mapping[str, Any], parameters: Mapping[str, Any], context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> dict[str, Any]:
        """Processing's outputs; the thread of the run."""
        raise QgsProcessingException(self.ID)

    def prepareAlgorithm(
        self, parameters: Mapping[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> bool:
        """Main thread: read what belongs to it."""
        try:
            self._request = self.request(parameters, context)
        except BackendError as error:
            raise QgsProcessingException(str(error)) from error
        return True

    def processAlgorithm(
        self, parameters: Mapping[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """Any thread: run the child, report, and hand over its files."""
        if self._request is None:
            raise QgsProcessingException(self.ID)
        try:
            self._draw_layer(feedback)
            result = self.work(self._request, parameters, context, feedback)
        except BackendError as error:
            if error.details:
                feedback.pushDebugInfo(error.details)
            if error.code == "stopped":
                feedback.pushInfo(str(error))
                return {}
            log.write(f"{self.ID}: {error}\n{error.details}".strip(), "warning")
            raise QgsProcessingException(str(error)) from error
        for lack in jobs.shortfalls(result):
            feedback.reportError(lack, False)
        failed = result.get("failed")
        if isinstance(failed, list) and failed:
            listed = "\n".join(str(one) for one in failed)
            feedback.pushDebugInfo(listed)
            log.write(f"{self.ID}: {listed}", "warning")
        return self.outputs(result, parameters, context, feedback)

    def work(
        self, request: Request, parameters: Mapping[str, Any], context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> dict[str, Any]:
        """Do the request in a child process; the thread of the run."""
        reporter = Reporter(feedback)
        return worker_client.run(request, reporter.progress, reporter.log, feedback.isCanceled)

    # handing results over
    def scratch(self, name: str) -> str:
        """A file name in Processing's temporary folder."""
        return QgsProcessingUtils.generateTempFilename(name)

    def fill_sink(
        self, path: str, parameters: Mapping[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback,
        style: Callable[[QgsVectorLayer], None], title: str,
    ) -> tuple[str, int]:
        """Copy the child's layer into the sink `OUTPUT`; returns the sink's id and the number of features."""
        layer = QgsVectorLayer(path, "result", "ogr")
        if not layer.isValid():
            raise QgsProcessingException(tr("The result {} cannot be opened.").format(path))
        kept = [index for index, field in enumerate(layer.fields()) if field.name().lower() not in HIDDEN_FIELDS]
        fields = QgsFields()
        for index in kept:
            fields.append(QgsField(layer.fields()[index]))
        sink, identifier = self.parameterAsSink(
            parameters, "OUTPUT", context, fields, layer.wkbType(), layer.crs())
        if sink is None:
            raise QgsProcessingException(self.invalidSinkError(parameters, "OUTPUT"))
        count = 0
        for found in layer.getFeatures():
            feature = QgsFeature(fields)
            feature.setGeometry(found.geometry())
            feature.setAttributes([found.attribute(index) for index in kept])
            if not sink.addFeature(feature, QgsFeatureSink.Flag.FastInsert):
                raise QgsProcessingException(self.writeFeatureError(sink, parameters, "OUTPUT"))
            count += 1
        del sink  # closes the file
        self.style_on_load(identifier, style, title, context)
        return identifier, count

    def style_on_load(
        self, identifier: str, style: Callable[[Any], None], title: str, context: QgsProcessingContext
    ) -> None:
        """Name and style the layer if the run loads it."""
        if context.willLoadLayerOnCompletion(identifier):
            details = context.layerToLoadOnCompletionDetails(identifier)
            styler = Styler(style)
            self._stylers.append(styler)
            details.setPostProcessor(styler)
            if title and not details.forceName:
                details.name = title
                details.forceName = True


class Reporter:
    """Passes a run's progress and words on to Processing."""

    def __init__(self, feedback: QgsProcessingFeedback) -> None:
        self._feedback, self._remaining, self._unit = feedback, Remaining(), ""

    def progress(self, done: int, total: int, unit: str) -> None:
        """Move the bar."""
        if unit != self._unit:
            self._unit = unit
            self._feedback.setProgressText(f"{total} {unit_name(unit)}" if total else unit_name(unit))
        if total > 0:
            self._feedback.setProgress(100.0 * done / total)

    def log(self, level: str, text: str) -> None:
        """Show a line."""
        if level == "error":
            self._feedback.reportError(text, False)
        elif level == "warning" and hasattr(self._feedback, "pushWarning"):  # added in 3.16.2
            self._feedback.pushWarning(text)
        elif level == "debug":
            self._feedback.pushDebugInfo(text)
        else:
            self._feedback.pushInfo(text)


POLYGONS = QgsProcessing.SourceType.TypeVectorPolygon
