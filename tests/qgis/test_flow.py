"""The whole flow in the panel, with the real engine, on rasters of every kind; one engine for all of them."""

import os
import subprocess
from pathlib import Path

import pytest
from conftest import NAME, write_raster
from driving import Watch
from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsProject,
    QgsRasterLayer,
    QgsRectangle,
    QgsVectorLayer,
)

KINDS = {
    "metres": {}, "degrees": {"epsg": 4326, "gsd": 0.000005, "origin": (9.0, 51.0)}, "mercator": {"epsg": 3857},
    "feet": {"epsg": 2263, "gsd": 1.6, "origin": (980000.0, 200000.0)}, "rotated": {"rotation": 0.5},
    "uint16_four_bands": {"kind": "uint16", "bands": 4, "nodata": 0}, "one_band": {"kind": "float32", "bands": 1},
    # these say no coordinate system, and are given one by hand
    "placed": {"epsg": None}, "placed_rotated": {"epsg": None, "rotation": 0.5},
}
SIZE = (220, 300)


@pytest.fixture
def panel(plugins, monkeypatch, window, real_python, tmp_path):
    """The panel, with the real engine behind it."""
    if not (plugins / NAME / "backend" / "rsvlm_core" / "weights" / "model.safetensors").exists():
        pytest.skip("no bundled model yet")
    from qgis.core import QgsSettings
    from search_imagery_by_text import backend, settings
    from search_imagery_by_text.gui.dock import SearchDock
    from search_imagery_by_text.session import Session

    monkeypatch.setenv("RSVLM_PYTHON", real_python)
    monkeypatch.setenv("RSVLM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(backend, "_found", {})
    monkeypatch.setattr(settings, "data_folder", lambda: str(tmp_path / "data"))
    monkeypatch.setattr(settings, "PREFIX", f"rsvlm-{os.getpid()}/")  # other runs at the same time have their own
    QgsSettings().remove(settings.PREFIX.rstrip("/"))
    session = Session()
    panel = SearchDock(window, session)
    yield panel
    panel.leave()
    session.close()
    panel.deleteLater()


def newest(start):
    """The last result with a name, as a valid layer."""
    found = [layer for layer in QgsProject.instance().mapLayers().values() if layer.name().startswith(start)]
    assert found and all(layer.isValid() for layer in found), start
    return found[-1]


def go_through(panel, until, window, layer, watch, box=None):
    """Search, pictures, zoom, more like this, heatmap, outlines, another threshold, an edit, its saving, a description.

    Args:
        panel: The panel.
        until: Runs the event loop.
        window: Its window.
        layer: To search.
        watch: Measures how long the window stands still in each step; each kind of raster has its own.
        box: Where, in the layer's CRS; all of it by default.
    """
    def done(step):
        with watch.step(f"{layer.name()}: {step}"):
            until(lambda: not panel._session.busy and not panel.web.busy, 300)
        assert window.words() == "", (layer.name(), step, window.words())

    box = box or layer.extent()
    around = QgsRectangle(box)
    around.grow(2 * max(box.width(), box.height()))  # tiles may be larger than such small rasters
    view = panel.search.view
    panel.show()
    panel.layer.setLayer(layer)
    window.canvas.setDestinationCrs(layer.crs())
    window.canvas.setExtent(box)
    panel.search.text.lineEdit().setText("a red field")
    panel.search.button.click()
    done("search")
    places = newest("Places")
    assert places.featureCount() > 0 and places.crs() == layer.crs() and around.contains(places.extent())
    first = view.model().index(0, 0)
    with watch.step(f"{layer.name()}: pictures"):
        until(lambda: view.thumbnails.picture(first.data(257).fid, first.data(257).square()) is not None)
    picture = view.thumbnails.picture(first.data(257).fid, first.data(257).square())
    assert len({picture.pixel(x, x) for x in range(picture.width())}) > 3
    view.setCurrentIndex(first)
    with watch.step(f"{layer.name()}: zoom"):
        view.visited.emit(first.data(257))
    assert window.canvas.extent().intersects(box)
    assert window.canvas.extent().contains(first.data(257).geometry.boundingBox())
    panel.search.add_examples("like")
    done("more like this")
    assert "1 like" in panel.search.examples.words.text() and view.model().index(0, 0).data(258) == "like"
    panel.search.examples.clear_all.click()
    done("search")
    panel.search.heatmap.click()
    done("heatmap")
    heat = newest("Heatmap")
    assert heat.crs() == layer.crs() and heat.extent().intersects(box) and panel.search.heatmap.isChecked()
    panel.outline.text.setText("a red field; grass")
    panel.outline.threshold.setValue(1)
    assert not panel.outline.automatic.isChecked()
    panel.outline.button.click()
    done("outline")
    outlines = newest("Outlines")
    assert outlines.crs() == layer.crs() and outlines.featureCount() > 0 and around.contains(outlines.extent())
    with watch.step(f"{layer.name()}: threshold"):
        panel.outline.threshold.setValue(2)
    panel.outline.button.click()
    assert panel._again[0].op == "polygons"
    done("outline again")
    outlines = panel.outline._layer
    count = outlines.featureCount()
    assert count == panel.outline.view.model().rowCount() > 0
    panel.outline.view.setCurrentIndex(panel.outline.view.model().index(0, 0))
    with watch.step(f"{layer.name()}: edit"):
        panel.outline.discard()
        panel.outline.save.click()
    assert outlines.featureCount() == count - 1 and not outlines.isEditable()
    assert QgsVectorLayer(outlines.source()).featureCount() == count - 1
    panel.start_caption()
    done("describe")
    assert panel.describe.answers.toPlainText()


@pytest.mark.real
def test_the_flow_on_rasters_of_every_kind_without_a_standstill(panel, until, window, tmp_path):
    watch = Watch()
    for name, options in KINDS.items():
        path = write_raster(tmp_path / f"{name}.tif", size=SIZE, **options)
        layer = QgsRasterLayer(str(path), name)
        if name.startswith("placed"):
            layer.setCrs(QgsCoordinateReferenceSystem("EPSG:25832"))
        assert QgsProject.instance().addMapLayer(layer) is not None, name
        for _ in range(3):  # what other programs hold up once comes out shorter the next time
            go_through(panel, until, window, layer, watch)
            panel.describe.clear()
            panel.search.clear()
            panel.outline.clear()
            panel.outline._kept = {}  # the imagery is looked at again, not the scores that were kept
            if not any(step.startswith(f"{name}: ") for step in watch.too_long()):
                break
        assert not panel.web._files  # the engine reads them all by itself
        QgsProject.instance().clear()
    assert not watch.too_long(), watch.too_long()


@pytest.mark.real
def test_the_flow_on_a_tile_service(panel, until, window, tmp_path, raster_file):
    script = Path(__file__).with_name("tile_server.py")
    server = subprocess.Popen(["/usr/bin/python3", str(script), str(raster_file)], stdout=subprocess.PIPE, text=True)
    try:
        address = f"http://127.0.0.1:{int(server.stdout.readline())}"
        layer = QgsRasterLayer(f"type=xyz&url={address}/xyz/%7Bz%7D/%7Bx%7D/%7By%7D.png&zmin=0&zmax=19", "xyz", "wms")
        QgsProject.instance().addMapLayer(layer)
        own = QgsRasterLayer(str(raster_file))
        middle = QgsRectangle.fromCenterAndSize(own.extent().center(), 100, 100)
        panel.where.set_rectangle(middle, own.crs())
        panel.search.sizes.setText("0.5")
        asked = []
        panel.web.confirm = lambda layer, grid: asked.append(grid) or True
        there = QgsCoordinateTransform(own.crs(), layer.crs(), QgsProject.instance()).transformBoundingBox(middle)
        go_through(panel, until, window, layer, Watch(), there)
        assert layer.crs() == QgsCoordinateReferenceSystem("EPSG:3857") and len(panel.web._files) == 1
        assert not asked  # a glance at the map costs as much
    finally:
        server.kill()
        server.wait()


@pytest.mark.real
@pytest.mark.parametrize("work", ["search", "index"])
def test_leaving_in_the_middle_of_the_real_engines_work(panel, until, window, tmp_path, runs, work):
    """The child goes, no result is half written, and an index goes on where it was."""
    from search_imagery_by_text import indexes, settings

    path = write_raster(tmp_path / "large.tif", size=(1500, 1500))
    layer = QgsRasterLayer(str(path), "large")
    QgsProject.instance().addMapLayer(layer)
    panel.layer.setLayer(layer)
    panel.search.sizes.setText("0.5")
    seen = []
    panel._session.progressed.connect(lambda done, total, unit, left: seen.append((done, total, unit)))
    if work == "index":
        panel.search.index.build.trigger()
    else:
        panel.search.text.lineEdit().setText("a red field")
        panel.search.button.click()
    until(lambda: any(0 < done < total and unit == "tiles" for done, total, unit in seen), 300)
    pid = panel._session._worker.process.processId()
    panel._session.close()
    assert not runs(pid)
    assert not [path for path in Path(settings.results_folder()).iterdir() if not path.name.startswith(".")]
    if work == "search":
        return
    assert indexes.status(str(path)).kind in (indexes.PARTIAL, indexes.NONE)
    panel._session.blockSignals(False)
    panel.progress.end()
    panel.search.index.build.trigger()
    until(lambda: not panel._session.busy, 900)
    assert indexes.status(str(path)).kind == indexes.BUILT and window.words() == ""


@pytest.mark.real
def test_what_cannot_be_searched_says_so(panel, until, window, tmp_path):
    gone = QgsRasterLayer(str(write_raster(tmp_path / "gone.tif", size=SIZE)), "gone")
    (tmp_path / "gone.tif").rename(tmp_path / "renamed.tif")
    nowhere = QgsRasterLayer(str(write_raster(tmp_path / "nowhere.tif", size=SIZE, epsg=None)), "nowhere")
    nowhere.setCrs(QgsCoordinateReferenceSystem())
    for layer, said in ((gone, "gone"), (nowhere, "no coordinate system")):
        QgsProject.instance().addMapLayer(layer)
        panel.layer.setLayer(layer)
        panel.search.text.lineEdit().setText("x")
        panel.search.button.click()
        until(lambda: not panel._session.busy, 120)
        assert said in window.words()
        window.bar.clearWidgets()
    one = QgsRasterLayer(str(write_raster(tmp_path / "one.tif", size=(1, 1))), "one")
    QgsProject.instance().addMapLayer(one)
    panel.layer.setLayer(one)
    panel.search.button.click()
    until(lambda: not panel._session.busy, 120)
    assert window.words() == "" and panel.search.view.model().rowCount() == 0
    assert "less than a tile" in panel.search.view.hint and panel.search.summary.text() == "No place in 0 tiles"
    panel.outline.text.setText("x")
    panel.outline.button.click()
    until(lambda: not panel._session.busy, 120)
    assert window.words() == "" and "Nothing was outlined" in panel.outline.view.hint
    assert newest("Outlines").featureCount() == 0
