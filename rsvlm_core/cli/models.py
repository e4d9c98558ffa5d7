"""`rsvlm models`."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from rsvlm_core.cli import options

NAME = "models"
OP = "models"
HELP = "List models, tell about one, or fetch a published one so that it works offline afterwards."
EXAMPLE = "rsvlm models list\n  rsvlm models info bundled\n  rsvlm models download open_clip:ViT-B-32/laion2b_s34b_b79k"


def add(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("action", choices=("list", "info", "download"), help="what to do")
    parser.add_argument("name", nargs="?", metavar="M", help="for info and download: a model as --model takes it")
    options.add_common(parser)


def params(args: Namespace) -> dict[str, Any]:
    """The job's parameters."""
    return {"action": args.action, "name": args.name}


def show(summary: dict[str, Any]) -> str:
    """The result in words."""
    return "\n".join(_line(info) for info in summary["models"])


def _line(info: dict[str, Any]) -> str:
    low, high = info["gsd_m"]
    return "\n".join((
        info["id"],
        f"    {info['parameters'] / 1e6:.1f} million weights, embedding width {info['embed_dim']},"
        f" {info['image_size']} px tiles, {low:g} to {high:g} m per pixel"
        f"{', writes captions' if info['can_caption'] else ''}",
        f"    licence: {info['licence'] or 'not known'}",
        f"    trained on: {info['trained_on'] or 'not known'}",
        f"    sha256: {info['sha256'] or 'not loaded yet'}",
    ))
