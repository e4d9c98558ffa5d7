import json
import os
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path
from xml.etree import ElementTree as ET

import geopandas as gpd
import pyarrow.parquet as pq
import pyogrio
import pytest
import shapely

from rsvlm_core import style, vectors
from rsvlm_core.errors import OutputError, UsageError
from rsvlm_core.vectors import FIELDS, check_writable, empty_frame, write_vector

AWKWARD = """a "red" <b>roof</b> & it's; -- ü 屋"""
NOTES = {"texts": [AWKWARD, "lake"], "model": "fake", "failed": 0}


def frame(n: int = 3, crs: str = "EPSG:32633", layer: str = "masks") -> gpd.GeoDataFrame:
    columns = {
        "rank": list(range(1, n + 1)), "score": [round(0.3 - 0.01 * i, 2) for i in range(n)], "confidence": [0.9] * n,
        "text": [AWKWARD if i % 2 == 0 else "lake" for i in range(n)], "source": ["r.tif"] * n, "model": ["fake"] * n,
        "gsd_m": [0.5] * n, "area_m2": [2500.0] * n, "mean_score": [0.2] * n,
    }  # fmt: skip
    shapes = [shapely.box(500000 + 100 * i, 5400000, 500050 + 100 * i, 5400050) for i in range(n)]
    return gpd.GeoDataFrame({k: v for k, v in columns.items() if k in FIELDS[layer]}, geometry=shapes, crs=crs)


def read(path: Path, layer: str) -> gpd.GeoDataFrame:
    if path.suffix == ".parquet":
        return gpd.read_parquet(path)
    return gpd.read_file(path, layer=layer if path.suffix == ".gpkg" else None)


@pytest.mark.parametrize("layer", ["hits", "masks", "classes"])
@pytest.mark.parametrize("suffix", vectors.SUFFIXES)
def test_what_is_written_is_read(tmp_path: Path, layer: str, suffix: str) -> None:
    want = frame(layer=layer)
    got = read(write_vector(want, tmp_path / f"out{suffix}", layer, NOTES), layer)
    for name in FIELDS[layer]:
        assert got[name].tolist() == want[name].tolist()
    assert got.to_crs(want.crs).geometry.geom_equals_exact(want.geometry, 0.01).all()
    assert got.crs.to_epsg() == (4326 if suffix == ".geojson" else 32633)
    assert [p.name for p in tmp_path.iterdir()] == [f"out{suffix}"]


@pytest.mark.parametrize("layer", ["hits", "masks", "classes"])
@pytest.mark.parametrize("suffix", vectors.SUFFIXES)
def test_no_result_is_a_valid_layer_with_all_fields(tmp_path: Path, layer: str, suffix: str) -> None:
    out = write_vector(empty_frame(layer, "EPSG:2056"), tmp_path / f"out{suffix}", layer, NOTES)
    got = read(out, layer)
    assert len(got) == 0
    if suffix != ".geojson":  # which has no place for fields without features
        assert list(got.columns) == [*FIELDS[layer], "geometry"]
        assert got.crs.to_epsg() == 2056
        assert str(got["rank"].dtype) == "int32" and str(got["score"].dtype) == "float64"


@pytest.mark.parametrize("suffix", vectors.SUFFIXES)
def test_a_tile_without_a_place_is_written_too(tmp_path: Path, suffix: str) -> None:
    """Its outline may have no coordinates in the CRS of the rest; it has none in the spatial index either."""
    want = frame()
    want.loc[1, "geometry"] = shapely.Polygon()
    got = read(write_vector(want, tmp_path / f"out{suffix}", "masks", NOTES), "masks")
    assert [g is None or g.is_empty for g in got.geometry] == [False, True, False]


def test_geopackage_is_version_1_2_with_types_and_one_place_for_everything(tmp_path: Path) -> None:
    out = write_vector(frame(), tmp_path / "masks.gpkg", "masks", NOTES)
    with closing(sqlite3.connect(out)) as db:
        assert db.execute("PRAGMA user_version").fetchone()[0] == 10200
        assert db.execute("PRAGMA application_id").fetchone()[0] == 0x47504B47
        assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        types = {row[1]: row[2] for row in db.execute("PRAGMA table_info(masks)")}
        contents = dict(db.execute("SELECT table_name, data_type FROM gpkg_contents").fetchall())
    assert contents == {"masks": "features", "layer_styles": "attributes"}
    assert types["rank"] == "MEDIUMINT" and types["score"] == "REAL" and types["text"].startswith("TEXT")
    info = pyogrio.read_info(out, layer="masks")
    assert info["geometry_type"] == "Polygon"
    assert json.loads(info["layer_metadata"]["texts"]) == [AWKWARD, "lake"]


def stored_style(out: Path) -> tuple[tuple, ET.Element]:
    with closing(sqlite3.connect(out)) as db:
        row = db.execute(
            "SELECT f_table_catalog, f_table_schema, f_table_name, f_geometry_column, useAsDefault, styleQML"
            " FROM layer_styles"
        ).fetchone()
    return row[:5], ET.fromstring(row[5])


def test_masks_are_coloured_by_text_in_the_order_asked(tmp_path: Path) -> None:
    out = write_vector(frame(1), tmp_path / "masks.gpkg", "masks", {"texts": ["lake", AWKWARD]})
    key, qml = stored_style(out)
    assert key == ("", "", "masks", "geom", 1)
    assert [c.get("value") for c in qml.iter("category")] == ["lake", AWKWARD]
    assert qml.find("renderer-v2").get("attr") == "text"


