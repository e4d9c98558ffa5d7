"""Rank tiles by text and examples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rsvlm_core.errors import UsageError
from rsvlm_core.jobs.context import Context
from rsvlm_core.jobs.outputs import PICTURE, check_apart, file_output, provenance, report, vector_output
from rsvlm_core.jobs.params import Params


def search(params: Params, context: Context) -> dict[str, object]:
    """Find the tiles that fit texts best.

    Parameters: `sources` (rasters, or one `.rsindex`), `texts`, and optionally `out` (.gpkg, .geojson, .parquet),
    `overview` (.png), `like` and `unlike` (vector files with examples), `top`, `min_score`, `extent`,
    `within` (vector file with polygons), `gsds`, `bands`, `model`, `device`.

    Returns:
        `hits` (a list of `rank, score, confidence, text, gsd, source, bbox`), `tiles_searched`, `seconds_index`,
        `seconds_query`, `failed` (tiles that could not be read), `changed` (rasters of hits that are no longer
        what was indexed), `outputs`.
    """
    sources = params.sources()
    texts, like, unlike = params.texts("texts") or [], params.text("like"), params.text("unlike")
    if not texts and not like:
        raise UsageError("There is nothing to search for.", "Give a text, or examples to be like.")
    out = vector_output(params)
    overview = file_output(params, "overview", PICTURE)
    top, min_score = params.integer("top", 50, low=1), params.number("min_score", -1.0, 1.0)
    extent, within = params.extent(), params.text("within")
    gsds, bands = params.gsds(), params.bands()
    model = params.model()
    params.done()
    check_apart({"out": out, "overview": overview}, [*sources, like, unlike, within])

    from rsvlm_core.pipelines.search import search as run

    encoder = context.encoders.get(*model)
    result = run(
        sources, texts, encoder,
        like=like, unlike=unlike, top=top, min_score=min_score, extent=extent, within=within, gsds=gsds, bands=bands,
        warm=context.searches.get(), progress=context.progress, should_stop=context.should_stop,
    )
    outputs: dict[str, str] = {}
    if out is not None:
        from rsvlm_core.vectors import write_vector

        write_vector(result.hits, out, "hits", provenance(
            encoder, texts=texts, sources=sources, failed=result.failed,
            changed=result.changed, report=report(result.tiles_searched, result.failed),
        ))
        outputs["hits"] = str(out)
        context.finished("hits", out)
    if overview is not None:
        from rsvlm_core.overview import draw_overview

        source, title = picture_source(sources, result.hits), ", ".join(texts)
        draw_overview(source, overview, hits=result.hits, title=title, bands=bands)
        outputs["overview"] = str(overview)
        context.finished("overview", overview)
    return {
        "hits": [hit_summary(hit, box) for hit, box in zip(rows(result.hits), boxes(result.hits), strict=True)],
        "tiles_searched": result.tiles_searched,
        "seconds_index": round(result.seconds_index, 3),
        "seconds_query": round(result.seconds_query, 3),
        "failed": list(result.failed),
        "changed": list(result.changed),
        "outputs": outputs,
    }


def hit_summary(hit: dict[str, Any], box: list[float]) -> dict[str, object]:
    """One hit as JSON has it; its box is in the CRS of the first raster."""
    return {
        "rank": int(hit["rank"]), "score": round(float(hit["score"]), 6),
        "confidence": round(float(hit["confidence"]), 6), "text": str(hit["text"]), "gsd": float(hit["gsd_m"]),
        "source": str(hit["source"]), "bbox": box,
    }


def rows(frame: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - a GeoDataFrame, which ships no types
    """The attributes of a GeoDataFrame, row by row, without geometry."""
    found: list[dict[str, Any]] = frame.drop(columns="geometry").to_dict("records")
    return found


def boxes(frame: Any) -> list[list[float]]:  # noqa: ANN401 - a GeoDataFrame, which ships no types
    """[xmin, ymin, xmax, ymax] of every row, in the frame's CRS."""
    return [[float(x) for x in box] for box in frame.geometry.bounds.to_numpy()] if len(frame) else []


def picture_source(sources: list[str], frame: Any) -> str:  # noqa: ANN401 - a GeoDataFrame, which ships no types
    """The raster to draw results on: the first, or for an index the one that the best result lies in.

    Raises:
        UsageError: The index gave no result, so no raster is known.
    """
    from rsvlm_core.pipelines.corpus import is_index

    if not is_index(sources[0]):
        return sources[0]
    if not len(frame):
        raise UsageError(f"There is nothing to draw: {Path(sources[0]).name} gave no hit.", "Try another text.")
    return str(frame["source"].iloc[0])
