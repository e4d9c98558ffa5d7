from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS

from rsvlm_core.errors import DataError, RasterError, Stopped, UsageError
from rsvlm_core.scratch import scratch
from tests.training.osm_pbf import write_pbf
from training.build import rs_landmarks
from training.build.commands import main
from training.build.landmarks import parse_hstore, plain_noun, read_landmarks
from training.build.osm import TAGS, noun_of
from training.build.parts import part_name
from training.build.rs_landmarks import Tiling, build, imagery
from training.build.scene import Sight
from training.build.split import split_ground
from training.build.writers import GrammarWriter, unsupported
from training.data.shards import read_samples

WEST, NORTH = 500000.0, 5400000.0  # of make_raster, EPSG:32633
BOUNDS = (WEST, NORTH - 1000, WEST + 1000, NORTH)


def box(x0: float, y0: float, x1: float, y1: float) -> shapely.Polygon:
    """Metres right of and below the raster's corner."""
    return shapely.box(WEST + x0, NORTH - y1, WEST + x1, NORTH - y0)


def layer(path: Path, rows: list, crs: str | None = "EPSG:32633", name: str | None = None) -> Path:  # type: ignore[type-arg]
    frame = gpd.GeoDataFrame(rows, geometry="geometry", crs=crs)
    frame.to_parquet(path) if path.suffix == ".parquet" else frame.to_file(path, layer=name or path.stem)
    return path


@pytest.mark.parametrize("tags, noun", [
    ({"landuse": "farmland"}, "*farmland"), ({"building": "yes"}, "building"),
    ({"highway": "residential"}, "residential street"), ({"leisure": "pitch", "sport": "tennis"}, "tennis court"),
    ({"leisure": "pitch", "sport": "cricket"}, "sports pitch"), ({"amenity": "bench"}, None),
    ({"building": "no"}, None), ({}, None), ({"natural": "water", "water": "lake"}, "lake"),
    ({"landuse": "residential"}, "residential area"), ({"landuse": "basin;grass"}, "water basin"),
])
def test_tags_become_nouns(tags: dict[str, str], noun: str | None) -> None:
    assert noun_of(tags) == noun


def test_the_table_of_tags_is_whole() -> None:
    assert len(TAGS) > 130 and TAGS["highway=track"] == "dirt track"
    assert TAGS["building=residential"] == "residential building"
    assert all("=" not in noun and ":" not in noun and noun.strip("*") for noun in TAGS.values())
    assert parse_hstore('"amenity"=>"parking","name"=>"A \\"b\\""') == {"amenity": "parking", "name": 'A \\"b\\"'}
    assert [plain_noun(v) for v in ("Parking_Lots", "SolarFarm", "yes", "", "123", "grass")] == [
        "*parking lots", "solar farm", None, None, None, "grass"]


def test_layers_of_every_kind_are_read_and_what_says_nothing_is_counted(tmp_path: Path) -> None:
    utm = CRS.from_epsg(32633)
    square = box(10, 10, 50, 50)
    degrees = gpd.GeoSeries([square], crs=utm).to_crs(4326)[0]
    osm = layer(tmp_path / "osm.gpkg", [
        {"name": "Car park", "other_tags": '"amenity"=>"parking"', "geometry": degrees},
        {"name": None, "other_tags": '"fixme"=>"yes"', "geometry": degrees},
        {"name": None, "other_tags": '"amenity"=>"parking"', "geometry": shapely.box(1, 1, 2, 2)},
        {"name": None, "other_tags": '"amenity"=>"parking"', "geometry": None},
    ], "EPSG:4326", "multipolygons")
    found, left = read_landmarks(osm, utm, BOUNDS)
    assert [(m.noun, m.name) for m in found] == [("parking lot", "Car park")]
    assert {r: n for r, n in left.items() if n} == {
        "without geometry": 1, "without a usable tag": 1, "outside the imagery": 1}
    assert found[0].geometry.symmetric_difference(square).area < 0.01
    overture = layer(tmp_path / "o.parquet", [{"class": "farmland", "names": "Home farm", "geometry": square}])
    assert [m.noun for m in read_landmarks(overture, utm, BOUNDS)[0]] == ["*farmland"]
    own = layer(tmp_path / "buildings.gpkg", [{"fid2": 1, "Art": "SolarFarm", "geometry": square}])
    assert [m.noun for m in read_landmarks(own, utm, BOUNDS)[0]] == ["*buildings"]
    assert [m.noun for m in read_landmarks(own, utm, BOUNDS, column="Art")[0]] == ["solar farm"]
    with pytest.raises(UsageError, match="has no column x"):
        read_landmarks(own, utm, BOUNDS, column="x")
    with pytest.raises(DataError, match="reference system"):
        read_landmarks(layer(tmp_path / "lost.parquet", [{"class": "x", "geometry": square}], None), utm, BOUNDS)
    (tmp_path / "bad.gpkg").write_text("no")
    with pytest.raises(DataError, match=r"bad\.gpkg"):
        read_landmarks(tmp_path / "bad.gpkg", utm, BOUNDS)


