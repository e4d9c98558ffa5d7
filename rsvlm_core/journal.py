"""What was asked and what came of it, in a file that outlives the run: `logs/engine.log` in the cache folder.

The file stays on this machine, is readable by its user alone, and is rotated: at most four of one megabyte.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from logging.handlers import RotatingFileHandler
from pathlib import Path

from rsvlm_core.errors import RsvlmError, one_line
from rsvlm_core.settings import cache_dir

BYTES, KEPT = 1_000_000, 3  # of one file, and files of before
_LONGEST = 4000  # characters of a line: a request may hold a megabyte

# Apart from the libraries' loggers: the worker passes those on to its client.
LOG = logging.getLogger("rsvlm.journal")
LOG.propagate = False
LOG.setLevel(logging.INFO)


def path() -> Path:
    """The file."""
    return cache_dir() / "logs" / "engine.log"


class _Private(RotatingFileHandler):
    """Readable by its user alone; a file that cannot be written costs no work."""

    def _open(self):  # type: ignore[no-untyped-def]  # typeshed has it as TextIOWrapper, private
        return open(self.baseFilename, "a", encoding="utf-8", errors="backslashreplace", opener=_opener)

    def handleError(self, record: logging.LogRecord) -> None:
        """Say nothing: the disk may be full, and the work has its own words for that."""


def _opener(name: str, flags: int) -> int:
    return os.open(name, flags, 0o600)


def _ready() -> None:
    """Have the file open, wherever the cache folder is now."""
    try:
        wanted = str(path().absolute())
    except (OSError, RsvlmError):  # no home folder, or no current one
        return
    for handler in list(LOG.handlers):
        if isinstance(handler, _Private):
            if handler.baseFilename == wanted:
                return
            LOG.removeHandler(handler)
            handler.close()
    try:
        path().parent.mkdir(parents=True, exist_ok=True)
        handler = _Private(wanted, maxBytes=BYTES, backupCount=KEPT)
    except OSError:
        return
    handler.setFormatter(logging.Formatter("%(asctime)s %(process)d %(levelname)s %(message)s"))
    LOG.addHandler(handler)


def show(stream: logging.Handler) -> None:
    """Also tell it there, as `--verbose` wants."""
    stream.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    LOG.addHandler(stream)


@contextmanager
def told(operation: str, given: Mapping[str, object]) -> Iterator[None]:
    """Note that an operation begins, how it ends, and for a fault where in the program."""
    _ready()
    asked = {name: value for name, value in given.items() if value is not None}
    LOG.info("%s", _line(f"{operation} begins: {json.dumps(asked, default=str)}"))
    began = time.monotonic()
    try:
        yield
    except RsvlmError as error:
        LOG.warning("%s", _line(f"{operation} ends after {time.monotonic() - began:.1f} s: {error.code}: {error}"))
        raise
    except BaseException:
        LOG.exception("%s", f"{operation} fails after {time.monotonic() - began:.1f} s")
        raise
    LOG.info("%s", f"{operation} done in {time.monotonic() - began:.1f} s")


def report(summary: Mapping[str, object]) -> None:
    """Note what a result says of tiles that were left out."""
    for name in ("tiles", "tiles_searched", "embedded", "skipped", "skipped_nodata", "count"):
        if name in summary:
            LOG.info("%s: %s", name, summary[name])
    for name in ("failed", "changed"):
        lines = summary.get(name)
        for line in lines[:20] if isinstance(lines, list) else []:
            LOG.warning("%s", _line(f"{name}: {line}"))


def _line(text: str) -> str:
    return one_line(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}...")
