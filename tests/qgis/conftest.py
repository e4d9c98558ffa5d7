"""Fixtures for tests inside QGIS: the plugin's folder as users get it, a fake engine, rasters, and the real engine."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
NAME = "search_imagery_by_text"


def _builder():
    spec = importlib.util.spec_from_file_location("build_plugin", ROOT / "tools" / "build_plugin.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def built_zip(tmp_path_factory):
    """The zip that users install."""
    builder = _builder()
    out = tmp_path_factory.mktemp("dist") / "plugin.zip"
    builder.write_zip(out)
    return out


@pytest.fixture(scope="session")
def plugins(built_zip, tmp_path_factory):
    """A plugins folder with the unpacked zip in it; `import search_imagery_by_text` gives that."""
    import zipfile

    folder = tmp_path_factory.mktemp("plugins")
    with zipfile.ZipFile(built_zip) as archive:
        archive.extractall(folder)
    sys.path.insert(0, str(folder))
    return folder


@pytest.fixture(scope="session")
def fake_plugins(plugins, tmp_path_factory):
    """The same with the fake engine in place of the real one, for processes of their own."""
    import shutil

    folder = tmp_path_factory.mktemp("fake_plugins")
    shutil.copytree(plugins / NAME, folder / NAME, ignore=shutil.ignore_patterns("backend", "__pycache__"))
    shutil.copytree(HERE / "fake_backend", folder / NAME / "backend", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("requirements.txt", "requirements-light.txt"):
        (folder / NAME / name).write_text("")
    return folder


@pytest.fixture
def engine(plugins, monkeypatch, qgis_app, tmp_path):
    """The plugin's package, in this process, with the fake engine behind it and settings of its own."""
    import search_imagery_by_text as package
    from qgis.core import QgsSettings
    from search_imagery_by_text import backend, log, settings

    fake = HERE / "fake_backend"
    monkeypatch.setattr(backend, "folder", lambda: str(fake))
    monkeypatch.setattr(backend, "requirements", list)
    monkeypatch.setattr(backend, "_found", {})
    monkeypatch.setenv("RSVLM_PYTHON", sys.executable)
    monkeypatch.setattr(settings, "PREFIX", f"rsvlm-{os.getpid()}/")  # other runs at the same time have their own
    QgsSettings().setValue(settings.PREFIX + "resultsFolder", str(tmp_path / "results"))
    monkeypatch.setattr(settings, "data_folder", lambda: str(tmp_path / "data"))
    yield package
    log.close()
    QgsSettings().remove(settings.PREFIX.rstrip("/"))


