"""Index folders: built once, continued after anything, never mixed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyarrow.parquet as pq
import pytest
import rasterio
from affine import Affine
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from rsvlm_core.errors import OutputError, RasterError, SearchIndexError, Stopped, UsageError
from rsvlm_core.imagery.raster import Raster
from rsvlm_core.index import files, lock, plan
from rsvlm_core.index.builder import IndexReport, build_index
from rsvlm_core.index.store import VectorIndex, open_index
from rsvlm_core.model.encoder import Float32, UInt8
from rsvlm_core.tiles.grid import TileGrid
from tests.fakes import FakeEncoder

Make = Callable[..., Path]
TILES = 7 * 8 + 3 * 4 + 2 * 2


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "PART_TILES", 16)


@pytest.fixture
def scene(make_raster: Make) -> str:
    """Noise with a hole: TILES tiles at 0.5, 1 and 2 m, the first ones in the hole."""
    noise = np.random.default_rng(7).integers(1, 255, (3, 160, 200)).astype(np.uint8)
    noise[:, :70, :70] = 0
    return str(make_raster(noise, "scene.tif", nodata=0))


def _build(sources: str | list[str], out: Path, encoder: FakeEncoder | None = None, **options: object) -> IndexReport:
    named = [sources] if isinstance(sources, str) else sources
    return build_index(named, out, encoder or FakeEncoder(), batch=8, **options)  # type: ignore[arg-type]


def _content(folder: Path) -> tuple[list[str], np.ndarray]:
    index = open_index(folder, None)
    assert index.complete
    plain = index.table.drop(columns="geometry").astype(str).agg("|".join, axis=1)
    return (plain + index.table.geometry.to_wkb(hex=True)).tolist(), np.array(index.vectors)


def _same(one: Path, two: Path) -> None:
    (rows_one, vectors_one), (rows_two, vectors_two) = _content(one), _content(two)
    assert rows_one == rows_two
    assert (vectors_one == vectors_two).all(), "the same to the last bit"


def test_rows_are_tiles_and_vectors_are_theirs(scene: str, tmp_path: Path) -> None:
    encoder = FakeEncoder()
    report = _build(scene, tmp_path / "x.rsindex", encoder)
    index = open_index(tmp_path / "x.rsindex", encoder.info)
    with Raster.open(scene) as raster:
        tiles = {t.tile_id: t for t in TileGrid(raster, index.manifest.sources[0].gsds, 32)}
        assert report.tiles == len(tiles) and report.embedded == len(index) == encoder.images_seen
        assert report.skipped_nodata == len(tiles) - len(index) > 0 and not report.failed
        for i in range(0, len(index), 7):
            row = index.table.iloc[i]
            tile = tiles[row.tile_id]
            assert (row.level, row.row, row.col, row.gsd_m, row.source) == (
                tile.level, tile.row, tile.col, tile.gsd_m, scene,
            )  # fmt: skip
            patch = raster.read(tile.window, (32, 32))
            assert row.valid_fraction == pytest.approx(patch.valid_fraction)
            assert np.allclose(index.vectors[i], FakeEncoder().encode_images(patch.filled()[None])[0], atol=1e-6)
            there = gpd.GeoSeries([tile.geometry], crs=raster.crs).to_crs(index.table.crs).iloc[0]
            assert there.symmetric_difference(row.geometry).area < 1e-6 * there.area
    assert index.table["valid_fraction"].min() >= plan.MIN_VALID
    assert np.allclose(np.linalg.norm(index.vectors, axis=1), 1, atol=1e-5)


def test_the_folder_is_what_the_contract_says(scene: str, tmp_path: Path) -> None:
    out = tmp_path / "x.rsindex"
    _build(scene, out)
    stac = json.loads((out / "collection.json").read_text())
    assert stac["type"] == "Collection" and stac["emb:type"] == "chip" and stac["emb:dimensions"] == 4
    assert stac["emb:chip_layout"]["chip_size"] == [32, 32] and stac["emb:chip_layout"]["stride"] == [24, 24]
    assert {"emb:model", "emb:source-data"} <= {link["rel"] for link in stac["links"]}
    assert stac["rsvlm:model"] == {"id": "fake", "sha256": "0" * 64}
    west, south, east, north = stac["extent"]["spatial"]["bbox"][0]
    assert 14.9 < west < east < 15.1 and 48.7 < south < north < 48.8
    source = stac["rsvlm:sources"][0]
    assert source["bands"] == [1, 2, 3] and source["stretch"]["identity"] and "UTM zone 33N" in source["wkt"]
    part = out / "parts" / "part-00000.parquet"
    frame = gpd.read_parquet(part)
    assert frame.crs.equals("OGC:CRS84")
    assert pq.read_schema(part).names == [
        "tile_id", "source", "level", "row", "col", "gsd_m", "valid_fraction", "geometry", "bbox", "embedding",
    ]  # fmt: skip
    assert str(pq.read_schema(part).field("embedding").type) == "fixed_size_list<element: float>[4]"
    box = frame.geometry.iloc[:1].total_bounds
    assert len(gpd.read_parquet(part, bbox=tuple(box))) >= 1, "the covering is used as a filter"
    vectors = np.load(out / "vectors.npy", mmap_mode="r")
    assert vectors.dtype == np.float32 and vectors.shape == (len(open_index(out, None)), 4)


def test_nothing_to_do_does_nothing(scene: str, tmp_path: Path) -> None:
    out, encoder = tmp_path / "x.rsindex", FakeEncoder()
    first = _build(scene, out, encoder)
    before = {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in out.rglob("*") if p.name != ".lock"}
    seen = encoder.images_seen
    again = _build(scene, out, encoder)
    assert encoder.images_seen == seen and again.embedded == 0
    assert (again.tiles, again.skipped_nodata) == (first.tiles, first.skipped_nodata)
    assert before == {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in out.rglob("*") if p.name != ".lock"}


class _Dying(FakeEncoder):
    """Stops the whole run after so many images."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.after = after

    def encode_images(self, images: UInt8) -> Float32:
        if self.images_seen >= self.after:
            raise KeyboardInterrupt
        return super().encode_images(images)


