"""Bad input through the command line: one clear line, status 2, and nothing that exists is lost."""

import hashlib
import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from affine import Affine

from rsvlm_core.cli import main
from rsvlm_core.model import registry
from tests.fakes import COLOURS, FakeEncoder

GREEN = np.full((96, 96, 3), COLOURS["green"], np.uint8)


def load_fake(name=None, device="auto"):
    """Models of other names have other weights."""
    encoder = FakeEncoder(name=name or "fake")
    encoder.info = replace(encoder.info, sha256=hashlib.sha256(encoder.info.id.encode()).hexdigest())
    return encoder


@pytest.fixture(autouse=True)
def fake_model(monkeypatch, tmp_path):
    monkeypatch.setattr(registry, "load_encoder", load_fake)
    monkeypatch.setenv("RSVLM_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def refused(capsys):
    """Runs a command that must be refused; gives what it said. Its outputs existed before and must not change."""

    def run(*argv, kept=()):
        before = {path: Path(path).read_bytes() for path in kept}
        capsys.readouterr()
        status = main([str(a) for a in argv])
        out, err = capsys.readouterr()
        lines = [line for line in err.splitlines() if line.startswith("rsvlm")]
        assert status == 2, (status, err)
        assert len(lines) == 1, err
        assert "Traceback" not in err and out == ""
        assert len(lines[0].split(". ")) >= 2, f"says what is wrong but not what to do: {lines[0]}"
        for path, content in before.items():
            assert Path(path).read_bytes() == content
        return lines[0]

    return run


COMMANDS = {
    "index": lambda source, out: ("index", source, "--out", out / "x.rsindex"),
    "search": lambda source, out: ("search", source, "--text", "red", "--out", out / "h.gpkg"),
    "segment": lambda source, out: ("segment", source, "--text", "red", "--out", out / "m.gpkg"),
    "heatmap": lambda source, out: ("heatmap", source, "--text", "red", "--out", out / "heat.tif"),
    "classify": lambda source, out: ("classify", source, "--classes", "red,green", "--out", out / "c.gpkg"),
    "caption": lambda source, out: ("caption", source),
}
each_command = pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)


@pytest.fixture
def outputs(tmp_path):
    """A folder with earlier results that must survive."""
    folder = tmp_path / "out"
    folder.mkdir()
    for name in ("h.gpkg", "m.gpkg", "heat.tif", "c.gpkg"):
        (folder / name).write_bytes(b"an earlier result")
    return folder


def earlier(folder):
    return [p for p in folder.iterdir() if p.is_file()]


@each_command
def test_no_such_file(command, refused, outputs):
    assert "nowhere.tif" in refused(*command("nowhere.tif", outputs), kept=earlier(outputs))


@each_command
def test_not_a_raster(command, refused, outputs, tmp_path):
    (tmp_path / "letter.tif").write_text("Dear Sir or Madam")
    assert "letter.tif" in refused(*command(tmp_path / "letter.tif", outputs), kept=earlier(outputs))


@each_command
def test_no_crs(command, refused, outputs, make_raster):
    said = refused(*command(make_raster(GREEN, "nocrs.tif", crs=None), outputs), kept=earlier(outputs))
    assert "nocrs.tif" in said and ("CRS" in said or "coordinate" in said)


@each_command
@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_no_georeference(command, refused, outputs, make_raster):
    source = make_raster(GREEN, "nowhere_on_earth.tif", transform=Affine.identity())
    assert "nowhere_on_earth.tif" in refused(*command(source, outputs), kept=earlier(outputs))


@each_command
def test_an_all_nodata_raster(command, refused, outputs, make_raster):
    source = make_raster(np.zeros((3, 96, 96), np.uint8), "empty.tif", nodata=0)
    assert "empty.tif" in refused(*command(source, outputs), kept=earlier(outputs))


@each_command
def test_an_extent_outside(command, refused, outputs, make_raster):
    argv = command(make_raster(GREEN), outputs)
    said = refused(*argv, "--extent", "0,0,10,10", kept=earlier(outputs))
    assert "extent" in said.lower()


@each_command
def test_an_extent_without_area(command, refused, outputs, make_raster):
    argv = command(make_raster(GREEN), outputs)
    assert "extent" in refused(*argv, "--extent", "500010,5399990,500010,5399990", kept=earlier(outputs))