def test_hits_are_coloured_by_score_and_every_score_has_a_class(tmp_path: Path) -> None:
    hits = frame(layer="hits")
    _, qml = stored_style(write_vector(hits, tmp_path / "hits.gpkg", "hits", NOTES))
    ranges = [(float(r.get("lower")), float(r.get("upper"))) for r in qml.iter("range")]
    assert len(ranges) == 5
    assert all(any(low <= s <= high for low, high in ranges) for s in hits["score"])
    for one in ([], [0.123456], [float("nan")]):
        ET.fromstring(style.graduated_qml(one, ["fid", "rank"]))


def test_a_multipolygon_makes_the_layer_multi(tmp_path: Path) -> None:
    both = frame(2)
    both.loc[0, "geometry"] = shapely.MultiPolygon([shapely.box(0, 0, 1, 1), shapely.box(2, 2, 3, 3)])
    out = write_vector(both, tmp_path / "m.gpkg", "masks", {})
    assert pyogrio.read_info(out, layer="masks")["geometry_type"] == "MultiPolygon"


def test_geojson_follows_its_standard(tmp_path: Path) -> None:
    out = write_vector(frame(), tmp_path / "m.geojson", "masks", NOTES)
    document = json.loads(out.read_text())
    assert "crs" not in document and document["rsvlm"]["model"] == "fake"
    ring = shapely.LinearRing(document["features"][0]["geometry"]["coordinates"][0])
    assert ring.is_ccw
    lon, lat = ring.coords[0]
    assert 14 < lon < 16 and 48 < lat < 49


def test_geoparquet_carries_the_metadata(tmp_path: Path) -> None:
    out = write_vector(frame(), tmp_path / "m.parquet", "masks", NOTES)
    meta = pq.read_schema(out).metadata
    assert b"geo" in meta and json.loads(meta[b"rsvlm"])["model"] == "fake"


def test_replaces_an_older_result(tmp_path: Path) -> None:
    out = tmp_path / "m.gpkg"
    write_vector(frame(3), out, "masks", {})
    write_vector(frame(1), out, "masks", {})
    assert len(read(out, "masks")) == 1


@pytest.mark.parametrize("journal", ["wal", "delete"])
def test_a_geopackage_in_use_elsewhere_is_left_alone(tmp_path: Path, journal: str) -> None:
    out = write_vector(frame(3), tmp_path / "m.gpkg", "masks", {})
    with closing(sqlite3.connect(out, isolation_level=None)) as other:
        other.execute(f"PRAGMA journal_mode={journal}")
        # In wal mode an idle reader is enough: its log would be replayed into whatever lies at that name.
        other.execute("SELECT count(*) FROM masks" if journal == "wal" else "BEGIN IMMEDIATE").fetchone()
        with pytest.raises(OutputError, match="open in another program"):
            write_vector(frame(1), out, "masks", {})
        with pytest.raises(OutputError):
            check_writable(out)
        if journal == "delete":
            other.execute("ROLLBACK")
    assert len(read(out, "masks")) == 3
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.gpkg"]
    write_vector(frame(1), out, "masks", {})
    assert len(read(out, "masks")) == 1


def test_a_file_that_is_no_geopackage_is_replaced(tmp_path: Path) -> None:
    out = tmp_path / "m.gpkg"
    out.write_bytes(b"SQLite format 3\0 but damaged")
    write_vector(frame(1), out, "masks", {})
    assert len(read(out, "masks")) == 1


def test_a_failed_write_leaves_the_old_file_and_no_rubbish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = write_vector(frame(2), tmp_path / "m.gpkg", "masks", {})
    before = out.read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(vectors, "_store_style", full)
    with pytest.raises(OutputError, match="No space left"):
        write_vector(frame(3), out, "masks", {})
    assert out.read_bytes() == before and len(list(tmp_path.iterdir())) == 1


def test_unusable_places_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.gpkg, \.geojson, \.parquet"):
        check_writable(tmp_path / "m.shp")
    with pytest.raises(OutputError, match="does not exist"):
        check_writable(tmp_path / "nowhere" / "m.gpkg")
    (tmp_path / "folder.gpkg").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        check_writable(tmp_path / "folder.gpkg")


def test_a_folder_without_permission_is_refused(tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir()
    locked.chmod(0o500)
    try:
        if os.access(locked, os.W_OK):
            pytest.skip("this user may write everywhere")
        with pytest.raises(OutputError, match="cannot write"):
            check_writable(locked / "m.gpkg")
    finally:
        locked.chmod(0o700)


def test_missing_fields_and_places_are_bugs(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="mean_score"):
        write_vector(frame(1).drop(columns="mean_score"), tmp_path / "x.gpkg", "masks", {})
    with pytest.raises(ValueError, match="CRS"):
        write_vector(frame(1).set_crs(None, allow_override=True), tmp_path / "x.gpkg", "masks", {})


def test_readers_never_see_half_a_file(tmp_path: Path) -> None:
    out = write_vector(frame(20), tmp_path / "m.parquet", "masks", {})
    failures: list[Exception] = []
    done = threading.Event()

    def keep_reading() -> None:
        while not done.is_set():
            try:
                assert len(gpd.read_parquet(out)) == 20
            except Exception as error:  # noqa: BLE001 whatever goes wrong is the finding
                failures.append(error)
            time.sleep(0.001)

    reader = threading.Thread(target=keep_reading)
    reader.start()
    for _ in range(5):
        write_vector(frame(20), out, "masks", {})
    done.set()
    reader.join()
    assert not failures
