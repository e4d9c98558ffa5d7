"""Outlines of what a text names."""

from __future__ import annotations

from typing import Any

from rsvlm_core.errors import UsageError
from rsvlm_core.jobs.context import Context
from rsvlm_core.jobs.outputs import (
    PICTURE,
    RASTER,
    check_apart,
    file_output,
    provenance,
    report,
    required,
    vector_output,
)
from rsvlm_core.jobs.params import Params
from rsvlm_core.jobs.search import boxes, rows
from rsvlm_core.localize.methods import REFINEMENTS, parse_method

# A line of JSON lists this many outlines at most; the file has them all.
LISTED = 1000


def segment(params: Params, context: Context) -> dict[str, object]:
    """Write polygons of what texts name; each place takes the best text or none.

    Parameters: `sources` (rasters), `texts`, `out` (.gpkg, .geojson, .parquet), and optionally `threshold` ("auto"
    or a number), `refine`, `extent`, `within` (vector file with polygons; outlines that meet none are left out),
    `min_area_m2`, `method`, `gsd`, `bands`, `simplify_m` (0 keeps every corner), `orthogonal`, `mask_raster` (.tif),
    `scores` (.tif), `cosines` (.tif), `overview` (.png), `model`, `device`; `finished` (true) outlines what the same,
    stopped before, has finished, and looks at no more.

    Returns:
        `masks` (at most 1000 of them: `rank, score, confidence, text, source, gsd, area_m2, mean_score, bbox`),
        `count`, `threshold` (by text), `failed` (places that could not be read), `finished` (share of the
        area, 1 but where `finished` was asked for), `seconds`, `outputs`.
    """
    sources, texts = params.sources(), params.required_texts("texts")
    out = required(vector_output(params))
    mask_raster = file_output(params, "mask_raster", RASTER)
    scores, cosines = file_output(params, "scores", RASTER), file_output(params, "cosines", RASTER)
    overview = file_output(params, "overview", PICTURE)
    threshold = _threshold(params)
    refine = params.choice("refine", REFINEMENTS)
    method = params.text("method", "auto") or "auto"
    parse_method(method)
    within = params.text("within")
    extent, min_area_m2, gsd = params.extent(), params.number("min_area_m2", 0.0), params.gsds("gsd")
    bands, simplify_m, orthogonal = params.bands(), params.number("simplify_m", 0.0), params.flag("orthogonal")
    only_finished = params.flag("finished")
    model = params.model()
    params.done()
    check_apart(
        {"out": out, "mask_raster": mask_raster, "scores": scores, "cosines": cosines, "overview": overview},
        [*sources, within],
    )

    from rsvlm_core.pipelines.segment import segment as run
    from rsvlm_core.vectors import write_vector

    encoder = context.encoders.get(*model)
    result = run(
        sources, texts, encoder,
        threshold=threshold, refine=refine, extent=extent, within=within, min_area_m2=min_area_m2, method=method,
        gsd=gsd, bands=bands, simplify_m=simplify_m, orthogonal=orthogonal, mask_raster=mask_raster, scores=scores,
        cosines=cosines,
        progress=context.progress, should_stop=context.should_stop,
        halted=None if context.halts is None else context.halts.get(), only_finished=only_finished,
    )
    outputs: dict[str, str] = {}
    for kind, path in (("mask_raster", mask_raster), ("scores", scores), ("cosines", cosines)):
        if path is not None:
            outputs[kind] = str(path)
            context.finished(kind, path)
    write_vector(result.masks, out, "masks", provenance(
        encoder, texts=texts, sources=sources, threshold=result.threshold, failed=result.failed,
        report=report(len(result.masks), result.failed, finished=result.finished),
    ))
    outputs["masks"] = str(out)
    context.finished("masks", out)
    if overview is not None:
        from rsvlm_core.overview import draw_overview

        draw_overview(sources[0], overview, masks=result.masks, title=", ".join(texts), bands=bands)
        outputs["overview"] = str(overview)
        context.finished("overview", overview)
    return {
        "masks": mask_summaries(result.masks),
        "count": len(result.masks),
        "threshold": {text: float(value) for text, value in result.threshold.items()},
        "failed": list(result.failed),
        "finished": result.finished,
        "seconds": round(result.seconds, 3),
        "outputs": outputs,
    }


def mask_summaries(masks: Any) -> list[dict[str, object]]:  # noqa: ANN401 - a GeoDataFrame, which ships no types
    """The first outlines as JSON has them; boxes are in the frame's CRS."""
    listed = masks.head(LISTED)
    return [
        {
            "rank": int(m["rank"]), "score": float(m["score"]), "confidence": float(m["confidence"]),
            "text": str(m["text"]), "source": str(m["source"]), "gsd": float(m["gsd_m"]),
            "area_m2": float(m["area_m2"]), "mean_score": float(m["mean_score"]), "bbox": box,
        }
        for m, box in zip(rows(listed), boxes(listed), strict=True)
    ]


def _threshold(params: Params) -> str | float:
    """`threshold`: "auto" or a number."""
    try:
        value = params.number("threshold")
    except UsageError:
        if params.text("threshold") != "auto":
            raise UsageError(f"threshold cannot be {params.text('threshold')!r}.", "Give auto or a number.") from None
        return "auto"
    return "auto" if value is None else value
