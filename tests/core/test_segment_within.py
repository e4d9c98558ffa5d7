"""Outlines that meet polygons, from a raster and from kept scores."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely

from rsvlm_core.cli import main
from rsvlm_core.errors import UsageError
from rsvlm_core.model import registry
from rsvlm_core.pipelines.rethreshold import rethreshold
from rsvlm_core.pipelines.segment import segment
from tests.fakes import COLOURS, FakeEncoder


@pytest.mark.parametrize("crs", ["EPSG:32633", "EPSG:4326"])
def test_outlines_that_meet_no_polygon_are_left_out_and_ranks_are_without_gaps(
    make_raster: Callable[..., Path], tmp_path: Path, crs: str
) -> None:
    rgb = np.empty((200, 240, 3), np.uint8)
    rgb[:] = COLOURS["green"]
    for col in (20, 100, 180):
        rgb[80:120, col : col + 40] = COLOURS["red"]
    raster, encoder = make_raster(rgb, gsd=0.5), FakeEncoder(image_size=32, patch_stride=4)
    files = {"scores": tmp_path / "s.tif", "cosines": tmp_path / "c.tif"}
    whole = segment([str(raster)], ["red"], encoder, threshold=0.5, **files)
    assert len(whole.masks) == 3
    # one cuts into the left field, one lies inside the right one; none meets the middle one
    areas = [shapely.box(500000, 5399900, 500015, 5400000), shapely.box(500095, 5399945, 500100, 5399950)]
    path = tmp_path / "areas.gpkg"
    gpd.GeoDataFrame(geometry=areas, crs="EPSG:32633").to_crs(crs).to_file(path)
    found = segment([str(raster)], ["red"], encoder, threshold=0.5, within=path)
    again = rethreshold(files["scores"], files["cosines"], 0.5, within=path)
    for masks in (found.masks, again.masks):
        assert list(masks["rank"]) == [1, 2] and masks.crs == whole.masks.crs
        assert sorted(round(x) for x in masks.bounds["minx"]) == [500010, 500090]  # whole, not cut
    gpd.GeoDataFrame(geometry=[shapely.Point(500000, 5400000)], crs="EPSG:32633").to_file(tmp_path / "p.gpkg")
    with pytest.raises(UsageError, match="has no polygons"):
        segment([str(raster)], ["red"], encoder, within=tmp_path / "p.gpkg")
    far = tmp_path / "far.gpkg"
    gpd.GeoDataFrame(geometry=[shapely.box(500035, 5399940, 500040, 5399960)], crs="EPSG:32633").to_file(far)
    assert len(segment([str(raster)], ["red"], encoder, threshold=0.5, within=far).masks) == 0


def test_the_command_takes_them(
    make_raster: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "load_encoder", lambda name=None, device="auto": FakeEncoder())
    rgb = np.empty((200, 240, 3), np.uint8)
    rgb[:, :120], rgb[:, 120:] = COLOURS["red"], COLOURS["green"]
    raster, there, away = make_raster(rgb, gsd=0.5), tmp_path / "there.gpkg", tmp_path / "away.gpkg"
    gpd.GeoDataFrame(geometry=[shapely.box(500000, 5399950, 500010, 5399960)], crs="EPSG:32633").to_file(there)
    gpd.GeoDataFrame(geometry=[shapely.box(500110, 5399950, 500115, 5399960)], crs="EPSG:32633").to_file(away)
    for within, count in ((there, 1), (away, 0)):
        out = tmp_path / f"{count}.gpkg"
        assert main(["segment", str(raster), "--text", "red", "--within", str(within), "--out", str(out)]) == 0
        assert len(gpd.read_file(out, layer="masks")) == count
