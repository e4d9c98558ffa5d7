"""`rsvlm worker`."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

NAME = "worker"
HELP = "Serve requests as JSON lines over stdin and stdout: what QGIS talks to."
EXAMPLE = "rsvlm worker        (then type {\"id\": 1, \"op\": \"hello\"})"


def add(parser: ArgumentParser) -> None:
    """It takes no arguments."""
    parser.set_defaults(json=False, verbose=False)


def run(args: Namespace) -> int:
    """Serve until end of file; the exit status."""
    from rsvlm_core.worker import main

    return main()
