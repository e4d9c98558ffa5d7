"""One class for every tile."""

from __future__ import annotations

from collections.abc import Sequence

import geopandas as gpd
import numpy as np
import pandas as pd

from rsvlm_core.engines.where import inside
from rsvlm_core.errors import UsageError
from rsvlm_core.imagery.projecting import LONLAT, project
from rsvlm_core.imagery.raster import Extent, Raster
from rsvlm_core.model.encoder import Encoder, Float32
from rsvlm_core.pipelines.corpus import first_crs, is_index, open_corpus
from rsvlm_core.pipelines.query import clean_texts
from rsvlm_core.pipelines.regions import region_of
from rsvlm_core.progress import Progress, ShouldStop, never, silent
from rsvlm_core.tiles.grid import default_gsds

# A class counts as the mean of these sentences about it, which is steadier than any one of them.
TEMPLATES = ("{}", "an aerial image of {}", "a satellite image of {}")


def classify(
    source: str,
    classes: Sequence[str],
    encoder: Encoder,
    *,
    extent: Extent | None = None,
    gsds: Sequence[float] | None = None,
    bands: Sequence[int] | None = None,
    progress: Progress = silent,
    should_stop: ShouldStop = never,
) -> gpd.GeoDataFrame:
    """Give each tile the class that fits it best.

    Args:
        source: A raster, whose tiles then do not overlap, or an index folder, whose finest tiles are taken as they are.
        classes: Two or more names.
        encoder: The model.
        extent: In the raster's CRS; None is everything.
        gsds: Levels for a raster; None is its finest that the model knows.
        bands: Bands of a raster; None chooses.
        progress: Told of tiles.
        should_stop: Polled.

    Returns:
        A row a tile, in the raster's CRS: `rank` (int from 1 within a class, by score), `score` (cosine),
        `confidence` (share among the classes, 0..1), `text` (the class), `source`, `model`, `gsd_m`, `geometry`;
        classes in the order given.

    Raises:
        UsageError: Fewer than two classes, or the extent misses the raster.
        RasterError, SearchIndexError: The source cannot be used.
        Stopped: should_stop said so.
    """
    names = clean_texts(classes)
    if len(names) < 2:
        raise UsageError("One class leaves nothing to choose.", "Give two or more different classes.")
    region = region_of(extent, None, first_crs([source]))
    if gsds is None and not is_index(source):
        with Raster.open(source, bands=bands) as raster:
            gsds = default_gsds(raster, encoder.info)[:1]
    corpus = open_corpus(
        [source], encoder, region=region, gsds=gsds, bands=bands, overlap=0.0, progress=progress,
        should_stop=should_stop,
    )
    (index,) = corpus.indexes
    chosen = inside(region, index.table.geometry.to_numpy(), corpus.crs)
    if gsds is None:
        chosen &= (index.table["level"] == 0).to_numpy()
    rows = np.flatnonzero(chosen)
    cosines = np.asarray(index.vectors)[rows] @ class_embeddings(names, encoder).T
    best = cosines.argmax(axis=1) if len(rows) else np.zeros(0, np.int64)
    table = index.table.iloc[rows]
    scores = cosines[np.arange(len(rows)), best]
    order = np.lexsort((rows, -scores, best))
    frame = gpd.GeoDataFrame(
        {
            "rank": _ranks(best[order]),
            "score": scores[order].astype(np.float64),
            "confidence": _shares(cosines, encoder.info.logit_scale)[order, best[order]],
            "text": pd.Series([names[i] for i in best[order]], dtype=object),
            "source": pd.Series(table["source"].to_numpy()[order], dtype=object),
            "model": pd.Series([encoder.info.id] * len(rows), dtype=object),
            "gsd_m": table["gsd_m"].to_numpy(dtype=np.float64)[order],
        },
        geometry=project(table.geometry.to_numpy(), LONLAT, corpus.crs)[order],
        crs=corpus.crs,
    )
    return frame


def class_embeddings(names: Sequence[str], encoder: Encoder) -> Float32:
    """[C, D] float32 unit vectors of classes: means over `TEMPLATES`."""
    sentences = [t.format(name) for name in names for t in TEMPLATES]
    mean = encoder.encode_texts(sentences).reshape(len(names), len(TEMPLATES), -1).mean(axis=1, dtype=np.float64)
    return np.asarray(mean / np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-12), dtype=np.float32)


def _shares(cosines: Float32, scale: float) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """[N, C] softmax over classes at the model's scale."""
    z = cosines.astype(np.float64) * scale
    e = np.exp(z - z.max(axis=1, keepdims=True)) if len(z) else z
    return np.asarray(e / e.sum(axis=1, keepdims=True), dtype=np.float64)


def _ranks(groups: np.ndarray[tuple[int], np.dtype[np.int64]]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """1, 2, 3 ... anew within each run of equal values."""
    return np.asarray(pd.Series(groups).groupby(groups).cumcount() + 1, dtype=np.int64)
