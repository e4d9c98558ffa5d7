"""What the command lines of `training` share: declaring a command, running it, showing what came of it."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rsvlm_core.errors import RsvlmError
from training.evaluate.table import show, write_json

Document = dict[str, Any]


def add_command(
    commands: Any, program: str, name: str, run: Callable[..., Document], about: str, example: str,
) -> argparse.ArgumentParser:
    """Declare a command that `run_command` runs.

    Args:
        commands: What `add_subparsers` gave.
        program: Module that is run, such as `training.build`.
        name: Of the command.
        run: Takes the parsed arguments (and what `run_command` is given beside them), returns the document.
        about: What it does, one sentence.
        example: Arguments that work.
    """
    made: argparse.ArgumentParser = commands.add_parser(
        name, help=about, description=about, epilog=f"example:\n  python -m {program} {name} {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.set_defaults(run=run)
    made.add_argument("--json", type=Path, default=None, metavar="OUT", help="also write the result here; - is stdout")
    return made


def run_command(args: argparse.Namespace, *more: object, stopped: str = "Stopped.") -> int:
    """Run a parsed command, show its document and write it where `--json` says; returns the exit status.

    Args:
        args: With `run` and `json`, as `add_command` makes them.
        more: Given to `run` behind the arguments.
        stopped: Said when the user interrupts.
    """
    started = time.monotonic()
    try:
        document = args.run(args, *more)
        document["seconds"] = round(time.monotonic() - started, 2)
        show(document)
        if args.json is not None:
            write_json(document, args.json)
        return 0
    except RsvlmError as e:
        print(f"error: {e}", file=sys.stderr)
        return e.exit_status
    except KeyboardInterrupt:
        print(stopped, file=sys.stderr)
        return 3
