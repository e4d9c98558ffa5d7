"""Qdrant as an engine, for those who run it: a collection on a server, or in a folder through the client's local mode.

Local mode reads everything into memory and knows no inverted lists; it is for trying out and for tests. A server
shards, keeps vectors on disk and filters by payload indexes.
"""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

import numpy as np
from pyproj import CRS

from rsvlm_core.engines.engine import Found, refined
from rsvlm_core.engines.pieces import Card, Piece
from rsvlm_core.engines.where import Where
from rsvlm_core.errors import OutputError, SearchIndexError, UsageError, first_line
from rsvlm_core.index.exact import cosines
from rsvlm_core.index.places import outlines
from rsvlm_core.model.encoder import Float32
from rsvlm_core.progress import Progress, ShouldStop, check, never, silent

# Points sent in one request.
_TOGETHER = 256
_REFINE = 8
_SIDES = ("xmin", "ymin", "xmax", "ymax")
# A point that is no tile: it carries the card, since collections have no notes of their own.
_CARD = str(uuid.UUID(int=0))
_SPACE = uuid.UUID("7f5f3f10-2d53-4f8f-9c3f-7a5f5d0f8b11")


class QdrantEngine:
    """A collection of Qdrant; see `engine.Engine`.

    Args:
        place: `http(s)://host:port/collection`, or `folder/collection` for local mode.
        options: `api_key`.

    Raises:
        SearchIndexError: There is no such collection, or it cannot be reached.
        UsageError: The client is not installed, or the place names no collection.
    """

    def __init__(self, place: str, options: dict[str, str] | None = None) -> None:
        self.name = f"qdrant:{place}"
        self._client, self._collection = connect(place, options)
        with _reading(self.name):
            if not self._client.collection_exists(self._collection):
                raise SearchIndexError(f"{self.name}: no such collection.", "rsvlm serve-index push makes one.")
            self.card = _card(self._client, self._collection, self.name)
        self.crs: CRS = self.card.crs

    def close(self) -> None:
        """Let a folder be opened by others."""
        self._client.close()

    def __len__(self) -> int:
        return self.count(Where())

    def count(self, where: Where) -> int:
        """Tiles that touch the filter's bounds."""
        with _reading(self.name):
            return int(self._client.count(self._collection, count_filter=_condition(where), exact=True).count)

    def search(self, query: Float32, k: int, where: Where) -> list[Found]:
        """The k best tiles for each query; the filter's bounds are applied by Qdrant before it ranks."""
        return [refined(lambda n, v=vector: self._best(v, n, where), k, where) for vector in query]  # type: ignore[misc]

    def _best(self, vector: Float32, k: int, where: Where) -> Found:
        with _reading(self.name):
            points = self._client.query_points(
                self._collection, query=vector.tolist(), query_filter=_condition(where), limit=k + _REFINE,
                with_payload=True, with_vectors=True,
            ).points
        payload = [point.payload for point in points]
        vectors = np.array([point.vector for point in points], np.float32).reshape(len(points), len(vector))
        corners = np.array([p["corners"] for p in payload], np.float64).reshape(-1, 4, 2)
        scores = cosines(vectors, vector) if len(points) else np.zeros(0, np.float32)
        best = np.lexsort((np.array([p["order"] for p in payload], np.int64), -scores))[:k]
        return Found(
            outlines(corners[best]), np.array([p["source"] for p in payload], dtype=object)[best],
            np.array([p["gsd_m"] for p in payload], np.float64)[best], scores[best], vectors[best],
            len(points) < k + _REFINE and len(best) == len(points),
        )


def push(
    place: str, card: Card, pieces: Iterable[Piece], options: dict[str, str] | None = None, *, shards: int = 1,
    progress: Progress = silent, should_stop: ShouldStop = never,
) -> tuple[int, int]:
    """Bring a collection up to date with an index; killed at any moment, running it again continues.

    A point's id follows from its piece and its tile, so that sending it twice is the same as once.

    Args:
        place: As for `QdrantEngine`.
        card: Of the index.
        pieces: Of the index.
        options: As for `QdrantEngine`.
        shards: Into how many a server divides a new collection.
        progress: Told of tiles.
        should_stop: Polled between pieces.

    Returns:
        Tiles added, tiles removed.

    Raises:
        SearchIndexError: The collection was made with another model.
        OutputError: It cannot be written.
        Stopped: should_stop said so.
    """
    from qdrant_client import models

    client, collection = connect(place, options)
    name, wanted = f"qdrant:{place}", {piece.key: piece for piece in pieces}
    try:
        _prepare(client, collection, card, name, shards)
        there: Counter[int] = Counter(
            int(point.payload["piece"]) for point in _scroll(client, collection, ["piece"])
        )
        wrong = [key for key, rows in there.items() if key not in wanted or wanted[key].rows != rows]
        for key in wrong:
            match = models.FieldCondition(key="piece", match=models.MatchValue(value=key))
            client.delete(collection, models.FilterSelector(filter=models.Filter(must=[match])), wait=True)
        missing = [piece for key, piece in wanted.items() if there.get(key) != piece.rows]
        total, done = sum(piece.rows for piece in missing), 0
        for piece in missing:
            check(should_stop, "What was pushed stays; run the same again to continue.")
            points = _points(piece)
            while batch := list(islice(points, _TOGETHER)):
                client.upsert(collection, batch, wait=True)
                done += len(batch)
                progress(done, total, "tiles")
        return total, sum(there[key] for key in wrong)
    except _failures() as error:
        raise OutputError(
            f"{name} cannot be written: {first_line(error)}.", "Check the address and the key."
        ) from error
    finally:
        client.close()


