"""The algorithms through qgis_process, with the built zip's folder as the plugin."""

import json
import sys

import pytest

NAME = "search_imagery_by_text"


@pytest.fixture
def fake_run(qgis_process, fake_plugins):
    qgis_process(fake_plugins, sys.executable, "plugins", "enable", NAME)

    def run(algorithm, *pairs, **options):
        done = qgis_process(
            fake_plugins, sys.executable, "--json", "run", "rsvlm:" + algorithm, "--", *pairs, **options)
        return done if options.get("check") is False else json.loads(done.stdout[done.stdout.index("{"):])["results"]

    return run


def features(path):
    from osgeo import ogr

    source = ogr.Open(str(path))
    layer = source.GetLayer(0)
    return layer.GetSpatialRef(), [json.loads(feature.ExportToJson()) for feature in layer]


def test_all_algorithms_are_listed(qgis_process, fake_plugins):
    qgis_process(fake_plugins, sys.executable, "plugins", "enable", NAME)
    listed = qgis_process(fake_plugins, sys.executable, "list").stdout
    for name in ("buildindex", "searchbytext", "heatmap", "segmentbytext", "classifytiles", "captionextent",
                 "maketrainingset",
                 "checkenvironment"):
        assert "rsvlm:" + name in listed


def test_search_writes_ranked_polygons_in_the_rasters_crs(fake_run, raster_file, tmp_path):
    out = tmp_path / "hits.gpkg"
    results = fake_run("searchbytext", f"INPUT={raster_file}", "TEXT=houses; forest", "TOP=8", f"OUTPUT={out}")
    assert results["COUNT"] == 8
    assert results["BEST_CONFIDENCE"] > 0.9
    system, found = features(out)
    assert system.GetAuthorityCode(None) == "25832"
    assert [feature["properties"]["rank"] for feature in found] == list(range(1, 9))
    assert {feature["properties"]["text"] for feature in found} == {"houses", "forest"}
    assert set(found[0]["properties"]) >= {"rank", "score", "confidence", "text", "source", "model", "gsd_m"}


def test_extent_in_another_crs_restricts(fake_run, raster_file, tmp_path):
    # 500000..500100 E, 5699900..5700000 N in degrees
    out = tmp_path / "hits.gpkg"
    fake_run("searchbytext", f"INPUT={raster_file}", "TEXT=x",
             "EXTENT=9.0,9.001429,51.44977,51.45067 [EPSG:4326]", f"OUTPUT={out}")
    _, found = features(out)
    xs = [x for feature in found for x, _ in feature["geometry"]["coordinates"][0]]
    assert 499990 < min(xs) and max(xs) < 500110


def test_extent_outside_is_refused_with_both_extents(fake_run, raster_file, tmp_path):
    done = fake_run("searchbytext", f"INPUT={raster_file}", "TEXT=x", "EXTENT=0,10,0,10 [EPSG:25832]",
                    f"OUTPUT={tmp_path / 'h.gpkg'}", check=False)
    assert done.returncode != 0
    assert "outside" in done.stdout + done.stderr


def test_empty_text_is_refused(fake_run, raster_file, tmp_path):
    done = fake_run("searchbytext", f"INPUT={raster_file}", "TEXT=  ;", f"OUTPUT={tmp_path / 'h.gpkg'}", check=False)
    assert done.returncode != 0
    assert not (tmp_path / "h.gpkg").exists()


def test_segment_writes_outlines_and_rasters(fake_run, raster_file, tmp_path):
    results = fake_run("segmentbytext", f"INPUT={raster_file}", "TEXT=building", "THRESHOLD=0.2", "REFINE=edges",
                       f"OUTPUT={tmp_path / 'm.gpkg'}", f"SCORES={tmp_path / 's.tif'}")
    assert results["COUNT"] == 12
    assert (tmp_path / "s.tif").exists()
    _, found = features(tmp_path / "m.gpkg")
    assert "area_m2" in found[0]["properties"]


def test_segment_keeps_only_outlines_that_meet_polygons(fake_run, raster_file, tmp_path):
    from osgeo import ogr, osr

    system = osr.SpatialReference()
    system.ImportFromEPSG(25832)
    source = ogr.GetDriverByName("GPKG").CreateDataSource(str(tmp_path / "here.gpkg"))
    layer = source.CreateLayer("here", system, ogr.wkbPolygon)
    feature = ogr.Feature(layer.GetLayerDefn())
    area = ogr.CreateGeometryFromWkt(
        "POLYGON((500000 5700000,500200 5700000,500200 5699700,500000 5699700,500000 5700000))")
    feature.SetGeometry(area)
    layer.CreateFeature(feature)
    feature = layer = source = None
    results = fake_run("segmentbytext", f"INPUT={raster_file}", "TEXT=building", f"WITHIN={tmp_path / 'here.gpkg'}",
                       f"OUTPUT={tmp_path / 'm.gpkg'}")
    _, found = features(tmp_path / "m.gpkg")
    assert 0 < len(found) == results["COUNT"] < 12
    assert all(ogr.CreateGeometryFromJson(json.dumps(one["geometry"])).Intersects(area) for one in found)


def test_a_threshold_that_is_no_number_is_refused(fake_run, raster_file, tmp_path):
    done = fake_run("segmentbytext", f"INPUT={raster_file}", "TEXT=b", "THRESHOLD=high",
                    f"OUTPUT={tmp_path / 'm.gpkg'}", check=False)
    assert done.returncode != 0
    assert "threshold" in (done.stdout + done.stderr).lower()


def test_the_other_algorithms(fake_run, raster_file, tmp_path):
    index = fake_run("buildindex", f"INPUT={raster_file}", f"OUTPUT={tmp_path / 'o.rsindex'}")
    assert (tmp_path / "o.rsindex" / "collection.json").exists() and index["TILES"] == 1234
    fake_run("heatmap", f"INPUT={raster_file}", "TEXT=houses", f"OUTPUT={tmp_path / 'heat.tif'}")
    assert (tmp_path / "heat.tif").exists()
    assert fake_run("classifytiles", f"INPUT={raster_file}", "TEXT=forest, houses",
                    f"OUTPUT={tmp_path / 'c.gpkg'}")["COUNT"] == 12
    assert "trees" in fake_run("captionextent", f"INPUT={raster_file}")["CAPTION"]
    assert fake_run("captionextent", f"INPUT={raster_file}", "TEXT=Are there houses?",
                    f"OUTPUT={tmp_path / 'a.txt'}")["CAPTION"] == "yes"
    assert (tmp_path / "a.txt").read_text() == "yes\n"


def test_report_names_versions_and_hides_the_home_folder(fake_run, tmp_path):
    results = fake_run("checkenvironment", f"OUTPUT={tmp_path / 'r.md'}")
    assert results["STATUS"] == "ok"
    text = (tmp_path / "r.md").read_text()
    assert "3." in text and str(tmp_path / "home") not in text and "~" in text


def test_a_crash_of_the_engine_is_one_error(fake_run, raster_file, tmp_path):
    done = fake_run("searchbytext", f"INPUT={raster_file}", "TEXT=crash", f"OUTPUT={tmp_path / 'h.gpkg'}", check=False)
    said = done.stdout + done.stderr
    assert done.returncode not in (0, -11) and "crashed" in said and "run it again" in said
