"""Outputs that would cost the user something: an input, another output, what a link leads to, a folder that goes."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import geopandas as gpd
import pytest
from shapely.geometry import box

from tests.fakes import FakeEncoder
from tests.trust.conftest import ROOT, snapshot
from tests.trust.content import content
from tests.trust.scene import SIDE, UTM, as_driver, write

MOSAIC = (
    f'<VRTDataset rasterXSize="{SIDE}" rasterYSize="{SIDE}"><SRS>{UTM}</SRS>'
    "<GeoTransform>500000,0.5,0,5400000,0,-0.5</GeoTransform>{bands}</VRTDataset>"
)
BAND = (
    '<VRTRasterBand dataType="Byte" band="{n}"><SimpleSource><SourceFilename>{file}</SourceFilename>'
    "<SourceBand>{n}</SourceBand></SimpleSource></VRTRasterBand>"
)


def mosaic(path: Path, file: object) -> Path:
    """Three bands of one file."""
    path.write_text(MOSAIC.format(bands="".join(BAND.format(n=n, file=file) for n in (1, 2, 3))))
    return path


@pytest.fixture
def place(tmp_path, monkeypatch, rsvlm):
    """A raster by several names, a mosaic and an index of it, a picture that is a raster, and a user's own polygons."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "r.tif")
    os.link("r.tif", "hard.tif")
    os.symlink("r.tif", "link.tif")
    as_driver(tmp_path / "p.png", "PNG", WORLDFILE="YES")
    (tmp_path / "p.png.aux.xml").write_text(f"<PAMDataset><SRS>{UTM}</SRS></PAMDataset>")
    mosaic(tmp_path / "m.vrt", "r.tif")
    gpd.GeoDataFrame({"mine": [1]}, geometry=[box(500004, 5399930, 500060, 5399990)], crs=UTM).to_file("mine.gpkg")
    assert rsvlm("index", "r.tif", "--out", "x.rsindex").status == 0
    return tmp_path


@pytest.mark.parametrize("words", [
    "heatmap r.tif --text red --out r.tif", "heatmap r.tif --text red --out ./sub/../r.tif",
    "heatmap r.tif --text red --out hard.tif", "heatmap r.tif --text red --out link.tif",
    "heatmap link.tif --text red --out r.tif", "heatmap x.rsindex --text red --out r.tif",
    "heatmap m.vrt --text red --out r.tif",
    "segment r.tif --text red --out m.gpkg --mask-raster r.tif", "segment r.tif --text red --out m.gpkg --scores r.tif",
    "search p.png --text red --overview p.png", "segment p.png --text red --out m.gpkg --overview p.png",
    "search r.tif --text red --within mine.gpkg --out mine.gpkg",
    "search r.tif --text red --like mine.gpkg --out mine.gpkg",
    "search r.tif --text red --unlike mine.gpkg --out mine.gpkg",
    "search x.rsindex --text red --out x.rsindex/parts/part-00000.parquet",
    "classify x.rsindex --classes red,green --out x.rsindex/parts/part-00000.parquet",
])  # fmt: skip
def test_no_result_replaces_what_it_is_made_of(words, place, must_refuse):
    (place / "sub").mkdir()
    before = snapshot(place)
    argv = words.split()
    assert "another file" in must_refuse(*argv, names=Path(argv[-1]).name)
    after = snapshot(place)
    assert {name: after[name] for name in before if not name.startswith("cache")} == {
        name: data for name, data in before.items() if not name.startswith("cache")
    }


def test_two_results_are_not_one_file(place, must_refuse):
    (place / "s.tif").write_bytes(b"an earlier result")
    must_refuse(
        "segment", "r.tif", "--text", "red", "--out", "m.gpkg", "--mask-raster", "s.tif", "--scores", "./s.tif",
        names="s.tif",
    )
    assert (place / "s.tif").read_bytes() == b"an earlier result" and not (place / "m.gpkg").exists()


def test_an_output_that_is_no_input_may_exist(place, rsvlm):
    """The same commands again over their own results: not refused."""
    for _ in range(2):
        assert rsvlm("heatmap", "m.vrt", "--text", "red", "--out", "heat.tif").status == 0
        assert rsvlm("search", "x.rsindex", "--text", "red", "--within", "mine.gpkg", "--out", "h.gpkg").status == 0


def test_what_a_link_leads_to_stays(place, rsvlm):
    """The result takes the link's place; the file behind it, perhaps another project's, is not written to."""
    (place / "theirs.gpkg").write_bytes(b"theirs")
    os.symlink("theirs.gpkg", "out.gpkg")
    os.symlink("nowhere/x.gpkg", "dangling.gpkg")
    for name in ("out.gpkg", "dangling.gpkg"):
        assert rsvlm("search", "r.tif", "--text", "red", "--out", name).status == 0
        assert len(gpd.read_file(name))
    assert (place / "theirs.gpkg").read_bytes() == b"theirs" and not (place / "nowhere").exists()


