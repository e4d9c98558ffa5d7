"""A score for every place."""

from __future__ import annotations

from rsvlm_core.jobs.context import Context
from rsvlm_core.jobs.outputs import RASTER, check_apart, file_output, required
from rsvlm_core.jobs.params import Params


def heatmap(params: Params, context: Context) -> dict[str, object]:
    """Write a float32 raster of cosines with a text.

    Parameters: `source` (raster or `.rsindex`), `text`, `out` (.tif), and optionally `extent`, `gsds`, `bands`,
    `model`, `device`.

    Returns:
        `low` and `high` (the range of scores), `failed` (tiles that could not be read), `seconds`, `outputs`.
    """
    source, text = params.source(), params.required_text("text")
    out = required(file_output(params, "out", RASTER))
    extent, gsds, bands = params.extent(), params.gsds(), params.bands()
    model = params.model()
    params.done()
    check_apart({"out": out}, [source])

    from rsvlm_core.pipelines.heatmap import heatmap as run

    result = run(
        [source], text, out, context.encoders.get(*model),
        extent=extent, gsds=gsds, bands=bands, progress=context.progress, should_stop=context.should_stop,
    )
    context.finished("heatmap", out)
    return {
        "low": result.low, "high": result.high, "failed": list(result.failed), "seconds": round(result.seconds, 3),
        "outputs": {"heatmap": str(out)},
    }
