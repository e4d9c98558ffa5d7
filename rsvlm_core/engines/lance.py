"""LanceDB as an engine: a table on a folder or in object storage, read from disk by any number of processes.

Nothing runs as a server. Vectors are found through inverted lists of product-quantised codes (IVF-PQ) once there are
enough of them, and get their exact cosines from the vectors themselves, which stay on disk.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyproj import CRS

from rsvlm_core.engines.engine import Found, refined
from rsvlm_core.engines.pieces import Card, Piece
from rsvlm_core.engines.where import Where
from rsvlm_core.errors import OutputError, SearchIndexError, UsageError, first_line
from rsvlm_core.index.exact import cosines
from rsvlm_core.index.places import outlines
from rsvlm_core.model.encoder import Float32
from rsvlm_core.progress import Progress, ShouldStop, check, never, silent

TABLE = "tiles"
# Below, reading every vector is quick enough; above, lists are made when an index is pushed.
LISTS_FROM = 50_000
# Tiles that go into one transaction: few enough for memory, enough that a country is some hundreds of files.
_TOGETHER = 65_536
# Lists to look into, as a share of all, and candidates whose vectors are read for each hit.
_PROBES, _REFINE = 1 / 16, 16
_DIMENSIONS_A_CODE = 8
# Share of rows outside the lists from which on the lists are made anew rather than extended.
_STALE = 0.5
# What a reader may keep of lists and of file directories.
_CACHE_BYTES = 384_000_000, 64_000_000
_META = b"rsvlm"
_COLUMNS = ["order", "source", "gsd_m", "corners", "vector"]


class LanceEngine:
    """A table of LanceDB; see `engine.Engine`.

    Args:
        place: Folder, or URL of object storage such as `s3://bucket/country`.
        options: Of the storage, as LanceDB takes them (keys, endpoint, region).

    Raises:
        SearchIndexError: There is no such table, or it cannot be reached.
        UsageError: LanceDB is not installed.
    """

    def __init__(self, place: str, options: dict[str, str] | None = None) -> None:
        self.name = f"lancedb:{place}"
        try:
            self._table = _connect(place, options).open_table(TABLE)
            self.card = Card.from_json((self._table.schema.metadata or {}).get(_META, b""), self.name)
        except (OSError, ValueError, RuntimeError) as error:
            raise SearchIndexError(
                f"{self.name} cannot be opened: {first_line(error)}.",
                "Check its name and the storage options; rsvlm serve-index push makes one.",
            ) from error
        self.crs: CRS = self.card.crs
        stats = _lists(self._table)
        self._partitions = 0 if stats is None else _partitions(int(stats.num_indexed_rows))

    def __len__(self) -> int:
        return int(self._table.count_rows())

    def count(self, where: Where) -> int:
        """Tiles that touch the filter's bounds."""
        return int(self._table.count_rows(_condition(where)))

    def search(self, query: Float32, k: int, where: Where) -> list[Found]:
        """The k best tiles for each query; the filter's bounds are applied by LanceDB before it ranks."""
        return [refined(lambda n, v=vector: self._best(v, n, where), k, where) for vector in query]  # type: ignore[misc]

    def _best(self, vector: Float32, k: int, where: Where) -> Found:
        query = self._table.search(vector, vector_column_name="vector").distance_type("dot").limit(k + _REFINE)
        condition = _condition(where)
        if condition is not None:
            query = query.where(condition, prefilter=True)
        if self._partitions:
            query = query.nprobes(max(8, round(self._partitions * _PROBES))).refine_factor(_REFINE)
        try:
            rows = query.select([*_COLUMNS, "_distance"]).to_arrow()
        except (OSError, ValueError, RuntimeError) as error:
            raise SearchIndexError(
                f"{self.name} cannot be read: {first_line(error)}.", "Push the index again."
            ) from error
        return found_of(rows, vector, k, len(rows) < k + _REFINE)


def push(
    place: str, card: Card, pieces: Iterable[Piece], options: dict[str, str] | None = None, *,
    progress: Progress = silent, should_stop: ShouldStop = never,
) -> tuple[int, int]:
    """Bring a table up to date with an index; killed at any moment, running it again continues.

    Pieces that the table holds are left alone, those that the index no longer has are removed, and rows appear in
    transactions of whole pieces. The lists come last: until then searches are slower, not wrong.

    Args:
        place: As for `LanceEngine`.
        card: Of the index.
        pieces: Of the index.
        options: As for `LanceEngine`.
        progress: Told of tiles.
        should_stop: Polled between transactions.

    Returns:
        Tiles added, tiles removed.

    Raises:
        SearchIndexError: The table was made with another model.
        OutputError: It cannot be written.
        Stopped: should_stop said so.
    """
    try:
        return _push(place, card, list(pieces), options, progress, should_stop)
    except (OSError, ValueError, RuntimeError) as error:
        raise OutputError(
            f"lancedb:{place} cannot be written: {first_line(error)}.", "Check the storage options and the free space."
        ) from error


