"""Results as files that a GIS opens: GeoPackage with its style inside, GeoJSON, GeoParquet."""

from __future__ import annotations

import io
import json
import os
import sqlite3
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Literal

import geopandas as gpd
import pandas as pd
import pyarrow.parquet as pq
import pyogrio

from rsvlm_core import style
from rsvlm_core.errors import OutputError, UsageError
from rsvlm_core.scratch import whole

Layer = Literal["hits", "masks", "classes"]
SUFFIXES = (".gpkg", ".geojson", ".parquet")

_HIT_FIELDS = {
    "rank": "int32", "score": "float64", "confidence": "float64", "text": "str", "source": "str", "model": "str",
    "gsd_m": "float64",
}  # fmt: skip
FIELDS: dict[str, dict[str, str]] = {
    "hits": _HIT_FIELDS,
    "masks": {**_HIT_FIELDS, "area_m2": "float64", "mean_score": "float64"},
    "classes": _HIT_FIELDS,
}


def empty_frame(layer: Layer, crs: object) -> gpd.GeoDataFrame:
    """No rows, all fields of a layer with their types, in the given CRS."""
    columns = {name: pd.Series([], dtype=_dtype(kind)) for name, kind in FIELDS[layer].items()}
    return gpd.GeoDataFrame(columns, geometry=gpd.GeoSeries([], crs=crs), crs=crs)


def check_writable(out: Path) -> None:
    """Refuse an output that `write_vector` could not write, before the work rather than after it.

    Raises:
        UsageError: The suffix is none of .gpkg, .geojson, .parquet.
        OutputError: No such folder, no permission, a folder in its place, or open in another program.
    """
    if out.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{out}: results are written as {', '.join(SUFFIXES)}.", "Give the file one of these endings.")
    if not out.parent.is_dir():
        raise OutputError(f"{out}: the folder {out.parent} does not exist.", "Create it, or write elsewhere.")
    if out.is_dir():
        raise OutputError(f"{out} is a folder.", "Choose another file name.")
    if out.exists() and not os.access(out, os.W_OK):
        raise OutputError(f"{out} is read-only.", "Choose another file name, or make it writable.")
    try:  # asking beats reading permission bits, which network shares and containers do not honour
        with tempfile.TemporaryFile(dir=out.parent):
            pass
    except OSError as error:
        raise OutputError(f"{out}: cannot write in {out.parent} ({error.strerror}).", "Write elsewhere.") from error
    if out.suffix.lower() == ".gpkg" and out.exists():
        _refuse_if_open(out)


def write_vector(gdf: gpd.GeoDataFrame, out: Path, layer: Layer, metadata: Mapping[str, object]) -> Path:
    """Write results beside their final place, then put them there in one step.

    Args:
        gdf: Polygons with at least the fields of the layer (`FIELDS`), in any CRS; no rows is a valid result. More
            columns are written as they are.
        out: .gpkg (version 1.2, with a default QGIS style, in the CRS of `gdf`), .geojson (RFC 7946, EPSG:4326) or
            .parquet (GeoParquet, in the CRS of `gdf`).
        layer: Name of the layer in the GeoPackage; decides fields and style.
        metadata: What the result came from, for instance texts, model, versions, failed tiles; stored in the file.

    Returns:
        `out`.

    Raises:
        UsageError: Unknown suffix.
        OutputError: Cannot be written, or is open elsewhere; what was there is unchanged.
        ValueError: A field of the layer is missing, or there is no CRS.
    """
    out = Path(out)
    check_writable(out)
    gdf = _typed(gdf, layer)
    notes = {k: v if isinstance(v, str) else json.dumps(v, default=str) for k, v in metadata.items()}
    suffix = out.suffix.lower()
    try:
        with whole(out) as part:
            if suffix == ".gpkg":
                _write_gpkg(gdf, part, layer, notes)
            elif suffix == ".geojson":
                _write_geojson(gdf, part, layer, notes)
            else:
                _write_parquet(gdf, part, notes)
            if suffix == ".gpkg" and out.exists():
                _refuse_if_open(out)  # again: the work before may have taken minutes
    except (OSError, sqlite3.Error, pyogrio.errors.DataSourceError, pyogrio.errors.FeatureError) as error:
        raise OutputError(
            f"{out} could not be written ({_reason(error)}).",
            "Check space and permissions, close it where it is open.",
        ) from error
    return out


