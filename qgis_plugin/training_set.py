"""Making a training set: the builder's command line as a child process, seen and stopped at any time. Any thread."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from qgis.PyQt.QtCore import QProcess

from . import backend
from .protocol import BackendError, Tail
from .translate import tr
from .worker_client import GRACE_S, POLL_MS

PROGRESS = re.compile(r"^\w+: (\d+)/(\d+) (\w+)$")


@dataclass(frozen=True)
class Wanted:
    """A set to make.

    Attributes:
        imagery: A raster that the backend can open.
        landmarks: A vector file of things on the ground.
        out: Folder for the set; continued where it was begun with the same choices.
        column: The field that says what a thing is; empty for the usual ones.
        gsds: Metres per pixel; empty for the raster's own and twice that.
        side: Pixels of a tile.
        captions: Of each tile.
        complete: Whether the layer has everything of its kind, so that numbers may be said.
    """

    imagery: str
    landmarks: str
    out: str
    column: str = ""
    gsds: tuple[float, ...] = ()
    side: int = 224
    captions: int = 4
    complete: bool = False

    def arguments(self) -> list[str]:
        """Of `python`, behind its own switches."""
        found = ["-m", "training.build", "rs_landmarks", "--json", "-", "--imagery", self.imagery, "--landmarks",
                 self.landmarks, "--out", self.out, "--size", str(self.side), "--captions", str(self.captions)]
        for gsd in self.gsds:
            found += ["--gsd", repr(gsd)]
        if self.column:
            found += ["--column", self.column]
        return [*found, "--complete"] if self.complete else found


def launch(wanted: Wanted) -> backend.Launch:
    """How to start the builder.

    Raises:
        BackendError: There is no interpreter, or this plugin came without the builder.
    """
    folder = backend.folder()
    if not os.path.isfile(os.path.join(folder, "training", "build", "rs_landmarks.py")):
        raise BackendError(
            tr("The builder of training sets is missing from the plugin’s folder."), tr("Install the plugin again."),
            "start")
    python = backend.find().candidate.path
    return backend.Launch(
        python, ("-E", "-s", "-u", "-X", "utf8", *wanted.arguments()), folder, backend.environment())


def make(
    wanted: Wanted, progress: Callable[[int, int, str], None], log: Callable[[str, str], None],
    should_stop: Callable[[], bool],
) -> dict[str, Any]:
    """Make the set and wait for it.

    Args:
        wanted: What.
        progress: Called with done, total and unit.
        log: Called with level and text.
        should_stop: Polled ten times a second.

    Returns:
        The set's data card, with `result.samples` and `result.captions`.

    Raises:
        BackendError: It failed; code `stopped` when the user stopped it.
    """
    process = launch(wanted).process()
    process.start()
    tail, rest, out, stop_at = Tail(), "", bytearray(), None
    while process.state() != QProcess.ProcessState.NotRunning:
        process.waitForFinished(POLL_MS)  # it reads both channels meanwhile
        rest = _report(rest + _said(process, tail), progress, log)
        out += bytes(process.readAllStandardOutput())
        if stop_at is None and should_stop():
            process.terminate()
            stop_at = time.monotonic() + GRACE_S
        elif stop_at is not None and time.monotonic() > stop_at:
            process.kill()
    _report(rest + _said(process, tail) + "\n", progress, log)
    out += bytes(process.readAllStandardOutput())
    if stop_at is not None:
        raise BackendError(tr("Stopped."), tr("Finished rasters are kept: run it again to continue."), "stopped")
    if process.error() == QProcess.ProcessError.FailedToStart:
        raise BackendError(
            tr("The Python of the search engine does not start."), tr("Run Check environment."), "start",
            process.errorString())
    if process.exitStatus() != QProcess.ExitStatus.NormalExit or process.exitCode() != 0:
        raise _fault(tail.text())
    try:
        return dict(json.loads(out.decode("utf-8")))
    except ValueError:
        raise _fault(tail.text()) from None


def _said(process: QProcess, tail: Tail) -> str:
    data = bytes(process.readAllStandardError())
    tail.feed(data)
    return data.decode("utf-8", "replace")


def _report(text: str, progress: Callable[[int, int, str], None], log: Callable[[str, str], None]) -> str:
    """Tell of the lines that are complete; returns the rest."""
    *lines, rest = text.split("\n")
    for line in lines:
        number = PROGRESS.match(line.strip())
        if number:
            progress(int(number.group(1)), int(number.group(2)), number.group(3))
        elif line.strip():
            log("info", line.rstrip())
    return rest


def _fault(log: str) -> BackendError:
    lines = [line for line in log.splitlines() if line.startswith("error: ")]
    if lines:
        return BackendError(lines[-1][len("error: "):], "", "data", log)
    lacking = re.search(r"No module named '([\w.]+)'", log)
    if lacking:
        return BackendError(
            tr("The Python of the search engine lacks {}.").format(lacking.group(1)), tr("Choose Set up again."),
            "start", log)
    return BackendError(tr("The training set could not be made."), tr("The log says why."), "internal", log)
