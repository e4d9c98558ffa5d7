"""Words about a place."""

from __future__ import annotations

from rsvlm_core.jobs.context import Context
from rsvlm_core.jobs.outputs import check_apart, provenance, vector_output
from rsvlm_core.jobs.params import Params
from rsvlm_core.jobs.search import boxes, rows

LISTED = 1000  # as many of the evidence stand in the JSON; the file has them all
ROUTES = ("program", "caption")


def caption(params: Params, context: Context) -> dict[str, object]:
    """Describe a raster, or an extent of it.

    Parameters: `source`, and optionally `extent`, `model`, `device`.

    Returns:
        `text`.
    """
    source, extent = params.source(), params.extent()
    model = params.model()
    params.done()

    from rsvlm_core.pipelines.describe import caption as run

    text = run(
        source, context.encoders.get(*model), extent=extent, progress=context.progress, should_stop=context.should_stop
    )
    return {"text": text}


def ask(params: Params, context: Context) -> dict[str, object]:
    """Answer a question about a raster, or an extent of it.

    Parameters: `source`, `question`, and optionally `route` ("program" or "caption"), `out` (.gpkg, .geojson,
    .parquet: what the answer rests on), `extent`, `model`, `device`.

    Returns:
        `text`, `confidence`, `kind`, `views`, `route`, `value`, `captions`: see `pipelines.describe.Answer`;
        `evidence` (at most 1000 of `text, evidence, confidence, area_m2, bbox`), `count` of them all, `outputs`.
    """
    source, question, extent = params.source(), params.required_text("question"), params.extent()
    out, route = vector_output(params), params.choice("route", ROUTES)
    model = params.model()
    params.done()
    check_apart({"out": out}, [source])

    from rsvlm_core.pipelines.describe import ask as run

    encoder = context.encoders.get(*model)
    answer = run(
        source, question, encoder, extent=extent, route=route, progress=context.progress,
        should_stop=context.should_stop,
    )
    outputs: dict[str, str] = {}
    if out is not None:
        from rsvlm_core.vectors import write_vector

        texts = list(dict.fromkeys(answer.evidence["text"]))
        write_vector(answer.evidence, out, "masks", provenance(
            encoder, texts=texts, question=question, answer=answer.text, sources=[source]))
        outputs["masks"] = str(out)
        context.finished("masks", out)
    listed = answer.evidence.head(LISTED)
    return {
        "text": answer.text, "confidence": answer.confidence, "kind": answer.kind, "views": answer.views,
        "route": answer.route, "value": answer.value, "captions": list(answer.captions),
        "evidence": [
            {
                "text": str(e["text"]), "evidence": str(e["evidence"]), "confidence": float(e["confidence"]),
                "area_m2": float(e["area_m2"]), "bbox": box,
            }
            for e, box in zip(rows(listed), boxes(listed), strict=True)
        ],
        "count": len(answer.evidence),
        "outputs": outputs,
    }
