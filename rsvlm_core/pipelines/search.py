"""Places that fit texts or examples best."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rsvlm_core.errors import UsageError
from rsvlm_core.imagery.projecting import LONLAT, project
from rsvlm_core.imagery.raster import Extent
from rsvlm_core.model.encoder import Encoder
from rsvlm_core.pipelines.corpus import Corpus, first_crs, open_corpus
from rsvlm_core.pipelines.query import Query, build_query, clean_texts
from rsvlm_core.pipelines.regions import inside, region_of
from rsvlm_core.pipelines.suppress import keep_best
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
    """

    hits: gpd.GeoDataFrame
    tiles_searched: int
    seconds_index: float
    seconds_query: float
    failed: tuple[str, ...] = ()


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
    region = region_of(extent, within, first_crs(sources))
    corpus = open_corpus(
        sources, encoder, region=region, gsds=gsds, bands=bands, progress=progress, should_stop=should_stop
    )
    started = time.monotonic()
    query = build_query(texts, encoder, corpus.indexes, like, unlike)
    masks = [
        None if region is None else inside(region, i.table.geometry.to_numpy(), corpus.crs) for i in corpus.indexes
    ]
    frames = []
    for q in range(len(query.labels)):
        check(should_stop)
        frames.append(_hits(corpus, query, q, masks, top, -1.01 if min_score is None else min_score, encoder.info.id))
    hits = pd.concat([f for f in frames if len(f)] or frames[:1], ignore_index=True)
    searched = sum(len(i) if m is None else int(m.sum()) for i, m in zip(corpus.indexes, masks, strict=True))
    return SearchResult(
        gpd.GeoDataFrame(hits, geometry="geometry", crs=corpus.crs), searched, corpus.seconds,
        time.monotonic() - started, corpus.failed,
    )


def _hits(
    corpus: Corpus, query: Query, q: int, masks: Sequence[NDArray[np.bool_] | None], top: int, least: float, model: str
) -> gpd.GeoDataFrame:
    """The best tiles for one query, overlapping ones merged; looks further down the ranking until there are enough."""
    look = 4 * top + 16
    while True:
        owner, rows, scores, exhausted = _candidates(corpus, query, q, masks, look)
        good = scores >= least
        exhausted = exhausted or not good.all()
        owner, rows, scores = owner[good], rows[good], scores[good]
        frame = pd.concat(
            [
                index.rows(rows[owner == o]).assign(position=np.flatnonzero(owner == o))
                for o, index in enumerate(corpus.indexes)
            ]
        ).sort_values("position")
        outlines = project(frame.geometry.to_numpy(), LONLAT, corpus.crs)
        kept = keep_best(outlines, frame["source"].tolist(), frame["gsd_m"].to_numpy(dtype=np.float64), top)
        if len(kept) == top or exhausted:
            break
        look *= 4
    width = query.vectors.shape[1]
    vectors = np.zeros((len(kept), width), dtype=np.float32)
    for place, i in enumerate(kept):
        vectors[place] = corpus.indexes[owner[i]].vectors[rows[i]]
    found = frame.iloc[kept]
    return gpd.GeoDataFrame(
        {
            "rank": np.arange(1, len(kept) + 1, dtype=np.int64),
            "score": scores[kept].astype(np.float64),
            "confidence": query.confidence(scores[kept], vectors).astype(np.float64),
            "text": pd.Series([query.labels[q]] * len(kept), dtype=object),
            "source": pd.Series(found["source"].tolist(), dtype=object),
            "model": pd.Series([model] * len(kept), dtype=object),
            "gsd_m": found["gsd_m"].to_numpy(dtype=np.float64),
        },
        geometry=gpd.GeoSeries(outlines[kept], crs=corpus.crs),
        crs=corpus.crs,
    )


def _candidates(
    corpus: Corpus, query: Query, q: int, masks: Sequence[NDArray[np.bool_] | None], look: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32], bool]:
    """The `look` best rows of all indexes: index numbers, row numbers, scores, and whether there are no more.

    Equal scores come in the order of indexes and rows, so that a search gives the same result every time.
    """
    owner, rows, scores = [], [], []
    exhausted = True
    for number, (index, mask) in enumerate(zip(corpus.indexes, masks, strict=True)):
        (found,), (cosines,) = index.search(query.vectors[q : q + 1], look, mask)
        exhausted = exhausted and len(found) < look
        owner.append(np.full(len(found), number, dtype=np.int64))
        rows.append(found)
        scores.append(cosines)
    all_owner, all_rows, all_scores = np.concatenate(owner), np.concatenate(rows), np.concatenate(scores)
    order = np.lexsort((all_rows, all_owner, -all_scores))
    exhausted = exhausted and len(order) <= look
    order = order[:look]
    return all_owner[order], all_rows[order], all_scores[order], exhausted
