"""Tiles that cannot be read, or have little to show."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from rsvlm_core.errors import RasterError
from rsvlm_core.imagery.raster import Raster
from rsvlm_core.index import plan
from rsvlm_core.index.store import VectorIndex, open_index
from rsvlm_core.model.encoder import Float32, UInt8
from tests.core.indexes import Make, build, same
from tests.fakes import FakeEncoder

pytestmark = pytest.mark.usefixtures("small_parts")


def test_failed_tiles_are_listed_and_tried_again(make_raster: Make, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(1, 255, (3, 128, 128)).astype(np.uint8)
    path = make_raster(noise, interleave="pixel")
    whole = path.read_bytes()
    stamp = path.stat()
    path.write_bytes(whole[: len(whole) * 2 // 3] + b"")
    out = tmp_path / "x.rsindex"
    report = build(str(path), out, gsds=[0.5], min_valid=0.0)
    assert report.failed and report.tiles == report.embedded + len(report.failed)
    assert all("cannot be read" in f and str(path) in f for f in report.failed)
    assert open_index(out, None).failed == report.failed
    assert build(str(path), out).failed == report.failed, "still broken"
    path.write_bytes(whole)
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    mended = build(str(path), out)
    assert not mended.failed and len(open_index(out, None)) == mended.tiles


def test_a_server_that_was_away_is_asked_again(
    make_raster: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, out = str(make_raster(np.full((3, 128, 128), 9, np.uint8))), tmp_path / "x.rsindex"
    read = Raster.read

    def broken(self: Raster, window: object, shape: tuple[int, int]) -> object:
        if window.col > 30:  # type: ignore[attr-defined]
            raise RasterError(f"{path} cannot be read: connection reset.", "")
        return read(self, window, shape)  # type: ignore[arg-type]

    monkeypatch.setattr(Raster, "read", broken)
    report = build(path, out, gsds=[0.5])
    assert len(report.failed) > 0 and "connection reset" in report.failed[0]
    monkeypatch.setattr(Raster, "read", read)
    assert not build(path, out).failed
    build(path, tmp_path / "y.rsindex", gsds=[0.5])
    same(out, tmp_path / "y.rsindex")


def test_numbers_that_are_none_are_failures(scene: str, tmp_path: Path) -> None:
    class Broken(FakeEncoder):
        def encode_images(self, images: UInt8) -> Float32:
            vectors = super().encode_images(images)
            vectors[0] = np.nan
            return vectors

    report = build(scene, tmp_path / "x.rsindex", Broken())
    assert report.failed and "no numbers" in report.failed[0]
    assert np.isfinite(open_index(tmp_path / "x.rsindex", None).vectors).all()


def test_a_raster_of_narrow_strips_is_still_searchable(make_raster: Make, tmp_path: Path) -> None:
    values = np.zeros((3, 128, 128), np.uint8)
    for i in range(128):
        values[:, i, max(0, i - 1) : i + 1] = 80
    path = str(make_raster(values, nodata=0))
    report = build(path, tmp_path / "x.rsindex", gsds=[0.5])
    index = open_index(tmp_path / "x.rsindex", None)
    assert 0 < len(index) < report.tiles and index.table["valid_fraction"].max() < plan.MIN_VALID
    assert build(path, tmp_path / "x.rsindex").embedded == 0


def test_a_raster_smaller_than_a_tile_is_searchable(make_raster: Make, tmp_path: Path) -> None:
    report = build(str(make_raster(np.full((3, 6, 5), 80, np.uint8))), tmp_path / "x.rsindex")
    index = open_index(tmp_path / "x.rsindex", None)
    assert report.tiles == report.embedded == len(index) == 1
    assert index.table["valid_fraction"].iloc[0] < 0.1


def test_nothing_valid_in_the_extent(scene: str, tmp_path: Path) -> None:
    report = build(scene, tmp_path / "x.rsindex", gsds=[0.5], extent=(500000, 5399999, 500002, 5400000))
    index = open_index(tmp_path / "x.rsindex", None)
    assert report.tiles == report.skipped_nodata == 1 and len(index) == 0
    assert isinstance(index, VectorIndex) and len(index.table) == 0
