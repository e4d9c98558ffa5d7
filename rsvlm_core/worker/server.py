"""One reader thread, one heartbeat thread, and the jobs one after the other on the calling thread."""

from __future__ import annotations

import queue
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from rsvlm_core import __version__, jobs, journal
from rsvlm_core.errors import RsvlmError, Stopped
from rsvlm_core.jobs.encoders import Encoders
from rsvlm_core.jobs.halts import Halts
from rsvlm_core.jobs.searches import Searches
from rsvlm_core.worker.hello import greeting
from rsvlm_core.worker.protocol import PROTOCOL, Channel, Id, Malformed, Request, requests

HEARTBEAT_S = 2.0
PROGRESS_S = 0.1  # no window draws more often
QUEUE = 256


class Server:
    """Serves one client.

    Args:
        stdin: Requests come from here.
        channel: Answers go there.
        heartbeat_s: Seconds between signs of life.
    """

    def __init__(self, stdin: BinaryIO, channel: Channel, heartbeat_s: float = HEARTBEAT_S) -> None:
        self._stdin, self._channel, self._heartbeat_s = stdin, channel, heartbeat_s
        self._encoders, self._searches, self._halts = Encoders(), Searches(), Halts()
        self._waiting: queue.Queue[Request | None] = queue.Queue(QUEUE)
        self._lock = threading.Lock()
        self._current: Request | None = None
        self._stop = threading.Event()  # the current job
        self._cancelled: set[Id] = set()  # jobs that have not started
        self._pending: set[Id] = set()
        self._ending = threading.Event()

    def serve(self, on_end: Callable[[], None] = lambda: None) -> None:
        """Run until end of file or `shutdown`.

        Args:
            on_end: Called by the reader thread when the client is gone or wants the end, while a job may still run.
        """
        for work in (lambda: self._read(on_end), self._beat):
            threading.Thread(target=work, daemon=True).start()
        while (request := self._waiting.get()) is not None and not self._ending.is_set():
            self._run(request)
        self._ending.set()
        self._halts.close()

    def log(self, level: str, text: str) -> None:
        """Tell the client something that is no result."""
        self._channel.send("log", self._current.id if self._current else None, level=level, text=text)

    # the reader's thread

    def _read(self, on_end: Callable[[], None]) -> None:
        for request in requests(self._stdin):
            if isinstance(request, Malformed):
                self._error(request.id, "protocol", request.reason, "Send one JSON object a line.")
            elif request.op == "hello":
                self._hello(request)
            elif request.op == "cancel":
                self._cancel(request)
            elif request.op == "shutdown":
                self._channel.send("result", request.id, op="shutdown", result={})
                break
            elif request.op not in jobs.OPERATIONS:
                known = ", ".join(("hello", *jobs.OPERATIONS, "cancel", "shutdown"))
                self._error(request.id, "protocol", f"Unknown op {request.op!r}.", f"This worker knows {known}.")
            else:
                self._enqueue(request)
        self._ending.set()
        self._stop.set()
        # the queue may be full: then the running job's end is followed by a look at `_ending`
        threading.Thread(target=lambda: self._waiting.put(None), daemon=True).start()
        on_end()

    def _hello(self, request: Request) -> None:
        wanted = str(request.params.get("protocol", PROTOCOL))
        if wanted.split(".")[0] != PROTOCOL.split(".")[0]:
            self._error(
                request.id, "protocol",
                f"The client speaks protocol {wanted}, this worker (rsvlm {__version__}) speaks {PROTOCOL}.",
                "Install the same version of rsvlm and of the plugin.",
            )
            return
        self._channel.send("hello", request.id, **greeting())

    def _cancel(self, request: Request) -> None:
        target = request.params.get("id")
        with self._lock:
            found = False
            if self._current is not None and target in (None, self._current.id):
                self._stop.set()
                found = True
            elif isinstance(target, (str, int)) and target in self._pending:
                self._cancelled.add(target)
                found = True
        self._channel.send("result", request.id, op="cancel", result={"cancelled": found})

    def _enqueue(self, request: Request) -> None:
        with self._lock:
            taken = request.id is None or request.id in self._pending
            if not taken:
                self._pending.add(request.id)
        if taken:
            reason = "The request's id is missing or in use."
            self._error(request.id, "protocol", reason, "Give every request its own id.")
            return
        try:
            self._waiting.put_nowait(request)
        except queue.Full:
            with self._lock:
                self._pending.discard(request.id)
            self._error(request.id, "busy", f"{QUEUE} requests are waiting.", "Wait for a result, or cancel.")

    # the heartbeat's thread

    def _beat(self) -> None:
        while not self._ending.wait(self._heartbeat_s):
            current = self._current
            self._channel.send("heartbeat", current.id if current else None, busy=current is not None)

    # the jobs' thread

    def _run(self, request: Request) -> None:
        with self._lock:
            skip = request.id in self._cancelled
            self._cancelled.discard(request.id)
            if not skip:
                self._stop.clear()
                self._current = request
            if self._ending.is_set():
                self._stop.set()
        try:
            if skip:
                raise Stopped("Stopped before it began.")
            self._channel.send("result", request.id, op=request.op, result=self._result(request))
        except Stopped as error:
            self._error(request.id, error.code, error.message, error.remedy, finished=error.finished)
        except RsvlmError as error:
            self._error(request.id, error.code, error.message, error.remedy)
        except MemoryError:
            self._error(
                request.id, "memory", "There is not enough memory.",
                "Close other programs, or take a smaller extent or batch.", traceback.format_exc(),
            )
        except Exception as error:  # a bug must cost one request, not the worker; the traceback goes along
            if self._stop.is_set():
                self._error(request.id, Stopped.code, "Stopped.", "")
            else:
                self._error(
                    request.id, "internal", f"{type(error).__name__}: {error}",
                    "This is a fault in rsvlm; please report it with the log.", traceback.format_exc(),
                )
        finally:
            with self._lock:
                self._current = None
                self._pending.discard(request.id)

    def _result(self, request: Request) -> jobs.Summary:
        last = 0.0

        def progress(done: int, total: int, unit: str) -> None:
            nonlocal last
            now = time.monotonic()
            if done >= total or now - last >= PROGRESS_S:
                last = now
                self._channel.send("progress", request.id, done=done, total=total, unit=unit)

        def finished(kind: str, path: Path) -> None:
            self._channel.send("partial", request.id, kind=kind, path=str(path))

        context = jobs.Context(self._encoders, progress, self._stop.is_set, finished, self._searches, self._halts)
        with journal.told(request.op, request.params):
            result = jobs.job(request.op)(jobs.Params(request.params), context)
            journal.report(result)
        return result

    def _error(self, to: Id, code: str, message: str, remedy: str, trace: str = "", **more: object) -> None:
        self._channel.send("error", to, code=code, message=message, remedy=remedy, traceback=trace, **more)
