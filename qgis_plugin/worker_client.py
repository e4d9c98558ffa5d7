"""A child process that does the work, spoken to in JSON lines.

`Worker` is the child itself. An algorithm polls one through `run`; the panel keeps one warm (`session.py`).
A `QProcess` belongs to the thread that made it, and so does a `Worker`.
"""

from __future__ import annotations

import time
from typing import Any, Callable

from qgis.PyQt.QtCore import QProcess

from . import jobs
from .backend import Launch, worker_launch
from .protocol import SILENCE_S, BackendError, LineReader, Message, Request, Tail, check_hello
from .translate import tr

POLL_MS = 100
GRACE_S = 0.8  # between asking a run to stop and ending its process: nobody waits for more than a second


class Worker:
    """One child process.

    Attributes:
        hello: What the child said of itself, once it has.
        last_heard: `time.monotonic()` of the last bytes from it.
    """

    def __init__(self, launch: Launch) -> None:
        self.hello: Message | None = None
        self.last_heard = time.monotonic()
        self._lines, self._tail, self._number = LineReader(), Tail(), 0
        self.process = launch.process()

    def start(self) -> None:
        """Start the child; it greets when it is ready."""
        self.process.start()
        self.send(Request("hello"))

    def send(self, request: Request) -> int:
        """Write one request; returns the id that its replies carry."""
        self._number += 1
        self.process.write(request.line(self._number))
        return self._number

    def cancel(self, number: int) -> None:
        """Ask the child to stop request `number`; it keeps what is finished."""
        self.send(Request("cancel", {"id": number}))

    def read(self) -> list[Message]:
        """Messages that have arrived since the last call; never waits.

        Raises:
            BackendError: The child speaks another protocol.
        """
        self._tail.feed(bytes(self.process.readAllStandardError()))
        data = bytes(self.process.readAllStandardOutput())
        if data:
            self.last_heard = time.monotonic()
        messages = self._lines.feed(data)
        for message in messages:
            if message.kind == "hello":
                check_hello(message)
                self.hello = message
        return messages

    def alive(self) -> bool:
        """Whether the process runs or is starting."""
        return self.process.state() != QProcess.ProcessState.NotRunning

    def silent_s(self) -> float:
        """Seconds since the child was last heard."""
        return time.monotonic() - self.last_heard

    def log(self) -> str:
        """The last lines that the child wrote beside the protocol."""
        garbage = "\n".join(self._lines.garbage)
        return "\n".join(part for part in (self._tail.text(), garbage) if part)

    def died(self) -> BackendError:
        """The error that its end stands for."""
        if self.process.error() == QProcess.ProcessError.FailedToStart:
            return BackendError(
                tr("The Python of the search engine does not start."), tr("Run Check environment."), "start",
                self.process.errorString(),
            )
        how = tr("it crashed") if self.process.exitStatus() == QProcess.ExitStatus.CrashExit else (
            tr("exit status {}").format(self.process.exitCode())
        )
        return BackendError(
            tr("The search engine has ended ({}).").format(how),
            tr("What it had finished is kept; run it again to go on."),
            "died", self.log(),
        )

    def close(self, wait_ms: int = 1000) -> None:
        """End the child: close its stdin, then terminate, then kill; returns when it is gone."""
        if self.alive():
            self.process.closeWriteChannel()
            self.process.terminate()
            if not self.process.waitForFinished(wait_ms):
                self.process.kill()
                self.process.waitForFinished(5000)


def run(
    request: Request,
    progress: Callable[[int, int, str], None],
    log: Callable[[str, str], None],
    should_stop: Callable[[], bool],
    launch: Launch | None = None,
) -> dict[str, Any]:
    """Do one request in a child of its own and wait for it; for any thread, with or without an event loop.

    Args:
        request: What to do.
        progress: Called with done, total and unit.
        log: Called with level and text, also when the child is silent for long.
        should_stop: Polled ten times a second.
        launch: How to start the child; found when None.

    Returns:
        The outputs that the `result` line carries.

    Raises:
        BackendError: It failed; code `stopped` when the user stopped it.
    """
    worker = Worker(launch or worker_launch())
    worker.start()
    number = worker.send(request)
    stop_at: float | None = None
    warned = False
    try:
        while True:
            worker.process.waitForReadyRead(POLL_MS)
            running = worker.alive()  # asked before reading: what a child wrote before its end is still read
            for message in worker.read():
                if message.id is not None and message.id != number:
                    continue
                if message.kind == "progress":
                    progress(int(message.body.get("done", 0)), int(message.body.get("total", 0)),
                             str(message.body.get("unit", "")))
                elif message.kind == "log":
                    log(str(message.body.get("level", "info")), str(message.body.get("text", "")))
                elif message.kind == "result":
                    return message.result()
                elif message.kind == "error":
                    fault = message.error()
                    raise jobs.stopped(request.op) if fault.code == "stopped" else fault
            if stop_at is not None and (not running or time.monotonic() > stop_at):
                raise jobs.stopped(request.op)
            if not running:
                raise worker.died()
            if stop_at is None and should_stop():
                worker.cancel(number)
                stop_at = time.monotonic() + GRACE_S
            if worker.silent_s() > SILENCE_S and not warned and stop_at is None:
                log("warning", tr("The search engine has not been heard for {:.0f} s; Cancel ends it.").format(
                    SILENCE_S))
            warned = worker.silent_s() > SILENCE_S
    finally:
        worker.close()
