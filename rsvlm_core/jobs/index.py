"""Build or continue a search index."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rsvlm_core.errors import RasterError
from rsvlm_core.jobs.context import Context
from rsvlm_core.jobs.outputs import folder_output
from rsvlm_core.jobs.params import Params
from rsvlm_core.jobs.serve import storage_options

if TYPE_CHECKING:
    from rsvlm_core.model.encoder import Encoder


def build_index(params: Params, context: Context) -> dict[str, object]:
    """Embed the tiles of rasters into an index folder; what is there already is kept.

    Parameters: `sources` (rasters), `out` (folder), and optionally `model`, `device`, `gsds` (metres per pixel),
    `bands` (three numbers from 1), `extent` (in the first raster's CRS), `fresh` (start over), `batch`; `engine`
    ("local" or "ray"), and for Ray `address`, `embedders`, `embedder_gpus`, `options` (texts KEY=VALUE for the storage
    where `out` is a URL).

    Returns:
        `index`, `tiles`, `embedded`, `skipped_nodata`, `failed`, `seconds`.
    """
    sources = params.sources()
    engine = params.choice("engine", ("local", "ray"))
    out = params.required_text("out") if engine == "ray" else str(folder_output(params))
    gsds, bands, extent = params.gsds(), params.bands(), params.extent()
    fresh, batch = params.flag("fresh"), params.integer("batch", 32, low=1, high=65536)
    address, embedders = params.text("address", "auto") or "auto", params.integer("embedders", 0, low=0)
    gpus, options = params.number("embedder_gpus", 0.0), storage_options(params)
    model = params.model()
    params.done()

    from rsvlm_core.index.plan import Wanted

    encoder = context.encoders.get(*model)
    wanted = Wanted(gsds, bands, extent, fresh=fresh, batch=batch)
    if engine == "ray":
        from rsvlm_core.index.cluster import Cluster, build_on_ray
        from rsvlm_core.model.registry import load_encoder

        cluster = Cluster(address, embedders or None, gpus=gpus)
        load = partial(load_encoder, *model)
        report = build_on_ray(
            sources, out, load, encoder.info, cluster, wanted, options=options, progress=context.progress,
            should_stop=context.should_stop,
        )
    else:
        from rsvlm_core.index.builder import build_index as build

        report = build(
            sources, Path(out), encoder, wanted, progress=context.progress, should_stop=context.should_stop
        )
    if report.failed and report.tiles == len(report.failed):
        raise RasterError(
            f"None of the {report.tiles} tiles could be read; the first: {report.failed[0].rstrip('.')}.",
            "Check the raster with gdalinfo; run the same again once it can be read.",
        )
    if "://" not in out:
        _make_lists(Path(out), encoder, context)
    context.finished("index", Path(out))
    return {
        "index": out, "tiles": report.tiles, "embedded": report.embedded,
        "skipped_nodata": report.skipped_nodata, "failed": list(report.failed), "seconds": round(report.seconds, 3),
    }


def _make_lists(folder: Path, encoder: Encoder, context: Context) -> None:
    """Inverted lists for an index of a million tiles and more, where FAISS is installed."""
    from rsvlm_core.index import approximate
    from rsvlm_core.index.store import open_index
    from rsvlm_core.model.confidence import neutral_embeddings

    index = open_index(folder, encoder.info)
    if len(index) >= approximate.FROM_ROWS and approximate.available():
        approximate.make_lists(
            folder, index.parts, index.vectors, neutral_embeddings(encoder),
            progress=context.progress, should_stop=context.should_stop,
        )