def found_of(rows: pa.Table, query: Float32, k: int, exhausted: bool) -> Found:
    """The k best of some rows as `Piece.table` has them, with exact cosines; equal ones in the order of the index."""
    corners = _matrix(rows.column("corners")).reshape(-1, 4, 2)
    vectors = _matrix(rows.column("vector")).astype(np.float32, copy=False)
    scores = cosines(vectors, query)
    best = np.lexsort((rows.column("order").to_numpy(), -scores))[:k]
    return Found(
        outlines(corners[best]), np.array(rows.column("source").to_pylist(), dtype=object)[best],
        rows.column("gsd_m").to_numpy()[best], scores[best], vectors[best], exhausted and len(best) == len(scores),
    )


def _push(
    place: str, card: Card, pieces: Sequence[Piece], options: dict[str, str] | None, progress: Progress,
    should_stop: ShouldStop,
) -> tuple[int, int]:
    table = _opened(place, card, options)
    there: Counter[int] = Counter()
    for batch in table.search().select(["piece"]).to_batches():
        keys, counts = np.unique(batch.column("piece").to_numpy(), return_counts=True)
        there.update(dict(zip(keys.tolist(), counts.tolist(), strict=True)))
    wanted = {piece.key: piece.rows for piece in pieces}
    wrong = [key for key, rows in there.items() if wanted.get(key) != rows]
    for start in range(0, len(wrong), 500):
        table.delete(f"piece IN ({', '.join(map(str, wrong[start : start + 500]))})")
    missing = [piece for piece in pieces if there.get(piece.key) != piece.rows]
    total, done = sum(piece.rows for piece in missing), 0
    for together in _grouped(missing):
        check(should_stop, "What was pushed stays; run the same again to continue.")
        rows = pa.concat_tables([piece.table() for piece in together])
        table.add(rows.cast(table.schema))
        done += len(rows)
        progress(done, total, "tiles")
    _refresh(table)
    return total, sum(there[key] for key in wrong)


def _refresh(table: Any) -> None:
    """Make or extend the lists, and join what small transactions left, those of a push that was killed included."""
    from lancedb.index import BTree, IvfPq

    rows, stats = int(table.count_rows()), _lists(table)
    if rows >= LISTS_FROM:
        inside = 0 if stats is None else int(stats.num_indexed_rows)
        stale = stats is None or int(stats.num_unindexed_rows) > _STALE * max(1, inside)
        if stale:
            codes = max(1, table.schema.field("vector").type.list_size // _DIMENSIONS_A_CODE)
            lists = IvfPq(
                distance_type="dot", num_partitions=_partitions(rows), num_sub_vectors=codes, max_iterations=10
            )
            table.create_index("vector", config=lists, replace=True)
        sorted_by = {column for index in table.list_indices() for column in index.columns}
        for side in ("xmin", "ymin"):
            if stale or side not in sorted_by:
                table.create_index(side, config=BTree(), replace=True)
    table.optimize()


def _partitions(rows: int) -> int:
    """Lists for so many rows."""
    return max(1, round(math.sqrt(rows)))


def _lists(table: Any) -> Any | None:
    """Statistics of the lists over the vectors; None where there are none."""
    names = [index.name for index in table.list_indices() if "vector" in index.columns]
    return table.index_stats(names[0]) if names else None


def _grouped(pieces: Sequence[Piece]) -> Iterable[list[Piece]]:
    group: list[Piece] = []
    for piece in pieces:
        if group and sum(p.rows for p in group) + piece.rows > _TOGETHER:
            yield group
            group = []
        group.append(piece)
    if group:
        yield group


def _opened(place: str, card: Card, options: dict[str, str] | None) -> Any:
    database = _connect(place, options)
    schema = pa.schema(
        [
            ("piece", pa.int64()), ("order", pa.int64()), ("tile_id", pa.string()), ("source", pa.string()),
            ("gsd_m", pa.float64()), *((side, pa.float64()) for side in ("xmin", "ymin", "xmax", "ymax")),
            ("corners", pa.list_(pa.float64(), 8)), ("vector", pa.list_(pa.float32(), card.dimensions)),
        ],
        metadata={_META: card.to_json().encode()},
    )
    try:
        table = database.open_table(TABLE)
    except ValueError:  # there is none; where the database cannot be reached, making one says so
        table = database.create_table(TABLE, schema=schema)
    Card.from_json((table.schema.metadata or {}).get(_META, b""), f"lancedb:{place}").check(card, f"lancedb:{place}")
    return table


def _connect(place: str, options: dict[str, str] | None) -> Any:
    try:
        import lancedb
    except ImportError as error:
        raise UsageError(
            "LanceDB is not installed.", "Install it: pip install -r requirements-scale.txt (or pip install lancedb)."
        ) from error
    return lancedb.connect(place, storage_options=options or None, session=lancedb.Session(*_CACHE_BYTES))


def _condition(where: Where) -> str | None:
    """The filter as SQL: rasters, and bounds that touch the region's."""
    terms = []
    if where.box is not None:
        west, south, east, north = where.box
        terms += [f"xmin <= {east!r}", f"xmax >= {west!r}", f"ymin <= {north!r}", f"ymax >= {south!r}"]
    if where.sources is not None:
        names = ", ".join("'" + name.replace("'", "''") + "'" for name in where.sources)
        terms.append(f"source IN ({names})" if names else "false")
    return " AND ".join(terms) if terms else None


def _matrix(column: pa.ChunkedArray) -> NDArray[Any]:
    width = column.type.list_size
    flat: NDArray[Any] = column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return flat.reshape(-1, width)
