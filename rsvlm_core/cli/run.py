"""Runs a parsed command: its streams, its errors, its exit status."""

from __future__ import annotations

import codecs
import contextlib
import json
import logging
import os
import sys
import traceback
import warnings
from argparse import Namespace
from collections.abc import Callable, Iterator
from typing import Any, cast

from rsvlm_core.cli.parser import Command
from rsvlm_core.cli.stop import StopOnInterrupt
from rsvlm_core.errors import OutputError, RsvlmError, Stopped, UsageError, kind_and_line, one_line


def run(command: Command, args: Namespace) -> int:
    """Do a command and print its result.

    Returns:
        The exit status.
    """
    if hasattr(command, "run"):  # a command that is no job and prints for itself
        return _guarded(args, lambda stop: cast(int, command.run(args)))
    return _guarded(args, lambda stop: _job(cast(Any, command), args, stop))


def _job(command: Any, args: Namespace, stop: StopOnInterrupt) -> int:  # noqa: ANN401 - a module
    from rsvlm_core import jobs, journal
    from rsvlm_core.progress import TerminalProgress

    progress = TerminalProgress(command.NAME)
    shown = logging.StreamHandler(sys.stderr)
    if args.verbose:
        journal.show(shown)
    try:
        with quiet_stdout():
            context = jobs.Context(progress=progress, should_stop=stop)
            # `--runtime` goes with `--model`: to every job that has one
            params = {**command.params(args), "runtime": getattr(args, "runtime", None)}
            with journal.told(command.OP, params):
                summary = jobs.job(command.OP)(jobs.Params(params), context)
                journal.report(summary)
    finally:
        progress.close()
        journal.LOG.removeHandler(shown)
    _say(document(summary) if args.json else command.show(summary))
    status = getattr(command, "status", None)
    return cast(int, status(summary)) if status else 0


def _guarded(args: Namespace, work: Callable[[StopOnInterrupt], int]) -> int:
    """Turn exceptions into one line on stderr, with --json also one document on stdout, and a status."""
    logging.basicConfig(level=logging.INFO if args.verbose else logging.ERROR, format="%(levelname)s %(message)s")
    if not args.verbose:
        warnings.simplefilter("ignore")
    debug = os.environ.get("RSVLM_DEBUG", "") not in ("", "0")
    with StopOnInterrupt() as stop:
        try:
            if not _here():  # libraries that look for it end the whole process
                raise UsageError("The current folder is gone.", "Change to one that exists.")
            status = work(stop)
            _say()
            return status
        except BrokenPipeError:  # the reader of our output has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            return 0
        except (RsvlmError, KeyboardInterrupt) as error:
            told = error if isinstance(error, RsvlmError) else Stopped("Stopped.", "Finished work is kept.")
            trace = traceback.format_exc() if debug else ""
        except Exception as error:
            trace = traceback.format_exc() if debug else ""
            if stop():  # what an interrupted library raised is not worth telling
                told = Stopped("Stopped.", "Finished work is kept.")
            elif isinstance(error, MemoryError):
                told = RsvlmError("There is not enough memory.", "Close other programs, or take a smaller extent.")
            else:
                reason = kind_and_line(error)
                told = _Fault(f"A fault in rsvlm: {reason}.", "RSVLM_DEBUG=1 shows where; please report it.")
    if trace:
        print(trace, file=sys.stderr, end="")
    print(f"rsvlm {args.command}: {one_line(str(told))}", file=sys.stderr)
    if args.json:
        print(document({"error": {"code": told.code, "message": told.message, "remedy": told.remedy}}))
    return told.exit_status


def _say(*lines: str) -> None:
    """Print on stdout, and see that it arrives.

    Raises:
        BrokenPipeError: The reader has seen enough.
        OutputError: The disk is full, or whatever else takes the output fails.
    """
    try:
        for line in lines:
            print(line)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is still held back would fail again at the end
        raise OutputError(
            f"The result cannot be printed: {error.strerror}.", "Files that were asked for are written."
        ) from error


def _here() -> bool:
    """Whether the current folder still exists."""
    try:
        os.getcwd()
    except OSError:
        return False
    return True


class _Fault(RsvlmError):
    """An exception that no one foresaw."""

    code = "internal"
    exit_status = 1


def document(summary: object) -> str:
    """A JSON document; letters that stdout's encoding does not have are written as JSON writes them."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return json.dumps(summary, indent=2, ensure_ascii=codecs.lookup(encoding).name != "utf-8")


@contextlib.contextmanager
def quiet_stdout() -> Iterator[None]:
    """Sends to stderr whatever libraries print on stdout, from Python and from C; results are printed after it."""
    try:
        real = sys.stdout.fileno() == 1
    except (OSError, ValueError, AttributeError):  # stdout is no file, as in tests and notebooks
        real = False
    with contextlib.redirect_stdout(sys.stderr):
        if not real:
            yield
            return
        kept = os.dup(1)
        os.dup2(2, 1)
        try:
            yield
        finally:
            os.dup2(kept, 1)
            os.close(kept)
