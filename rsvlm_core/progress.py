"""How long loops report and how they are stopped."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Protocol

from tqdm import tqdm

from rsvlm_core.errors import Stopped

ShouldStop = Callable[[], bool]


class Progress(Protocol):
    """Called as work advances; must be cheap and never raise."""

    def __call__(self, done: int, total: int, unit: str) -> None:
        """`done` of `total` units are finished."""
        ...


def silent(done: int, total: int, unit: str) -> None:
    """A progress that says nothing."""


def never() -> bool:
    """A should_stop that lets the work run to its end."""
    return False


def check(should_stop: ShouldStop, kept: str = "") -> None:
    """Raise `Stopped` if the user asked to stop.

    Args:
        should_stop: Polled once.
        kept: What stays usable, said in the message.
    """
    if should_stop():
        raise Stopped("Stopped.", kept)


class TerminalProgress:
    """A bar on a terminal, one plain line every few seconds elsewhere; always on stderr."""

    def __init__(self, label: str, every_s: float = 5.0) -> None:
        self._label, self._every, self._last = label, every_s, 0.0
        self._bar: tqdm[None] | None = None

    def __call__(self, done: int, total: int, unit: str) -> None:
        """Move the bar, or print a line now and then."""
        if sys.stderr.isatty():
            if self._bar is None or self._bar.total != total:
                self.close()
                self._bar = tqdm(total=total, desc=self._label, unit=unit, file=sys.stderr)
            self._bar.update(done - self._bar.n)
        elif done >= total or time.monotonic() - self._last > self._every:
            self._last = time.monotonic()
            print(f"{self._label}: {done}/{total} {unit}", file=sys.stderr, flush=True)

    def close(self) -> None:
        """Finish the bar's line."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
