"""Formats whose files say where a reader keeps what it fetches: no stranger's raster writes anywhere."""

from __future__ import annotations

import http.server
import threading
from pathlib import Path

import pyproj
import pytest

from tests.trust.conftest import snapshot
from tests.trust.scene import RED_CENTRE, SIDE, UTM, as_driver, write
from tests.trust.test_bad_outputs import mosaic
from tests.trust.test_kill import env_of

BOX = '<BoundingBox minx="500000" miny="5399936" maxx="500064" maxy="5400000"/>'
MRF = (
    '<MRF_META><CachedSource><Source>{source}</Source></CachedSource><Raster><Size x="128" y="128" c="3"/>'
    '<PageSize x="128" y="128" c="3"/><Compression>NONE</Compression><DataFile>{home}/.bashrc</DataFile>'
    "<IndexFile>{home}/x.idx</IndexFile></Raster><GeoTags>" + BOX + "<Projection>{wkt}</Projection></GeoTags>"
    "</MRF_META>"
)
WMS = (
    '<GDAL_WMS><Service name="TMS"><ServerUrl>{url}/${{z}}/${{x}}/${{y}}.png</ServerUrl></Service><DataWindow>'
    "<UpperLeftX>500000</UpperLeftX><UpperLeftY>5400000</UpperLeftY><LowerRightX>500064</LowerRightX>"
    "<LowerRightY>5399936</LowerRightY><TileLevel>0</TileLevel><TileCountX>1</TileCountX><TileCountY>1</TileCountY>"
    "<SizeX>128</SizeX><SizeY>128</SizeY></DataWindow><Projection>EPSG:32633</Projection><BlockSizeX>128</BlockSizeX>"
    "<BlockSizeY>128</BlockSizeY><BandsCount>3</BandsCount><Cache><Path>{home}/autostart</Path><Depth>0</Depth>"
    "<Extension>.desktop</Extension><Unique>false</Unique></Cache></GDAL_WMS>"
)
OVERVIEWS = '<PAMDataset><Metadata domain="OVERVIEWS"><MDI key="OVERVIEW_FILE">{file}</MDI></Metadata></PAMDataset>'


@pytest.fixture
def tiles(tmp_path):
    """A server that gives the scene for every tile; its address, and what it was asked."""
    (tmp_path / "tile").mkdir()
    data, asked = as_driver(tmp_path / "tile" / "t.png", "PNG").read_bytes(), []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "image/png")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("suffix", [".tif", ".vrt", "overview"])
@pytest.mark.parametrize("kind", ["mrf", "wms"])
def test_nothing_is_written_where_a_raster_says(kind, suffix, forge, tiles, tmp_path):
    """Named itself, from within a mosaic, and as the overview of a good raster."""
    url, asked = tiles
    home = tmp_path / "home"
    (home / "autostart").mkdir(parents=True)
    (home / ".bashrc").write_text("export A=1\n")
    good = write(tmp_path / "good.tif")
    text = {
        "mrf": MRF.format(source=good, home=home, wkt=pyproj.CRS(UTM).to_wkt("WKT1_GDAL")),
        "wms": WMS.format(url=url, home=home),
    }[kind]
    evil = tmp_path / "evil.tif"
    evil.write_text(text)
    named = evil
    if suffix == ".vrt":
        named = mosaic(tmp_path / "m.vrt", evil)
    elif suffix == "overview":
        named = good
        Path(f"{good}.aux.xml").write_text(OVERVIEWS.format(file=evil))
    before = snapshot(home)
    result = forge("rsvlm", ["search", named, "--text", "red", "--gsd", "2", "0.5", "--out", tmp_path / "h.gpkg"],
                   env=env_of(tmp_path))  # fmt: skip
    assert result["status"] == (0 if suffix == "overview" else 2), result
    assert snapshot(home) == before and not asked
    if suffix != "overview":
        assert named.name in result["err"] and not (tmp_path / "h.gpkg").exists()


def test_the_drivers_that_write_are_left_out_where_ours_come_first(forge, tmp_path):
    """By the variable, which also holds for what a mosaic names; what a user left out stays out."""
    import subprocess
    import sys

    code = "import rsvlm_core.imagery.opening, rasterio\nwith rasterio.Env() as e: print(*e.drivers())"
    found = subprocess.run(
        [sys.executable, "-c", code], env={"GDAL_SKIP": "BMP", "PATH": "/usr/bin"}, capture_output=True, text=True,
        check=True, cwd=Path(__file__).parents[2],
    ).stdout.split()
    assert "GTiff" in found and "VRT" in found and not {"MRF", "WMS", "WMTS", "WCS", "BMP"} & set(found)


@pytest.mark.parametrize("file", ["{other}", "{self}", "/dev/zero", "/vsistdin/", "gone.tif", "/vsicurl/http://{port}/x"])
def test_overviews_that_point_elsewhere(file, rsvlm, tmp_path):
    """`.aux.xml` beside a raster may name any file as its overviews: the raster itself is still found by its pixels."""
    raster, other = write(tmp_path / "r.tif"), tmp_path / "other.tif"
    as_driver(other, "GTiff")
    file = file.format(other=other, self=raster, port="127.0.0.1:9")
    Path(f"{raster}.aux.xml").write_text(OVERVIEWS.format(file=file))
    said = rsvlm("search", raster, "--text", "red", "--top", "1", "--gsd", "0.5", "--out", tmp_path / "h.gpkg")
    assert said.status == 0, said
    import geopandas as gpd
    from shapely.geometry import Point

    from tests.trust.scene import NORTH_UP

    hits = gpd.read_file(tmp_path / "h.gpkg")
    assert hits["score"][0] > 0.8 and hits.geometry[0].contains(Point(*(NORTH_UP * RED_CENTRE)))


OVR = {
    "garbage": b"II*\x00" + b"\xff" * 300, "empty": b"", "one_band": (1, 64, 64), "odd_size": (3, 7, 100),
    "larger_than_the_raster": (3, 4 * SIDE, 4 * SIDE),
}


@pytest.mark.parametrize("name", OVR)
def test_overviews_that_disagree_with_their_raster(name, rsvlm, tmp_path):
    """At full size the raster counts; where an overview is read, a right answer or a named fault."""
    import numpy as np

    raster, ovr = write(tmp_path / "r.tif"), OVR[name]
    if isinstance(ovr, bytes):
        (tmp_path / "r.tif.ovr").write_bytes(ovr)
    else:
        write(tmp_path / "o.tif", np.full(ovr, 255, np.uint8)).rename(tmp_path / "r.tif.ovr")
    for gsd in ("0.5", "2"):
        said = rsvlm("search", raster, "--text", "red", "--gsd", gsd, "--top", "1", "--out", tmp_path / "h.gpkg")
        assert said.status in (0, 2) and len(said.told) <= 1, said
        assert said.status == 0 or "r.tif" in said.told[0] and gsd == "2"


def test_ground_sizes_that_dwarf_the_raster_eat_no_memory(forge, tmp_path):
    """A tile ten thousand times as wide as the raster was padded to its size before it was shrunk."""
    raster = write(tmp_path / "r.tif")
    for gsd in ("1e4", "1e9", "1e300"):
        for argv in (["search", raster, "--text", "red"], ["segment", raster, "--text", "red", "--out", "m.gpkg"]):
            result = forge("rsvlm", [*argv, "--gsd", gsd], cwd=str(tmp_path), env=env_of(tmp_path), memory_limit=2**31)
            assert result["status"] in (0, 2) and "memory" not in result["err"], (gsd, result)
