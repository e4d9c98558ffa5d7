"""Build or continue a search index."""

from __future__ import annotations

from rsvlm_core.errors import RasterError
from rsvlm_core.jobs.context import Context
from rsvlm_core.jobs.outputs import folder_output
from rsvlm_core.jobs.params import Params


def build_index(params: Params, context: Context) -> dict[str, object]:
    """Embed the tiles of rasters into an index folder; what is there already is kept.

    Parameters: `sources` (rasters), `out` (folder), and optionally `model`, `device`, `gsds` (metres per pixel),
    `bands` (three numbers from 1), `extent` (in the first raster's CRS), `fresh` (start over), `batch`.

    Returns:
        `index`, `tiles`, `embedded`, `skipped_nodata`, `failed`, `seconds`.
    """
    sources = params.sources()
    out = folder_output(params)
    gsds, bands, extent = params.numbers("gsds", low=1e-6), params.bands(), params.extent()
    fresh, batch = params.flag("fresh"), params.integer("batch", 32, low=1, high=65536)
    model = params.model()
    params.done()

    from rsvlm_core.index.builder import build_index as build

    report = build(
        sources, out, context.encoders.get(*model),
        gsds=gsds, bands=bands, extent=extent, fresh=fresh, batch=batch,
        progress=context.progress, should_stop=context.should_stop,
    )
    if report.failed and report.tiles == len(report.failed):
        raise RasterError(
            f"None of the {report.tiles} tiles could be read; the first: {report.failed[0].rstrip('.')}.",
            "Check the raster with gdalinfo; run the same again once it can be read.",
        )
    context.finished("index", out)
    return {
        "index": str(out), "tiles": report.tiles, "embedded": report.embedded,
        "skipped_nodata": report.skipped_nodata, "failed": list(report.failed), "seconds": round(report.seconds, 3),
    }
