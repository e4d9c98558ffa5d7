"""The panel's warm backend: one child on the main thread, kept between searches so that its model stays loaded."""

from __future__ import annotations

import time
from typing import Any

from qgis.PyQt.QtCore import QObject, QTimer, pyqtSignal

from . import backend, jobs, log
from .background import Background
from .protocol import SILENCE_S, BackendError, Message, Remaining, Request
from .translate import tr
from .worker_client import GRACE_S, Worker

LINGER_S = 10.0  # that such a run may go on after the panel is free, before its child is ended
# what these have finished lies in their child, which has to stop by itself for it to be kept
KEPT_IN_CHILD = ("segment",)


class FindTask(Background):
    """Looks for an interpreter in the background: a probe takes a tenth of a second, each."""

    def __init__(self) -> None:
        super().__init__()
        self.launch: backend.Launch | None = None
        self.fault: BackendError | None = None

    def run(self) -> None:
        """In another thread."""
        try:
            self.launch = backend.worker_launch()
        except BackendError as error:
            self.fault = error
        except Exception as error:
            self.fault = BackendError(str(error), tr("Please report this."), "bug")


class Session(QObject):
    """One request at a time to one child.

    Signals:
        changed: `busy` or state may be different.
        progressed: done, total, unit, seconds left or None.
        logged: level, text.
        silent: the child has not been heard for long (True), or is heard again (False).
        looked: None when an interpreter was found, else the fault; the answer to `look`.
        ended: outputs, or None; the fault, or None; the request that it was.
        kept: the request, after it was stopped and has ended, when its child at last says what is kept; and as what.
    """

    changed = pyqtSignal()
    progressed = pyqtSignal(int, int, str, object)
    logged = pyqtSignal(str, str)
    silent = pyqtSignal(bool)
    looked = pyqtSignal(object)
    ended = pyqtSignal(object, object, object)
    kept = pyqtSignal(object, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._worker: Worker | None = None
        self._dying: list[Worker] = []
        self._task: FindTask | None = None
        self._request: Request | None = None
        self._number: int | None = None
        self._stop_at: float | None = None
        self._late: tuple[int, Request, float] | None = None  # one that stops after its end, and until when
        self._was_silent = False
        self._remaining = Remaining()
        self._clock = QTimer(self)
        self._clock.setInterval(200)
        self._clock.timeout.connect(self._tick)

    # what the panel calls
    @property
    def busy(self) -> bool:
        """Whether a request is under way."""
        return self._request is not None

    @property
    def stopping(self) -> bool:
        """Whether the request has been asked to stop."""
        return self._stop_at is not None

    @property
    def device(self) -> str:
        """What the child computes on, as far as it has said."""
        hello = self._worker.hello if self._worker else None
        return str(hello.body.get("device", "")) if hello else ""

    def run(self, request: Request) -> None:
        """Start a request; `ended` tells of its end, always from the event loop.

        Raises:
            BackendError: Another one is under way.
        """
        self.check_free()
        self._request, self._number, self._stop_at = request, None, None
        self._remaining, self._was_silent = Remaining(), False
        self._clock.start()
        if self._worker is not None and self._worker.alive():
            self._worker.last_heard = time.monotonic()
            self._number = self._worker.send(request)
        else:
            self._find()
        self.changed.emit()

    def check_free(self) -> None:
        """Refuse a second request beside the one under way.

        Raises:
            BackendError: There is one.
        """
        if self.busy:
            raise BackendError(tr("A search is under way."), tr("Wait for it, or cancel it."), "usage")

    def look(self) -> None:
        """Find out in the background whether there is an engine; `looked` tells."""
        if not self.busy:
            self._find()

    def stop(self) -> None:
        """Ask the request to stop; when it does not within the grace, its child is ended."""
        if not self.busy or self.stopping:
            return
        self._stop_at = time.monotonic() + GRACE_S
        if self._worker is not None and self._number is not None:
            self._worker.cancel(self._number)
        self.changed.emit()

    def forget_worker(self) -> None:
        """Let the warm child go, so that the next request starts one with new settings."""
        if not self.busy:
            self._retire()

    def close(self) -> None:
        """End everything and wait for it; no signal comes after."""
        self._clock.stop()
        self._request = None
        self.blockSignals(True)
        if self._task is not None:
            self._task.wait(5.0)
            self._task = None
        self._retire()
        for worker in self._dying:
            worker.close()
        self._dying.clear()

    # inside
    def _find(self) -> None:
        """Look for the interpreter, if that is not under way; it starts the request when it knows."""
        if self._task is None:
            self._task = FindTask()
            self._task.completed.connect(self._found)
            self._task.start()

    def _found(self) -> None:
        """The interpreter is known, or is not; main thread."""
        task, self._task = self._task, None
        if task is None:
            return
        self.looked.emit(task.fault)
        if self._request is None:
            return
        if self.stopping:
            self._end(None, BackendError(tr("Stopped."), "", "stopped"))
        elif task.launch is None:
            self._end(None, task.fault or BackendError(tr("Stopped."), "", "stopped"))
        else:
            self._worker = Worker(task.launch)
            self._worker.process.readyReadStandardOutput.connect(self._read)
            self._worker.process.readyReadStandardError.connect(self._read)
            self._worker.start()
            self._number = self._worker.send(self._request)

    def _read(self) -> None:
        """Lines have arrived."""
        if self._worker is None:
            return
        try:
            for message in self._worker.read():
                self._take(message)
        except BackendError as error:
            self._retire()
            self._end(None, error)

    def _take(self, message: Message) -> None:
        if message.kind == "log":
            self.logged.emit(str(message.body.get("level", "info")), str(message.body.get("text", "")))
        if self._late is not None and message.id == self._late[0] and message.kind in ("result", "error"):
            self._stopped_late(message.error().finished if message.kind == "error" else None)
        if self._request is None or self._number is None or message.id != self._number:
            return
        if message.kind == "progress":
            done, total = int(message.body.get("done", 0)), int(message.body.get("total", 0))
            unit = str(message.body.get("unit", ""))
            self.progressed.emit(done, total, unit, self._remaining.update(time.monotonic(), done, total, unit))
        elif message.kind == "result":
            self._end(message.result(), None)
        elif message.kind == "error":
            self._end(None, message.error())

    def _tick(self) -> None:
        """Five times a second while there is something to watch."""
        self._dying = [worker for worker in self._dying if self._bury(worker)]
        if self._late is not None and (time.monotonic() > self._late[2] or not self._worker.alive()):
            self._stopped_late(None)
            if self._worker.alive():  # else what waits is told below
                self._retire()
                if self.busy:
                    self._number = None
                    self._find()
        if not self.busy:
            if not self._dying and self._late is None:
                self._clock.stop()
            return
        worker = self._worker
        if self.stopping and time.monotonic() > self._stop_at and self._task is None:
            if self._request.op in KEPT_IN_CHILD and self._number is not None and self._late is None:
                self._late = self._number, self._request, time.monotonic() + LINGER_S
            else:
                self._retire()
            self._end(None, BackendError(tr("Stopped."), "", "stopped"))
        elif worker is not None and not worker.alive():
            self._read()
            if self._request is not None:  # its last lines brought no result
                fault = worker.died()
                self._worker = None
                self._end(None, fault)
        elif worker is not None:
            is_silent = worker.silent_s() > SILENCE_S
            if is_silent != self._was_silent:
                self._was_silent = is_silent
                self.silent.emit(is_silent)

    def _stopped_late(self, finished: float | None) -> None:
        """A request that has ended for the panel has stopped in the child too, or never will."""
        (_, request, _), self._late = self._late, None
        self.kept.emit(request, jobs.stopped(request.op, finished))

    def _end(self, outputs: dict[str, Any] | None, fault: BackendError | None) -> None:
        request, self._request = self._request, None
        self._number, self._stop_at = None, None
        if fault is not None and fault.code != "stopped":
            log.write(f"{request.op if request else ''}: {fault}\n{fault.details}".strip(), "warning")
        if self._was_silent:
            self._was_silent = False
            self.silent.emit(False)
        self.changed.emit()
        if request is not None:
            if fault is not None and fault.code == "stopped":
                waits = self._late is not None and self._late[1] is request
                fault = fault if waits else jobs.stopped(request.op, fault.finished)
            self.ended.emit(outputs, fault, request)

    def _retire(self) -> None:
        """Send the child away without waiting for it: the window must not stand still."""
        worker, self._worker = self._worker, None
        self._late = None
        if worker is not None and worker.alive():
            worker.process.closeWriteChannel()
            worker.process.terminate()
            worker.last_heard = time.monotonic()
            self._dying.append(worker)
            self._clock.start()

    def _bury(self, worker: Worker) -> bool:
        """Whether a child that was sent away is still there; killed when it lingers."""
        worker.process.readAllStandardOutput()
        worker.process.readAllStandardError()
        if worker.alive() and worker.silent_s() > 1.0:
            worker.process.kill()
        return worker.alive()
