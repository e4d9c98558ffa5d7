"""`rsvlm classify`."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from rsvlm_core.cli import options
from rsvlm_core.cli.show import written

NAME = "classify"
OP = "classify"
HELP = "Give every tile the class that fits it best."
EXAMPLE = "rsvlm classify ortho.tif --classes forest,farmland,residential,water --out classes.gpkg"


def add(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("source", metavar="RASTER|X.rsindex", help="a raster or an index")
    parser.add_argument("--classes", type=options.names, required=True, metavar="A,B,C", help="two or more classes")
    options.add_imagery(parser)
    options.add_model(parser)
    parser.add_argument("--out", required=True, metavar="FILE", help="the tiles: .gpkg, .geojson or .parquet")
    options.add_common(parser)


def params(args: Namespace) -> dict[str, Any]:
    """The job's parameters."""
    return {
        "source": args.source, "classes": args.classes, "extent": args.extent, "gsds": args.gsd,
        "bands": args.bands, "model": args.model, "device": args.device, "out": args.out,
    }


def show(summary: dict[str, Any]) -> str:
    """The result in words."""
    return "\n".join([*(f"{n:>6}  {name}" for name, n in summary["counts"].items()), *written(summary)])
