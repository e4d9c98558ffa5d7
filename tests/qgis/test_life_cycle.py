"""Enable, disable, enable: nothing is left; QGIS goes: no child is left."""

import sys
import time

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


def test_unload_in_the_middle_of_a_search_ends_the_child(engine, window, until, raster_file, runs):
    from qgis.core import QgsProject, QgsRasterLayer

    QgsProject.instance().addMapLayer(QgsRasterLayer(str(raster_file), "ortho"))
    plugin = engine.classFactory(window)
    plugin.initGui()
    plugin.dock.search.text.lineEdit().setText("slow")
    plugin.dock.search.button.click()
    until(lambda: plugin.dock.progress.bar.value() > 3)
    pid = plugin._session._worker.process.processId()
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
