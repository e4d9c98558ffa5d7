"""Ctrl-C: asks the work to stop, and ends it within a second if it does not."""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType

from rsvlm_core.errors import Stopped

GRACE_S = 0.8


class StopOnInterrupt:
    """Context manager around a command.

    The first Ctrl-C sets a flag that long loops poll, so that they finish a part. Where none looks in time, because
    torch is being imported or a batch computed, the process leaves as it is: index parts and results appear by
    rename, so whatever is finished stays usable. A second Ctrl-C leaves at once.
    """

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._previous: signal.Handlers | object = None

    def __enter__(self) -> StopOnInterrupt:
        if threading.current_thread() is threading.main_thread():
            self._previous = signal.signal(signal.SIGINT, self._interrupted)
        return self

    def __exit__(self, *exc: object) -> None:
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)  # type: ignore[arg-type]

    def __call__(self) -> bool:
        """Whether the user asked to stop: the `should_stop` of a job."""
        return self._asked.is_set()

    def _interrupted(self, signum: int, frame: FrameType | None) -> None:
        if self._asked.is_set():
            self._leave()
        self._asked.set()
        timer = threading.Timer(GRACE_S, self._leave)
        timer.daemon = True
        timer.start()

    @staticmethod
    def _leave() -> None:
        os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, b"\nStopped. Finished work is kept.\n")
        os._exit(Stopped.exit_status)
