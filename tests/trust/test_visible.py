"""Failures are visible: in the exit status, in the output itself, in a log that is rotated and private."""

from __future__ import annotations

import json
import sqlite3
import stat
from contextlib import closing

import rasterio

from rsvlm_core import journal
from tests.trust.scene import write


def damaged(path):
    """A raster whose last rows cannot be read."""
    write(path, compress="deflate", tiled=True, blockxsize=16, blockysize=16)
    data = bytearray(path.read_bytes())
    with rasterio.open(path) as src:
        offset = int(src.tags(1, ns="TIFF")[f"BLOCK_OFFSET_{7}_{7}"]) if src.tags(1, ns="TIFF") else None
    at = offset if offset is not None else len(data) - 300
    data[at : at + 40] = b"\xff" * 40
    path.write_bytes(data)
    return path


def metadata(gpkg):
    with closing(sqlite3.connect(gpkg)) as db:
        return " ".join(row[0] for row in db.execute("SELECT metadata FROM gpkg_metadata"))


def test_tiles_that_failed_are_told_everywhere(rsvlm, tmp_path):
    raster, hits, heat = damaged(tmp_path / "r.tif"), tmp_path / "h.gpkg", tmp_path / "heat.tif"
    said = rsvlm("search", raster, "--text", "red", "--out", hits, "--json")
    assert said.status == 0
    failed = json.loads(said.out)["failed"]
    assert failed and "r.tif" in failed[0]
    assert "reasons" in metadata(hits) and "cannot be read" in metadata(hits)
    assert "could not be read" in rsvlm("search", raster, "--text", "red").out
    assert rsvlm("heatmap", raster, "--text", "red", "--out", heat).status == 0
    with rasterio.open(heat) as src:
        assert int(src.tags()["TILES_FAILED"]) == len(failed) and "cannot be read" in src.tags()["FAILED"]
    masks = tmp_path / "m.gpkg"
    said = rsvlm("segment", raster, "--text", "red", "--out", masks, "--json")
    assert json.loads(said.out)["failed"] and "cannot be read" in metadata(masks)
    log = journal.path().read_text("utf-8")
    assert "failed: " in log and "cannot be read" in log


def test_the_log_says_what_was_asked_and_what_came_of_it(rsvlm, tmp_path):
    raster = write(tmp_path / "r.tif")
    assert rsvlm("search", raster, "--text", "red").status == 0
    assert rsvlm("search", "gone\n.tif", "--text", "red").status == 2
    log = journal.path()
    lines = log.read_text("utf-8").splitlines()
    assert any("search begins" in line and "red" in line for line in lines)
    assert any("search done in" in line for line in lines)
    assert any("WARNING search ends" in line and "raster" in line and "gone" in line for line in lines)
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_a_fault_leaves_its_traceback_in_the_log(rsvlm, monkeypatch, tmp_path):
    from rsvlm_core import jobs

    monkeypatch.setattr(jobs, "job", lambda op: lambda params, context: {}["no such key"])
    assert rsvlm("caption", write(tmp_path / "r.tif")).status == 1
    log = journal.path().read_text("utf-8")
    assert "Traceback" in log and "no such key" in log


def test_the_log_is_rotated_and_bounded(rsvlm, monkeypatch, tmp_path):
    monkeypatch.setattr(journal, "BYTES", 20_000)
    raster = write(tmp_path / "r.tif")
    assert rsvlm("search", raster, "--text", "red").status == 0
    for _ in range(60):
        with journal.told("search", {"text": "x" * 10_000}):
            pass
    files = sorted(journal.path().parent.iterdir())
    assert 2 <= len(files) <= 1 + journal.KEPT
    assert all(f.stat().st_size <= 20_000 + 5000 for f in files)


def test_verbose_tells_it_on_stderr_and_keeps_stdout_clean(rsvlm, tmp_path):
    said = rsvlm("search", write(tmp_path / "r.tif"), "--text", "red", "--verbose", "--json")
    assert "search begins" in said.err and "search done" in said.err
    assert json.loads(said.out)["hits"]
    assert "search begins" not in rsvlm("search", tmp_path / "r.tif", "--text", "red").err


def test_a_log_that_cannot_be_written_costs_no_work(rsvlm, monkeypatch, tmp_path):
    raster = write(tmp_path / "r.tif")
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "logs").write_text("in the way")
    assert rsvlm("search", raster, "--text", "red").status == 0
