"""`rsvlm serve-index`."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from rsvlm_core.cli import options, search

NAME = "serve-index"
OP = "serve_index"
HELP = "Put an index where many readers search it (LanceDB, Qdrant), and search there."
EXAMPLE = """rsvlm serve-index push country.rsindex --to lancedb:s3://bucket/country
  rsvlm serve-index search lancedb:s3://bucket/country --text "a harbour" --out hits.gpkg"""


def add(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    push = actions.add_parser("push", help="bring a table up to date with an index; run it again to continue")
    push.add_argument("index", metavar="X.rsindex", help="the index folder, or its URL")
    push.add_argument(
        "--to", required=True, metavar="PLACE", help="lancedb:FOLDER or URL, qdrant:http://host:6333/NAME"
    )
    push.add_argument("--shards", type=int, metavar="N", help="shards of a new Qdrant collection (default: 1)")
    find = actions.add_parser("search", help="rank its tiles by texts")
    find.add_argument("place", metavar="PLACE", help="lancedb:…, qdrant:…, or an index folder or its URL")
    options.add_texts(find)
    find.add_argument("--top", type=int, metavar="K", help="hits at most (default: 50)")
    find.add_argument("--min-score", type=float, metavar="S", help="leave out hits with a lower cosine")
    find.add_argument(
        "--extent", type=options.extent, metavar="XMIN,YMIN,XMAX,YMAX",
        help="only there; in the first raster's coordinates",
    )
    find.add_argument("--within", metavar="POLYGONS", help="vector file; only there")
    find.add_argument("--source", action="append", metavar="RASTER", help="only tiles of it; give it again for more")
    options.add_model(find)
    find.add_argument("--out", metavar="FILE", help="write the hits as .gpkg, .geojson or .parquet")
    for own in (push, find):
        own.add_argument(
            "--option", action="append", metavar="KEY=VALUE", help="of the storage or server; give it again for more"
        )
        options.add_common(own)


def params(args: Namespace) -> dict[str, Any]:
    """The job's parameters."""
    if args.action == "push":
        return {"action": "push", "index": args.index, "to": args.to, "shards": args.shards, "options": args.option}
    return {
        "action": "search", "from": args.place, "texts": args.text, "top": args.top, "min_score": args.min_score,
        "extent": args.extent, "within": args.within, "sources": args.source, "options": args.option,
        "model": args.model, "device": args.device, "out": args.out,
    }


def show(summary: dict[str, Any]) -> str:
    """The result in words."""
    if "hits" in summary:
        return search.show({"seconds_index": 0.0, "failed": [], "changed": [], **summary})
    return f"{summary['to']}: {summary['tiles']} tiles, {summary['added']} of them new, {summary['removed']} removed"
