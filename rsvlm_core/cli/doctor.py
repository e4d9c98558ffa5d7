"""`rsvlm doctor`."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from rsvlm_core.cli import options

NAME = "doctor"
OP = "check"
HELP = "Look at versions, devices, threads, disk and models, and say what to do about what is wrong."
EXAMPLE = "rsvlm doctor"


def add(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    options.add_model(parser)
    options.add_common(parser)


def params(args: Namespace) -> dict[str, Any]:
    """The job's parameters."""
    return {"model": args.model, "device": args.device}


def show(summary: dict[str, Any]) -> str:
    """The result in words."""
    return str(summary["text"])


def status(summary: dict[str, Any]) -> int:
    """2 where something has to be mended first."""
    return 0 if summary["ok"] else 2