@pytest.mark.parametrize(("value", "on", "noun"), [
    ("residential", "line", "residential street"), ("track", "line", "dirt track"), ("service", "line", "service road"),
    ("residential", "area", "residential area"), ("track", "area", "running track"), ("river", "line", "river"),
    ("residential", "building", "residential building"), ("school", "building", "school building"),
    ("school", "area", "school"),
])
def test_a_value_without_its_key_means_what_it_stands_on(tmp_path: Path, value: str, on: str, noun: str) -> None:
    """Overture's and Geofabrik's `residential` is a street, a building or an area."""
    utm, square = CRS.from_epsg(32633), box(10, 10, 50, 50)
    row: dict[str, object] = {"class": value, "geometry": square.boundary if on == "line" else square}
    overture = layer(tmp_path / "o.parquet", [{**row, **({"num_floors": 2} if on == "building" else {})}])
    assert [m.noun for m in read_landmarks(overture, utm, BOUNDS)[0]] == [noun]
    named = {"line": "gis_osm_roads_free_1", "building": "gis_osm_buildings_a_free_1"}.get(on, "gis_osm_landuse")
    rows = [{"fclass": "building" if on == "building" else value, "type": value, "geometry": row["geometry"]}]
    geofabrik = layer(tmp_path / "g.gpkg", rows, name=named)
    assert [m.noun for m in read_landmarks(geofabrik, utm, BOUNDS)[0]] == [noun]


def test_overture_places_say_what_they_are(tmp_path: Path) -> None:
    place = {"categories": {"primary": "hospital", "alternate": None}, "geometry": box(10, 10, 50, 50).centroid}
    found, _ = read_landmarks(layer(tmp_path / "places.parquet", [place]), CRS.from_epsg(32633), BOUNDS)
    assert [m.noun for m in found] == ["hospital"]


def test_maps_that_lead_nowhere(tmp_path: Path, make_raster: Callable[..., Path]) -> None:
    """A site's own grid is said; a point beyond the pole, one at infinity and one elsewhere are counted."""
    utm, square = CRS.from_epsg(32633), box(10, 10, 50, 50)
    site = layer(tmp_path / "site.parquet", [{"class": "house", "geometry": square}], 'LOCAL_CS["s",UNIT["metre",1]]')
    with pytest.raises(DataError, match=r"site\.parquet.*does not lead"):
        read_landmarks(site, utm, BOUNDS)
    places = [(15, 91), (float("inf"), 48), (16, 40), (15.0005, 48.751)]
    rows = [{"class": "house", "geometry": shapely.Point(*p)} for p in places]
    found, left = read_landmarks(layer(tmp_path / "p.parquet", rows, "EPSG:4326"), utm, BOUNDS)
    assert len(found) == 1 and left["without a place on Earth"] + left["outside the imagery"] == 3
    assert left["without a place on Earth"] >= 1
    raster, _ = raster_with_map(tmp_path, make_raster)
    card = build([raster], [tmp_path / "p.parquet"], tmp_path / "o", tiling=Tiling(gsds=(1.0,), size_px=64))
    assert sum({r["step"]: r for r in card["flow"]}["read map"]["dropped"].values()) >= 3


