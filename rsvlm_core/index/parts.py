"""Parts of an index: GeoParquet files with one row a tile."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
from numpy.typing import NDArray

from rsvlm_core.errors import SearchIndexError
from rsvlm_core.imagery.projecting import LONLAT
from rsvlm_core.index.files import write_whole
from rsvlm_core.model.encoder import Float32
from rsvlm_core.tiles.grid import Tile

COLUMNS = ("tile_id", "source", "level", "row", "col", "gsd_m", "valid_fraction", "geometry")
# What a column must be, whoever wrote the file.
_KINDS = {
    "tile_id": pa.types.is_string, "source": pa.types.is_string, "level": pa.types.is_integer,
    "row": pa.types.is_integer, "col": pa.types.is_integer, "gsd_m": pa.types.is_floating,
    "valid_fraction": pa.types.is_floating, "geometry": pa.types.is_binary, "bbox": pa.types.is_struct,
    "embedding": pa.types.is_fixed_size_list,
}
_NOTES = b"rsvlm"


@dataclass(frozen=True)
class PartNotes:
    """What the rows of a part do not tell.

    Attributes:
        fingerprint: Of the raster that was read.
        model_sha256: Of the model.
        tiles: Tiles looked at.
        skipped: Of these, not stored for lack of valid pixels.
        best_skipped: Highest share of valid pixels among those, 0..1.
        failed: (tile id, reason) of tiles that could not be read or embedded.
    """

    fingerprint: str
    model_sha256: str
    tiles: int
    skipped: int = 0
    best_skipped: float = 0.0
    failed: tuple[tuple[str, str], ...] = ()


def write_part(
    path: Path, tiles: Sequence[Tile], valid: Sequence[float], outlines: NDArray[np.object_], vectors: Float32,
    notes: PartNotes,
) -> None:
    """Write a part in one step; the same content gives the same bytes.

    Args:
        path: Where.
        tiles: N tiles.
        valid: [N] share of valid pixels.
        outlines: [N] polygons in longitude and latitude.
        vectors: [N, D] float32, unit length.
        notes: Stored in the file.

    Raises:
        OutputError: It cannot be written.
    """
    bounds = shapely.bounds(outlines).reshape(-1, 4)
    table = pa.table(
        {
            "tile_id": pa.array([t.tile_id for t in tiles], pa.string()),
            "source": pa.array([t.source for t in tiles], pa.string()),
            "level": pa.array([t.level for t in tiles], pa.int32()),
            "row": pa.array([t.row for t in tiles], pa.int32()),
            "col": pa.array([t.col for t in tiles], pa.int32()),
            "gsd_m": pa.array([t.gsd_m for t in tiles], pa.float64()),
            "valid_fraction": pa.array(np.asarray(valid, dtype=np.float32), pa.float32()),
            "geometry": pa.array(shapely.to_wkb(outlines), pa.binary()),
            "bbox": pa.StructArray.from_arrays(
                [pa.array(bounds[:, i], pa.float64()) for i in range(4)], names=["xmin", "ymin", "xmax", "ymax"]
            ),
            "embedding": pa.FixedSizeListArray.from_arrays(
                pa.array(np.ascontiguousarray(vectors, dtype=np.float32).ravel()), vectors.shape[1]
            ),
        }
    )
    metadata = {
        b"geo": json.dumps(_geo(bounds)).encode(),
        _NOTES: json.dumps(
            {
                "fingerprint": notes.fingerprint, "model_sha256": notes.model_sha256, "tiles": notes.tiles,
                "skipped": notes.skipped, "best_skipped": notes.best_skipped, "failed": notes.failed,
            }
        ).encode(),
    }
    table = table.replace_schema_metadata(metadata)
    write_whole(path, lambda temporary: pq.write_table(table, temporary, compression="zstd"))


def read_notes(path: Path) -> PartNotes | None:
    """The notes of a part; None where the file is missing or not a whole part, which has to be made again."""
    try:
        found = json.loads(pq.read_schema(path).metadata[_NOTES])
        return PartNotes(
            found["fingerprint"], found["model_sha256"], found["tiles"], found["skipped"], found["best_skipped"],
            tuple((str(tile), str(reason)) for tile, reason in found["failed"]),
        )
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError, RecursionError):
        return None


def count_rows(path: Path) -> int:
    """Tiles stored in a part.

    Raises:
        SearchIndexError: It is missing or damaged.
    """
    try:
        return int(pq.read_metadata(path).num_rows)
    except (OSError, pa.ArrowException) as error:
        raise damaged(path) from error


def read_vectors(path: Path) -> Float32:
    """[N, D] float32 embeddings of a part.

    Raises:
        SearchIndexError: It is missing or damaged.
    """
    column = read_table(path, ["embedding"]).column("embedding").combine_chunks()
    if not pa.types.is_floating(column.type.value_type):
        raise damaged(path)
    flat: Float32 = column.flatten().to_numpy(zero_copy_only=False).astype(np.float32, copy=False)
    if not np.isfinite(flat).all():
        raise damaged(path)
    return flat.reshape(len(column), column.type.list_size)


def read_table(path: Path, columns: Sequence[str]) -> pa.Table:
    """Some columns of a part.

    Raises:
        SearchIndexError: It is missing or damaged, or a column is not what it should be.
    """
    try:
        table = pq.read_table(path, columns=list(columns)).replace_schema_metadata(None)
        for name in columns:
            column = table.column(name)
            if not _KINDS[name](column.type) or column.null_count:
                raise damaged(path)
    except (OSError, pa.ArrowException, KeyError) as error:
        raise damaged(path) from error
    if "gsd_m" in columns and not np.isfinite(table.column("gsd_m").to_numpy()).all():
        raise damaged(path)
    return table


def read_outlines(path: Path, column: pa.ChunkedArray) -> NDArray[np.object_]:
    """[n] polygons of a part's column of WKB, some perhaps empty.

    Raises:
        SearchIndexError: It holds something else.
    """
    try:
        shapes: NDArray[np.object_] = shapely.from_wkb(np.array(column.to_pylist(), dtype=object))
    except shapely.errors.GEOSException as error:
        raise damaged(path) from error
    if (shapely.get_type_id(shapes) != shapely.GeometryType.POLYGON).any():
        raise damaged(path)
    return shapes


def read_rows(paths: Sequence[Path]) -> gpd.GeoDataFrame:
    """All columns but the embedding, of all parts in order, in longitude and latitude (OGC:CRS84).

    Raises:
        SearchIndexError: A part is missing or damaged.
    """
    tables = [read_table(path, COLUMNS) for path in paths]
    outlines = [read_outlines(path, table.column("geometry")) for path, table in zip(paths, tables, strict=True)]
    if not tables:
        empty: dict[str, list[Any]] = {name: [] for name in COLUMNS if name != "geometry"}
        return gpd.GeoDataFrame(empty, geometry=[], crs=LONLAT)
    frame = pa.concat_tables([table.drop_columns("geometry") for table in tables]).to_pandas()
    return gpd.GeoDataFrame(frame, geometry=np.concatenate(outlines), crs=LONLAT)


def damaged(path: Path) -> SearchIndexError:
    """What to raise for a part that cannot be read, or holds something else."""
    return SearchIndexError(
        f"{path} is missing or damaged.", "Run rsvlm index again with the same rasters: it makes that part anew."
    )


def _geo(bounds: NDArray[np.float64]) -> dict[str, Any]:
    """GeoParquet 1.1 metadata."""
    box = [*bounds[:, :2].min(axis=0), *bounds[:, 2:].max(axis=0)] if len(bounds) else None
    return {
        "version": "1.1.0",
        "primary_column": "geometry",
        "columns": {
            "geometry": {
                "encoding": "WKB",
                "geometry_types": ["Polygon"],
                "crs": LONLAT.to_json_dict(),
                **({"bbox": [float(v) for v in box]} if box is not None else {}),
                "covering": {"bbox": {side: ["bbox", side] for side in ("xmin", "ymin", "xmax", "ymax")}},
            }
        },
    }
