"""Layers that are no file: tile services, WMS, WCS, PostGIS; drawn once, completely, or with their holes told."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from driving import assert_it_does_not_stand_still
from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsProject,
    QgsRasterLayer,
    QgsRectangle,
)
from qgis.PyQt.QtGui import QColor


@pytest.fixture
def server(raster_file):
    """Address of a server over the raster."""
    script = Path(__file__).with_name("tile_server.py")
    process = subprocess.Popen(["/usr/bin/python3", str(script), str(raster_file)], stdout=subprocess.PIPE, text=True)
    yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    process.kill()
    process.wait()


@pytest.fixture
def qgis_server(raster_file, tmp_path):
    """Address of QGIS Server's WMS and WCS over the raster."""
    script = Path(__file__).with_name("qgis_server.py")
    process = subprocess.Popen(["/usr/bin/python3", str(script), str(raster_file), str(tmp_path)],
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    port = process.stdout.readline().strip()
    address = f"http://127.0.0.1:{port}"
    try:
        if not port:
            pytest.skip("no QGIS Server")
        with urllib.request.urlopen(f"{address}/wms?SERVICE=WMS&REQUEST=GetCapabilities", timeout=120) as answer:
            if b"WMS_Capabilities" not in answer.read():
                pytest.skip("QGIS Server without WMS (Debian: qgis-server-wms)")
        yield address
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def qgis_server_wcs(qgis_server):
    """The same, where its WCS is installed."""
    with urllib.request.urlopen(f"{qgis_server}/ows?SERVICE=WCS&REQUEST=GetCapabilities", timeout=120) as answer:
        if b"WCS_Capabilities" not in answer.read():
            pytest.skip("QGIS Server without WCS (Debian: qgis-server-wcs)")
    return qgis_server


@pytest.fixture
def database(raster_file, tmp_path):
    """How to connect to a PostGIS of its own that holds the raster as table `ortho`."""
    tools = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not tools or not shutil.which("raster2pgsql"):
        pytest.skip("no PostGIS (Debian: postgresql-15-postgis-3 and postgis)")
    folder = Path(tempfile.mkdtemp(prefix="pg"))  # a short path: sockets lie in it
    who = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []  # a server refuses to be root
    if who:
        shutil.chown(folder, "postgres")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def run(*words, **options):
        return subprocess.run([*who, *map(str, words)], check=True, capture_output=True, cwd=folder, **options)

    run(tools[-1], "-D", folder / "data", "-A", "trust", "-U", "postgres", "--no-sync")
    control = [tools[-1].with_name("pg_ctl"), "-D", folder / "data", "-w"]
    subprocess.run([*who, *map(str, control), "-l", folder / "log", "-o",
                    f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off", "start"], check=True,
                   stdout=subprocess.DEVNULL, cwd=folder)
    try:
        psql = ["psql", "-q", "-v", "ON_ERROR_STOP=1", "-h", folder, "-p", port, "-U", "postgres"]
        extensions = "create extension postgis; create extension postgis_raster;"
        try:
            run(*psql, "-c", extensions)
        except subprocess.CalledProcessError as fault:
            pytest.skip(f"no PostGIS raster in the database: {fault.stderr.decode()[-100:]}")
        table = subprocess.run(["raster2pgsql", "-s", "25832", "-I", "-C", "-M", "-t", "100x100", raster_file, "ortho"],
                               check=True, capture_output=True)
        run(*psql, input=table.stdout)
        yield f"dbname='postgres' host='127.0.0.1' port='{port}' user='postgres'"
    finally:
        QgsProject.instance().clear()  # connections are closed
        run(*control, "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


def xyz(server, kind):
    layer = QgsRasterLayer(f"type=xyz&url={server}/{kind}/%7Bz%7D/%7Bx%7D/%7By%7D.png&zmin=0&zmax=19", kind, "wms")
    assert layer.isValid()
    return layer


def count(server):
    with urllib.request.urlopen(server + "/count") as answer:
        return int(answer.read())


def middle(raster_file, side=120.0):
    """A square of ground metres in the middle of the raster, in EPSG:3857."""
    own = QgsRasterLayer(str(raster_file))
    box = QgsRectangle.fromCenterAndSize(own.extent().center(), side, side)
    return QgsCoordinateTransform(
        own.crs(), QgsCoordinateReferenceSystem("EPSG:3857"), QgsProject.instance()).transformBoundingBox(box)


def run_export(layer, box, gsd, path, until):
    from search_imagery_by_text import export

    grid, ended = export.plan(layer, box, gsd), []
    exporter = export.Exporter(export.private_clone(layer), grid, str(path))
    exporter.ended.connect(lambda *words: ended.append(words))
    exporter.start()
    until(lambda: bool(ended), 120)
    return grid, ended[0]


def read(path):
    from osgeo import gdal

    source = gdal.Open(str(path))
    return source, source.ReadAsArray()


@pytest.mark.parametrize("kind", ["xyz", "flaky", "wms", "qgis_server"])
def test_a_service_becomes_a_georeferenced_file_with_the_rasters_pixels(engine, server, raster_file, tmp_path, until,
                                                                         kind, request):
    from osgeo import gdal

    address = request.getfixturevalue(kind) if kind == "qgis_server" else server
    layer = xyz(server, kind) if kind in ("xyz", "flaky") else QgsRasterLayer(
        f"crs=EPSG:3857&format=image/png&layers=ortho&styles=&url={address}/wms?", "wms", "wms")
    assert layer.isValid(), layer.error().message()
    box = middle(raster_file)
    grid, (holes, fault) = run_export(layer, box, 0.5, tmp_path / "drawn.tif", until)
    assert fault is None and holes == 0
    source, pixels = read(tmp_path / "drawn.tif")
    assert pixels.shape == (4, grid.height, grid.width) and (pixels[3] == 255).all()
    assert "3857" in source.GetProjection()
    # the pixel size is on the ground: about 1.6 units of this CRS a metre at 51 degrees
    assert source.GetGeoTransform()[1] == pytest.approx(0.5 / np.cos(np.radians(51.45)), rel=0.01)
    truth = gdal.Warp("", str(raster_file), format="MEM", dstSRS="EPSG:3857", width=grid.width, height=grid.height,
                      outputBounds=[grid.extent.xMinimum(), grid.extent.yMinimum(), grid.extent.xMaximum(),
                                    grid.extent.yMaximum()], resampleAlg="bilinear").ReadAsArray()
    different = np.abs(pixels[:3].astype(int) - truth[:3].astype(int)).mean()
    shifted = np.abs(pixels[:3, :, 40:].astype(int) - truth[:3, :, :-40].astype(int)).mean()
    assert different < 12 and different < shifted / 3


def coverage(address):
    return QgsRasterLayer(f"identifier=ortho&url={address}/ows&cache=PreferNetwork", "coverage", "wcs")


def in_database(address, kind):
    if kind == "postgis":
        return QgsRasterLayer(f"{address} sslmode=disable key='rid' srid=25832 table=\"public\".\"ortho\" sql=",
                              "database", "postgresraster")
    return QgsRasterLayer(f"PG: {address} schema='public' table='ortho' mode=2", "database", "gdal")


@pytest.mark.parametrize("kind", ["wcs", "postgis", "postgis_by_gdal"])
def test_coverages_and_databases_become_files_with_the_rasters_pixels_and_are_searched(
        dock, raster_file, tmp_path, until, window, kind, request):
    from osgeo import gdal

    layer = coverage(request.getfixturevalue("qgis_server_wcs")) if kind == "wcs" else in_database(
        request.getfixturevalue("database"), kind)
    assert layer.isValid(), layer.error().message()
    QgsProject.instance().addMapLayer(layer)
    truth = gdal.Open(str(raster_file))
    box = QgsRectangle(500100, 5699800, 500250, 5699900)
    grid, (holes, fault) = run_export(layer, box, 0.5, tmp_path / "drawn.tif", until)
    assert fault is None and holes == 0
    source, pixels = read(tmp_path / "drawn.tif")
    assert "25832" in source.GetProjection() and pixels.shape[1:] == pytest.approx((200, 300), abs=2)
    original = truth.ReadAsArray(200, 200, 300, 200)
    height, width = min(pixels.shape[1], 200), min(pixels.shape[2], 300)
    # drawn with the stretch that QGIS gives such layers, so bright stays bright and dark dark, at the same place
    mine = pixels[:3, :height, :width].reshape(3, -1).astype(float)
    likeness = [np.corrcoef(a, b)[0, 1] for a, b in zip(mine, original[:, :height, :width].reshape(3, -1), strict=True)]
    assert min(likeness) > 0.95 and (pixels[3] == 255).all()
    dock.layer.setLayer(layer)
    dock.where.set_rectangle(box, layer.crs())
    dock.search.text.lineEdit().setText("houses")
    dock.search.button.click()
    until(lambda: not dock._session.busy and not dock.web.busy)
    hits = [one for one in QgsProject.instance().mapLayers().values() if one.name().startswith("Places")]
    assert len(hits) == 1 and hits[0].crs().authid() == "EPSG:25832", window.words()
    assert hits[0].featureCount() == 20 and box.buffered(1).contains(hits[0].extent())


def painted(raster_file, kind):
    """A layer that is no plain file, of the raster's pixels or of one of its bands."""
    from osgeo import gdal
    from qgis.core import QgsColorRampShader, QgsRasterShader, QgsSingleBandPseudoColorRenderer

    if kind == "memory":
        gdal.GetDriverByName("GTiff").CreateCopy("/vsimem/ortho.tif", gdal.Open(str(raster_file)))
        return QgsRasterLayer("/vsimem/ortho.tif", kind)
    if kind == "virtual":
        made = gdal.BuildVRT("/vsimem/ortho.vrt", [str(raster_file)])
        words = made.GetMetadata("xml:VRT")[0]
        return QgsRasterLayer(words, kind)
    layer = QgsRasterLayer(str(raster_file), kind)
    function = QgsColorRampShader(0, 255)
    function.setColorRampItemList([QgsColorRampShader.ColorRampItem(value, QColor(255 - value, 0, value), "")
                                   for value in (0, 255)])
    shader = QgsRasterShader()
    shader.setRasterShaderFunction(function)
    layer.setRenderer(QgsSingleBandPseudoColorRenderer(layer.dataProvider(), 1, shader))
    return layer


@pytest.mark.parametrize("kind", ["memory", "virtual", "coloured"])
def test_what_lies_in_memory_or_is_coloured_by_its_style_is_drawn_and_searched(dock, raster_file, until, window, kind):
    layer = painted(raster_file, kind)
    assert layer.isValid()
    QgsProject.instance().addMapLayer(layer)
    dock.layer.setLayer(layer)
    assert not dock.search.index.isVisibleTo(dock)
    dock.search.text.lineEdit().setText("houses")
    dock.search.button.click()
    until(lambda: not dock._session.busy and not dock.web.busy)
    hits = [one for one in QgsProject.instance().mapLayers().values() if one.name().startswith("Places")]
    assert len(hits) == 1 and hits[0].crs().authid() == "EPSG:25832", window.words()
    _, pixels = read(next(iter(dock.web._files.values())))
    from osgeo import gdal

    truth = gdal.Open(str(raster_file)).ReadAsArray().astype(int)
    assert pixels.shape == (4, *truth.shape[1:])
    expected = truth if kind != "coloured" else np.stack([255 - truth[0], 0 * truth[0], truth[0]])
    assert np.abs(pixels[:3].astype(int) - expected).mean() < 3


def test_tiles_that_never_arrive_are_told_as_holes_and_stay_transparent(engine, server, raster_file, tmp_path, until,
                                                                        monkeypatch):
    from search_imagery_by_text import export

    monkeypatch.setattr(export, "PAUSES_MS", (50, 50))
    _, (holes, fault) = run_export(xyz(server, "holes"), middle(raster_file, 300), 0.5, tmp_path / "d.tif", until)
    _, pixels = read(tmp_path / "d.tif")
    empty = (pixels[3] == 0).mean()
    assert fault is None and 0.05 < empty < 0.6
    assert holes > 0


def test_too_much_is_refused_with_numbers_and_a_service_needs_a_pixel_size(engine, server):
    from search_imagery_by_text import export
    from search_imagery_by_text.protocol import BackendError

    layer = xyz(server, "xyz")
    with pytest.raises(BackendError, match="million pixels"):
        export.plan(layer, None, 0.5)
    with pytest.raises(BackendError, match="pixel size"):
        export.plan(layer, None, None)
    assert count(server) == 0


def test_cancel_leaves_no_file(engine, server, raster_file, tmp_path, until):
    from search_imagery_by_text import export

    grid, ended = export.plan(xyz(server, "xyz"), middle(raster_file, 1500), 0.5), []
    exporter = export.Exporter(export.private_clone(xyz(server, "xyz")), grid, str(tmp_path / "d.tif"))
    exporter.ended.connect(lambda *words: ended.append(words))
    exporter.progressed.connect(lambda done, total: exporter.cancel())
    exporter.start()
    until(lambda: bool(ended))
    assert ended[0][1].code == "stopped" and not (tmp_path / "d.tif").exists()


@pytest.mark.parametrize("epsg, unit", [(4326, 111_000 * 0.62), (3857, 0.62), (2263, 0.3048)])
def test_metres_per_unit_in_degrees_stretched_metres_and_feet(engine, epsg, unit):
    from qgis.core import QgsPointXY
    from search_imagery_by_text import export

    crs = QgsCoordinateReferenceSystem(f"EPSG:{epsg}")
    place = QgsPointXY(9.0, 51.45) if epsg != 2263 else QgsPointXY(-74.0, 40.7)
    middle = QgsCoordinateTransform(
        QgsCoordinateReferenceSystem("EPSG:4326"), crs, QgsProject.instance()).transform(place)
    east, north = export.metres_per_unit(crs, middle, 0.001 if epsg == 4326 else 100.0)
    assert east == pytest.approx(unit, rel=0.02)
    assert north == pytest.approx(111_250 if epsg == 4326 else unit, rel=0.02)


def test_metres_per_unit_in_a_coordinate_system_of_ones_own(engine):
    from qgis.core import QgsPointXY
    from search_imagery_by_text import export

    crs = QgsCoordinateReferenceSystem.fromProj("+proj=tmerc +lon_0=9 +a=6378137 +rf=298.2572 +to_meter=0.3048")
    assert crs.isValid() and not crs.authid()
    measured = export.metres_per_unit(crs, QgsPointXY(100.0, 16_000_000.0), 100.0)
    assert measured == pytest.approx((0.3048, 0.3048), rel=0.01)


def test_the_panel_draws_a_service_once_and_searches_it(dock, server, raster_file, until, window):
    layer = xyz(server, "xyz")
    QgsProject.instance().addMapLayer(layer)
    dock.layer.setLayer(layer)
    dock.where.set_rectangle(middle(raster_file, 150), QgsCoordinateReferenceSystem("EPSG:3857"))
    dock.search.sizes.setText("0.5")

    def search(text):
        dock.search.text.lineEdit().setText(text)
        dock.search.button.click()
        until(lambda: not dock._session.busy and not dock.web.busy)

    search("houses")
    asked = count(server)
    assert dock.search.view.model().rowCount() == 20 and asked > 0, window.words()
    search("forest")
    assert count(server) == asked
    hits = [one for one in QgsProject.instance().mapLayers().values() if one.name().startswith("Places")]
    assert len(hits) == 2 and all(one.crs().authid() == "EPSG:3857" for one in hits)
    assert middle(raster_file, 170).contains(hits[0].extent())
    assert layer not in dock.search.view.thumbnails._layers  # pictures ask no server again


def test_the_window_does_not_stand_still_while_a_service_is_drawn(dock, server, raster_file, until, window):
    layer = xyz(server, "xyz")
    QgsProject.instance().addMapLayer(layer)
    dock.layer.setLayer(layer)
    dock.search.sizes.setText("0.5")
    dock.search.text.lineEdit().setText("houses")
    shift = iter(range(0, 60, 5))

    def go():
        box = middle(raster_file, 300)
        box.grow(next(shift))  # another place, so that it is drawn anew
        dock.where.set_rectangle(box, QgsCoordinateReferenceSystem("EPSG:3857"))
        drawn = len(dock.web._files)
        dock.search.button.click()
        until(lambda: not dock.web.busy and not dock._session.busy)
        assert len(dock.web._files) == drawn + 1

    dock.show()
    assert_it_does_not_stand_still(until, go)


@pytest.mark.parametrize("event", ["close the project", "remove the layer", "leave"])
def test_in_the_middle_of_drawing(dock, server, raster_file, until, monkeypatch, event):
    """No exception, no result, no half-written file."""
    from search_imagery_by_text import settings

    trouble = []
    monkeypatch.setattr(sys, "excepthook", lambda *what: trouble.append(what))
    before = set(os.listdir(settings.scratch_folder()))
    layer = xyz(server, "xyz")
    QgsProject.instance().addMapLayer(layer)
    dock.layer.setLayer(layer)
    dock.where.set_rectangle(middle(raster_file, 900), QgsCoordinateReferenceSystem("EPSG:3857"))
    dock.search.sizes.setText("0.5")
    dock.search.text.lineEdit().setText("houses")
    done = []
    dock.web.progressed.connect(lambda *numbers: done.append(numbers))
    dock.search.button.click()
    until(lambda: bool(done))
    assert dock.web.busy
    {"close the project": QgsProject.instance().clear, "leave": dock.leave,
     "remove the layer": lambda: QgsProject.instance().removeMapLayer(layer)}[event]()
    until(lambda: not dock.web.busy and not dock._session.busy)
    assert not trouble
    assert not [one for one in QgsProject.instance().mapLayers().values() if one.name().startswith("Places")]
    assert set(os.listdir(settings.scratch_folder())) == before


def test_what_costs_much_is_asked_first(dock, server, raster_file, until, monkeypatch):
    layer = xyz(server, "xyz")
    QgsProject.instance().addMapLayer(layer)
    dock.layer.setLayer(layer)
    dock.where.set_rectangle(middle(raster_file, 300), QgsCoordinateReferenceSystem("EPSG:3857"))
    dock.search.sizes.setText("0.05")
    asked = []
    monkeypatch.setattr(dock.web, "confirm", lambda layer, grid: asked.append(grid) and False)
    dock.search.text.lineEdit().setText("houses")
    dock.search.button.click()
    assert asked[0].requests > 200 and not dock._session.busy and not dock.web.busy


def test_an_algorithm_takes_a_service_too(qgis_process, fake_plugins, server, raster_file, tmp_path):
    qgis_process(fake_plugins, sys.executable, "plugins", "enable", "search_imagery_by_text")
    project = QgsProject()
    layer = xyz(server, "xyz")
    project.addMapLayer(layer)
    project.write(str(tmp_path / "p.qgs"))
    box = middle(raster_file, 150)
    extent = f"{box.xMinimum()},{box.xMaximum()},{box.yMinimum()},{box.yMaximum()} [EPSG:3857]"
    done = qgis_process(
        fake_plugins, sys.executable, "run", "rsvlm:searchbytext", f"--project_path={tmp_path / 'p.qgs'}", "--",
        f"INPUT={layer.id()}", "TEXT=houses", f"EXTENT={extent}", "GSDS=0.5", f"OUTPUT={tmp_path / 'h.gpkg'}")
    assert (tmp_path / "h.gpkg").exists(), done.stdout


def test_the_bands_of_the_layers_style_are_asked_for(engine, tmp_path):
    from conftest import write_raster
    from qgis.core import QgsMultiBandColorRenderer
    from search_imagery_by_text import sources

    layer = QgsRasterLayer(str(write_raster(tmp_path / "four.tif", bands=4)), "four")
    assert sources.renderer_bands(layer) is None
    layer.setRenderer(QgsMultiBandColorRenderer(layer.dataProvider(), 4, 3, 2))
    assert sources.renderer_bands(layer) == [4, 3, 2]


@pytest.mark.parametrize("size", [(120, 160), (700, 90), (1, 1)])
@pytest.mark.parametrize("degrees", [0, 0.01, 28, 45, 89.99, 90, 130, 180, -0.01, -30, -120])
def test_a_turned_raster_that_was_given_its_place_by_hand_is_read_pixel_by_pixel(engine, tmp_path, degrees, size):
    """QGIS shows it warped, with black corners and other pixels than the file has: the engine gets the file's."""
    from conftest import write_raster
    from osgeo import gdal
    from search_imagery_by_text import sources

    path = write_raster(tmp_path / "turned.tif", size=size, epsg=None, rotation=np.radians(degrees))
    layer = QgsRasterLayer(str(path), "turned")
    layer.setCrs(QgsCoordinateReferenceSystem("EPSG:25832"))
    assert not sources.needs_export(layer)
    copy, original = gdal.Open(sources.raster_source(layer)), gdal.Open(str(path))
    assert "25832" in copy.GetProjection()
    assert copy.GetGeoTransform() == pytest.approx(original.GetGeoTransform(), abs=1e-6)
    assert (copy.RasterYSize, copy.RasterXSize) == size and (copy.ReadAsArray() == original.ReadAsArray()).all()


def test_corners_of_a_turned_raster_that_is_coloured_by_its_style_are_nodata(engine, tmp_path, until):
    """It is drawn as it is seen, but for the corners, which are no data of the file and no holes of a server."""
    from conftest import write_raster
    from osgeo import gdal
    from search_imagery_by_text import sources

    path = write_raster(tmp_path / "turned.tif", size=(900, 700), rotation=0.5)
    layer = painted(path, "coloured")
    assert sources.needs_export(layer)
    grid, (holes, fault) = run_export(layer, layer.extent(), None, tmp_path / "drawn.tif", until)
    assert fault is None and holes == 0
    _, pixels = read(tmp_path / "drawn.tif")
    box = [grid.extent.xMinimum(), grid.extent.yMinimum(), grid.extent.xMaximum(), grid.extent.yMaximum()]
    truth = gdal.Warp("", str(path), format="MEM", width=grid.width, height=grid.height, outputBounds=box,
                      dstAlpha=True).ReadAsArray().astype(int)
    there = truth[3] > 0
    assert 0.4 < there.mean() < 0.9
    assert ((pixels[3] > 0) == there).mean() > 0.998  # but for pixels that the edge cuts
    assert np.abs(pixels[2].astype(int) - truth[0])[there].mean() < 8


def test_holes_are_told_noted_in_the_layer_and_fetched_again_on_request(dock, server, raster_file, until, window,
                                                                        monkeypatch):
    from qgis.PyQt.QtWidgets import QPushButton
    from search_imagery_by_text import export

    monkeypatch.setattr(export, "PAUSES_MS", (50, 50))
    layer = xyz(server, "holes")
    QgsProject.instance().addMapLayer(layer)
    dock.layer.setLayer(layer)
    dock.where.set_rectangle(middle(raster_file, 300), QgsCoordinateReferenceSystem("EPSG:3857"))
    dock.search.sizes.setText("0.5")
    dock.search.text.lineEdit().setText("houses")
    dock.search.button.click()
    until(lambda: not dock._session.busy and not dock.web.busy)
    assert "parts of the layer have empty places" in window.words()
    hits = next(one for one in QgsProject.instance().mapLayers().values() if one.name().startswith("Places"))
    assert "have empty places" in hits.metadata().abstract()
    asked = count(server)
    dock.search.button.click()
    until(lambda: not dock._session.busy and not dock.web.busy)
    assert count(server) == asked  # an emptiness that is the service's own is not asked for again and again
    again = next(one for one in window.bar.currentItem().findChildren(QPushButton) if one.text() == "Fetch again")
    drawn = dict(dock.web._files)
    again.click()
    assert dock.web.busy
    until(lambda: not dock._session.busy and not dock.web.busy)
    assert dock.web._files.keys() == drawn.keys() and dock.web._files != drawn


def test_a_disk_without_room_for_the_file_is_told_before_anything_is_fetched(engine, server, raster_file, tmp_path,
                                                                             until, monkeypatch):
    from types import SimpleNamespace

    from search_imagery_by_text import export

    monkeypatch.setattr(export.shutil, "disk_usage", lambda folder: SimpleNamespace(free=100_000))
    _, (_, fault) = run_export(xyz(server, "xyz"), middle(raster_file, 300), 0.5, tmp_path / "d.tif", until)
    assert fault.code == "output" and "0 MB are free" in fault.message and "Make room" in fault.remedy
    assert count(server) == 0 and not (tmp_path / "d.tif").exists()
