"""Words about a place."""

from __future__ import annotations

from rsvlm_core.jobs.context import Context
from rsvlm_core.jobs.params import Params


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

    Parameters: `source`, `question`, and optionally `extent`, `model`, `device`.

    Returns:
        `text`, `confidence`, `kind`, `views`: see `pipelines.describe.Answer`.
    """
    source, question, extent = params.source(), params.required_text("question"), params.extent()
    model = params.model()
    params.done()

    from dataclasses import asdict

    from rsvlm_core.pipelines.describe import ask as run

    answer = run(
        source, question, context.encoders.get(*model),
        extent=extent, progress=context.progress, should_stop=context.should_stop,
    )
    return asdict(answer)
