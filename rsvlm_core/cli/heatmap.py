"""`rsvlm heatmap`."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from rsvlm_core.cli import options
from rsvlm_core.cli.show import unread, written

NAME = "heatmap"
OP = "heatmap"
HELP = "Write a score raster: how well every place fits a text."
EXAMPLE = 'rsvlm heatmap ortho.tif --text "parking lot" --out heat.tif'


def add(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("source", metavar="RASTER|X.rsindex", help="a raster or an index")
    parser.add_argument("--text", required=True, metavar="T", help="what to score")
    options.add_imagery(parser)
    options.add_model(parser)
    parser.add_argument("--out", required=True, metavar="TIF", help="the score raster, float32")
    options.add_common(parser)


def params(args: Namespace) -> dict[str, Any]:
    """The job's parameters."""
    return {
        "source": args.source, "text": args.text, "extent": args.extent, "gsds": args.gsd, "bands": args.bands,
        "model": args.model, "device": args.device, "out": args.out,
    }


def show(summary: dict[str, Any]) -> str:
    """The result in words."""
    line = f"scores from {summary['low']:.3f} to {summary['high']:.3f} in {summary['seconds']:.1f} s"
    return "\n".join([line, *unread(summary), *written(summary)])