@pytest.mark.parametrize("command", ["search", "segment", "heatmap"])
@pytest.mark.parametrize("text", ["", "   "])
def test_an_empty_text(command, text, refused, outputs, make_raster):
    argv = [text if word == "red" else word for word in COMMANDS[command](make_raster(GREEN), outputs)]
    assert "text" in refused(*argv, kept=earlier(outputs))


@pytest.mark.parametrize("command", ["search", "segment", "classify"])
def test_an_unknown_format(command, refused, tmp_path, make_raster):
    argv = [str(word).replace(".gpkg", ".docx") for word in COMMANDS[command](make_raster(GREEN), tmp_path)]
    assert ".docx" in refused(*argv)


@each_command
def test_an_output_folder_that_does_not_exist(command, refused, tmp_path, make_raster):
    argv = command(make_raster(GREEN), tmp_path / "file" / "sub")
    (tmp_path / "file").write_text("in the way")
    if argv[0] == "caption":
        pytest.skip("a caption writes no file")
    assert "sub" in refused(*argv, kept=[tmp_path / "file"])


@pytest.mark.skipif(not Path("/proc/version").exists(), reason="needs a folder that even root cannot write")
@pytest.mark.parametrize("command", ["index", "search", "segment", "heatmap", "classify"])
def test_an_output_folder_that_cannot_be_written(command, refused, make_raster):
    assert "/proc" in refused(*COMMANDS[command](make_raster(GREEN), Path("/proc")))


@pytest.mark.parametrize("command", ["search", "segment"])
def test_a_geopackage_that_is_open_elsewhere(command, refused, make_raster, tmp_path):
    raster = make_raster(GREEN)
    argv = [str(a) for a in COMMANDS[command](raster, tmp_path)]
    assert main(argv) == 0
    out = Path(argv[-1])
    with closing(sqlite3.connect(out, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        said = refused(*argv, kept=[out])
        other.execute("ROLLBACK")
    assert out.name in said


def test_an_index_of_another_model(refused, make_raster, tmp_path):
    index, out = tmp_path / "x.rsindex", tmp_path / "h.gpkg"
    out.write_bytes(b"an earlier result")
    raster = make_raster(GREEN)
    assert main(["index", str(raster), "--out", str(index), "--model", "one"]) == 0
    said = refused("search", index, "--text", "red", "--model", "two", "--out", out, kept=[out])
    assert "x.rsindex" in said and "one" in said and "two" in said
    manifest = index / "collection.json"
    refused("index", raster, "--out", index, "--model", "two", kept=[manifest])


def test_a_folder_that_is_no_index(refused, tmp_path):
    (tmp_path / "holiday.rsindex").mkdir()
    assert "holiday.rsindex" in refused("search", tmp_path / "holiday.rsindex", "--text", "red")


def test_a_damaged_index(refused, make_raster, tmp_path):
    index = tmp_path / "x.rsindex"
    assert main(["index", str(make_raster(GREEN)), "--out", str(index)]) == 0
    (index / "collection.json").write_text('{"type": "Coll')
    assert "x.rsindex" in refused("search", index, "--text", "red")


def test_an_index_path_that_is_a_file(refused, make_raster, tmp_path):
    (tmp_path / "x.rsindex").write_text("mine")
    assert "x.rsindex" in refused("index", make_raster(GREEN), "--out", tmp_path / "x.rsindex",
                                  kept=[tmp_path / "x.rsindex"])  # fmt: skip


def test_bands_that_the_raster_does_not_have(refused, make_raster, tmp_path):
    said = refused("segment", make_raster(GREEN), "--text", "red", "--bands", "5,1,2", "--out", tmp_path / "m.gpkg")
    assert "band" in said


def test_nothing_to_search_for(refused, make_raster):
    assert "text" in refused("search", make_raster(GREEN))


def test_no_such_model(refused, make_raster, monkeypatch, tmp_path):
    monkeypatch.undo()
    monkeypatch.setenv("RSVLM_CACHE", str(tmp_path / "cache"))
    said = refused("caption", make_raster(GREEN), "--model", "dream")
    assert "dream" in said and "models list" in said


def test_the_same_error_is_a_document_with_json(capsys):
    assert main(["segment", "nowhere.tif", "--text", "red", "--out", "m.gpkg", "--json"]) == 2
    document = json.loads(capsys.readouterr().out)
    assert document["error"]["code"] == "raster"
    assert "nowhere.tif" in document["error"]["message"] and document["error"]["remedy"]
