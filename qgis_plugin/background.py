"""Work beside the window, in a thread of Qt's pool.

Not a `QgsTask`: of one that takes more than five seconds QGIS before 3.26 says "Task complete" beside what it has
found, and these only look at something.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from qgis.PyQt.QtCore import QCoreApplication, QObject, QRunnable, QThreadPool, pyqtSignal

QUIT_S = 5.0  # that QGIS waits at its end for what goes on


class _Runner(QRunnable):
    """Calls the work in the pool's thread."""

    def __init__(self, work: Background) -> None:
        super().__init__()
        self.setAutoDelete(False)  # Python keeps it
        self._work = work

    def run(self) -> None:
        """Called by Qt; an exception here would bring QGIS down."""
        try:
            self._work.run()
        except Exception as error:
            self._work.raised = error
        finally:
            self._work.end()


class Background(QObject):
    """One piece of work; subclasses have it in `run`.

    Signals:
        completed: It has ended, also where it was cancelled; comes in the main thread.

    Attributes:
        raised: What `run` raised.
    """

    completed = pyqtSignal()

    def __init__(self) -> None:
        super().__init__()
        self.raised: Exception | None = None
        self._cancelled, self._ended = threading.Event(), threading.Event()
        self._runner = _Runner(self)

    def run(self) -> None:
        """In another thread; looks at `cancelled` now and then."""

    def start(self) -> None:
        """Begin, once; it is kept until its end."""
        _going.add(self)
        self.completed.connect(lambda: _going.discard(self))
        QThreadPool.globalInstance().start(self._runner)

    def cancelled(self) -> bool:
        """Whether it shall end soon."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Ask it to end soon."""
        self._cancelled.set()

    def wait(self, seconds: float) -> bool:
        """Wait for its end; whether that came."""
        return self._ended.wait(seconds)

    def end(self) -> None:
        """Called at the end, in the other thread."""
        self._ended.set()
        self.completed.emit()


class Call(Background):
    """Calls a function.

    Attributes:
        found: What it returned, or the exception that it raised.
    """

    def __init__(self, work: Callable[[], object]) -> None:
        super().__init__()
        self._call = work
        self.found: object = None

    def run(self) -> None:
        """In another thread."""
        try:
            self.found = self._call()
        except Exception as error:
            self.found = error


_going: set[Background] = set()


def _quit() -> None:
    """QGIS goes: what is under way ends first, since its thread must not outlive Python."""
    for work in list(_going):
        work.cancel()
    for work in list(_going):
        work.wait(QUIT_S)


if QCoreApplication.instance() is not None:
    QCoreApplication.instance().aboutToQuit.connect(_quit)