@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)  # fmt: skip
@given(stops=st.lists(st.integers(0, 60), min_size=1, max_size=3))
def test_interrupted_and_continued_is_like_uninterrupted(
    scene: str, tmp_path_factory: pytest.TempPathFactory, stops: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("runs")
    _build(scene, folder / "whole.rsindex")
    for stop in stops:
        try:
            _build(scene, folder / "broken.rsindex", _Dying(stop))
        except KeyboardInterrupt:
            index = open_index(folder / "broken.rsindex", FakeEncoder().info)
            assert len(index.table) == len(index.vectors)
    report = _build(scene, folder / "broken.rsindex")
    assert report.tiles == TILES
    _same(folder / "whole.rsindex", folder / "broken.rsindex")


@pytest.mark.parametrize("after", [False, True])
def test_killed_around_any_file_operation(
    scene: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    _build(scene, tmp_path / "whole.rsindex")
    rename, operation = os.replace, 0
    while True:
        out = tmp_path / f"{operation}.rsindex"
        left = operation

        def dying(source: str, target: str) -> None:
            nonlocal left
            if left == 0 and not after:
                raise KeyboardInterrupt
            rename(source, target)
            if left == 0:
                raise KeyboardInterrupt
            left -= 1

        monkeypatch.setattr(files.os, "replace", dying)
        try:
            _build(scene, out)
            break
        except KeyboardInterrupt:
            pass
        finally:
            monkeypatch.setattr(files.os, "replace", rename)
        if (out / "collection.json").exists():
            open_index(out, FakeEncoder().info)
        _build(scene, out)
        _same(tmp_path / "whole.rsindex", out)
        operation += 1
    assert operation >= 8, "manifest, six parts, vectors, their note"


_CHILD = """
import os, signal, sys
from pathlib import Path
from rsvlm_core.index import plan
from rsvlm_core.index.builder import build_index
from tests.fakes import FakeEncoder

class Dying(FakeEncoder):
    def encode_images(self, images):
        if self.images_seen >= int(sys.argv[3]):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().encode_images(images)

plan.PART_TILES = 16
build_index([sys.argv[1]], Path(sys.argv[2]), Dying(), batch=8)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL on Windows")
def test_a_killed_process_leaves_a_folder_that_continues(scene: str, tmp_path: Path) -> None:
    _build(scene, tmp_path / "whole.rsindex")
    out = tmp_path / "killed.rsindex"
    child = subprocess.run(
        [sys.executable, "-c", _CHILD, scene, str(out), "40"], cwd=Path(__file__).parents[2], check=False,
        capture_output=True, timeout=120,
    )  # fmt: skip
    assert child.returncode == -signal.SIGKILL, child.stderr.decode()
    assert json.loads((out / ".lock").read_text())["pid"], "the dead writer still has its name in the lock"
    index = open_index(out, FakeEncoder().info)
    assert not index.complete and 0 < len(index) < 48
    encoder = FakeEncoder()
    _build(scene, out, encoder)
    assert encoder.images_seen + len(index) == len(open_index(out, None)), "finished parts were kept"
    _same(tmp_path / "whole.rsindex", out)


def test_stopping_keeps_finished_parts(scene: str, tmp_path: Path) -> None:
    calls = 0

    def stop() -> bool:
        nonlocal calls
        calls += 1
        return calls > 50

    with pytest.raises(Stopped, match="continue"):
        _build(scene, tmp_path / "x.rsindex", should_stop=stop)
    index = open_index(tmp_path / "x.rsindex", None)
    assert len(index) > 0 and not index.complete


def test_progress_counts_every_tile(scene: str, tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []
    report = _build(scene, tmp_path / "x.rsindex", progress=lambda *a: told.append(a))
    assert told[-1] == (report.tiles, report.tiles, "tiles")
    assert [t[0] for t in told] == sorted(t[0] for t in told)


def test_adding_a_raster_embeds_only_that_one(scene: str, make_raster: Make, tmp_path: Path) -> None:
    out, encoder = tmp_path / "x.rsindex", FakeEncoder()
    _build(scene, out, encoder)
    seen, rows = encoder.images_seen, _content(out)[0]
    feet = Affine(1.5, 0, 990000, 0, -1.5, 200000)
    other = str(make_raster(np.full((3, 100, 100), 99, np.uint8), "feet.tif", crs="EPSG:2263", transform=feet))
    report = _build([scene, other], out, encoder)
    assert encoder.images_seen == seen + report.embedded and report.embedded > 0
    index = open_index(out, None)
    assert _content(out)[0][: len(rows)] == rows
    assert [s.crs.to_epsg() for s in index.manifest.sources] == [32633, 2263], "each source keeps its own CRS"
    west = index.table[index.table["source"] == other].total_bounds
    assert -75 < west[0] < -73 and 40 < west[1] < 41


def test_a_changed_raster_is_noticed_and_only_that_one(scene: str, make_raster: Make, tmp_path: Path) -> None:
    other = make_raster(np.full((3, 100, 100), 99, np.uint8), "other.tif")
    out, encoder = tmp_path / "x.rsindex", FakeEncoder()
    _build([scene, str(other)], out, encoder)
    seen = encoder.images_seen
    make_raster(np.full((3, 100, 100), 10, np.uint8), "other.tif")
    os.utime(other, (1, 1))
    report = _build([scene, str(other)], out, encoder)
    of_other = int((open_index(out, None).table["source"] == str(other)).sum())
    assert encoder.images_seen - seen == report.embedded == of_other > 0
    named = {files.part_name(p.number) for p in open_index(out, None).manifest.parts}
    assert {p.name for p in (out / "parts").iterdir()} == named, "old parts are gone"
    _build([scene, str(other)], tmp_path / "anew.rsindex")
    assert sorted(_content(out)[0]) == sorted(_content(tmp_path / "anew.rsindex")[0])


def test_other_levels_or_bands_embed_anew(scene: str, tmp_path: Path) -> None:
    out, encoder = tmp_path / "x.rsindex", FakeEncoder()
    _build(scene, out, encoder, gsds=[0.5, 1.0])
    assert _build(scene, out, encoder).embedded == 0, "no wish keeps what is there"
    assert _build(scene, out, encoder, gsds=[1.0, 0.5]).embedded == 0
    assert _build(scene, out, encoder, gsds=[2.0]).embedded > 0
    assert set(open_index(out, None).table["gsd_m"]) == {2.0}
    assert _build(scene, out, encoder, bands=(3, 2, 1)).embedded > 0
    assert open_index(out, None).manifest.sources[0].bands == (3, 2, 1)


def test_extents_add_up_to_the_whole(scene: str, tmp_path: Path) -> None:
    out, encoder = tmp_path / "x.rsindex", FakeEncoder()
    with Raster.open(scene) as raster:
        xmin, ymin, xmax, ymax = raster.bounds
    first = _build(scene, out, encoder, extent=(xmin, ymin, xmin + 40, ymax))
    assert 0 < first.tiles < TILES
    assert _build(scene, out, encoder, extent=(xmin, ymin, xmin + 40, ymax)).embedded == 0
    assert _build(scene, out, encoder, extent=(xmin, ymin + 10, xmin + 30, ymax)).embedded == 0, "inside the first"
    _build(scene, out, encoder, extent=(xmax - 20, ymin, xmax, ymax))
    report = _build(scene, out, encoder)
    assert report.tiles == TILES
    _build(scene, tmp_path / "whole.rsindex")
    whole = _content(tmp_path / "whole.rsindex")[0]
    assert sorted(_content(out)[0]) == sorted(whole) and encoder.images_seen == len(whole)
    with pytest.raises(UsageError, match="0,0,1,1 lies outside"):
        _build(scene, out, encoder, extent=(0, 0, 1, 1))


def test_an_extent_picks_among_rasters(scene: str, make_raster: Make, tmp_path: Path) -> None:
    degrees = Affine(1e-5, 0, 15.02, 0, -1e-5, 48.7)
    far = str(make_raster(np.full((3, 100, 100), 99, np.uint8), "far.tif", crs="EPSG:4326", transform=degrees))
    with Raster.open(scene) as raster:
        report = _build([scene, far], tmp_path / "x.rsindex", extent=raster.bounds)
    assert report.tiles == TILES
    assert [s.source for s in open_index(tmp_path / "x.rsindex", None).manifest.sources] == [scene]


def test_fresh_forgets(scene: str, tmp_path: Path) -> None:
    out, encoder = tmp_path / "x.rsindex", FakeEncoder()
    _build(scene, out, encoder)
    whole = _content(out)
    assert _build(scene, out, encoder, fresh=True).embedded == len(whole[0])
    again = _content(out)
    assert again[0] == whole[0] and (again[1] == whole[1]).all()
    named = {files.part_name(p.number) for p in open_index(out, None).manifest.parts}
    assert {p.name for p in (out / "parts").iterdir()} == named


def test_another_model_is_refused(scene: str, tmp_path: Path) -> None:
    from dataclasses import replace

    out, other = tmp_path / "x.rsindex", FakeEncoder(name="newer")
    other.info = replace(other.info, sha256="1" * 64)
    _build(scene, out)
    for attempt in (lambda: _build(scene, out, other), lambda: open_index(out, other.info)):
        with pytest.raises(SearchIndexError, match="made with the model fake") as caught:
            attempt()
        assert "--fresh" in caught.value.remedy and "--model fake" in caught.value.remedy
    _build(scene, out, other, fresh=True)
    assert open_index(out, other.info).manifest.model == "newer"
    renamed = FakeEncoder(name="/elsewhere/model")
    _build(scene, tmp_path / "y.rsindex")
    assert _build(scene, tmp_path / "y.rsindex", renamed).embedded == 0, "the same weights under another name"


def test_another_overlap_is_refused(scene: str, tmp_path: Path) -> None:
    _build(scene, tmp_path / "x.rsindex")
    with pytest.raises(SearchIndexError, match="overlap by 0.25, not 0"):
        _build(scene, tmp_path / "x.rsindex", overlap=0.0)


def test_a_newer_version_is_refused(scene: str, tmp_path: Path) -> None:
    out = tmp_path / "x.rsindex"
    _build(scene, out)
    path = out / "collection.json"
    path.write_text(path.read_text().replace('"rsvlm:format_version": 1', '"rsvlm:format_version": 2'))
    for attempt in (lambda: _build(scene, out), lambda: open_index(out, None)):
        with pytest.raises(SearchIndexError, match="newer rsvlm"):
            attempt()


def test_what_is_no_index(scene: str, tmp_path: Path) -> None:
    with pytest.raises(SearchIndexError, match="no such folder"):
        open_index(tmp_path / "gone.rsindex", None)
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "cat.jpg").write_text("x")
    with pytest.raises(SearchIndexError, match="not an index folder"):
        open_index(tmp_path / "pictures", None)
    with pytest.raises(OutputError, match="other things"):
        _build(scene, tmp_path / "pictures", fresh=True)
    assert (tmp_path / "pictures" / "cat.jpg").exists()
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="is a file"):
        _build(scene, tmp_path / "file")
    for damage in ("{", "{}", '{"rsvlm:format_version": 1}', "[]"):
        (tmp_path / "pictures" / "collection.json").write_text(damage)
        with pytest.raises(SearchIndexError, match="damaged"):
            open_index(tmp_path / "pictures", None)


def test_an_unusable_raster_leaves_no_folder(scene: str, tmp_path: Path) -> None:
    with pytest.raises(RasterError):
        _build([scene, str(tmp_path / "gone.tif")], tmp_path / "x.rsindex")
    assert not (tmp_path / "x.rsindex").exists()
    with pytest.raises(UsageError, match="No raster"):
        build_index([], tmp_path / "x.rsindex", FakeEncoder())


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="the administrator may write anywhere")
def test_a_folder_that_may_not_be_written(scene: str, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(OutputError, match="cannot be made"):
            _build(scene, tmp_path / "x.rsindex")
    finally:
        tmp_path.chmod(0o700)


def test_a_damaged_part_is_named_and_made_again(scene: str, tmp_path: Path) -> None:
    out = tmp_path / "x.rsindex"
    _build(scene, out)
    whole = _content(out)
    part = out / "parts" / "part-00002.parquet"
    part.write_bytes(part.read_bytes()[:100])
    with pytest.raises(SearchIndexError, match="part-00002.parquet is missing or damaged"):
        _ = open_index(out, None).table
    _build(scene, out)
    assert _content(out)[0] == whole[0]


def test_vectors_are_a_cache(scene: str, tmp_path: Path) -> None:
    out = tmp_path / "x.rsindex"
    _build(scene, out)
    vectors = np.array(open_index(out, None).vectors)
    for damage in ("gone", "short", "other"):
        if damage == "gone":
            (out / "vectors.npy").unlink()
        elif damage == "short":
            np.save(out / "vectors.npy", vectors[:3])
        else:
            (out / "vectors.json").unlink()
            np.save(out / "vectors.npy", np.zeros_like(vectors))
        assert (open_index(out, None).vectors == vectors).all(), damage
    assert isinstance(open_index(out, None).vectors, np.memmap)


def test_some_rows_without_reading_all(scene: str, tmp_path: Path) -> None:
    _build(scene, tmp_path / "x.rsindex")
    whole, index = open_index(tmp_path / "x.rsindex", None).table, open_index(tmp_path / "x.rsindex", None)
    numbers = np.array([60, 3, 17, 3, 0, len(whole) - 1, 16])
    assert index.rows(numbers)["tile_id"].tolist() == whole["tile_id"].iloc[numbers].tolist()
    assert "table" not in index.__dict__
    assert len(index.rows(numbers[:0])) == 0


def test_one_band_given_once_stays_the_same_wish(make_raster: Make, tmp_path: Path) -> None:
    path = str(make_raster(np.full((3, 64, 64), 50, np.uint8)))
    assert _build(path, tmp_path / "x.rsindex", bands=[2]).embedded > 0
    assert _build(path, tmp_path / "x.rsindex", bands=[2]).embedded == 0


def test_two_writers_do_not_mix(scene: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "x.rsindex"
    _build(scene, out)
    with lock.WriterLock(out), pytest.raises(SearchIndexError, match=f"being written by process {os.getpid()}"):
        _build(scene, out)
    _build(scene, out)
    elsewhere = json.dumps({"pid": 1, "host": "another-machine"})
    (out / ".lock").write_text(elsewhere)
    with pytest.raises(SearchIndexError, match="process 1 on another-machine"):
        _build(scene, out)
    old = time.time() - lock.STALE_S - 1
    os.utime(out / ".lock", (old, old))
    _build(scene, out)
    assert (out / ".lock").read_text() == "", "free again"


def test_failed_tiles_are_listed_and_tried_again(make_raster: Make, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(1, 255, (3, 128, 128)).astype(np.uint8)
    path = make_raster(noise, interleave="pixel")
    whole = path.read_bytes()
    stamp = path.stat()
    path.write_bytes(whole[: len(whole) * 2 // 3] + b"")
    out = tmp_path / "x.rsindex"
    report = _build(str(path), out, gsds=[0.5], min_valid=0.0)
    assert report.failed and report.tiles == report.embedded + len(report.failed)
    assert all("cannot be read" in f and str(path) in f for f in report.failed)
    assert open_index(out, None).failed == report.failed
    assert _build(str(path), out).failed == report.failed, "still broken"
    path.write_bytes(whole)
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    mended = _build(str(path), out)
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
    report = _build(path, out, gsds=[0.5])
    assert len(report.failed) > 0 and "connection reset" in report.failed[0]
    monkeypatch.setattr(Raster, "read", read)
    assert not _build(path, out).failed
    _build(path, tmp_path / "y.rsindex", gsds=[0.5])
    _same(out, tmp_path / "y.rsindex")


def test_numbers_that_are_none_are_failures(scene: str, tmp_path: Path) -> None:
    class Broken(FakeEncoder):
        def encode_images(self, images: UInt8) -> Float32:
            vectors = super().encode_images(images)
            vectors[0] = np.nan
            return vectors

    report = _build(scene, tmp_path / "x.rsindex", Broken())
    assert report.failed and "no numbers" in report.failed[0]
    assert np.isfinite(open_index(tmp_path / "x.rsindex", None).vectors).all()


def test_a_raster_of_narrow_strips_is_still_searchable(make_raster: Make, tmp_path: Path) -> None:
    values = np.zeros((3, 128, 128), np.uint8)
    for i in range(128):
        values[:, i, max(0, i - 1) : i + 1] = 80
    path = str(make_raster(values, nodata=0))
    report = _build(path, tmp_path / "x.rsindex", gsds=[0.5])
    index = open_index(tmp_path / "x.rsindex", None)
    assert 0 < len(index) < report.tiles and index.table["valid_fraction"].max() < plan.MIN_VALID
    assert _build(path, tmp_path / "x.rsindex").embedded == 0


def test_a_raster_smaller_than_a_tile_is_searchable(make_raster: Make, tmp_path: Path) -> None:
    report = _build(str(make_raster(np.full((3, 6, 5), 80, np.uint8))), tmp_path / "x.rsindex")
    index = open_index(tmp_path / "x.rsindex", None)
    assert report.tiles == report.embedded == len(index) == 1
    assert index.table["valid_fraction"].iloc[0] < 0.1


def test_nothing_valid_in_the_extent(scene: str, tmp_path: Path) -> None:
    report = _build(scene, tmp_path / "x.rsindex", gsds=[0.5], extent=(500000, 5399999, 500002, 5400000))
    index = open_index(tmp_path / "x.rsindex", None)
    assert report.tiles == report.skipped_nodata == 1 and len(index) == 0
    assert isinstance(index, VectorIndex) and len(index.table) == 0


def test_sixteen_bits_are_stretched_as_the_manifest_says(make_raster: Make, tmp_path: Path) -> None:
    values = np.random.default_rng(2).integers(200, 4000, (3, 100, 100)).astype(np.uint16)
    path = str(make_raster(values))
    _build(path, tmp_path / "x.rsindex")
    stretch = open_index(tmp_path / "x.rsindex", None).manifest.sources[0].stretch
    with Raster.open(path) as raster, rasterio.open(path):
        assert raster.stretch == stretch and not stretch.identity
