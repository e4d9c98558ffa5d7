"""The real engine with the bundled model, behind the built plugin, on a real orthophoto."""

import json

import pytest

NAME = "search_imagery_by_text"


@pytest.fixture
def real(qgis_process, plugins, real_python):
    """Runs an algorithm of the built plugin in a QGIS process of its own, with the backend's interpreter."""
    if not (plugins / NAME / "backend" / "rsvlm_core" / "weights" / "model.safetensors").exists():
        pytest.skip("no bundled model yet")
    qgis_process(plugins, real_python, "plugins", "enable", NAME)

    def run(algorithm, *pairs, **options):
        done = qgis_process(plugins, real_python, "--json", "run", "rsvlm:" + algorithm, "--", *pairs, **options)
        return done if options.get("check") is False else json.loads(done.stdout[done.stdout.index("{"):])["results"]

    return run


def building_pixels(path, mask_file, text):
    """Share of building pixels in the hits of a text, in ground coordinates."""
    from osgeo import gdal, ogr

    mask = gdal.Open(str(mask_file))
    a, b, _, d, _, f = mask.GetGeoTransform()
    band, source = mask.GetRasterBand(1), ogr.Open(str(path))
    layer = source.GetLayer(0)
    layer.SetAttributeFilter(f"text = '{text}'")
    inside = total = 0
    for feature in layer:
        west, east, south, north = feature.GetGeometryRef().GetEnvelope()
        left, right = max(0, int((west - a) / b)), min(mask.RasterXSize, int((east - a) / b))
        top, bottom = max(0, int((north - d) / f)), min(mask.RasterYSize, int((south - d) / f))
        pixels = band.ReadAsArray(left, top, right - left, bottom - top)
        inside, total = inside + int((pixels > 0).sum()), total + pixels.size
    assert total
    return inside / total


@pytest.mark.real
def test_search_finds_houses_where_houses_are(real, barnarp, tmp_path):
    out = tmp_path / "hits.gpkg"
    found = real("searchbytext", f"INPUT={barnarp}", "TEXT=houses; dense forest", "TOP=20", f"OUTPUT={out}")
    assert found["COUNT"] > 0
    mask = barnarp.with_name("barnarp_west_buildings.tif")
    assert building_pixels(out, mask, "houses") > 2 * building_pixels(out, mask, "dense forest")


@pytest.mark.real
def test_segment_index_and_report_run_for_real(real, barnarp, tmp_path):
    small = barnarp.with_name("colorado_15cm.tif")
    results = real("segmentbytext", f"INPUT={small}", "TEXT=building; tree", f"OUTPUT={tmp_path / 'm.gpkg'}",
                   f"MASK_RASTER={tmp_path / 'mask.tif'}", f"SCORES={tmp_path / 's.tif'}")
    assert (tmp_path / "mask.tif").exists() and (tmp_path / "s.tif").exists() and "COUNT" in results
    index = real("buildindex", f"INPUT={small}", f"OUTPUT={tmp_path / 'c.rsindex'}")
    assert index["TILES"] > 0
    assert real("searchbytext", f"INDEX={tmp_path / 'c.rsindex'}", "TEXT=a road", "TOP=5",
                f"OUTPUT={tmp_path / 'h.gpkg'}")["COUNT"] > 0
    real("heatmap", f"INDEX={tmp_path / 'c.rsindex'}", "TEXT=a road", f"OUTPUT={tmp_path / 'heat.tif'}")
    assert (tmp_path / "heat.tif").exists()
    assert real("classifytiles", f"INPUT={small}", "TEXT=road, forest, water",
                f"OUTPUT={tmp_path / 'c.gpkg'}")["COUNT"] > 0
    assert real("captionextent", f"INPUT={small}")["CAPTION"]
    status = real("checkenvironment", f"OUTPUT={tmp_path / 'r.md'}")["STATUS"]
    assert status, (tmp_path / "r.md").read_text()


@pytest.mark.real
def test_faults_of_the_engine_are_told(real, barnarp, tmp_path):
    done = real("searchbytext", f"INDEX={tmp_path}", "TEXT=houses", f"OUTPUT={tmp_path / 'h.gpkg'}", check=False)
    assert done.returncode != 0 and "Traceback" not in done.stdout + done.stderr


@pytest.mark.real
def test_a_raster_of_one_pixel_and_one_without_a_place_are_refused_clearly(real, tmp_path):
    from conftest import write_raster

    for path, said in ((write_raster(tmp_path / "one.tif", size=(1, 1)), ""),
                       (write_raster(tmp_path / "nowhere.tif", epsg=None), "coordinate")):
        done = real("searchbytext", f"INPUT={path}", "TEXT=x", f"OUTPUT={tmp_path / 'h.gpkg'}", check=False)
        words = done.stdout + done.stderr
        assert "Traceback" not in words and said in words


@pytest.mark.real
def test_a_training_set_is_made_of_a_raster_and_a_layer_and_continued(real, raster_file, tmp_path):
    """The builder that travels in the zip, in the backend's interpreter."""
    import tarfile

    from osgeo import ogr, osr

    system = osr.SpatialReference()
    system.ImportFromEPSG(4326)
    source = ogr.GetDriverByName("GPKG").CreateDataSource(str(tmp_path / "town.gpkg"))
    layer = source.CreateLayer("things", system, ogr.wkbPolygon)
    layer.CreateField(ogr.FieldDefn("what", ogr.OFTString))
    for number, what in enumerate(("barn", "pond", "orchard")):
        x, y = 9.0005 + 0.0015 * number, 51.4495  # in the raster, in degrees
        feature = ogr.Feature(layer.GetLayerDefn())
        feature.SetField("what", what)
        feature.SetGeometry(ogr.CreateGeometryFromWkt(
            f"POLYGON(({x} {y},{x + 0.001} {y},{x + 0.001} {y + 0.0008},{x} {y + 0.0008},{x} {y}))"))
        layer.CreateFeature(feature)
    layer = source = None
    asked = (f"INPUT={raster_file}", f"LANDMARKS={tmp_path / 'town.gpkg'}|layername=things", "COLUMN=what", "SIDE=96",
             f"OUTPUT={tmp_path / 'set'}")
    made = real("maketrainingset", *asked)
    assert made["SAMPLES"] > 0 and made["CAPTIONS_WRITTEN"] >= made["SAMPLES"]
    assert real("maketrainingset", *asked)["SAMPLES"] == made["SAMPLES"]  # finished parts are taken as they are
    names = []
    for shard in sorted((tmp_path / "set").glob("*.tar")):
        with tarfile.open(shard) as archive:
            names += archive.getnames()
            texts = [archive.extractfile(name).read().decode() for name in names if name.endswith(".json")]
    assert sum(name.endswith(".webp") for name in names) == made["SAMPLES"]
    assert any(word in text for text in texts for word in ("barn", "pond", "orchard"))
    done = real("maketrainingset", *asked[:2], "COLUMN=gone", asked[-1] + "2", check=False)
    assert done.returncode != 0 and "Traceback" not in done.stdout + done.stderr
