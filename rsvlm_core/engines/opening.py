"""Engines by name: `X.rsindex`, `lancedb:PLACE`, `qdrant:PLACE`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rsvlm_core.engines.engine import Engine
from rsvlm_core.engines.folder import FolderEngine
from rsvlm_core.engines.pieces import Card, pieces_of
from rsvlm_core.errors import UsageError
from rsvlm_core.index.remote import fetched
from rsvlm_core.index.store import open_index
from rsvlm_core.model.encoder import ModelInfo
from rsvlm_core.progress import Progress, ShouldStop, never, silent

KINDS = ("lancedb", "qdrant")


def open_engine(name: str, info: ModelInfo, options: dict[str, str] | None = None) -> Engine:
    """Open what is to be searched.

    Args:
        name: `lancedb:PLACE`, `qdrant:PLACE`, or an index folder (also at a URL).
        info: The model that queries will come from.
        options: Of the storage or server.

    Raises:
        SearchIndexError: It cannot be opened, or holds vectors of another model.
        UsageError: What it needs is not installed.
    """
    kind, _, place = name.partition(":")
    if kind not in KINDS:
        return FolderEngine(open_index(fetched(name, options), info))
    engine: Engine
    if kind == "lancedb":
        from rsvlm_core.engines.lance import LanceEngine

        engine = LanceEngine(place, options)
        engine.card.check(info, name)
    else:
        from rsvlm_core.engines.qdrant import QdrantEngine

        engine = QdrantEngine(place, options)
        engine.card.check(info, name)
    return engine


def push_index(
    index: str | Path, name: str, options: dict[str, str] | None = None, *, shards: int = 1,
    progress: Progress = silent, should_stop: ShouldStop = never,
) -> tuple[int, int, int]:
    """Bring a served table up to date with an index folder.

    Args:
        index: The folder, or its URL, reached with what the surroundings say.
        name: `lancedb:PLACE` or `qdrant:PLACE`.
        options: Of the table's storage or server.
        shards: For a new collection of Qdrant.
        progress: Told of tiles.
        should_stop: Polled.

    Returns:
        Tiles of the index, tiles added, tiles removed.

    Raises:
        SearchIndexError: The index cannot be used, or the table belongs to another model.
        OutputError: The table cannot be written.
        UsageError: The name is of no kind that can be pushed to.
        Stopped: should_stop said so.
    """
    kind, _, place = name.partition(":")
    push: Callable[..., tuple[int, int]]
    if kind == "lancedb":
        from rsvlm_core.engines.lance import push
    elif kind == "qdrant":
        from rsvlm_core.engines.qdrant import push
    else:
        raise UsageError(f"{name} is not a place to push to.", "Write lancedb:FOLDER-OR-URL or qdrant:URL/NAME.")
    opened = open_index(fetched(str(index)), None)
    pieces = list(pieces_of(opened))
    more = {"shards": shards} if kind == "qdrant" else {}
    added, removed = push(
        place, Card.of(opened.manifest), pieces, options, progress=progress, should_stop=should_stop, **more
    )
    return sum(piece.rows for piece in pieces), added, removed
