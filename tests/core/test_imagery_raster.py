"""Opening rasters, and where they lie on the ground."""

from __future__ import annotations

import functools
import http.server
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil
import shapely
from affine import Affine
from pyproj import CRS, Geod, Transformer
from rasterio.control import GroundControlPoint

from rsvlm_core.errors import RasterError, UsageError
from rsvlm_core.imagery.raster import Raster, Window, peek

Make = Callable[..., Path]
PLAIN = np.full((3, 20, 30), 90, np.uint8)


def _refused(source: object) -> RasterError:
    with pytest.raises(RasterError) as caught:
        Raster.open(str(source))
    assert str(source) in caught.value.message and caught.value.remedy
    return caught.value


def test_no_such_file(tmp_path: Path) -> None:
    assert "no such file" in _refused(tmp_path / "gone.tif").message
    assert "no folder" in _refused(tmp_path / "nowhere" / "gone.tif").remedy


def test_folder(tmp_path: Path) -> None:
    assert "empty folder" in _refused(tmp_path).message
    (tmp_path / "notes.txt").write_text("x")
    assert "folder, not a raster" in _refused(tmp_path).message


def test_not_a_raster(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_text("this is no raster")
    assert "not a raster" in _refused(tmp_path / "a.tif").message
    (tmp_path / "b.tif").write_bytes(b"")
    assert "empty" in _refused(tmp_path / "b.tif").message


def test_no_crs(make_raster: Make) -> None:
    assert "no coordinate reference system" in _refused(make_raster(PLAIN, crs=None)).message


def test_local_engineering_crs(make_raster: Make) -> None:
    path = make_raster(PLAIN, crs='LOCAL_CS["site grid",UNIT["metre",1]]')
    _refused(path)


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_no_georeference(tmp_path: Path) -> None:
    path = tmp_path / "photo.tif"
    with rasterio.open(path, "w", driver="GTiff", width=8, height=8, count=3, dtype="uint8") as dataset:
        dataset.write(np.ones((3, 8, 8), np.uint8))
    assert "no georeference" in _refused(path).message
    points = [GroundControlPoint(r, c, 5e5 + c, 5.4e6 - r) for r, c in ((0, 0), (0, 8), (8, 0), (8, 8))]
    with rasterio.open(
        path, "w", driver="GTiff", width=8, height=8, count=3, dtype="uint8", gcps=points, crs="EPSG:32633"
    ) as dataset:
        dataset.write(np.ones((3, 8, 8), np.uint8))
    refusal = _refused(path)
    assert "ground control points" in refusal.message and "gdalwarp" in refusal.remedy


def test_all_nodata(make_raster: Make) -> None:
    assert "no valid pixel" in _refused(make_raster(np.zeros((3, 300, 300), np.uint8), nodata=0)).message
    assert "no valid pixel" in _refused(make_raster(np.full((1, 30, 30), np.nan, np.float32))).message


def test_a_few_valid_pixels_are_found(make_raster: Make) -> None:
    values = np.zeros((3, 3000, 3000), np.uint8)
    values[:, 1777, 1234] = 9
    with Raster.open(str(make_raster(values, nodata=0, compress="deflate"))) as raster:
        assert raster.read(Window(1230, 1775, 8, 8), (8, 8)).valid.sum() == 1


def test_mosaic_with_missing_files(make_raster: Make, tmp_path: Path) -> None:
    first = make_raster(PLAIN, "one.tif")
    mosaic = tmp_path / "all.vrt"
    rasterio.shutil.copy(first, mosaic, driver="VRT")
    with Raster.open(str(mosaic)) as raster:
        assert raster.read(Window(0, 0, 30, 20), (20, 30)).rgb.mean() == 90
    before = peek(str(mosaic)).fingerprint
    os.utime(first, (1, 1))
    assert peek(str(mosaic)).fingerprint != before, "a mosaic changes with its files"
    first.unlink()
    assert "one.tif" in _refused(mosaic).message


def test_truncated_file_says_where(make_raster: Make) -> None:
    noise = np.random.default_rng(0).integers(1, 255, (3, 256, 256)).astype(np.uint8)
    path = make_raster(noise)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with Raster.open(str(path)) as raster:
        assert raster.read(Window(0, 0, 8, 8), (8, 8)).valid.all()
        with pytest.raises(RasterError, match="cannot be read at rows"):
            raster.read(Window(0, 240, 8, 8), (8, 8))


def test_container_names_its_rasters(make_raster: Make, tmp_path: Path) -> None:
    path = tmp_path / "two.gpkg"
    for i, option in enumerate([{}, {"APPEND_SUBDATASET": "YES"}]):
        with rasterio.open(
            path, "w", driver="GPKG", width=8, height=8, count=3, dtype="uint8", crs="EPSG:32633",
            transform=Affine(1, 0, 5e5, 0, -1, 5.4e6), RASTER_TABLE=f"t{i}", **option,
        ) as dataset:  # fmt: skip
            dataset.write(np.full((3, 8, 8), 80, np.uint8))
    assert "GPKG:" in _refused(path).remedy


@pytest.mark.parametrize(
    ("crs", "transform"),
    [
        ("EPSG:32633", Affine(0.5, 0, 500000, 0, -0.5, 5400000)),
        ("EPSG:32633", Affine(0.5, 0, 500000, 0, 0.5, 5400000)),  # south up
        ("EPSG:32633", Affine.translation(5e5, 5.4e6) * Affine.rotation(30) * Affine.scale(0.5, -0.25)),
        ("EPSG:32633", Affine(0.5, 0.2, 500000, 0, -0.5, 5400000)),  # sheared
        ("EPSG:4326", Affine(1e-5, 0, 13.0, 0, -1e-5, 52.0)),
        ("EPSG:2263", Affine(1.0, 0, 990000, 0, -1.0, 200000)),  # feet
        ("EPSG:3857", Affine(1.0, 0, 1e6, 0, -1.0, 8e6)),
        ("EPSG:3006", Affine(0.16, 0, 452000, 0, -0.16, 6396000)),  # northing before easting
    ],
)
def test_metres_a_pixel_are_measured_on_the_ellipsoid(make_raster: Make, crs: str, transform: Affine) -> None:
    with Raster.open(str(make_raster(PLAIN, crs=crs, transform=transform))) as raster:
        to_degrees = Transformer.from_crs(raster.crs, "EPSG:4326", always_xy=True)

        def metres(a: tuple[float, float], b: tuple[float, float]) -> float:
            ends = [to_degrees.transform(*(transform * p)) for p in (a, b)]
            return float(Geod(ellps="WGS84").inv(*ends[0], *ends[1])[2])

        assert raster.gsd_m[0] == pytest.approx(metres((0, 10), (30, 10)) / 30, rel=1e-5)
        assert raster.gsd_m[1] == pytest.approx(metres((15, 0), (15, 20)) / 20, rel=1e-5)
        corners = shapely.Polygon([transform * c for c in ((0, 0), (30, 0), (30, 20), (0, 20))])
        assert raster.footprint.equals(corners)
        assert CRS.from_wkt(raster.wkt) == raster.crs


def test_feet_and_degrees_are_not_metres(make_raster: Make) -> None:
    feet = make_raster(PLAIN, "ft.tif", crs="EPSG:2263", transform=Affine(1.0, 0, 990000, 0, -1.0, 200000))
    with Raster.open(str(feet)) as raster:
        assert raster.gsd_m[0] == pytest.approx(0.3048, rel=1e-3)
    web = make_raster(PLAIN, "web.tif", crs="EPSG:3857", transform=Affine(1.0, 0, 1e6, 0, -1.0, 8399737))
    with Raster.open(str(web)) as raster:
        assert raster.gsd_m[0] == pytest.approx(0.5, rel=1e-2), "Mercator doubles lengths at 60 degrees"


def test_coordinates_outside_their_crs(make_raster: Make) -> None:
    path = make_raster(PLAIN, crs="EPSG:4326", transform=Affine(1, 0, 500000, 0, -1, 5400000))
    assert "not valid" in _refused(path).message


def test_extent_to_window_and_back(make_raster: Make) -> None:
    turned = Affine.translation(5e5, 5.4e6) * Affine.rotation(20) * Affine.scale(0.5, -0.5)
    with Raster.open(str(make_raster(PLAIN, transform=turned))) as raster:
        for window in (Window(0, 0, 30, 20), Window(4, 5, 6, 7)):
            part = raster.window(raster.polygon(window))
            assert astuple(part) == pytest.approx(astuple(window), abs=1e-6)
        with pytest.raises(UsageError) as caught:
            raster.window((0, 0, 10, 10))
        assert "0,0,10,10" in caught.value.message and "500" in caught.value.message
        with pytest.raises(UsageError, match="covers no ground"):
            raster.window((5, 5, 5, 6))


def test_fingerprint_follows_the_file_not_its_neighbours(make_raster: Make) -> None:
    path = make_raster(PLAIN)
    first = peek(str(path)).fingerprint
    with Raster.open(str(path)) as raster:
        assert raster.fingerprint == first and raster.source == str(path)
    Path(f"{path}.aux.xml").write_text("<PAMDataset></PAMDataset>")
    assert peek(str(path)).fingerprint == first, "statistics left by a viewer change nothing"
    os.utime(path, (5, 5))
    assert peek(str(path)).fingerprint != first


class _Ranges(http.server.SimpleHTTPRequestHandler):
    """Serves byte ranges, which GDAL asks for."""

    def do_GET(self) -> None:  # noqa: N802
        data = Path(self.translate_path(self.path)).read_bytes()
        asked = self.headers.get("Range")
        start, stop = 0, len(data)
        if asked:
            first, _, last = asked.removeprefix("bytes=").partition("-")
            start, stop = int(first), min(len(data), int(last or len(data) - 1) + 1)
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(data)}")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(stop - start))
        self.end_headers()
        self.wfile.write(data[start:stop])

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Ranges, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_a_url(make_raster: Make, web: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GDAL_HTTP_PROXY", "")
    path = make_raster(PLAIN)
    with Raster.open(f"{web}/{path.name}") as raster:
        assert raster.source == f"{web}/{path.name}"
        assert (raster.read(Window(0, 0, 30, 20), (20, 30)).rgb == 90).all()
    assert "404" in _refused(f"{web}/gone.tif").message
