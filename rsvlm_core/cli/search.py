"""`rsvlm search`."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from rsvlm_core.cli import options
from rsvlm_core.cli.show import unread, written

NAME = "search"
OP = "search"
HELP = "Rank places by how well they fit a text or examples."
EXAMPLE = 'rsvlm search city.rsindex --text "solar panels on a roof" --top 20 --out hits.gpkg'
SHOWN = 10


def add(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("sources", nargs="+", metavar="RASTER|X.rsindex", help="rasters, or one index")
    options.add_texts(parser, required=False)
    parser.add_argument("--like", metavar="FEATURES", help="vector file with examples of what to find")
    parser.add_argument("--unlike", metavar="FEATURES", help="vector file with examples of what not to find")
    parser.add_argument("--top", type=int, metavar="K", help="hits at most (default: 50)")
    parser.add_argument("--min-score", type=float, metavar="S", help="leave out hits with a lower cosine")
    parser.add_argument("--within", metavar="POLYGONS", help="vector file; only there")
    options.add_imagery(parser)
    options.add_model(parser)
    parser.add_argument("--out", metavar="FILE", help="write the hits as .gpkg, .geojson or .parquet")
    parser.add_argument("--overview", metavar="PNG", help="draw the hits on the imagery")
    options.add_common(parser)


def params(args: Namespace) -> dict[str, Any]:
    """The job's parameters."""
    return {
        "sources": args.sources, "texts": args.text, "like": args.like, "unlike": args.unlike, "top": args.top,
        "min_score": args.min_score, "extent": args.extent, "within": args.within, "gsds": args.gsd,
        "bands": args.bands, "model": args.model, "device": args.device, "out": args.out, "overview": args.overview,
    }


def show(summary: dict[str, Any]) -> str:
    """The result in words."""
    hits = summary["hits"]
    lines = [f"{'rank':>4}  {'score':>6}  {'conf.':>5}  {'gsd':>6}  text; centre"]
    for hit in hits[:SHOWN]:
        xmin, ymin, xmax, ymax = hit["bbox"]
        lines.append(
            f"{hit['rank']:>4}  {hit['score']:>6.3f}  {hit['confidence']:>5.2f}  {hit['gsd']:>6.3g}"
            f"  {hit['text']}; {(xmin + xmax) / 2:.7g}, {(ymin + ymax) / 2:.7g}"
        )
    lines += [f"      and {len(hits) - SHOWN} more"] if len(hits) > SHOWN else []
    lines.append(
        f"{len(hits)} hit{'' if len(hits) == 1 else 's'} among {summary['tiles_searched']} tiles;"
        f" index {summary['seconds_index']:.1f} s, query {summary['seconds_query']:.2f} s"
    )
    return "\n".join([*(lines if hits else lines[1:]), *unread(summary), *summary["changed"], *written(summary)])
