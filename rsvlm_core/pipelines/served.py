"""Places that fit texts best, in a table that was pushed to LanceDB or Qdrant, or in an index at a URL."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from rsvlm_core.engines.opening import open_engine
from rsvlm_core.engines.where import Where
from rsvlm_core.errors import UsageError
from rsvlm_core.imagery.opening import canonical
from rsvlm_core.imagery.raster import Extent
from rsvlm_core.model.encoder import Encoder
from rsvlm_core.pipelines.query import build_query
from rsvlm_core.pipelines.regions import region_of
from rsvlm_core.pipelines.search import SearchResult, rank
from rsvlm_core.progress import ShouldStop, never


def search_served(
    place: str,
    texts: Sequence[str],
    encoder: Encoder,
    *,
    options: dict[str, str] | None = None,
    top: int = 50,
    min_score: float | None = None,
    extent: Extent | None = None,
    within: str | Path | None = None,
    sources: Sequence[str] | None = None,
    should_stop: ShouldStop = never,
) -> SearchResult:
    """Rank tiles by texts; the result is what `search` gives on the index that was pushed.

    Args:
        place: `lancedb:PLACE`, `qdrant:PLACE`, or an index folder or its URL.
        texts: What to look for; each is ranked on its own.
        encoder: The model; the one that made the index.
        options: Of the storage or server.
        top: Hits for each text.
        min_score: Lowest cosine of a hit.
        extent: Where to search, in the CRS of the first raster; filters before ranking.
        within: Vector file with polygons to search in, likewise.
        sources: Rasters to search; None is all.
        should_stop: Polled.

    Raises:
        SearchIndexError: The place cannot be opened or read, or holds vectors of another model.
        UsageError: Nothing to look for, or nowhere to look.
        Stopped: should_stop said so.
    """
    if top < 1:
        raise UsageError(f"top is {top}.", "Ask for at least one hit.")
    started = time.monotonic()
    engine = open_engine(place, encoder.info, options)
    opened = time.monotonic()
    named = None if sources is None else tuple(canonical(s) for s in sources)
    where = Where(region_of(extent, within, engine.crs), engine.crs, named)
    query = build_query(texts, encoder, ())
    hits = rank(
        [engine], query, where, engine.crs, top, model=encoder.info.id, min_score=min_score, should_stop=should_stop
    )
    return SearchResult(hits, engine.count(where), opened - started, time.monotonic() - opened)
