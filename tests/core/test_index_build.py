"""Index folders: built once, added to, never built twice."""

from __future__ import annotations

import json
import os
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyarrow.parquet as pq
import pytest
import rasterio
from affine import Affine

from rsvlm_core.errors import UsageError
from rsvlm_core.imagery.raster import Raster
from rsvlm_core.index import files, plan
from rsvlm_core.index.store import open_index
from rsvlm_core.tiles.grid import TileGrid
from tests.core.indexes import TILES, Make, build, content
from tests.fakes import FakeEncoder

pytestmark = pytest.mark.usefixtures("small_parts")


def test_rows_are_tiles_and_vectors_are_theirs(scene: str, tmp_path: Path) -> None:
    encoder = FakeEncoder()
    report = build(scene, tmp_path / "x.rsindex", encoder)
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
    build(scene, out)
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
    first = build(scene, out, encoder)
    before = {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in out.rglob("*") if p.name != ".lock"}
    seen = encoder.images_seen
    again = build(scene, out, encoder)
    assert encoder.images_seen == seen and again.embedded == 0
    assert (again.tiles, again.skipped_nodata) == (first.tiles, first.skipped_nodata)
    assert before == {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in out.rglob("*") if p.name != ".lock"}


def test_progress_counts_every_tile(scene: str, tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []
    report = build(scene, tmp_path / "x.rsindex", progress=lambda *a: told.append(a))
    assert told[-1] == (report.tiles, report.tiles, "tiles")
    assert [t[0] for t in told] == sorted(t[0] for t in told)


def test_adding_a_raster_embeds_only_that_one(scene: str, make_raster: Make, tmp_path: Path) -> None:
    out, encoder = tmp_path / "x.rsindex", FakeEncoder()
    build(scene, out, encoder)
    seen, rows = encoder.images_seen, content(out)[0]
    feet = Affine(1.5, 0, 990000, 0, -1.5, 200000)
    other = str(make_raster(np.full((3, 100, 100), 99, np.uint8), "feet.tif", crs="EPSG:2263", transform=feet))
    report = build([scene, other], out, encoder)
    assert encoder.images_seen == seen + report.embedded and report.embedded > 0
    index = open_index(out, None)
    assert content(out)[0][: len(rows)] == rows
    assert [s.crs.to_epsg() for s in index.manifest.sources] == [32633, 2263], "each source keeps its own CRS"
    west = index.table[index.table["source"] == other].total_bounds
    assert -75 < west[0] < -73 and 40 < west[1] < 41


def test_a_changed_raster_is_noticed_and_only_that_one(scene: str, make_raster: Make, tmp_path: Path) -> None:
    other = make_raster(np.full((3, 100, 100), 99, np.uint8), "other.tif")
    out, encoder = tmp_path / "x.rsindex", FakeEncoder()
    build([scene, str(other)], out, encoder)
    seen = encoder.images_seen
    make_raster(np.full((3, 100, 100), 10, np.uint8), "other.tif")
    os.utime(other, (1, 1))
    report = build([scene, str(other)], out, encoder)
    of_other = int((open_index(out, None).table["source"] == str(other)).sum())
    assert encoder.images_seen - seen == report.embedded == of_other > 0
    named = {files.part_name(p.number) for p in open_index(out, None).manifest.parts}
    assert {p.name for p in (out / "parts").iterdir()} == named, "old parts are gone"
    build([scene, str(other)], tmp_path / "anew.rsindex")
    assert sorted(content(out)[0]) == sorted(content(tmp_path / "anew.rsindex")[0])


def test_other_levels_or_bands_embed_anew(scene: str, tmp_path: Path) -> None:
    out, encoder = tmp_path / "x.rsindex", FakeEncoder()
    build(scene, out, encoder, gsds=[0.5, 1.0])
    assert build(scene, out, encoder).embedded == 0, "no wish keeps what is there"
    assert build(scene, out, encoder, gsds=[1.0, 0.5]).embedded == 0
    assert build(scene, out, encoder, gsds=[2.0]).embedded > 0
    assert set(open_index(out, None).table["gsd_m"]) == {2.0}
    assert build(scene, out, encoder, bands=(3, 2, 1)).embedded > 0
    assert open_index(out, None).manifest.sources[0].bands == (3, 2, 1)


def test_extents_add_up_to_the_whole(scene: str, tmp_path: Path) -> None:
    out, encoder = tmp_path / "x.rsindex", FakeEncoder()
    with Raster.open(scene) as raster:
        xmin, ymin, xmax, ymax = raster.bounds
    first = build(scene, out, encoder, extent=(xmin, ymin, xmin + 40, ymax))
    assert 0 < first.tiles < TILES
    assert build(scene, out, encoder, extent=(xmin, ymin, xmin + 40, ymax)).embedded == 0
    assert build(scene, out, encoder, extent=(xmin, ymin + 10, xmin + 30, ymax)).embedded == 0, "inside the first"
    build(scene, out, encoder, extent=(xmax - 20, ymin, xmax, ymax))
    report = build(scene, out, encoder)
    assert report.tiles == TILES
    build(scene, tmp_path / "whole.rsindex")
    whole = content(tmp_path / "whole.rsindex")[0]
    assert sorted(content(out)[0]) == sorted(whole) and encoder.images_seen == len(whole)
    with pytest.raises(UsageError, match="0,0,1,1 lies outside"):
        build(scene, out, encoder, extent=(0, 0, 1, 1))


def test_an_extent_picks_among_rasters(scene: str, make_raster: Make, tmp_path: Path) -> None:
    degrees = Affine(1e-5, 0, 15.02, 0, -1e-5, 48.7)
    far = str(make_raster(np.full((3, 100, 100), 99, np.uint8), "far.tif", crs="EPSG:4326", transform=degrees))
    with Raster.open(scene) as raster:
        report = build([scene, far], tmp_path / "x.rsindex", extent=raster.bounds)
    assert report.tiles == TILES
    assert [s.source for s in open_index(tmp_path / "x.rsindex", None).manifest.sources] == [scene]


def test_fresh_forgets(scene: str, tmp_path: Path) -> None:
    out, encoder = tmp_path / "x.rsindex", FakeEncoder()
    build(scene, out, encoder)
    whole = content(out)
    assert build(scene, out, encoder, fresh=True).embedded == len(whole[0])
    again = content(out)
    assert again[0] == whole[0] and (again[1] == whole[1]).all()
    named = {files.part_name(p.number) for p in open_index(out, None).manifest.parts}
    assert {p.name for p in (out / "parts").iterdir()} == named


def test_one_band_given_once_stays_the_same_wish(make_raster: Make, tmp_path: Path) -> None:
    path = str(make_raster(np.full((3, 64, 64), 50, np.uint8)))
    assert build(path, tmp_path / "x.rsindex", bands=[2]).embedded > 0
    assert build(path, tmp_path / "x.rsindex", bands=[2]).embedded == 0


def test_sixteen_bits_are_stretched_as_the_manifest_says(make_raster: Make, tmp_path: Path) -> None:
    values = np.random.default_rng(2).integers(200, 4000, (3, 100, 100)).astype(np.uint16)
    path = str(make_raster(values))
    build(path, tmp_path / "x.rsindex")
    stretch = open_index(tmp_path / "x.rsindex", None).manifest.sources[0].stretch
    with Raster.open(path) as raster, rasterio.open(path):
        assert raster.stretch == stretch and not stretch.identity
