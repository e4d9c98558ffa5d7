"""The algorithms where Processing uses them: model designer, batch, each with help, icon and typed parameters."""

import json

import pytest
from qgis.core import (
    QgsApplication,
    QgsProcessingAlgorithm,
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


def test_a_batch_of_rasters_gives_a_result_each(provider, tmp_path, monkeypatch):
    """Processing's own batch dialog, with a saved batch loaded into its table."""
    from conftest import write_raster
    from processing.core.Processing import Processing
    from processing.gui.BatchAlgorithmDialog import BatchAlgorithmDialog
    from processing.gui.BatchPanel import BatchPanel
    from qgis.PyQt.QtWidgets import QFileDialog

    Processing.initialize()
    rows = []
    for number in range(2):
        path = write_raster(tmp_path / f"{number}.tif", size=(120, 160))
        parameters = {"INPUT": repr(str(path)), "TEXT": "'houses'", "TOP": str(3 + number)}
        outputs = {"OUTPUT": str(tmp_path / f"{number}.gpkg")}
        rows.append({BatchPanel.PARAMETERS: parameters, BatchPanel.OUTPUTS: outputs})
    (tmp_path / "batch.json").write_text(json.dumps(rows))
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *words: (str(tmp_path / "batch.json"), ""))
    dialog = BatchAlgorithmDialog(QgsApplication.processingRegistry().createAlgorithmById("rsvlm:searchbytext"))
    dialog.mainWidget().load()
    dialog.mainWidget().checkLoadLayersOnCompletion.setChecked(False)
    dialog.runAlgorithm()
    dialog.close()
    assert [QgsVectorLayer(str(tmp_path / f"{number}.gpkg")).featureCount() for number in range(2)] == [3, 4]