def test_names_in_other_scripts_are_left_out_and_counted(tmp_path: Path, make_raster: Callable[..., Path]) -> None:
    raster, _ = raster_with_map(tmp_path, make_raster)
    rows = [{"name": name, "other_tags": f'"building"=>"{kind}"{more}', "geometry": box(4, 4 + 20 * k, 18, 18 + 20 * k)}
            for k, (name, kind, more) in enumerate([
                ("Церковь Святой Анны", "church", ""), ("学校", "school", ""), ("!!!", "barn", ""),
                ("天守閣", "temple", ',"name:en"=>"Castle Keep"')])]
    tags = layer(tmp_path / "osm.gpkg", rows, name="multipolygons")
    card = build([raster], [tags], tmp_path / "o", tiling=Tiling(gsds=(1.0,), size_px=128, captions=8),
                 writer=GrammarWriter(names=1.0))
    dropped = {r["step"]: r["dropped"] for r in card["flow"]}["proper name"]
    assert dropped == {"other script": 1, "not a name of 3 to 40 characters": 2}
    (sample,) = read_samples([tmp_path / "o" / "rs_landmarks-00000.tar"])
    named = {m["noun"]: m.get("name") for m in sample.meta["landmarks"]}
    assert named == {"church": None, "school building": None, "barn": None, "temple": "Castle Keep"}
    assert all(c.isascii() for c in sample.meta["captions"])
    assert any("Castle Keep" in c for c in sample.meta["captions"])


def sight(noun: str, count: int = 1, share: float = 0.1, x: float = 0.5, y: float = 0.5, name: str = "") -> Sight:
    return Sight(noun, count, share, 0.0, x, y, 0.0, name, 0.3)


NOUNS = sorted({*TAGS.values(), "solar farm", "*allotment huts", "view point", "area"})  # and of somebody's own map


@settings(max_examples=120, deadline=None)
@given(nouns=st.sets(st.sampled_from(NOUNS), min_size=1, max_size=6), seed=st.integers(0, 10**6), data=st.data())
def test_the_grammar_names_only_what_is_in_view(nouns: set[str], seed: int, data: st.DataObject) -> None:
    sights = [sight(n, data.draw(st.integers(1, 30)), data.draw(st.floats(0, 1))) for n in sorted(nouns)]
    captions = GrammarWriter().write(sights, b"", 5, np.random.default_rng(seed))
    assert captions and len(set(captions)) == len(captions)
    for caption in captions:
        assert not unsupported(caption, sights, NOUNS), caption
        assert "*" not in caption and "  " not in caption and " a a" not in caption
        assert not any(word in caption.split() for word in ("two", "three", "four"))  # maps are incomplete
    assert captions == GrammarWriter().write(sights, b"", 5, np.random.default_rng(seed))


def test_places_in_the_picture_and_numbers() -> None:
    rng = np.random.default_rng(0)
    corner = [sight("church", x=0.1, y=0.1)]
    texts = {c for _ in range(60) for c in GrammarWriter().write(corner, b"", 4, rng)}
    assert any("in the upper left" in t for t in texts) and not any("lower" in t or "middle" in t for t in texts)
    counted = [sight("church", 3)]
    texts = {c for _ in range(60) for c in GrammarWriter(complete=True).write(counted, b"", 4, rng)}
    assert any("three churches" in t for t in texts)
    anne = [sight("church", name="St Anne")]
    named = {c for _ in range(60) for c in GrammarWriter(names=1.0).write(anne, b"", 4, rng)}
    assert any("the church St Anne" in t for t in named)


def test_what_is_not_in_view_is_noticed() -> None:
    sights = [sight("*farmland", share=0.6), sight("building", 3), sight("church", name="River Church")]
    extra = unsupported("Fields with several houses and a swimming pool near a river", sights)
    assert extra == ["houses", "swimming pool", "river"]
    assert not unsupported("Cropland with buildings and the church River Church", sights)
    assert not unsupported("A place in the country", sights)
    assert not unsupported("A view of cropland and a helter skelter", sights), "not known to be a thing"
    assert unsupported("A view of a helter skelter", sights, ["helter skelter", "view"]) == ["helter skelter"]


def raster_with_map(tmp_path: Path, make_raster: Callable[..., Path]) -> tuple[Path, Path]:
    """Two tiles of 64 m at 1 m: left a farm with a church in its upper left, right a lake; below nothing is mapped."""
    rng = np.random.default_rng(0)
    raster = make_raster(rng.integers(1, 255, (128, 128, 3), dtype=np.uint8), "r.tif", gsd=1.0)
    vector = layer(tmp_path / "map.gpkg", [
        {"landuse": "farmland", "building": None, "natural": None, "geometry": box(0, 0, 64, 64)},
        {"landuse": None, "building": "church", "natural": None, "geometry": box(4, 4, 14, 14)},
        {"landuse": None, "building": None, "natural": "water", "geometry": box(70, 10, 120, 60)},
        {"landuse": None, "building": None, "natural": "bench", "geometry": box(70, 70, 80, 80)},
    ])
    return raster, vector


