"""`rsvlm index`."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from rsvlm_core.cli import options
from rsvlm_core.cli.show import unread

NAME = "index"
OP = "build_index"
HELP = "Embed rasters into a search index. Run it again to continue, to add rasters, or to find that nothing changed."
EXAMPLE = "rsvlm index ortho_2023.tif ortho_2024.tif --out city.rsindex"


def add(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("rasters", nargs="+", metavar="RASTER", help="GeoTIFF, JPEG2000, VRT, URL: what GDAL reads")
    parser.add_argument("--out", required=True, metavar="X.rsindex", help="the index folder")
    options.add_imagery(parser)
    options.add_model(parser)
    parser.add_argument("--batch", type=int, metavar="N", help="tiles at a time (default: 32)")
    fate = parser.add_mutually_exclusive_group()
    fate.add_argument("--resume", action="store_true", help="continue what is there (the default)")
    fate.add_argument("--fresh", action="store_true", help="start over")
    cluster = parser.add_argument_group("past one machine")
    cluster.add_argument("--engine", choices=("local", "ray"), default="local", help="where to embed (default: local)")
    cluster.add_argument(
        "--address", metavar="A",
        help="of the Ray cluster: auto (the default), HOST:6379, ray://HOST:10001, or local to start one here",
    )
    cluster.add_argument("--embedders", type=int, metavar="N", help="processes with the model (default: one a GPU)")
    cluster.add_argument("--embedder-gpus", type=float, metavar="G", help="GPUs of each; may be a fraction")
    cluster.add_argument(
        "--option", action="append", metavar="KEY=VALUE", help="of the storage, where --out is a URL; may be repeated"
    )
    options.add_common(parser)


def params(args: Namespace) -> dict[str, Any]:
    """The job's parameters."""
    return {
        "sources": args.rasters, "out": args.out, "gsds": args.gsd, "bands": args.bands, "extent": args.extent,
        "fresh": args.fresh, "batch": args.batch, "model": args.model, "device": args.device, "engine": args.engine,
        "address": args.address, "embedders": args.embedders, "embedder_gpus": args.embedder_gpus,
        "options": args.option,
    }


def show(summary: dict[str, Any]) -> str:
    """The result in words."""
    line = (
        f"{summary['index']}: {summary['tiles']} tiles, {summary['embedded']} of them new,"
        f" {summary['skipped_nodata']} left out as nodata, in {summary['seconds']:.1f} s"
    )
    return "\n".join([line, *unread(summary)])
