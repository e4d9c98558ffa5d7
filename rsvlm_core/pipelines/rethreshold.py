"""Outlines again, from the scores that a segmentation left: another threshold or least area, without the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import rasterio
from pyproj import CRS

from rsvlm_core.errors import RasterError, UsageError
from rsvlm_core.localize import polygons as outlines
from rsvlm_core.localize.rasters import NO_SCORE
from rsvlm_core.model.encoder import Float32
from rsvlm_core.pipelines.masks import Ground, mask_frame, meeting, own_values, ranked
from rsvlm_core.pipelines.regions import region_of
from rsvlm_core.progress import Progress, ShouldStop, check, never, silent

BLOCK = 1024  # pixels; two tiles of the score raster


@dataclass(frozen=True)
class Rethresholded:
    """What was found.

    Attributes:
        masks: As in `pipelines.segment.SegmentResult`.
        threshold: Of each text.
        model_sha256: Of the model that gave the scores.
        source: The raster that they are of.
    """

    masks: gpd.GeoDataFrame
    threshold: dict[str, float]
    model_sha256: str
    source: str


def rethreshold(
    scores: Path, cosines: Path, threshold: float | Sequence[float], *, min_area_m2: float | None = None,
    within: str | Path | None = None, progress: Progress = silent, should_stop: ShouldStop = never,
) -> Rethresholded:
    """Each pixel takes the text of highest confidence among those above their threshold, or none.

    With one threshold for all texts that is what `segment` gives with it and no refinement.

    Args:
        scores: What `segment(scores=...)` wrote.
        cosines: What `segment(cosines=...)` wrote in the same run.
        threshold: Confidence in 0..1, for all texts or one for each, in their order.
        min_area_m2: Smaller polygons are left out; None for two cells of the model's patch grid.
        within: Vector file with polygons; outlines that meet none of them are left out.
        progress: Told of blocks.
        should_stop: Polled between blocks.

    Raises:
        RasterError: A file cannot be read, or is not what `segment` wrote.
        UsageError: A threshold is no confidence, or there are more or fewer than texts.
        Stopped: The user stopped.
    """
    try:
        with rasterio.open(scores) as given, rasterio.open(cosines) as beside:
            return _rethreshold(given, beside, threshold, min_area_m2, within, progress, should_stop)
    except rasterio.errors.RasterioError as error:
        raise RasterError(f"The scores cannot be read ({error}).", "Segment again.") from error


def _rethreshold(
    given: rasterio.DatasetReader, beside: rasterio.DatasetReader, threshold: float | Sequence[float],
    min_area_m2: float | None, within: str | Path | None, progress: Progress, should_stop: ShouldStop,
) -> Rethresholded:
    tags, texts = given.tags(), tuple(str(text) for text in given.descriptions)
    if tags.get("quantity") != "confidence" or beside.tags().get("quantity") != "cosine" or (
        (given.shape, given.transform, given.descriptions) != (beside.shape, beside.transform, beside.descriptions)
    ):
        raise RasterError(f"{given.name} and {beside.name} are not the scores of one segmentation.", "Segment again.")
    limits = _limits(texts, threshold)
    ground = Ground(
        texts, given.transform, CRS.from_wkt(given.crs.to_wkt()), float(tags["pixel_m2"]), float(tags["cell_m"]) ** 2,
        float(tags["gsd_m"]), tags["source"], tags["model"],
    )
    region = None if within is None else region_of(None, within, ground.crs)
    collector = outlines.RegionCollector(given.width, 2)
    rows, cols = range(0, given.height, BLOCK), range(0, given.width, BLOCK)
    done = 0
    for row in rows:
        for col in cols:
            check(should_stop)
            progress(done, len(rows) * len(cols), "blocks")
            window = rasterio.windows.Window(col, row, min(BLOCK, given.width - col), min(BLOCK, given.height - row))
            confidence, cosine = (np.moveaxis(file.read(window=window), 0, -1) for file in (given, beside))
            above = np.where((confidence > limits) & (confidence != NO_SCORE), confidence, -np.inf)
            labels = np.where(np.isfinite(above).any(axis=-1), above.argmax(axis=-1) + 1, 0).astype(np.uint8)
            collector.add(row, col, labels, own_values(labels, confidence, cosine))
            done += 1
    progress(done, done, "blocks")
    masks = ranked([meeting(mask_frame(collector, ground, min_area_m2=min_area_m2), region)], ground.crs)
    masks.attrs["texts"] = list(texts)  # their order, which gives their colours
    return Rethresholded(
        masks, dict(zip(texts, map(float, limits), strict=True)), tags["model_sha256"], ground.source)


def _limits(texts: tuple[str, ...], threshold: float | Sequence[float]) -> Float32:
    found = [threshold] if isinstance(threshold, (int, float)) else list(threshold)
    if len(found) == 1:
        found *= len(texts)
    if len(found) != len(texts):
        raise UsageError(f"{len(found)} thresholds were given for {len(texts)} texts.", "Give one, or one for each.")
    if not all(0 <= value <= 1 for value in found):
        raise UsageError(f"The threshold cannot be {threshold!r}.", "Give a confidence from 0 to 1.")
    return np.array(found, np.float32)
