"""`rsvlm ask`."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from rsvlm_core.cli import caption
from rsvlm_core.cli.show import written

NAME = "ask"
OP = "ask"
HELP = "Answer a question about a raster, or an extent of it."
EXAMPLE = """rsvlm ask ortho.tif "is there a river?"
  rsvlm ask ortho.tif "how many buildings are there?" --out evidence.gpkg"""


def add(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    caption.add(parser)
    parser.add_argument("question", help="in words")
    parser.add_argument("--out", metavar="FILE", help="what the answer rests on: .gpkg, .geojson or .parquet")
    parser.add_argument(
        "--route", choices=("program", "caption"), help="look and measure, or read the model's captions (default: look)"
    )


def params(args: Namespace) -> dict[str, Any]:
    """The job's parameters."""
    return {**caption.params(args), "question": args.question, "out": args.out, "route": args.route}


def show(summary: dict[str, Any]) -> str:
    """The result in words."""
    return "\n".join([str(summary["text"]), *written(summary)])
