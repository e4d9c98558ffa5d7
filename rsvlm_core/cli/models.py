"""`rsvlm models`."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from rsvlm_core.cli import options

NAME = "models"
OP = "models"
HELP = "List models, tell about one, give one a name, or fetch a published one so that it works offline afterwards."
EXAMPLE = """rsvlm models list
  rsvlm models info bundled
  rsvlm models add mine runs/small/export
  rsvlm models download open_clip:ViT-B-32/laion2b_s34b_b79k"""


def add(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("action", choices=("list", "info", "add", "download"), help="what to do")
    parser.add_argument("name", nargs="?", metavar="M", help="a model as --model takes it; for add: a name of your own")
    parser.add_argument("target", nargs="?", help="for add: what the name stands for, a folder for instance")
    parser.add_argument("--published", action="store_true", help="with list: name open_clip's models too")
    options.add_common(parser)


def params(args: Namespace) -> dict[str, Any]:
    """The job's parameters."""
    return {"action": args.action, "name": args.name, "target": args.target, "published": args.published or None}


def show(summary: dict[str, Any]) -> str:
    """The result in words."""
    return "\n".join([*(_about(info) for info in summary["models"]), *summary.get("published", [])])


def _about(info: dict[str, Any]) -> str:
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
