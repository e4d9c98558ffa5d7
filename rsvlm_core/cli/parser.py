"""Arguments of all commands."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn, Protocol

from rsvlm_core import __version__
from rsvlm_core.errors import one_line

COMMANDS = (
    "index", "search", "segment", "heatmap", "classify", "caption", "ask", "models", "doctor", "serve_index", "worker",
)

_EPILOG = """exit status: 0 done, 2 wrong usage or unusable input, 3 stopped by the user, 1 a fault in rsvlm
             (RSVLM_DEBUG=1 shows where)

example:
  rsvlm search ortho.tif --text "a harbour with small boats" --out hits.gpkg"""


class Command(Protocol):
    """A module of this package that is a command."""

    NAME: str
    HELP: str
    EXAMPLE: str

    @staticmethod
    def add(parser: argparse.ArgumentParser) -> None:
        """Declare the command's own arguments."""
        ...


class _Parser(argparse.ArgumentParser):
    """Says in one line what is wrong."""

    def error(self, message: str) -> NoReturn:
        print(f"{self.prog}: {one_line(message)}. See {self.prog} --help", file=sys.stderr)
        raise SystemExit(2)


def parse(argv: Sequence[str]) -> tuple[Command, argparse.Namespace]:
    """The command and its arguments.

    Raises:
        SystemExit: Help was asked for (0), or the arguments are wrong (2).
    """
    plain = argparse.RawDescriptionHelpFormatter
    parser = _Parser(
        prog="rsvlm", formatter_class=plain, epilog=_EPILOG,
        description="Text search and open-vocabulary segmentation for aerial and satellite imagery.",
    )
    parser.add_argument("--version", action="version", version=f"rsvlm {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    modules: dict[str, Command] = {}
    for module_name in COMMANDS:
        module: Command = import_module(f"rsvlm_core.cli.{module_name}")  # type: ignore[assignment]
        own = commands.add_parser(
            module.NAME, help=module.HELP, description=module.HELP, formatter_class=plain,
            epilog=f"example:\n  {module.EXAMPLE}",
        )
        module.add(own)
        modules[module.NAME] = module
    args = parser.parse_args(_joined(argv))
    return modules[args.command], args


def _joined(argv: Sequence[str]) -> list[str]:
    """`--extent -122.5,37,…` as `--extent=-122.5,37,…`: argparse takes a value with a leading minus for an option."""
    out: list[str] = []
    for word in argv:
        if out and re.fullmatch(r"--[a-z-]+", out[-1]) and re.match(r"-[\d.]", word):
            out[-1] += f"={word}"
        else:
            out.append(word)
    return out
