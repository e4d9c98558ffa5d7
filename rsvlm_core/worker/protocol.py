"""Lines in, lines out. Nothing else of the worker knows that messages are JSON."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

# Raised when a message changes its meaning; the minor number when something is added.
PROTOCOL = "1.0"
MAX_LINE = 1 << 20
_DEEPEST = 32  # what is nested deeper than Python's stack could be read, and not be written into an answer or the log

Id = str | int | None


@dataclass(frozen=True)
class Request:
    """One line from the client.

    Attributes:
        id: Chosen by the client; every answer to the request carries it.
        op: What to do.
        params: Its parameters.
    """

    id: Id
    op: str
    params: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Malformed:
    """A line that is no request.

    Attributes:
        id: Of the request, where so much could be read.
        reason: One sentence.
    """

    id: Id
    reason: str


class Channel:
    """Writes messages; whole lines, whichever thread sends them.

    Args:
        stream: Unbuffered or not; flushed after every message.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._lock, self._open = stream, threading.Lock(), True

    def send(self, kind: str, to: Id = None, /, **content: object) -> None:
        """Send one message; after the client is gone this does nothing."""
        line = json.dumps(_plain({"type": kind, "id": to, **content}), ensure_ascii=False, allow_nan=False)
        with self._lock:
            if not self._open:
                return
            try:
                self._stream.write(line.encode("utf-8", "replace") + b"\n")
                self._stream.flush()
            except (OSError, ValueError):  # the client closed its end, or our own end was closed on exit
                self._open = False


def requests(stream: BinaryIO, max_line: int = MAX_LINE) -> Iterator[Request | Malformed]:
    """Requests until end of file. A line that is too long is read past, never held in memory."""
    while line := stream.readline(max_line + 1):
        if len(line) > max_line and not line.endswith(b"\n"):
            while (rest := stream.readline(max_line)) and not rest.endswith(b"\n"):
                pass
            yield Malformed(None, f"The line is longer than {max_line} bytes; large data goes by file path.")
        elif line.strip():
            yield parse(line)


def parse(line: bytes) -> Request | Malformed:
    """One line as a request."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return Malformed(None, "The line is not JSON.")
    if not isinstance(message, dict):
        return Malformed(None, "The line is not a JSON object.")
    if not _shallow(message):
        return Malformed(None, f"The line is nested more than {_DEEPEST} deep.")
    to = message.get("id")
    if isinstance(to, bool) or not isinstance(to, (str, int, type(None))):
        return Malformed(None, "id must be a string or a whole number.")
    op, params = message.get("op"), message.get("params", {})
    if not isinstance(op, str):
        return Malformed(to, "op is missing.")
    if params is None:
        params = {}
    if not isinstance(params, dict):
        return Malformed(to, "params must be an object.")
    return Request(to, op, params)


def _shallow(message: object) -> bool:
    level = [message]
    for _ in range(_DEEPEST):
        level = [
            inner for outer in level if isinstance(outer, (dict, list))
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return True
    return False


def _plain(value: object) -> object:
    """The same without NaN and infinities, which JSON does not have."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return value if isinstance(value, (str, int, bool, type(None))) else str(value)
