"""The whole flow in the panel, with the real engine, on rasters of every kind; one engine for all of them."""

import subprocess
from pathlib import Path

import pytest
from conftest import NAME, write_raster
from qgis.core import QgsCoordinateReferenceSystem, QgsProject, QgsRasterLayer, QgsRectangle

KINDS = {
    "metres": {}, "degrees": {"epsg": 4326, "gsd": 0.000005, "origin": (9.0, 51.0)}, "mercator": {"epsg": 3857},
    "feet": {"epsg": 2263, "gsd": 1.6, "origin": (980000.0, 200000.0)}, "rotated": {"rotation": 0.5},
    "uint16_four_bands": {"kind": "uint16", "bands": 4, "nodata": 0}, "one_band": {"kind": "float32", "bands": 1},
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
    QgsSettings().remove("rsvlm")
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


def go_through(panel, until, window, layer):
    """Search, zoom, heatmap, more like this, outlines, another threshold, an edit, its saving, a description."""
    def done():
        until(lambda: not panel._session.busy, 300)
        assert window.words() == "", window.words()

    box = layer.extent()
    around = QgsRectangle(box)
    around.grow(2 * max(box.width(), box.height()))  # tiles may be larger than such small rasters
    panel.layer.setLayer(layer)
    window.canvas.setDestinationCrs(layer.crs())
    window.canvas.setExtent(box)
    panel.search.text.lineEdit().setText("a red field")
    panel.search.button.click()
    done()
    places = newest("Places")
    assert places.featureCount() > 0 and places.crs() == layer.crs() and around.contains(places.extent())
    first = panel.search.view.model().index(0, 0)
    panel.search.view.setCurrentIndex(first)
    panel.search.zoom_to(first.data(257))
    assert window.canvas.extent().intersects(box)
    panel.search.add_examples("like")
    done()
    panel.search.examples.clear_all.click()
    done()
    panel.search.heatmap.click()
    done()
    heat = newest("Heatmap")
    assert heat.crs() == layer.crs() and heat.extent().intersects(box)
    panel.outline.text.setText("a red field; grass")
    panel.outline.automatic.setChecked(False)
    panel.outline.threshold.setValue(1)
    panel.outline.automatic.setChecked(False)
    panel.outline.button.click()
    done()
    outlines = newest("Outlines")
    assert outlines.crs() == layer.crs() and outlines.featureCount() > 0 and around.contains(outlines.extent())
    panel.outline.threshold.setValue(2)
    panel.outline.button.click()
    assert panel._again[0].op == "polygons"
    done()
    outlines = panel.outline._layer
    count = outlines.featureCount()
    assert count == panel.outline.view.model().rowCount() > 0
    panel.outline.view.setCurrentIndex(panel.outline.view.model().index(0, 0))
    panel.outline.discard()
    panel.outline.save.click()
    assert outlines.featureCount() == count - 1 and not outlines.isEditable()
    panel.start_caption()
    done()
    assert panel.describe.answers.toPlainText()


@pytest.mark.real
def test_the_flow_on_rasters_of_every_kind(panel, until, window, tmp_path):
    for name, options in KINDS.items():
        path = write_raster(tmp_path / f"{name}.tif", size=SIZE, **options)
        layer = QgsRasterLayer(str(path), name)
        assert QgsProject.instance().addMapLayer(layer) is not None, name
        go_through(panel, until, window, layer)
        panel.describe.clear()
        panel.search.clear()
        panel.outline.clear()
        QgsProject.instance().clear()


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
        panel.web.confirm = lambda *words: True
        panel.layer.setLayer(layer)
        panel.search.text.lineEdit().setText("a red field")
        panel.search.button.click()
        until(lambda: panel._session.busy, 120)
        until(lambda: not panel._session.busy, 300)
        assert newest("Places").crs() == QgsCoordinateReferenceSystem("EPSG:3857")
        panel.outline.text.setText("a red field")
        panel.outline.button.click()
        until(lambda: panel._session.busy, 120)
        until(lambda: not panel._session.busy, 300)
        assert newest("Outlines").crs() == QgsCoordinateReferenceSystem("EPSG:3857")
    finally:
        server.kill()
        server.wait()


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
    assert panel.search.view.model().rowCount() > 0 or "No place" in panel.search.view.hint or window.words()
