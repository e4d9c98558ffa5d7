"""The bundled model on a real orthophoto, through the command line, against hand-made labels."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio
from rasterio.features import geometry_mask

REPO = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.real


def rsvlm(*arguments: object, cache: Path) -> dict[str, object]:
    """Run a command as a user does; its JSON document."""
    done = subprocess.run(
        [sys.executable, "-m", "rsvlm_core", *map(str, arguments), "--json"],
        cwd=REPO,
        capture_output=True,
        text=True,
        env={**os.environ, "RSVLM_CACHE": str(cache)},
    )
    assert done.returncode == 0, done.stderr
    document: dict[str, object] = json.loads(done.stdout)
    return document


def share_of_buildings(hits: geopandas.GeoDataFrame, labels: Path) -> float:
    """Share of building pixels among the pixels that the hits cover, in ground coordinates."""
    with rasterio.open(labels) as source:
        assert hits.crs == source.crs
        inside = ~geometry_mask(hits.geometry, (source.height, source.width), source.transform)
        return float((source.read(1)[inside] == 1).mean())


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("real")


def test_houses_lie_on_buildings_and_forest_does_not(shared_data: Path, place: Path):
    raster, labels = (shared_data / "rasters" / f"barnarp_west{n}.tif" for n in ("", "_buildings"))
    out = place / "hits.gpkg"
    document = rsvlm(
        "search", raster, "--text", "houses", "--text", "dense forest", "--top", 10, "--out", out, cache=place
    )
    hits = geopandas.read_file(out, layer="hits")
    assert len(document["hits"]) == len(hits) > 0
    assert set(hits.columns) >= {"rank", "score", "confidence", "text", "source", "model", "gsd_m"}
    houses, forest = (share_of_buildings(hits[hits["text"] == t], labels) for t in ("houses", "dense forest"))
    with rasterio.open(labels) as source:
        everywhere = float((source.read(1) == 1).mean())
    assert houses > 3 * max(forest, 0.005), (houses, forest)
    assert houses > everywhere > forest, (houses, everywhere, forest)


def test_building_outlines_lie_on_buildings(shared_data: Path, place: Path):
    raster, labels = (shared_data / "rasters" / f"barnarp_west{n}.tif" for n in ("", "_buildings"))
    out, mask = place / "masks.gpkg", place / "mask.tif"
    rsvlm("segment", raster, "--text", "building", "--out", out, "--mask-raster", mask, cache=place)
    with rasterio.open(mask) as got, rasterio.open(labels) as truth:
        assert (got.width, got.height, got.transform, got.crs) == (
            truth.width,
            truth.height,
            truth.transform,
            truth.crs,
        )
        found, wanted = got.read(1) == 1, truth.read(1) == 1
    overlap = (found & wanted).sum() / (found | wanted).sum()
    assert overlap > 1.3 * wanted.mean(), overlap  # everything as foreground would reach the share of buildings
    masks = geopandas.read_file(out, layer="masks")
    assert set(masks.columns) >= {
        "rank",
        "score",
        "confidence",
        "text",
        "source",
        "model",
        "gsd_m",
        "area_m2",
        "mean_score",
    }
    with rasterio.open(labels) as source:
        drawn = ~geometry_mask(masks.geometry, found.shape, source.transform)
    assert (drawn & found).sum() / (drawn | found).sum() > 0.8, "polygons and mask raster show the same places"


def test_band_colours_undeclared_and_nodata(shared_data: Path, place: Path):
    document = rsvlm(
        "search",
        shared_data / "rasters" / "naip_dakota_4band_5m.tif",
        "--text",
        "farmland",
        "--top",
        3,
        "--out",
        place / "n.geojson",
        cache=place,
    )
    assert np.isfinite([h["score"] for h in document["hits"]]).all() and len(document["hits"]) == 3
    assert geopandas.read_file(place / "n.geojson").crs.to_epsg() == 4326