def test_end_to_end(tmp_path: Path, make_raster: Callable[..., Path]) -> None:
    raster, vector = raster_with_map(tmp_path, make_raster)
    out, result = tmp_path / "set", tmp_path / "r.json"
    assert main(["rs_landmarks", "--imagery", str(raster), "--landmarks", str(vector), "--out", str(out), "--gsd", "1",
                 "--size", "64", "--captions", "3", "--json", str(result)]) == 0
    card = json.loads(result.read_text())
    samples = {s.meta["tile_id"]: s for s in read_samples([out / "rs_landmarks-00000.tar"])}
    assert card["result"]["samples"] == len(samples) == 2 and card["slowest_step"]
    flow = {row["step"]: row for row in card["flow"]}
    assert flow["read map"]["dropped"] == {"without a usable tag": 1}
    assert flow["look around"]["dropped"] == {"nothing mapped in view": 2}
    farm, lake = (samples[k] for k in sorted(samples))
    marks = {m["noun"]: m for m in farm.meta["landmarks"]}
    assert marks["farmland"]["share"] == pytest.approx(1.0) and marks["church"]["count"] == 1
    assert [marks["church"][k] for k in "xy"] == pytest.approx([9 / 64] * 2, abs=1e-3)
    assert [m["noun"] for m in lake.meta["landmarks"]] == ["water body"]
    assert len(farm.meta["captions"]) == 3 and farm.array().shape == (64, 64, 3)
    assert farm.meta["gsd_m"] == 1.0 and 14.9 < farm.meta["lon"] < 15.1 and 48 < farm.meta["lat"] < 49


@pytest.mark.parametrize("kind", ["osm.gpkg", "osm.pbf", "overture.parquet", "own.geojson"])
def test_every_kind_of_map_end_to_end(tmp_path: Path, make_raster: Callable[..., Path], kind: str) -> None:
    """The same farm and church in four formats give the same tile, from a raster named by a STAC item."""
    raster, _ = raster_with_map(tmp_path, make_raster)
    item = tmp_path / "item.json"
    asset = {"href": raster.name, "type": "image/tiff; application=geotiff; profile=cloud-optimized"}
    item.write_text(json.dumps({"type": "Feature", "stac_version": "1.0.0", "id": "x", "assets": {"visual": asset}}))
    places = gpd.GeoSeries([box(0, 0, 64, 64), box(4, 4, 14, 14)], crs="EPSG:32633").to_crs(4326)
    tags = [{"landuse": "farmland"}, {"building": "church", "name": "St Anne"}]
    if kind == "osm.pbf":
        path = write_pbf(tmp_path / kind, [
            (t, list(g.exterior.coords)[:-1]) for t, g in zip(tags, places, strict=True)])
    elif kind == "osm.gpkg":
        rows = [{"name": t.get("name"), "other_tags": ",".join(f'"{k}"=>"{v}"' for k, v in t.items() if k != "name"),
                 "geometry": g} for t, g in zip(tags, places, strict=True)]
        path = layer(tmp_path / kind, rows, "EPSG:4326", "multipolygons")
    elif kind == "overture.parquet":
        rows = [{"class": c, "names": {"primary": n}, "geometry": g}
                for c, n, g in zip(("farmland", "church"), (None, "St Anne"), places, strict=True)]
        path = layer(tmp_path / kind, rows, "EPSG:4326")
    else:
        path = layer(tmp_path / kind, [{"Art": c, "name": n, "geometry": g} for c, n, g in zip(
            ("Farmland", "church"), ("", "St Anne"), places, strict=True)], "EPSG:4326")
    column = "Art" if kind == "own.geojson" else ""
    card = build([item], [path], tmp_path / "o", tiling=Tiling(gsds=(1.0,), size_px=64, column=column))
    found = [s.meta for s in read_samples([tmp_path / "o" / "rs_landmarks-00000.tar"])]
    assert card["result"]["nouns"] == {"farmland": 1, "church": 1} and len(found) == 1
    church = next(m for m in found[0]["landmarks"] if m["noun"] == "church")
    assert church["name"] == "St Anne" and [church["x"], church["y"]] == pytest.approx([9 / 64] * 2, abs=2e-3)


