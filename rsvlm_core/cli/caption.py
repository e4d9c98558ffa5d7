"""`rsvlm caption`."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from rsvlm_core.cli import options

NAME = "caption"
OP = "caption"
HELP = "Describe a raster, or an extent of it, in words."
EXAMPLE = "rsvlm caption ortho.tif --extent 500000,5399000,500200,5399200"


def add(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("raster", metavar="RASTER", help="GeoTIFF, JPEG2000, VRT, URL: what GDAL reads")
    parser.add_argument("--extent", type=options.extent, metavar="XMIN,YMIN,XMAX,YMAX", help="only there")
    options.add_model(parser)
    options.add_common(parser)


def params(args: Namespace) -> dict[str, Any]:
    """The job's parameters."""
    return {"source": args.raster, "extent": args.extent, "model": args.model, "device": args.device}


def show(summary: dict[str, Any]) -> str:
    """The result in words."""
    return str(summary["text"])