def _reason(error: Exception) -> str:
    """The end of what GDAL says: before it come whole statements of SQL."""
    text = (str(error).splitlines() or [type(error).__name__])[0].rpartition("failed: ")[2]
    return text if len(text) <= 200 else f"{text[:197]}..."


def _dtype(kind: str) -> str:
    return "object" if kind == "str" else kind


def _typed(gdf: gpd.GeoDataFrame, layer: Layer) -> gpd.GeoDataFrame:
    """The layer's fields first, with their types, geometry last."""
    wanted = FIELDS[layer]
    missing = [name for name in wanted if name not in gdf.columns]
    if missing:
        raise ValueError(f"layer {layer} needs the fields {missing}")
    if gdf.crs is None:
        raise ValueError("results without a CRS cannot be placed")
    name = gdf.geometry.name
    others = [c for c in gdf.columns if c not in wanted and c != name]
    typed = gdf[[*wanted, *others, name]].copy()
    for field, kind in wanted.items():
        typed[field] = typed[field].astype(str if kind == "str" and len(typed) else _dtype(kind))
    return typed if name == "geometry" else typed.rename_geometry("geometry")


def _geometry_type(gdf: gpd.GeoDataFrame) -> str:
    return "MultiPolygon" if (gdf.geometry.geom_type == "MultiPolygon").any() else "Polygon"


def _write_gpkg(gdf: gpd.GeoDataFrame, part: Path, layer: Layer, notes: dict[str, str]) -> None:
    kind = _geometry_type(gdf)
    pyogrio.write_dataframe(
        gdf, part, layer=layer, driver="GPKG", geometry_type=kind, promote_to_multi=kind == "MultiPolygon",
        dataset_options={"VERSION": "1.2"},  # later versions open with a warning in QGIS 3.22
        layer_options={"GEOMETRY_NAME": "geom", "FID": "fid", "DESCRIPTION": _description(layer, notes)},
        layer_metadata=notes,  # on the data set it would make every reader write an .aux.xml beside the file
    )  # fmt: skip
    fields = ["fid", *(c for c in gdf.columns if c != "geometry")]
    if layer == "hits":
        qml = style.graduated_qml(gdf["score"].tolist(), fields)
    else:
        qml = style.categorized_qml(_texts(gdf, notes), fields)
    _store_style(part, layer, qml)
    _check_whole(part, layer, gdf, ("gpkg_rtree_index", *(["gpkg_metadata"] if notes else [])))


def _check_whole(gpkg: Path, layer: str, gdf: gpd.GeoDataFrame, extensions: Sequence[str]) -> None:
    """See that everything is there: where a disk is full, GDAL leaves things out and only warns.

    Raises:
        sqlite3.Error: Something is missing or damaged.
    """
    somewhere = len(gdf) - int(gdf.geometry.is_empty.sum())
    with closing(sqlite3.connect(gpkg)) as db:
        sound = db.execute("PRAGMA quick_check").fetchone() == ("ok",)
        for table, rows in ((layer, len(gdf)), (f"rtree_{layer}_geom", somewhere)):  # the names are ours
            sound = sound and db.execute(f'SELECT count(*) FROM "{table}"').fetchone() == (rows,)  # noqa: S608 # nosec
        for extension in extensions:
            found = db.execute("SELECT count(*) FROM gpkg_extensions WHERE extension_name = ?", (extension,)).fetchone()
            sound = sound and found != (0,)
    if not sound:
        raise sqlite3.DatabaseError("it came out incomplete")