def test_a_crash_in_the_middle_loses_no_finished_raster(
    tmp_path: Path, make_raster: Callable[..., Path], monkeypatch: pytest.MonkeyPatch,
) -> None:
    raster, vector = raster_with_map(tmp_path, make_raster)
    second = make_raster(np.full((64, 64, 3), 90, np.uint8), "second.tif", gsd=1.0)
    tiling, written = Tiling(gsds=(1.0,), size_px=64), list[int]()

    class Dying(GrammarWriter):
        def write(self, *given: object) -> list[str]:  # type: ignore[override]
            if len(written) == 2:
                raise RuntimeError("killed")
            written.append(1)
            return super().write(*given)  # type: ignore[arg-type]

    with pytest.raises(RuntimeError):
        build([raster, second], [vector], tmp_path / "o", tiling=tiling, writer=Dying())
    assert len(list((tmp_path / "o" / "parts").glob("*.tar"))) == 1 and not (tmp_path / "o" / "card.json").exists()
    card = build([raster, second], [vector], tmp_path / "o", tiling=tiling)
    assert card["result"] == build([raster, second], [vector], tmp_path / "whole", tiling=tiling)["result"]


def test_a_crash_in_the_middle_of_a_raster_loses_no_finished_part(
    tmp_path: Path, make_raster: Callable[..., Path], monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A language model that breaks off is not asked again about what it has written; what was shown stays known."""
    monkeypatch.setattr(rs_landmarks, "_TILES", 5)
    raster = make_raster(np.full((128, 128, 3), 90, np.uint8), "r.tif", gsd=1.0)
    farm = {"landuse": "farmland", "geometry": box(0, 0, 128, 96)}
    vector = layer(tmp_path / "m.gpkg", [farm, {"building": "barn", "geometry": box(40, 40, 60, 60)}])
    tiling = Tiling(gsds=(1.0, 2.0), size_px=32, same_scene=9, empty=2, captions=1)
    asked: list[int] = []

    class Dying(GrammarWriter):
        def write(self, *given: object) -> list[str]:  # type: ignore[override]
            asked.append(1)
            if len(asked) == 8:
                raise RuntimeError("killed")
            return super().write(*given)  # type: ignore[arg-type]

    with pytest.raises(RuntimeError):
        build([raster], [vector], tmp_path / "o", tiling=tiling, writer=Dying())
    kept = sorted(p.name for p in (tmp_path / "o" / "parts").glob("*-0000?.json"))
    assert kept and not (tmp_path / "o" / "card.json").exists()
    before = len(asked)
    card = build([raster], [vector], tmp_path / "o", tiling=tiling, writer=Dying())
    again = len(asked) - before
    asked.clear()
    asked += [1] * 8
    whole = build([raster], [vector], tmp_path / "whole", tiling=tiling, writer=Dying())
    assert again < len(asked) - 8, "what was written was asked for again"
    assert card["result"] == whole["result"] and card["result"]["samples"] > 9
    rows = [{r["step"]: (r["in"], r["dropped"]) for r in c["flow"]} for c in (card, whole)]
    assert rows[0] == rows[1] and rows[0]["look around"][1]["scene repeats"] > 0
    assert rows[0]["look around"][1]["nothing mapped in view"] > 0
    shards = [(tmp_path / n / "rs_landmarks-00000.tar").read_bytes() for n in ("o", "whole")]
    assert shards[0] == shards[1]


def test_what_killed_builds_left_is_swept_up(tmp_path: Path, make_raster: Callable[..., Path]) -> None:
    raster, vector = raster_with_map(tmp_path, make_raster)
    out, parts = tmp_path / "o", tmp_path / "o" / "parts"
    stem = f"{part_name(str(raster))}-00000"
    parts.mkdir(parents=True)
    dying = (
        "import os, sys; from pathlib import Path; from training.build.parts import PartWriter\n"
        "part = PartWriter(Path(sys.argv[1]), sys.argv[2]).__enter__(); part.add({'json': b'half'})\n"
        "os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", dying, str(parts), stem], check=False).returncode == -9
    assert len(list(parts.glob(".*"))) == 1
    (out / ".rs_landmarks.1.tar").write_bytes(b"half")
    with scratch(parts, f".{stem}-") as at_work:
        build([raster], [vector], out, tiling=Tiling(gsds=(1.0,), size_px=64))
        assert list(parts.glob(".*")) == [at_work], "that one is still at work"
    assert not list(out.glob(".*"))


def test_stop_resume_and_other_settings(tmp_path: Path, make_raster: Callable[..., Path]) -> None:
    raster, vector = raster_with_map(tmp_path, make_raster)
    second = make_raster(np.full((64, 64, 3), 90, np.uint8), "second.tif", gsd=1.0)
    tiling = Tiling(gsds=(1.0,), size_px=64)
    seen: list[int] = []
    with pytest.raises(Stopped):
        build([raster, second], [vector], tmp_path / "o", tiling=tiling, progress=lambda d, t, u: seen.append(t),
              should_stop=lambda: len(seen) >= 5)  # four tiles of the first, and its end
    parts = sorted(p.suffix for p in (tmp_path / "o" / "parts").iterdir() if not p.name.startswith("settings"))
    assert parts == [".json", ".tar"]
    seen.clear()
    card = build([raster, second], [vector], tmp_path / "o", tiling=tiling, progress=lambda d, t, u: seen.append(t))
    assert 4 not in seen and card["result"]["samples"] == 3
    with pytest.raises(UsageError, match="other settings"):
        build([raster], [vector], tmp_path / "o", tiling=Tiling(size_px=32))


def test_bad_input_is_counted_or_said(tmp_path: Path, make_raster: Callable[..., Path]) -> None:
    raster, vector = raster_with_map(tmp_path, make_raster)
    lost = make_raster(np.ones((8, 8, 3), np.uint8), "lost.tif", crs=None)
    tiling = Tiling(gsds=(1.0,), size_px=64)
    card = build([lost, raster], [vector], tmp_path / "o", tiling=tiling)
    assert card["flow"][0]["dropped"] == {"unusable raster": 1} and card["result"]["samples"] == 2
    with pytest.raises(RasterError, match=r"lost\.tif"):
        build([lost], [vector], tmp_path / "o2", tiling=tiling)
    with pytest.raises(UsageError):
        build([raster], [], tmp_path / "o3")
    far = layer(tmp_path / "far.gpkg", [{"landuse": "farmland", "geometry": shapely.box(0, 0, 1, 1)}], "EPSG:4326")
    assert build([raster], [far], tmp_path / "o4", tiling=tiling)["result"]["samples"] == 0


def test_repeating_scenes_and_nodata_are_left_out(tmp_path: Path, make_raster: Callable[..., Path]) -> None:
    image = np.full((3, 128, 128), 80, np.uint8)
    image[:, 64:, 64:] = 0
    raster = make_raster(image, "n.tif", gsd=1.0, nodata=0)
    vector = layer(tmp_path / "m.gpkg", [{"landuse": "farmland", "geometry": box(0, 0, 128, 128)}])
    card = build([raster], [vector], tmp_path / "a", tiling=Tiling(gsds=(1.0,), size_px=64))
    flow = {row["step"]: row for row in card["flow"]}
    assert card["result"]["samples"] == 3 and flow["read pixels"]["dropped"] == {"nodata": 1}
    card = build([raster], [vector], tmp_path / "b", tiling=Tiling(gsds=(1.0,), size_px=64, same_scene=2))
    assert {row["step"]: row for row in card["flow"]}["look around"]["dropped"] == {"scene repeats": 2}


def test_a_split_by_place_and_tiles_without_anything(tmp_path: Path, make_raster: Callable[..., Path]) -> None:
    rng = np.random.default_rng(0)
    raster = make_raster(rng.integers(1, 255, (640, 768, 3), dtype=np.uint8), "r.tif", gsd=1.0)
    houses = [{"building": "house", "geometry": box(x, y, x + 10, y + 10)} for x in range(5, 700, 64)
              for y in range(5, 400, 64)]
    vector = layer(tmp_path / "map.gpkg", houses)
    options = ["--imagery", str(raster), "--landmarks", str(vector), "--gsd", "1", "--gsd", "2", "--size", "32",
               "--test", "0.25", "--empty", "40"]
    assert main(["rs_landmarks", *options, "--out", str(tmp_path / "o")]) == 2  # nobody said the map is complete
    result = tmp_path / "r.json"
    assert main(["rs_landmarks", *options, "--complete", "--out", str(tmp_path / "o"), "--json", str(result)]) == 0
    card = json.loads(result.read_text())
    shards = [sorted((tmp_path / "o").glob(f"{n}-*.tar")) for n in ("train", "test")]
    train, test = ([s.meta for s in read_samples(found)] for found in shards)
    dropped = {row["step"]: row["dropped"] for row in card["flow"]}
    assert card["result"]["train_samples"] == len(train) and card["result"]["test_samples"] == len(test)
    kept = len(train) + len(test) + dropped["split"]["between train and test places"]
    assert 0.15 < len(test) / kept < 0.45 and len(train) > len(test)
    a, b = (shapely.union_all([shapely.box(*m["bounds"]) for m in side]) for side in (train, test))
    assert a.intersection(b).area < 1e-3 * b.area, "no ground is on both sides, at any scale"
    empty = [m for m in train + test if not m["landmarks"]]
    assert 0 < len(empty) <= 40 and all("house" in c for m in empty for c in m["captions"])
    assert all(" no " in f" {c}" or "without" in c for m in empty for c in m["captions"])


@pytest.mark.parametrize(("columns", "rows"), [(6, 9), (64, 48)])
def test_no_ground_is_on_both_sides(columns: int, rows: int) -> None:
    bounds = [(x, y, x + s, y + s) for s in (0.001, 0.002) for x in np.arange(0, columns * 0.001, s / 2)
              for y in 60 + np.arange(0, rows * 0.001, s / 2)]
    for seed in range(2):
        sides = split_ground(bounds, 0.2, seed)
        assert sides == split_ground(bounds, 0.2, seed) and 0.12 < sides.count("test") / len(bounds) < 0.3
        assert sides.count("train") > 0.4 * len(bounds)
        a, b = (shapely.union_all([shapely.box(*t) for t, s in zip(bounds, sides, strict=True) if s == name])
                for name in ("train", "test"))
        assert a.intersection(b).area < 1e-6 * b.area
    assert split_ground([], 0.5) == [] and set(split_ground([(0, 0, 1, 1)], 0.5)) == {"train"}


def test_stac_items_and_folders(tmp_path: Path, make_raster: Callable[..., Path]) -> None:
    raster = make_raster(np.ones((8, 8, 3), np.uint8), "in/r.tif")
    item = tmp_path / "item.json"
    item.write_text(json.dumps({"type": "Feature", "assets": {
        "thumbnail": {"href": "t.png"}, "visual": {"href": "in/r.tif", "type": "image/tiff; application=geotiff"}}}))
    assert imagery([item]) == [str(raster)] == imagery([tmp_path / "in"])
    class Files(SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Files, directory=str(tmp_path))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        assert imagery([f"{address}/item.json"]) == [f"{address}/in/r.tif"]
        with pytest.raises(DataError, match="404"):
            imagery([f"{address}/none.json"])
        server.shutdown()
    item.write_text("{}")
    with pytest.raises(DataError, match="STAC"):
        imagery([item])


def test_real_raster_and_real_outlines(shared_data: Path, tmp_path: Path) -> None:
    import rasterio
    from rasterio.features import shapes

    with rasterio.open(shared_data / "rasters" / "barnarp_west_buildings.tif") as d:
        mask, transform, crs = d.read(1), d.transform, d.crs
    outlines = [shapely.geometry.shape(g) for g, v in shapes((mask > 0).astype(np.uint8), transform=transform) if v]
    rows = [{"building": "house", "geometry": g} for g in outlines]
    vector = layer(tmp_path / "buildings.gpkg", rows, crs.to_string())
    card = build([shared_data / "rasters" / "barnarp_west.tif"], [vector], tmp_path / "o",
                 tiling=Tiling(gsds=(0.5,), captions=2))
    assert card["result"]["samples"] > 10 and set(card["result"]["nouns"]) == {"house"}
    assert card["result"]["distinct_captions"] > 8
    flow = {row["step"]: row for row in card["flow"]}
    lost = sum(n for step, row in flow.items() if step not in ("read map", "proper name", "check captions")
               for n in row["dropped"].values())
    assert flow["look around"]["in"] == lost + card["result"]["samples"], "every tile is accounted for"
    timed = {step for step, row in flow.items() if row["core_seconds"] > 0}
    assert {"read map", "look around", "read pixels", "compress", "write captions"} <= timed
    assert {"write", "read again", "into shards"} <= set(flow)
    assert card["records"] == "tiles" and card["slowest_step"] in timed
    assert "tiles a second and core" in (tmp_path / "o" / "card.md").read_text()
