"""The algorithms where Processing uses them: model designer, batch, each with help, icon and typed parameters."""

import pytest
from qgis.core import (
    QgsApplication,
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingModelAlgorithm,
    QgsProcessingModelChildAlgorithm,
    QgsProcessingModelChildParameterSource,
    QgsProcessingModelOutput,
    QgsProcessingModelParameter,
    QgsProcessingParameterRasterLayer,
    QgsVectorLayer,
)


@pytest.fixture
def provider(engine):
    """The plugin's algorithms, registered."""
    plugin = engine.classFactory(None)
    plugin.initProcessing()
    yield plugin.provider
    plugin.unload()


def test_every_algorithm_has_help_an_icon_and_is_offered_in_models_and_in_batch(provider):
    algorithms = provider.algorithms()
    assert len(algorithms) == 8
    for algorithm in algorithms:
        flags = algorithm.flags()
        assert not flags & QgsProcessingAlgorithm.Flag.FlagHideFromModeler
        assert flags & QgsProcessingAlgorithm.Flag.FlagSupportsBatch
        assert not flags & QgsProcessingAlgorithm.Flag.FlagNoThreading  # QGIS stays alive meanwhile
        assert len(algorithm.shortHelpString()) > 80 and algorithm.helpUrl().startswith("https://")
        assert not algorithm.icon().isNull() and algorithm.tags()
        assert all(definition.description() for definition in algorithm.parameterDefinitions())


def test_a_model_searches_and_buffers_what_was_found(provider, raster_file):
    """As the model designer makes it: a raster in, two steps, the second takes the places of the first."""
    import processing
    from processing.core.Processing import Processing

    Processing.initialize()
    model = QgsProcessingModelAlgorithm("places with surroundings")
    model.addModelParameter(QgsProcessingParameterRasterLayer("IMAGE"), QgsProcessingModelParameter("IMAGE"))
    find = QgsProcessingModelChildAlgorithm("rsvlm:searchbytext")
    find.setChildId("find")
    value, of = QgsProcessingModelChildParameterSource.fromStaticValue, QgsProcessingModelChildParameterSource
    find.addParameterSources("INPUT", [of.fromModelParameter("IMAGE")])
    find.addParameterSources("TEXT", [value("houses")])
    find.addParameterSources("TOP", [value(5)])
    model.addChildAlgorithm(find)
    grow = QgsProcessingModelChildAlgorithm("native:buffer")
    grow.setChildId("grow")
    grow.addParameterSources("INPUT", [of.fromChildOutput("find", "OUTPUT")])
    for name, setting in {"DISTANCE": 10, "SEGMENTS": 5, "END_CAP_STYLE": 0, "JOIN_STYLE": 0, "MITER_LIMIT": 2,
                          "DISSOLVE": False}.items():
        grow.addParameterSources(name, [value(setting)])
    output = QgsProcessingModelOutput("surroundings", "surroundings")
    output.setChildOutputName("OUTPUT")
    output.setChildId("grow")
    grow.setModelOutputs({"surroundings": output})
    model.addChildAlgorithm(grow)
    made, message = model.validate()
    assert made, message
    done = processing.run(model, {"IMAGE": str(raster_file), "grow:surroundings": "TEMPORARY_OUTPUT"})
    layer = next(one for one in done.values() if isinstance(one, QgsVectorLayer))
    assert layer.featureCount() == 5 and layer.fields().indexOf("confidence") >= 0


def test_a_batch_of_rasters_gives_a_result_each(provider, tmp_path):
    """The dialog's own code carries the rows out, one after another."""
    from conftest import write_raster
    from processing.core.Processing import Processing
    from processing.gui.BatchAlgorithmDialog import BatchAlgorithmDialog

    Processing.initialize()
    algorithm = QgsApplication.processingRegistry().createAlgorithmById("rsvlm:searchbytext")
    rasters = [write_raster(tmp_path / f"{number}.tif", size=(120, 160)) for number in range(2)]
    rows = [{"INPUT": str(path), "TEXT": "houses", "TOP": 3 + number, "OUTPUT": str(tmp_path / f"{number}.gpkg")}
            for number, path in enumerate(rasters)]
    dialog = BatchAlgorithmDialog(algorithm)
    assert dialog.algorithm().id() == "rsvlm:searchbytext"
    feedback, context = QgsProcessingFeedback(), QgsProcessingContext()
    for row in rows:
        good, message = algorithm.checkParameterValues(row, context)
        assert good, message
        _, ok = algorithm.create().run(row, context, feedback)
        assert ok, feedback.textLog()
    dialog.close()
    assert [QgsVectorLayer(row["OUTPUT"]).featureCount() for row in rows] == [3, 4]