def connect(place: str, options: dict[str, str] | None = None) -> tuple[Any, str]:
    """A client and the name of a collection.

    Raises:
        SearchIndexError: The folder is in use by another process.
        UsageError: The client is not installed, or the place names no collection.
    """
    try:
        from qdrant_client import QdrantClient
    except ImportError as error:
        raise UsageError(
            "Qdrant's client is not installed.", "Install it: pip install -r requirements-scale.txt."
        ) from error
    base, _, collection = place.rstrip("/").rpartition("/")
    if not base or not collection or base.endswith(("/", ":")):
        raise UsageError(
            f"qdrant:{place} names no collection.", "Write qdrant:http://host:6333/NAME or qdrant:FOLDER/NAME."
        )
    with _reading(f"qdrant:{place}"):
        if base.startswith(("http://", "https://")):
            return QdrantClient(url=base, api_key=(options or {}).get("api_key"), timeout=60), collection
        return QdrantClient(path=base), collection


def _prepare(client: Any, collection: str, card: Card, name: str, shards: int) -> None:
    """Make the collection with its indexes and card, or see that it is for the same model."""
    from qdrant_client import models

    if not client.collection_exists(collection):
        client.create_collection(
            collection, shard_number=shards,
            vectors_config=models.VectorParams(size=card.dimensions, distance=models.Distance.DOT, on_disk=True),
        )
    found = client.retrieve(collection, [_CARD])
    if found:
        Card.from_json(json.dumps(found[0].payload.get("card")), name).check(card, name)
        return
    if client.count(collection).count:
        Card.from_json("", name)  # points, but no card: the collection of someone else
    kinds = {"piece": models.PayloadSchemaType.INTEGER, "source": models.PayloadSchemaType.KEYWORD}
    if hasattr(client, "_client") and "Local" not in type(client._client).__name__:  # local mode warns about indexes
        for key, kind in (*kinds.items(), *((side, models.PayloadSchemaType.FLOAT) for side in _SIDES)):
            client.create_payload_index(collection, key, kind)
    vector = [1.0, *([0.0] * (card.dimensions - 1))]
    point = models.PointStruct(id=_CARD, vector=vector, payload={"card": json.loads(card.to_json())})
    client.upsert(collection, [point], wait=True)


def _card(client: Any, collection: str, name: str) -> Card:
    found = client.retrieve(collection, [_CARD])
    return Card.from_json(json.dumps(found[0].payload.get("card")) if found else "", name)


def _points(piece: Piece) -> Iterator[Any]:
    from qdrant_client import models

    table = piece.table()
    vectors = table.column("vector").to_pylist()
    for row, vector in zip(table.drop_columns(["vector"]).to_pylist(), vectors, strict=True):
        name = str(uuid.uuid5(_SPACE, f"{piece.key}/{row['tile_id']}"))
        yield models.PointStruct(id=name, vector=vector, payload=row)


def _scroll(client: Any, collection: str, fields: Sequence[str]) -> Iterator[Any]:
    """All tiles, with some of their fields."""
    offset = None
    while True:
        points, offset = client.scroll(
            collection, scroll_filter=_condition(Where()), limit=4096, offset=offset, with_payload=list(fields)
        )
        yield from points
        if offset is None:
            return


def _condition(where: Where) -> Any:
    """The filter: rasters, and bounds that touch the region's. Ranges, not Qdrant's geo filters, which test points."""
    from qdrant_client import models

    must: list[Any] = []
    if where.box is not None:
        west, south, east, north = where.box
        for key, limits in (
            ("xmin", {"lte": east}), ("xmax", {"gte": west}), ("ymin", {"lte": north}), ("ymax", {"gte": south}),
        ):
            must.append(models.FieldCondition(key=key, range=models.Range(**limits)))
    if where.sources is not None:
        must.append(models.FieldCondition(key="source", match=models.MatchAny(any=list(where.sources))))
    return models.Filter(must=must, must_not=[models.HasIdCondition(has_id=[_CARD])])


@contextmanager
def _reading(name: str) -> Iterator[None]:
    try:
        yield
    except _failures() as error:
        raise SearchIndexError(
            f"{name} cannot be read: {first_line(error)}.", "Check the address and the key."
        ) from error


def _failures() -> tuple[type[Exception], ...]:
    """What the client raises when a server or a folder cannot be used."""
    from qdrant_client.http.exceptions import ApiException

    return ApiException, OSError, RuntimeError, ValueError
