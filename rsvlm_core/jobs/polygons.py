"""Outlines again from kept scores."""

from __future__ import annotations

import time
from pathlib import Path

from rsvlm_core import __version__
from rsvlm_core.errors import UsageError
from rsvlm_core.jobs.context import Context
from rsvlm_core.jobs.outputs import required, vector_output
from rsvlm_core.jobs.params import Params
from rsvlm_core.jobs.segment import mask_summaries


def polygons(params: Params, context: Context) -> dict[str, object]:
    """Write polygons from the score rasters of an earlier `segment`; no model is loaded.

    Parameters: `scores` and `cosines` (.tif, both written by one `segment`), `threshold` (a number for all texts, or
    one for each), `out` (.gpkg, .geojson, .parquet), and optionally `min_area_m2`, `within` (vector file with
    polygons).

    Returns:
        As `segment` does.
    """
    scores, cosines = params.required_text("scores"), params.required_text("cosines")
    out = required(vector_output(params))
    threshold, min_area_m2 = params.numbers("threshold", low=0.0), params.number("min_area_m2", 0.0)
    within = params.text("within")
    params.done()
    if threshold is None:
        raise UsageError("threshold is missing.", "Give a number from 0 to 1, or one for each text.")

    from rsvlm_core.pipelines.rethreshold import rethreshold
    from rsvlm_core.vectors import write_vector

    started = time.monotonic()
    result = rethreshold(
        Path(scores), Path(cosines), threshold, min_area_m2=min_area_m2, within=within,
        progress=context.progress, should_stop=context.should_stop,
    )
    model = str(result.masks["model"].iloc[0]) if len(result.masks) else ""
    write_vector(result.masks, out, "masks", {
        "rsvlm": __version__, "model": model, "model_sha256": result.model_sha256, "texts": list(result.threshold),
        "sources": [result.source], "threshold": result.threshold,
    })
    context.finished("masks", out)
    return {
        "masks": mask_summaries(result.masks), "count": len(result.masks), "threshold": result.threshold, "failed": [],
        "seconds": round(time.monotonic() - started, 3), "outputs": {"masks": str(out)},
    }
