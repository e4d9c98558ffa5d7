"""Enable, disable, enable: nothing is left; QGIS goes: no child is left."""

import sys
import time

import pytest
from qgis.core import QgsApplication


def test_enable_disable_enable_leaves_nothing(engine, window, until):
    for _ in range(2):
        plugin = engine.classFactory(window)
        plugin.initGui()
        assert QgsApplication.processingRegistry().providerById("rsvlm") is not None
        assert len(window.docks()) == 1 and window.menu and window.bars
        plugin.unload()
        until(lambda: not window.docks())
        assert QgsApplication.processingRegistry().providerById("rsvlm") is None
        assert not (window.menu or window.bars or window.factories or window.filters)


@pytest.mark.parametrize("event", ["close the project", "remove the layer", "unload"])
@pytest.mark.parametrize("work", ["search", "index", "outline", "heatmap"])
def test_in_the_middle_of_it(engine, window, until, raster_file, runs, monkeypatch, tmp_path, work, event):
    """No exception, no orphan, no half-written layer; and the next search works."""
    from qgis.core import QgsProject, QgsRasterLayer

    def add():
        layer = QgsRasterLayer(str(raster_file), "ortho")
        QgsProject.instance().addMapLayer(layer)
        return layer

    trouble = []
    monkeypatch.setattr(sys, "excepthook", lambda *what: trouble.append(what))
    monkeypatch.setenv("RSVLM_FAKE", "slow")
    layer, plugin = add(), engine.classFactory(window)
    plugin.initGui()
    dock, session = plugin.dock, plugin._session
    dock.layer.setLayer(layer)
    {"search": lambda: (dock.search.text.lineEdit().setText("houses"), dock.search.button.click()),
     "index": dock.search.index.build.trigger, "heatmap": lambda: dock.start_heatmap("houses"),
     "outline": lambda: (dock.outline.text.setText("road"), dock.outline.button.click())}[work]()
    until(lambda: dock.progress.bar.value() > 3)
    pid = session._worker.process.processId()
    if event == "unload":
        plugin.unload()
        assert not runs(pid)
        assert not list(tmp_path.glob("results/*")) and not trouble
        return
    if event == "close the project":
        QgsProject.instance().clear()
    else:
        QgsProject.instance().removeMapLayer(layer)
    until(lambda: not session.busy, 300)
    left = list(QgsProject.instance().mapLayers().values())
    assert all(one.isValid() for one in left)  # what came is whole
    assert event == "remove the layer" or not left  # and nothing comes into another project
    monkeypatch.setenv("RSVLM_FAKE", "")
    session.forget_worker()
    QgsProject.instance().clear()
    dock.layer.setLayer(add())
    dock.search.text.lineEdit().setText("forest")
    dock.search.button.click()
    until(lambda: not session.busy, 300)
    assert dock.search.view.model().rowCount() == 20 and not trouble
    plugin.unload()
    assert not runs(pid)


def test_without_a_window_there_is_only_the_provider(engine):
    plugin = engine.classFactory(None)
    plugin.initProcessing()
    assert QgsApplication.processingRegistry().providerById("rsvlm") is not None
    plugin.unload()


def test_the_child_goes_when_qgis_is_killed(qgis_process, fake_plugins, raster_file, tmp_path, children, runs):
    """kill -9 of the QGIS process in the middle of a run."""
    qgis_process(fake_plugins, sys.executable, "plugins", "enable", "search_imagery_by_text")
    process = qgis_process.start(fake_plugins, sys.executable, "run", "rsvlm:searchbytext", "--",
                                 f"INPUT={raster_file}", "TEXT=slow", f"OUTPUT={tmp_path / 'h.gpkg'}")
    child = None
    end = time.monotonic() + 120
    while child is None and time.monotonic() < end:
        time.sleep(0.2)
        child = next((pid for pid, words in children(process.pid).items() if "rsvlm_core.worker" in words), None)
    assert child is not None
    process.kill()
    process.wait()
    end = time.monotonic() + 60  # its Python may still be starting
    while runs(child) and time.monotonic() < end:
        time.sleep(0.1)
    assert not runs(child)
