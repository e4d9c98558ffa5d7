"""The lines that pass between QGIS and the backend; no Qt here, so it is tested anywhere.

UTF-8 JSON objects, one a line. Down: `{"id", "op", "params"}`. Up: `{"id", "type", …}` with type
`hello`, `progress`, `partial`, `log`, `heartbeat`, `result` or `error`.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from .engine_words import spoken
from .translate import tr

MAJOR = 1
LONGEST_LINE = 16_000_000  # bytes; results name files, so anything longer is a fault
SILENCE_S = 30.0  # the child beats every 2 s, so this many seconds without a line means that it hangs


class BackendError(Exception):
    """Something the backend, or the lack of it, said.

    Args:
        message: What is wrong, in words for people.
        remedy: What to do about it.
        code: As the backend has them (`usage raster index model output stopped …`), or of this side: `start died
            protocol environment crs bug`.
        details: Traceback or last lines of stderr, for the log only.
        finished: Of what was stopped: the share that the backend can give by itself, or None where it keeps nothing.
    """

    def __init__(
        self, message: str, remedy: str = "", code: str = "bug", details: str = "", finished: float | None = None
    ) -> None:
        self.message, self.remedy, self.code, self.details = message, remedy, code, details
        self.finished = finished
        super().__init__(f"{message} {remedy}".strip())


@dataclass(frozen=True)
class Request:
    """One piece of work for the backend: an operation and its parameters, named like the command line's options."""

    op: str
    params: dict[str, Any] = field(default_factory=dict)

    def line(self, number: int) -> bytes:
        """The request as a line of the protocol, with `number` as its id."""
        text = json.dumps({"id": number, "op": self.op, "params": self.params}, ensure_ascii=False)
        return text.encode("utf-8") + b"\n"


@dataclass(frozen=True)
class Message:
    """One line from the backend; `id` is None for lines that belong to no request."""

    kind: str
    id: int | None
    body: dict[str, Any]

    def result(self) -> dict[str, Any]:
        """The outputs of a `result` line."""
        inner = self.body.get("result")
        return inner if isinstance(inner, dict) else self.body

    def error(self) -> BackendError:
        """The exception that an `error` line stands for."""
        inner = self.body.get("error")
        body = inner if isinstance(inner, dict) else self.body
        message, remedy = spoken(
            str(body.get("message") or tr("The search engine failed without a message.")),
            str(body.get("remedy") or ""))
        return BackendError(
            message, remedy, str(body.get("code") or "bug"),
            str(body.get("traceback") or body.get("details") or ""), body.get("finished"),
        )


class LineReader:
    """Cuts a stream of bytes into messages; what is no message is kept as `garbage` and never raises.

    Attributes:
        garbage: The last lines that were no JSON object with a type.
    """

    def __init__(self) -> None:
        self._rest = bytearray()
        self.garbage: deque[str] = deque(maxlen=20)

    def feed(self, data: bytes) -> list[Message]:
        """Take the next bytes and return the messages they complete.

        Raises:
            BackendError: A line does not end within `LONGEST_LINE` bytes.
        """
        self._rest += data
        lines: list[bytearray] = []
        if b"\n" in data:  # a long line that grows is not searched again and again
            *lines, rest = self._rest.split(b"\n")
            self._rest = bytearray(rest)
        messages = [message for message in map(self._read, lines) if message is not None]
        if len(self._rest) > LONGEST_LINE:
            self._rest.clear()
            raise BackendError(
                tr("The search engine sent a line without end."), tr("Please report this."), "protocol")
        return messages

    def _read(self, line: bytearray) -> Message | None:
        text = line.decode("utf-8", "replace").strip()
        if not text:
            return None
        try:
            body = json.loads(text)
        except ValueError:
            body = None
        if not isinstance(body, dict) or not isinstance(body.get("type"), str):
            self.garbage.append(text[:500])
            return None
        number = body.get("id")
        return Message(body["type"], number if isinstance(number, int) else None, body)


def check_hello(message: Message) -> None:
    """Refuse a backend that speaks another protocol.

    Raises:
        BackendError: Its major protocol version is not `MAJOR`.
    """
    spoken = str(message.body.get("protocol", MAJOR)).split(".")[0]
    if spoken != str(MAJOR):
        raise BackendError(
            tr("The search engine speaks protocol {}, this plugin speaks {}.").format(spoken, MAJOR),
            tr("Update the plugin and its environment together."),
            "protocol",
        )


class Tail:
    """The last lines of a stream of text, for the log when something fails."""

    def __init__(self, lines: int = 200) -> None:
        self._lines: deque[str] = deque(maxlen=lines)
        self._rest = ""

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        *lines, self._rest = (self._rest + data.decode("utf-8", "replace")).split("\n")
        self._rest = self._rest[-2000:]
        self._lines.extend(line.rstrip()[:2000] for line in lines)

    def text(self) -> str:
        """The lines kept, oldest first."""
        return "\n".join([*self._lines, self._rest]).strip()


class Remaining:
    """Estimates the seconds left of a run from its progress; a new unit or total starts it afresh."""

    def __init__(self) -> None:
        self._of: Any = None
        self._start = (0.0, 0)

    def update(self, now: float, done: int, total: int, unit: str) -> float | None:
        """Seconds left at monotonic time `now`, or None while nothing can be said."""
        if self._of != (total, unit) or done < self._start[1]:
            self._of, self._start = (total, unit), (now, done)
        begun, first = self._start
        if done <= first or now - begun < 2.0 or total <= 0:
            return None
        return (now - begun) / (done - first) * max(0, total - done)