def write_raster(path, size=(600, 800), epsg=25832, gsd=0.5, bands=3, origin=(500000.0, 5700000.0), kind="uint8",
                 nodata=None, rotation=0.0):
    """A GeoTIFF with coloured fields; `size` is height, width."""
    from osgeo import gdal, osr

    height, width = size
    rng = np.random.default_rng(7)
    coarse = rng.integers(30, 220, (bands, height // 50 + 1, width // 50 + 1))
    pixels = np.kron(coarse, np.ones((1, 50, 50)))[:, :height, :width] + rng.integers(0, 20, (bands, height, width))
    kinds = {"uint8": gdal.GDT_Byte, "uint16": gdal.GDT_UInt16, "float32": gdal.GDT_Float32}
    made = gdal.GetDriverByName("GTiff").Create(str(path), width, height, bands, kinds[kind])
    cos, sin = np.cos(rotation), np.sin(rotation)
    made.SetGeoTransform([origin[0], gsd * cos, gsd * sin, origin[1], gsd * sin, -gsd * cos])
    if epsg:
        system = osr.SpatialReference()
        system.ImportFromEPSG(epsg)
        made.SetProjection(system.ExportToWkt())
    for band in range(bands):
        made.GetRasterBand(band + 1).WriteArray((pixels[band] * (40 if kind == "uint16" else 1)).astype(kind))
        if nodata is not None:
            made.GetRasterBand(band + 1).SetNoDataValue(nodata)
    made.FlushCache()
    return Path(path)


def write_wheel(folder, name, requires=(), files=None):
    """A wheel of nothing but its name, and of `files`."""
    import zipfile

    tag = f"{name.replace('-', '_')}-1.0"
    info = f"{tag}.dist-info"
    files = {
        **(files or {}),
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
                            + "".join(f"Requires-Dist: {other}\n" for other in requires),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    with zipfile.ZipFile(folder / f"{tag}-py3-none-any.whl", "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)


@pytest.fixture
def raster_file(tmp_path):
    """A small orthophoto."""
    return write_raster(tmp_path / "ortho.tif")


@pytest.fixture
def barnarp():
    """A real orthophoto of houses, roads, forest and fields."""
    folder = Path(os.environ.get("RSVLM_DATA", ROOT / ".." / "shared"))
    path = (folder / "rasters" / "barnarp_west.tif").resolve()
    if not path.exists():
        pytest.skip(f"no {path} (set RSVLM_DATA)")
    return path


@pytest.fixture(scope="session")
def real_python():
    """The backend's interpreter: RSVLM_PYTHON, else the checkout's environment."""
    path = os.environ.get("RSVLM_PYTHON") or str(ROOT / ".venv" / "bin" / "python")
    if not os.path.exists(path):
        pytest.skip("no backend environment (set RSVLM_PYTHON)")
    return path


@pytest.fixture
def qgis_process(tmp_path):
    """Runs qgis_process on a plugins folder: `qgis_process(plugins, python, "run", "rsvlm:…", "--", "K=V")`."""
    program = next((p for p in ("/usr/bin/qgis_process.bin", "/usr/bin/qgis_process") if os.path.exists(p)), None)
    if program is None:
        pytest.skip("no qgis_process")
    home, runtime = tmp_path / "home", tmp_path / "run"
    home.mkdir()
    runtime.mkdir(mode=0o700)

    def environment(plugins, python):
        return {
            "PATH": "/usr/bin:/bin", "HOME": str(home), "XDG_RUNTIME_DIR": str(runtime), "LANG": "C.UTF-8",
            "QT_QPA_PLATFORM": "offscreen", "QGIS_PLUGINPATH": str(plugins), "RSVLM_PYTHON": str(python),
            "RSVLM_CACHE": str(tmp_path / "cache"), "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "2"),
        }

    def start(plugins, python, *arguments):
        return subprocess.Popen([program, *map(str, arguments)], env=environment(plugins, python),
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def run(plugins, python, *arguments, check=True, limit=600):
        done = subprocess.run([program, *map(str, arguments)], env=environment(plugins, python), capture_output=True,
                              text=True, timeout=limit)
        if check:
            assert done.returncode == 0, done.stdout + done.stderr
        return done

    run.start = start
    return run


@pytest.fixture
def window(qgis_app):
    """An `iface` with a real window, canvas and message bar; what is left at the end is checked by the tests."""
    from qgis.core import QgsProject
    from qgis.gui import QgsMapCanvas, QgsMessageBar
    from qgis.PyQt.QtCore import QObject, Qt, pyqtSignal
    from qgis.PyQt.QtWidgets import QMainWindow

    class Window(QObject):
        currentLayerChanged = pyqtSignal(object)

        def __init__(self):
            super().__init__()
            self.main = QMainWindow()
            self.main.resize(1200, 900)
            self.canvas = QgsMapCanvas(self.main)
            self.main.setCentralWidget(self.canvas)
            self.bar = QgsMessageBar(self.canvas)
            self.active, self.menu, self.bars, self.factories, self.filters = None, [], [], [], []

        def mapCanvas(self):
            return self.canvas

        def mainWindow(self):
            return self.main

        def messageBar(self):
            return self.bar

        def activeLayer(self):
            return self.active

        def setActiveLayer(self, layer):
            self.active = layer
            self.currentLayerChanged.emit(layer)

        def addDockWidget(self, area, dock):
            self.main.addDockWidget(area, dock)

        def removeDockWidget(self, dock):
            self.main.removeDockWidget(dock)

        def addPluginToRasterMenu(self, name, action):
            self.menu.append(action)

        def removePluginRasterMenu(self, name, action):
            self.menu.remove(action)

        def addToolBarIcon(self, action):
            self.bars.append(action)

        def removeToolBarIcon(self, action):
            self.bars.remove(action)

        def registerOptionsWidgetFactory(self, factory):
            self.factories.append(factory)

        def unregisterOptionsWidgetFactory(self, factory):
            self.factories.remove(factory)

        def registerLocatorFilter(self, found):
            self.filters.append(found)

        def deregisterLocatorFilter(self, found):
            self.filters.remove(found)

        def addCustomActionForLayerType(self, action, menu, kind, every):
            self.menu.append(action)

        def removeCustomActionForLayerType(self, action):
            self.menu.remove(action)
            return True

        def openMessageLog(self):
            pass

        def docks(self):
            from qgis.PyQt.QtWidgets import QDockWidget

            return self.main.findChildren(QDockWidget)

        def words(self):
            """What the message bar says now."""
            item = self.bar.currentItem()
            return item.text() if item is not None else ""

    made = Window()
    made.main.show()
    yield made
    made.bar.clearWidgets()
    QgsProject.instance().clear()
    made.main.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    made.main.close()


@pytest.fixture
def until(qgis_app):
    """Runs the event loop until a condition holds."""
    import time

    from qgis.PyQt.QtCore import QCoreApplication, QEventLoop

    def wait(condition, seconds=90.0):  # other work may share the machine
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "waited in vain"
            QCoreApplication.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 20)
            QCoreApplication.sendPostedEvents(None, 52)  # deferred deletes

    return wait


@pytest.fixture
def dock(engine, window, raster_file):
    """The panel with one raster in the project."""
    from qgis.core import QgsProject, QgsRasterLayer
    from search_imagery_by_text.gui.dock import SearchDock
    from search_imagery_by_text.session import Session

    layer = QgsRasterLayer(str(raster_file), "ortho")
    assert QgsProject.instance().addMapLayer(layer) is not None
    window.canvas.setDestinationCrs(layer.crs())
    window.canvas.setLayers([layer])
    window.canvas.setExtent(layer.extent())
    session = Session()
    panel = SearchDock(window, session)
    from qgis.PyQt.QtCore import Qt

    window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, panel)
    yield panel
    panel.leave()
    session.close()
    window.removeDockWidget(panel)
    panel.deleteLater()


@pytest.fixture
def children():
    """A function: the living children of a process, by default this one, with their command lines."""

    def find(parent=None):
        found = {}
        for name in os.listdir("/proc"):
            if name.isdigit():
                try:
                    with open(f"/proc/{name}/stat") as stat, open(f"/proc/{name}/cmdline") as line:
                        state, above = stat.read().rsplit(")", 1)[1].split()[:2]
                        words = line.read().replace("\0", " ")
                except OSError:  # it has just ended
                    continue
                if int(above) == (parent or os.getpid()) and state != "Z":
                    found[int(name)] = words
        return found

    return find


@pytest.fixture
def runs():
    """A function: whether a process does anything; one that waits for its parent to read its status does not."""

    def look(pid):
        try:
            with open(f"/proc/{pid}/stat") as stat:
                return stat.read().rsplit(")", 1)[1].split()[0] not in "ZX"
        except OSError:
            return False

    return look