def _texts(gdf: gpd.GeoDataFrame, notes: dict[str, str]) -> list[str]:
    """Distinct texts, those asked for first and in their order, so that a text without a result keeps its colour."""
    try:
        asked = json.loads(notes.get("texts", "[]"))
    except ValueError:
        asked = []
    asked = [t for t in asked if isinstance(t, str)] if isinstance(asked, list) else []
    return list(dict.fromkeys([*asked, *gdf["text"].tolist()]))


def _description(layer: Layer, notes: dict[str, str]) -> str:
    return f"rsvlm {layer}: {notes['texts']}" if "texts" in notes else f"rsvlm {layer}"


def _store_style(gpkg: Path, layer: str, qml: str) -> None:
    """Put a default style where QGIS looks for it: the table `layer_styles`, registered as attributes."""
    with closing(sqlite3.connect(gpkg)) as db, db:
        db.execute(
            "CREATE TABLE layer_styles (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, f_table_catalog TEXT(256),"
            " f_table_schema TEXT(256), f_table_name TEXT(256), f_geometry_column TEXT(256), styleName TEXT(30),"
            " styleQML TEXT, styleSLD TEXT, useAsDefault BOOLEAN, description TEXT, owner TEXT(30), ui TEXT(30),"
            " update_time DATETIME DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')))"
        )
        db.execute(
            "INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, f_geometry_column, styleName,"
            " styleQML, styleSLD, useAsDefault, description, owner, ui) VALUES ('', '', ?, 'geom', ?, ?, '', 1, ?, '',"
            " NULL)",
            (layer, layer, qml, "default style of rsvlm"),
        )
        db.execute(
            "INSERT INTO gpkg_contents (table_name, data_type, identifier, description, srs_id)"
            " VALUES ('layer_styles', 'attributes', 'layer_styles', '', 0)"
        )


def _refuse_if_open(out: Path) -> None:
    """OutputError when another program holds the GeoPackage.

    A replaced database whose write-ahead log belongs to somebody else would be damaged by that log, so a log is folded
    back first, which works only for the sole user of a file.
    """
    with open(out, "rb") as file:
        if file.read(16) != b"SQLite format 3\0":
            return  # not a database at all; it may be replaced
    try:
        with closing(sqlite3.connect(out, timeout=0.2, isolation_level=None)) as db:
            if db.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
                mode = db.execute("PRAGMA journal_mode=DELETE").fetchone()[0]
                if mode == "wal":
                    raise sqlite3.OperationalError("database is locked")
            db.execute("BEGIN EXCLUSIVE")
            db.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        raise OutputError(
            f"{out} is open in another program.", "Remove the layer there, or choose another file name."
        ) from error
    except sqlite3.DatabaseError:
        return  # damaged: nothing to protect


def _write_geojson(gdf: gpd.GeoDataFrame, part: Path, layer: Layer, notes: dict[str, str]) -> None:
    made = io.BytesIO()  # where a disk is full, GDAL's driver leaves things out and does not say so
    pyogrio.write_dataframe(
        gdf.to_crs("EPSG:4326"), made, layer=layer, driver="GeoJSON", geometry_type=_geometry_type(gdf),
        layer_options={
            "RFC7946": "YES",  # right-hand rule, seven decimals, EPSG:4326
            "NATIVE_DATA": json.dumps({"type": "FeatureCollection", "rsvlm": notes}),  # a foreign member
            "NATIVE_MEDIA_TYPE": "application/vnd.geo+json",
        },
    )  # fmt: skip
    part.write_bytes(made.getbuffer())


def _write_parquet(gdf: gpd.GeoDataFrame, part: Path, notes: dict[str, str]) -> None:
    gdf.to_parquet(part, index=False, compression="zstd")
    table = pq.read_table(part)
    extra = {b"rsvlm": json.dumps(notes).encode()}
    pq.write_table(table.replace_schema_metadata({**(table.schema.metadata or {}), **extra}), part, compression="zstd")
