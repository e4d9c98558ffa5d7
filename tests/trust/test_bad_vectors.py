"""Vector files that steer a search: invalid shapes, odd kinds, damaged files. A right region or one line."""

from __future__ import annotations

import json
import os

import geopandas as gpd
import pytest
import shapely
from shapely.geometry import GeometryCollection, LineString, MultiPolygon, Point, Polygon, box

from tests.trust.scene import NORTH_UP, UTM, write


def at(*pixels: tuple[float, float]) -> list[tuple[float, float]]:
    return [NORTH_UP * p for p in pixels]


RED_BOX = Polygon(at((60, 20), (116, 20), (116, 76), (60, 76)))
BOW_TIE = Polygon(at((60, 20), (116, 76), (116, 20), (60, 76)))
WITHIN = {
    "a_bow_tie": [BOW_TIE],
    "doubled_corners": [Polygon([c for c in RED_BOX.exterior.coords for _ in range(3)])],
    "a_hole_outside": [Polygon(RED_BOX.exterior.coords, [at((0, 0), (5, 0), (5, 5))])],
    "overlapping_parts": [MultiPolygon([RED_BOX, RED_BOX])],
    "a_collection": [GeometryCollection([RED_BOX, Point(*at((0, 0))[0])])],
    "three_dimensions": [shapely.force_3d(RED_BOX, 5)],
    "an_empty_one_among": [Polygon(), RED_BOX],
    "none_among": [None, RED_BOX],
    "half_of_it_without_end": [box(-1e300, -1e300, 1e300, 1e300)],
}


@pytest.mark.parametrize("name", WITHIN)
def test_where_to_search(name, rsvlm, tmp_path):
    raster, region = write(tmp_path / "r.tif"), tmp_path / "region.gpkg"
    gpd.GeoDataFrame(geometry=WITHIN[name], crs=UTM).to_file(region)
    said = rsvlm("search", raster, "--text", "red", "--within", region, "--top", 1, "--out", tmp_path / "h.gpkg")
    if said.status == 2:
        assert len(said.told) == 1 and "region.gpkg" in said.told[0], said
        assert name in ("a_collection", "half_of_it_without_end")
        return
    assert said.status == 0, said
    hits = gpd.read_file(tmp_path / "h.gpkg")
    assert hits["score"][0] > 0.7 and hits.geometry.intersects(RED_BOX).all()


@pytest.mark.parametrize("name", ["points", "lines", "empty", "no_crs", "letter", "cut", "zero", "pipe", "nan", "gone"])
@pytest.mark.parametrize("option", ["--within", "--like"])
def test_what_cannot_steer(name, option, rsvlm, must_refuse, tmp_path):
    raster, path = write(tmp_path / "r.tif"), tmp_path / "steer.geojson"
    feature = {"type": "Feature", "properties": {}, "geometry": {"type": "Point", "coordinates": [1, 2]}}
    if name == "points":
        gpd.GeoDataFrame(geometry=[Point(1, 2)], crs=UTM).to_file(path)
    elif name == "lines":
        gpd.GeoDataFrame(geometry=[LineString([(1, 2), (3, 4)])], crs=UTM).to_file(path)
    elif name == "empty":
        path.write_text('{"type": "FeatureCollection", "features": []}')
    elif name == "no_crs":
        path = tmp_path / "steer.gpkg"
        gpd.GeoDataFrame(geometry=[RED_BOX]).to_file(path)
    elif name == "letter":
        path.write_text("Dear Sir or Madam")
    elif name == "cut":
        path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]})[:50])
    elif name == "zero":
        path.touch()
    elif name == "pipe":
        os.mkfifo(path)
    elif name == "nan":
        feature["geometry"] = {"type": "Polygon", "coordinates": [[[float("nan"), 1e308], [1, 1], [2, 2], [0, 0]]]}
        path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    must_refuse("search", raster, "--text", "red", option, path, "--out", tmp_path / "h.gpkg", names="steer")
    assert not (tmp_path / "h.gpkg").exists()
