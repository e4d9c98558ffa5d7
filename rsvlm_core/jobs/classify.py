"""One class for every tile."""

from __future__ import annotations

from rsvlm_core.errors import UsageError
from rsvlm_core.jobs.context import Context
from rsvlm_core.jobs.outputs import check_apart, provenance, report, required, vector_output
from rsvlm_core.jobs.params import Params


def classify(params: Params, context: Context) -> dict[str, object]:
    """Write the tiles of a raster, each with the class that fits it best.

    Parameters: `source` (raster or `.rsindex`), `classes` (two or more), `out` (.gpkg, .geojson, .parquet), and
    optionally `extent`, `gsds`, `bands`, `model`, `device`.

    Returns:
        `counts` (tiles by class), `tiles`, `outputs`.
    """
    source, classes = params.source(), params.required_texts("classes")
    out = required(vector_output(params))
    extent, gsds, bands = params.extent(), params.gsds(), params.bands()
    model = params.model()
    params.done()
    check_apart({"out": out}, [source])
    if len(set(classes)) < 2:
        raise UsageError("One class leaves nothing to choose.", "Give two or more different classes.")

    from rsvlm_core.pipelines.classify import classify as run
    from rsvlm_core.vectors import write_vector

    encoder = context.encoders.get(*model)
    tiles = run(
        source, classes, encoder,
        extent=extent, gsds=gsds, bands=bands, progress=context.progress, should_stop=context.should_stop,
    )
    write_vector(tiles, out, "classes", provenance(
        encoder, classes=classes, sources=[source], report=report(len(tiles), ()),
    ))
    context.finished("classes", out)
    counts = tiles["text"].value_counts()
    return {
        "counts": {name: int(counts.get(name, 0)) for name in classes},
        "tiles": len(tiles),
        "outputs": {"classes": str(out)},
    }
