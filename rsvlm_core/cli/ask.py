"""`rsvlm ask`."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from rsvlm_core.cli import caption
from rsvlm_core.cli.caption import show

NAME = "ask"
OP = "ask"
HELP = "Answer a question about a raster, or an extent of it."
EXAMPLE = 'rsvlm ask ortho.tif "is there a river?"'


def add(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    caption.add(parser)
    parser.add_argument("question", help="in words")


def params(args: Namespace) -> dict[str, Any]:
    """The job's parameters."""
    return {**caption.params(args), "question": args.question}


__all__ = ["add", "params", "show"]
