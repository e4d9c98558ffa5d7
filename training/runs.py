"""What every training run has in common: the files of its folder, its log, and how its command starts and stops it."""

from __future__ import annotations

import argparse
import json
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from rsvlm_core.errors import UsageError
from rsvlm_core.scratch import whole, write_text

STATE = "state.pt"
METRICS = "metrics.jsonl"


class Stoppable(Protocol):
    """A run that a signal can end between two steps."""

    def request_stop(self, *_: object) -> None:
        """Stop after the current step, with the state saved."""


def copy_words(source: Path, folder: Path) -> None:
    """Give a run the tokenizer and vocabulary of the run or model that it starts from, where that has any."""
    for name in ("tokenizer.json", "vocabulary.json"):
        if (source / name).is_file():
            with whole(folder / name) as part:
                part.write_bytes((source / name).read_bytes())


class Metrics:
    """The file `metrics.jsonl` of a run: one record a line, each with its stage (or round) and step.

    Args:
        folder: Of the run.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / METRICS

    def add(self, stage: int, step: int, record: Mapping[str, Any]) -> None:
        """Append a record."""
        with self._file.open("a", encoding="utf-8") as out:
            out.write(json.dumps({"stage": stage, "step": step, **record}) + "\n")

    def rewind(self, stage: int, step: int) -> None:
        """Forget what was written after a state was saved: a run that goes on from it does that again."""
        if not self._file.is_file():
            return
        lines = self._file.read_text("utf-8").splitlines()
        kept = [line for line in lines if (r := json.loads(line)) and (r["stage"], r["step"]) <= (stage, step)]
        write_text(self._file, "".join(line + "\n" for line in kept))


class Means:
    """Averages of named values since they were last taken."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self._count = 0

    def add(self, values: Mapping[str, float]) -> None:
        """One step's values."""
        self._count += 1
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, 0.0) + value

    def take(self) -> dict[str, float]:
        """Each value's sum over the number of steps; begins anew."""
        means = {name: total / self._count for name, total in self._sums.items()}
        self._sums, self._count = {}, 0
        return means


def run_parser(program: str, about: str | None, recipe: str, override: str) -> argparse.ArgumentParser:
    """The command line of a program that trains; read it with `parse_intermixed_args`.

    Args:
        program: Module that is run, such as `training.pretrain`.
        about: Its docstring.
        recipe: Help of `--config`.
        override: Help of the overrides.
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m {program}", description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", type=Path, required=True, help=recipe)
    parser.add_argument("--resume", type=Path, help="folder of a run to go on with")
    parser.add_argument("--out", type=Path, help="folder of the run (default: runs/NAME)")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help=override)
    return parser


def run_folder(args: argparse.Namespace, name: str) -> Path:
    """Where the run that a command line asks for lives.

    Args:
        args: As `run_parser` reads them.
        name: Of the recipe.

    Raises:
        UsageError: There is a run already, and `--resume` does not name it.
    """
    folder: Path = args.resume or args.out or Path("runs") / name
    if args.resume is None and (folder / STATE).is_file():
        raise UsageError(f"{folder} already holds a run.", f"Go on with --resume {folder}, or choose another --out.")
    return folder


def stop_on_signals(run: Stoppable) -> None:
    """Let an interrupt or a termination end the run after its current step."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, run.request_stop)