COMMANDS = {
    "search": "search {r} --text red --out gone/h.gpkg", "overview": "search {r} --text red --overview gone/h.png",
    "heatmap": "heatmap {r} --text red --out gone/h.tif", "index": "index {r} --out gone/x.rsindex",
    "classify": "classify {r} --classes red,green --out gone/c.gpkg",
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_folder_that_goes_while_work_is_done(name, rsvlm, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "r.tif")
    (tmp_path / "gone").mkdir()
    encode = FakeEncoder.encode_images

    def encode_and_lose(self, images):
        shutil.rmtree("gone", ignore_errors=True)
        return encode(self, images)

    monkeypatch.setattr(FakeEncoder, "encode_images", encode_and_lose)
    said = rsvlm(*COMMANDS[name].format(r="r.tif").split())
    assert said.status == 2 and len(said.told) == 1 and "gone/" in said.told[0], said
    assert not (tmp_path / "gone").exists()


def test_an_index_that_becomes_a_link_while_it_is_written(rsvlm, monkeypatch, tmp_path):
    """Moved to a larger disk in the middle, with a link left behind: whole, and searched through the link."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "r.tif")
    encode = FakeEncoder.encode_images

    def encode_and_move(self, images):
        if not Path("x.rsindex").is_symlink():
            os.rename("x.rsindex", "elsewhere")
            os.symlink("elsewhere", "x.rsindex")
        return encode(self, images)

    assert rsvlm("index", "r.tif", "--out", "right.rsindex").status == 0
    monkeypatch.setattr(FakeEncoder, "encode_images", encode_and_move)
    assert rsvlm("index", "r.tif", "--out", "x.rsindex").status == 0
    assert content(tmp_path / "x.rsindex") == content(tmp_path / "right.rsindex")


SEARCH = """
import sys
from rsvlm_core.model import registry
from tests.fakes import FakeEncoder
registry.load_encoder = lambda name=None, device="auto", runtime=None: FakeEncoder()
from rsvlm_core.cli import main
print("ready", flush=True)
sys.stdin.readline()
sys.exit(max(main(["search", sys.argv[1], "--text", text, "--out", sys.argv[2]]) for text in ["red", "green"] * 5))
"""


def test_two_searches_into_one_geopackage(rsvlm, tmp_path):
    """Whoever is last wins, whole; nobody fails and nothing is left over."""
    index, out = tmp_path / "x.rsindex", tmp_path / "h.gpkg"
    assert rsvlm("index", write(tmp_path / "r.tif"), "--out", index).status == 0
    rights = []
    for text in ("red", "green"):
        assert rsvlm("search", index, "--text", text, "--out", tmp_path / f"{text}.gpkg").status == 0
        rights.append(content(tmp_path / f"{text}.gpkg"))
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    both = [
        subprocess.Popen([sys.executable, "-c", SEARCH, index, out], cwd=ROOT, env=env, stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(2)
    ]  # fmt: skip
    for one in both:
        assert b"ready" in one.stdout.readline()
    for one in both:
        one.stdin.write(b"\n")
        one.stdin.flush()
    for one in both:
        _, err = one.communicate(timeout=300)
        refused = [line for line in err.decode().splitlines() if line.startswith("rsvlm")]
        # where one looks just while the other looks too, it may say that the file is open elsewhere
        assert one.returncode == 0 or all("is open in another program" in line for line in refused), err.decode()
    assert content(out) in rights
    assert not [p.name for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_a_geopackage_that_qgis_has_open(rsvlm, must_refuse, tmp_path):
    """QGIS opens GeoPackages with a write-ahead log: the file stays as it is, and what to do is said."""
    raster, out = write(tmp_path / "r.tif"), tmp_path / "h.gpkg"
    assert rsvlm("search", raster, "--text", "red", "--out", out).status == 0
    with closing(sqlite3.connect(out)) as db:
        assert db.execute("PRAGMA journal_mode=WAL").fetchone() == ("wal",)
        db.execute("CREATE TABLE theirs (x)")
        db.commit()
        line = must_refuse("search", raster, "--text", "green", "--out", out, names="h.gpkg")
        assert "open in another program" in line
        assert db.execute("SELECT count(*) FROM theirs").fetchone() == (0,)
    assert rsvlm("search", raster, "--text", "green", "--out", out).status == 0
    assert set(gpd.read_file(out)["text"]) == {"green"}
