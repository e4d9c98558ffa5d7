"""Push an index to where many read it, and search there."""

from __future__ import annotations

from rsvlm_core.errors import UsageError
from rsvlm_core.jobs.context import Context
from rsvlm_core.jobs.outputs import provenance, vector_output
from rsvlm_core.jobs.params import Params


def serve_index(params: Params, context: Context) -> dict[str, object]:
    """Push (`action` "push", the default) or search (`action` "search"); the rest follows from that."""
    return (_push if params.choice("action", ("push", "search")) == "push" else _search)(params, context)


def _push(params: Params, context: Context) -> dict[str, object]:
    """Bring a served table up to date with an index.

    Parameters: `index` (folder or URL), `to` (`lancedb:PLACE` or `qdrant:PLACE`), and optionally `options` (texts
    KEY=VALUE for the storage or server), `shards` (of a new Qdrant collection).

    Returns:
        `to`, `tiles` (of the index), `added`, `removed`.
    """
    index, to = params.required_text("index"), params.required_text("to")
    options, shards = storage_options(params), params.integer("shards", 1, low=1)
    params.done()

    from rsvlm_core.engines.opening import push_index

    tiles, added, removed = push_index(
        index, to, options, shards=shards, progress=context.progress, should_stop=context.should_stop
    )
    return {"to": to, "tiles": tiles, "added": added, "removed": removed}


def _search(params: Params, context: Context) -> dict[str, object]:
    """Rank the tiles of a served table, or of an index anywhere, by texts.

    Parameters: `from` (`lancedb:PLACE`, `qdrant:PLACE`, or an index folder or URL), `texts`, and optionally `out`,
    `top`, `min_score`, `extent` (in the first raster's CRS), `within` (vector file with polygons), `sources` (rasters
    to search), `options`, `model`, `device`.

    Returns:
        As the job `search`, without `failed` and `seconds_index`.
    """
    place, texts = params.required_text("from"), params.required_texts("texts")
    out = vector_output(params)
    top, min_score = params.integer("top", 50, low=1), params.number("min_score", -1.0, 1.0)
    extent, within, sources = params.extent(), params.text("within"), params.texts("sources")
    options, model = storage_options(params), params.model()
    params.done()

    from rsvlm_core.jobs.search import boxes, hit_summary, rows
    from rsvlm_core.pipelines.served import search_served

    encoder = context.encoders.get(*model)
    result = search_served(
        place, texts, encoder, options=options, top=top, min_score=min_score, extent=extent, within=within,
        sources=sources, should_stop=context.should_stop,
    )
    outputs: dict[str, str] = {}
    if out is not None:
        from rsvlm_core.vectors import write_vector

        write_vector(result.hits, out, "hits", provenance(encoder, texts=texts, sources=[place], failed=()))
        outputs["hits"] = str(out)
        context.finished("hits", out)
    return {
        "hits": [hit_summary(hit, box) for hit, box in zip(rows(result.hits), boxes(result.hits), strict=True)],
        "tiles_searched": result.tiles_searched,
        "seconds_query": round(result.seconds_query, 3),
        "outputs": outputs,
    }


def storage_options(params: Params) -> dict[str, str] | None:
    """`options`, a list of KEY=VALUE; None where it is not given.

    Raises:
        UsageError: One is not of that form.
    """
    given = params.texts("options")
    if given is None:
        return None
    options = {}
    for item in given:
        key, equals, value = item.partition("=")
        if not key or not equals:
            raise UsageError(f"options has {item!r}.", "Write KEY=VALUE, such as region=eu-central-1.")
        options[key] = value
    return options
