"""What an answer rests on, as places on a map: outlines of what was found, and the views that showed it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from pyproj import Geod

from rsvlm_core.model.encoder import Encoder, Float32
from rsvlm_core.pipelines.segment import segment
from rsvlm_core.pipelines.views import Views
from rsvlm_core.progress import Progress, ShouldStop
from rsvlm_core.vectors import FIELDS, empty_frame

OUTLINE, VIEW = "outline", "view"


def outlines_of(
    views: Views, extent: Any, subjects: Sequence[str], encoder: Encoder, progress: Progress, should_stop: ShouldStop
) -> gpd.GeoDataFrame:
    """Outlines of what subjects name, at about the scale of the views; each place takes one subject or none.

    Args:
        views: What was looked at.
        extent: As asked for, or None for the whole raster.
        subjects: In words.
        encoder: The model.
        progress: Told of windows done.
        should_stop: Polled.

    Returns:
        The fields of `masks` and `evidence` ("outline"), in the raster's CRS.
    """
    # a large place is outlined no more finely than it was looked at; a small one as finely as suits the model
    gsd = views.gsd_m if len(views.images) > 1 else None
    masks = segment(
        [views.source], subjects, encoder, extent=extent, gsd=gsd, progress=progress, should_stop=should_stop).masks
    return masks.assign(evidence=OUTLINE)


def views_showing(views: Views, confidence: Float32, subject: str, encoder: Encoder) -> gpd.GeoDataFrame:
    """The outlines of views in which a subject shows (confidence of one half or more), surest first.

    Args:
        views: N views.
        confidence: [N].
        subject: In words.
        encoder: The model.
    """
    shown = [i for i in np.argsort(-confidence, kind="stable") if confidence[i] >= 0.5]
    if not shown:
        return empty_frame("masks", views.crs).assign(evidence=pd.Series([], dtype="object"))
    squares = gpd.GeoSeries([views.outlines[i] for i in shown], crs=views.crs)
    geod = Geod(ellps="WGS84")
    areas = [abs(geod.geometry_area_perimeter(g)[0]) for g in squares.to_crs("EPSG:4326")]
    rows = [
        {
            "rank": rank, "score": float(confidence[i]), "confidence": float(confidence[i]), "text": subject,
            "source": views.source, "model": encoder.info.id, "gsd_m": views.gsd_m, "area_m2": area,
            "mean_score": float(confidence[i]), "evidence": VIEW,
        }
        for rank, (i, area) in enumerate(zip(shown, areas, strict=True), start=1)
    ]  # fmt: skip
    return gpd.GeoDataFrame(rows, geometry=squares)[[*FIELDS["masks"], "evidence", "geometry"]]
