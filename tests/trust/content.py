"""What a file says, without what differs between two honest runs: times, and the order of a database's pages."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import rasterio

from rsvlm_core.index.files import MANIFEST
from rsvlm_core.index.store import open_index

_TIMES = {"last_change", "update_time", "timestamp"}


def content(path: Path) -> Any:
    """Something to compare with `==`; any file or index folder that a command writes.

    Raises:
        Exception: Whatever the reader of a damaged file raises.
    """
    if path.is_dir() and (path / MANIFEST).is_file():
        return _index(path)
    if path.is_dir():
        return {p.name: content(p) for p in sorted(path.iterdir()) if not p.name.startswith(".")}
    if path.suffix == ".gpkg":
        return _database(path)
    if path.suffix in (".tif", ".tiff"):
        return _raster(path)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _database(path: Path) -> dict[str, Any]:
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        tables = [t for (t,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
        found = {}
        for table in tables:
            if table.startswith("rtree_"):  # its nodes depend on the order of insertion alone, and hold no data
                continue
            columns = [c[1] for c in db.execute(f"PRAGMA table_info('{table}')") if c[1] not in _TIMES]
            wanted = ", ".join(f'"{c}"' for c in columns)
            rows = db.execute(f'SELECT {wanted} FROM "{table}"').fetchall()  # noqa: S608 - names of our own tables
            found[table] = (columns, sorted(rows, key=repr))
    return found


def _raster(path: Path) -> dict[str, Any]:
    with rasterio.open(path) as src:
        pixels = src.read()
        return {
            "profile": {k: repr(v) for k, v in src.profile.items()}, "tags": src.tags(),
            "pixels": hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest(),
        }


def _index(folder: Path) -> dict[str, Any]:
    """Rows and vectors; numbers of parts may differ, since a killed writer's numbers are not used again."""
    index = open_index(folder, None)
    assert index.complete
    table = index.table
    return {
        "tiles": table["tile_id"].tolist(), "valid": table["valid_fraction"].tolist(),
        "outlines": [g.wkb_hex for g in table.geometry],
        "vectors": hashlib.sha256(np.ascontiguousarray(index.vectors).tobytes()).hexdigest(),
        "model": index.manifest.model_sha256, "sources": [(s.source, s.gsds) for s in index.manifest.sources],
    }
