"""Places that fit texts or examples best."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
from pyproj import CRS

from rsvlm_core.engines.engine import Engine, Found, merged
from rsvlm_core.engines.where import Where
from rsvlm_core.errors import UsageError
from rsvlm_core.imagery.projecting import LONLAT, project
from rsvlm_core.imagery.raster import Extent
from rsvlm_core.model.encoder import Encoder
from rsvlm_core.pipelines.corpus import changed_sources, first_crs, is_index, open_corpus
from rsvlm_core.pipelines.query import Query, build_query, clean_texts
from rsvlm_core.pipelines.regions import region_of
from rsvlm_core.pipelines.suppress import keep_best
from rsvlm_core.pipelines.warm import Warm
from rsvlm_core.progress import Progress, ShouldStop, check, never, silent

HIT_COLUMNS = ("rank", "score", "confidence", "text", "source", "model", "gsd_m", "geometry")


@dataclass(frozen=True)
class SearchResult:
    """What a search found.

    Attributes:
        hits: Columns `rank` (int from 1, for each text), `score` (cosine), `confidence` (0..1), `text`, `source`,
            `model`, `gsd_m`, `geometry` (the tile, in the CRS of the first raster); texts in the order given.
        tiles_searched: Tiles that took part after filters.
        seconds_index: Time spent building and opening the index.
        seconds_query: Time spent on the query itself.
        failed: `tile id: reason` of tiles that could not be read when the index was built.
        changed: A sentence for each raster of a hit that is no longer what was indexed.
    """

    hits: gpd.GeoDataFrame
    tiles_searched: int
    seconds_index: float
    seconds_query: float
    failed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


def search(
    sources: Sequence[str],
    texts: Sequence[str],
    encoder: Encoder,
    *,
    like: str | Path | None = None,
    unlike: str | Path | None = None,
    top: int = 50,
    min_score: float | None = None,
    extent: Extent | None = None,
    within: str | Path | None = None,
    gsds: Sequence[float] | None = None,
    bands: Sequence[int] | None = None,
    warm: Warm | None = None,
    progress: Progress = silent,
    should_stop: ShouldStop = never,
) -> SearchResult:
    """Rank tiles by texts, by examples, or by both.

    Args:
        sources: Rasters, or exactly one index folder.
        texts: What to look for; each is ranked on its own.
        encoder: The model; the one that made the index.
        like: Vector file with examples to be like; without texts they are the query.
        unlike: Vector file with examples to be unlike.
        top: Hits for each text.
        min_score: Lowest cosine of a hit.
        extent: Where to search, in the CRS of the first raster; filters before ranking.
        within: Vector file with polygons to search in, likewise.
        gsds: Levels for rasters in metres per pixel; None chooses.
        bands: Bands of rasters seen as red, green, blue; None chooses.
        warm: What earlier searches left open, and where this one leaves it.
        progress: Told of tiles while an index is built.
        should_stop: Polled.

    Raises:
        RasterError: A raster cannot be used.
        SearchIndexError: The index cannot be used.
        UsageError: Nothing to look for, or nowhere to look.
        Stopped: should_stop said so.
    """
    if top < 1:
        raise UsageError(f"top is {top}.", "Ask for at least one hit.")
    clean_texts(texts)
    warm = warm if warm is not None else Warm()
    crs = first_crs(sources, warm)
    region = region_of(extent, within, crs)
    corpus = open_corpus(
        sources, encoder, region=region, gsds=gsds, bands=bands, warm=warm, progress=progress, should_stop=should_stop
    )
    started = time.monotonic()
    query = build_query(texts, encoder, corpus.indexes, like, unlike, warm)
    where = Where(region, corpus.crs)
    hits = rank(
        corpus.engines, query, where, corpus.crs, top, model=encoder.info.id, min_score=min_score,
        should_stop=should_stop,
    )
    searched = sum(engine.count(where) for engine in corpus.engines)
    seconds = time.monotonic() - started
    changed = changed_sources(corpus, hits["source"].tolist()) if is_index(sources[0]) else ()
    return SearchResult(hits, searched, corpus.seconds, seconds, corpus.failed, changed)


def rank(
    engines: Sequence[Engine], query: Query, where: Where, crs: CRS, top: int, *, model: str,
    min_score: float | None = None, should_stop: ShouldStop = never,
) -> gpd.GeoDataFrame:
    """The best tiles of some engines for every text, overlapping ones merged.

    Args:
        engines: Searched together, one ranking over all.
        query: What is looked for.
        where: Which tiles take part.
        crs: Of the result.
        top: Hits for each text.
        model: Id of the model, for the result.
        min_score: Lowest cosine of a hit.
        should_stop: Polled.

    Returns:
        `SearchResult.hits`.

    Raises:
        SearchIndexError: An engine cannot be read.
        Stopped: should_stop said so.
    """
    least = -1.01 if min_score is None else min_score
    look = 4 * top + 16
    check(should_stop)
    first = [engine.search(query.vectors, look, where) for engine in engines]
    frames = []
    for q in range(len(query.labels)):
        check(should_stop)
        found = merged([f[q] for f in first], look)
        frames.append(_hits(engines, query, q, where, crs, found, look, top, least, model))
    hits = pd.concat([f for f in frames if len(f)] or frames[:1], ignore_index=True)
    return gpd.GeoDataFrame(hits, geometry="geometry", crs=crs)


def _hits(
    engines: Sequence[Engine], query: Query, q: int, where: Where, crs: CRS, found: Found, look: int, top: int,
    least: float, model: str,
) -> gpd.GeoDataFrame:
    """The best tiles for one query, overlapping ones merged; looks further down the ranking until there are enough."""
    while True:
        good = np.flatnonzero(found.scores >= least)
        exhausted = found.exhausted or len(good) < len(found)
        found = found.taken(good, exhausted)
        outlines = project(found.outlines, LONLAT, crs)
        kept = keep_best(outlines, found.sources.tolist(), found.gsds, top)
        if len(kept) == top or exhausted:
            break
        look *= 4
        found = merged([engine.search(query.vectors[q : q + 1], look, where)[0] for engine in engines], look)
    best = found.taken(kept, exhausted)
    return gpd.GeoDataFrame(
        {
            "rank": np.arange(1, len(best) + 1, dtype=np.int64),
            "score": best.scores.astype(np.float64),
            "confidence": query.confidence(q, best.scores, best.vectors).astype(np.float64),
            "text": pd.Series([query.labels[q]] * len(best), dtype=object),
            "source": pd.Series(best.sources.tolist(), dtype=object),
            "model": pd.Series([model] * len(best), dtype=object),
            "gsd_m": best.gsds,
        },
        geometry=gpd.GeoSeries(outlines[kept], crs=crs),
        crs=crs,
    )
