"""Regions of a label raster -> ranked polygons on the ground with their fields."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS

from rsvlm_core.localize import polygons as outlines
from rsvlm_core.model.encoder import Float32, UInt8
from rsvlm_core.vectors import FIELDS, empty_frame

MIN_AREA_CELLS = 2.0  # smaller than this the model cannot have meant it
TOLERANCE_PX = 1.5  # straightens the staircase of the pixels and keeps the corners of a shed


@dataclass(frozen=True)
class Ground:
    """Where a label raster lies and what it came from.

    Attributes:
        texts: Label 1...T.
        transform: Corner of a pixel of the label raster (column, row) -> ground.
        crs: Of the ground.
        pixel_m2: Area of a pixel in square metres, about.
        cell_m2: Area of a cell of the model's patch grid in square metres.
        gsd_m: Metres per pixel that the model saw.
        source: The raster.
        model: The model's id.
    """

    texts: tuple[str, ...]
    transform: Affine
    crs: CRS
    pixel_m2: float
    cell_m2: float
    gsd_m: float
    source: str
    model: str


def meeting(masks: gpd.GeoDataFrame, region: shapely.Geometry | None) -> gpd.GeoDataFrame:
    """The polygons that touch a region in their CRS; all where there is none."""
    if region is None:
        return masks
    shapely.prepare(region)
    return masks[shapely.intersects(masks.geometry.to_numpy(), region)]


def own_values(labels: UInt8, confidence: Float32, cosine: Float32) -> Float32:
    """[h, w, 2] float32: confidence and cosine of the text that each pixel took; of the first text where it took none.

    Args:
        labels: [h, w] uint8, 0 for none.
        confidence: [h, w, T] float32.
        cosine: [h, w, T] float32.
    """
    own = np.maximum(labels, 1)[..., None].astype(np.intp) - 1
    return np.concatenate([np.take_along_axis(part, own, axis=-1) for part in (confidence, cosine)], axis=-1)


def mask_frame(
    collector: outlines.RegionCollector, ground: Ground, *, min_area_m2: float | None = None,
    simplify_m: float | None = None, orthogonal: bool = False,
) -> gpd.GeoDataFrame:
    """Polygons with the fields of masks, not ranked yet.

    Args:
        collector: Has taken every block of the label raster, with the channels of `own_values`.
        ground: Where that lies.
        min_area_m2: Smaller polygons are left out; None for `MIN_AREA_CELLS`.
        simplify_m: Ground tolerance of the outlines; None for `TOLERANCE_PX`, 0 for every corner.
        orthogonal: Whether outlines get right angles where that changes them little.
    """
    least = MIN_AREA_CELLS * ground.cell_m2 if min_area_m2 is None else min_area_m2
    # Pixels differ in size across a raster in degrees; the exact test comes after, on the ellipsoid.
    regions = collector.finish(max(1.0, 0.25 * least / ground.pixel_m2))
    tolerance = TOLERANCE_PX if simplify_m is None else simplify_m / math.sqrt(ground.pixel_m2)
    several = len({r.label for r in regions}) > 1
    shapes = outlines.clean([r.geometry for r in regions], tolerance, neighbours=several)
    if orthogonal:
        from rsvlm_core.localize.orthogonal import orthogonalise

        shapes = orthogonalise(shapes)
    kept = [(r, s) for r, s in zip(regions, shapes, strict=True) if s is not None]
    placed = outlines.place([s for _, s in kept], ground.transform)
    areas: NDArray[np.float64] = outlines.ellipsoidal_areas(placed, ground.crs)
    rows = [
        {
            "rank": 0, "score": float(r.peaks[1]), "confidence": float(r.means[0]), "text": ground.texts[r.label - 1],
            "source": ground.source, "model": ground.model, "gsd_m": ground.gsd_m, "area_m2": float(area),
            "mean_score": float(r.means[1]), "geometry": shape,
        }
        for (r, _), shape, area in zip(kept, placed, areas, strict=True)
        if area >= least
    ]  # fmt: skip
    if not rows:
        return empty_frame("masks", ground.crs)
    return gpd.GeoDataFrame(rows, geometry="geometry", crs=ground.crs)


def ranked(found: Sequence[gpd.GeoDataFrame], crs: CRS) -> gpd.GeoDataFrame:
    """All masks, the surest first, larger ones before smaller ones that are as sure."""
    full = [f for f in found if len(f)]
    if not full:
        return empty_frame("masks", crs)
    import pandas as pd

    masks = pd.concat(full, ignore_index=True)
    masks = masks.sort_values(["confidence", "area_m2"], ascending=False, kind="stable", ignore_index=True)
    masks["rank"] = np.arange(1, len(masks) + 1, dtype=np.int32)
    return masks[[*FIELDS["masks"], "geometry"]]
