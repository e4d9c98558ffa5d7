"""Making the plugin's own Python environment: venv and pip as child processes, seen and stopped at any time.

A new environment is built beside the one in use, and takes its place only when it passes the probe: a run that fails
or is cancelled changes nothing. QGIS's own Python gives the interpreter to start from and is never installed into.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from qgis.core import QgsSettings
from qgis.PyQt.QtCore import QObject, QProcess, QTimer, pyqtSignal

from . import backend, log, settings
from .background import Call
from .protocol import BackendError
from .redaction import redact
from .translate import tr

CUDA = "cuda"  # the full list, with the libraries of a graphics card
# free disk: what the packages take, and pip as much again while it works
NEEDED_GB = {backend.LIGHT: 2.0, backend.FULL: 4.0, CUDA: 12.0}
CPU_WHEELS = "https://download.pytorch.org/whl/cpu"


@dataclass(frozen=True)
class Plan:
    """What to build.

    Attributes:
        base: Interpreter to make the environment with.
        folder: Where it comes to lie; a new folder.
        wheelhouse: Folder with wheels for a computer without network, or empty.
        kind: Which packages: `backend.LIGHT`, `backend.FULL` (torch for the processor) or `CUDA`.
    """

    base: str
    folder: str
    wheelhouse: str = ""
    kind: str = backend.FULL

    def listed(self) -> str:
        """The file that names the packages."""
        return backend.requirement_files()[backend.FULL if self.kind == CUDA else self.kind]

    def venv(self) -> list[str]:
        """Arguments that make the empty environment."""
        return ["-m", "venv", self.folder]

    def pip(self) -> list[str]:
        """Arguments that fill it; run in the folder of the list of packages."""
        arguments = ["-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--progress-bar", "off"]
        if self.wheelhouse:
            arguments += ["--no-index", "--find-links", self.wheelhouse]
        elif self.kind == backend.FULL and sys.platform.startswith("linux"):  # elsewhere common wheels know no CUDA
            arguments += ["--extra-index-url", CPU_WHEELS]
        return [*arguments, "-r", os.path.basename(self.listed())]


def base_candidates() -> list[str]:
    """Interpreters that an environment can be made with, QGIS's own first, by their looks only."""
    found = [backend.base_python()]
    found += [c.path for c in backend.candidates() if c.path not in found]
    return [path for path in found if path]


def new_folder() -> str:
    """A folder for a new environment that does not exist yet; short, for Windows."""
    base, number = settings.data_folder(), 1
    while os.path.exists(os.path.join(base, f"env{number}")):
        number += 1
    return os.path.join(base, f"env{number}")


def room(folder: str) -> tuple[str, float]:
    """The part of a path that exists, and the free gigabytes of its disk."""
    there = folder
    while not os.path.isdir(there):
        there = os.path.dirname(there)
    return there, shutil.disk_usage(there).free / 1e9


def check_space(folder: str, needed_gb: float) -> None:
    """Refuse to start what cannot fit.

    Raises:
        BackendError: There is not enough room on the disk of `folder`.
    """
    there, free = room(folder)
    if free < needed_gb:
        raise BackendError(
            tr("The environment needs {:.0f} GB; {:.1f} GB are free at {}.").format(needed_gb, free, there),
            tr("Make room, or use an existing interpreter."), "environment")


def network() -> dict[str, str]:
    """Proxy and certificate settings of QGIS as environment variables for pip; pip's own settings stay as they are."""
    found = {}
    stored = QgsSettings()
    if stored.value("proxy/proxyEnabled", False, type=bool) and stored.value("proxy/proxyHost", ""):
        kind = str(stored.value("proxy/proxyType", "HttpProxy"))
        scheme = "socks5" if kind == "Socks5Proxy" else "http"
        user = quote(str(stored.value("proxy/proxyUser", "") or ""), safe="")
        word = quote(str(stored.value("proxy/proxyPassword", "") or ""), safe="")
        who = f"{user}:{word}@" if user else ""
        port = stored.value("proxy/proxyPort", "")
        address = "{}://{}{}{}".format(scheme, who, stored.value("proxy/proxyHost"), f":{port}" if port else "")
        found = {"HTTP_PROXY": address, "HTTPS_PROXY": address}
        excluded = stored.value("proxy/noProxyUrls", [], type=list) or []
        if excluded:
            found["NO_PROXY"] = ",".join(str(one) for one in excluded)
    if settings.certificates():
        found.update({"PIP_CERT": settings.certificates(), "SSL_CERT_FILE": settings.certificates()})
    return found


def look(work: Callable[[], Any], then: Callable[[Any], None]) -> None:
    """Call `then` with what `work` returns, which runs beside the window: a slow disk takes seconds. Main thread."""
    call = Call(work)
    call.completed.connect(lambda: then(call.found))
    call.start()


class Builder(QObject):
    """Carries out a plan, step by step, without holding up the window.

    Signals:
        said: A line of a tool's output, without private data.
        stepped: Name of the step that begins.
        ended: None when the environment is in use, else a `BackendError`.
    """

    said = pyqtSignal(str)
    stepped = pyqtSignal(str)
    ended = pyqtSignal(object)

    def __init__(self, plan: Plan, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._plan = plan
        self._steps: list[tuple[str, str, list[str]]] = []
        self._process: QProcess | None = None
        self._last: list[str] = []
        self._cancelled = self._over = False
        self.begun = 0.0

    def start(self) -> None:
        """Begin.

        Raises:
            BackendError: The disk is too full.
        """
        os.makedirs(os.path.dirname(self._plan.folder), exist_ok=True)
        check_space(self._plan.folder, NEEDED_GB[self._plan.kind])
        self.begun = time.monotonic()
        self.stepped.emit(tr("Looking at {}…").format(self._plan.base))
        look(lambda: backend.version_of(self._plan.base), self._begin)

    def _begin(self, version: Any) -> None:
        """The version of the interpreter to start from is known."""
        if self._over:
            return
        if not isinstance(version, tuple) or version < backend.OLDEST:
            spoken = "Python {}.{}".format(*version) if isinstance(version, tuple) else tr("no Python that works")
            self._give_up(BackendError(
                tr("{} is {}; Python 3.10 or newer is needed.").format(self._plan.base, spoken),
                tr("Choose another interpreter to start from."), "environment"))
            return
        python = backend.python_in(self._plan.folder)
        self._steps = [
            (tr("Making an empty environment…"), self._plan.base, self._plan.venv()),
            (tr("Installing packages; this takes some minutes…"), python, self._plan.pip()),
        ]
        self._next()

    def cancel(self) -> None:
        """Stop, and take away what is half done."""
        self._cancelled = True
        process = self._process
        if process is None:  # an interpreter is looked at; nobody waits for that
            self._stopped()
            return
        process.terminate()
        QTimer.singleShot(500, lambda: process.kill() if self._process is process else None)

    def _stopped(self) -> bool:
        """Whether the user has cancelled, which is told then."""
        if self._cancelled:
            self._give_up(BackendError(tr("Stopped."), tr("Nothing was changed."), "stopped"))
        return self._cancelled

    def _next(self) -> None:
        if not self._steps:
            self._finish()
            return
        words, program, arguments = self._steps.pop(0)
        self.stepped.emit(words)
        launch = backend.Launch(
            program, tuple(arguments), os.path.dirname(self._plan.listed()),
            {**backend.environment(), **network(), "PYTHONUNBUFFERED": "1"})
        self._process = launch.process()
        self._process.setProcessChannelMode(QProcess.ProcessChannelMode.MergedChannels)
        self._process.readyReadStandardOutput.connect(self._read)
        self._process.finished.connect(self._ended_step)
        self._process.errorOccurred.connect(self._failed_to_start)
        self._process.start()

    def _read(self) -> None:
        if self._process is None:
            return
        text = bytes(self._process.readAllStandardOutput()).decode("utf-8", "replace")
        for line in text.splitlines():
            if line.strip():
                clean = redact(line.rstrip())
                self._last = [*self._last[-40:], clean]
                log.write(clean, show=False)
                self.said.emit(clean)

    def _failed_to_start(self, fault: QProcess.ProcessError) -> None:
        if fault == QProcess.ProcessError.FailedToStart:
            self._give_up(BackendError(
                tr("The interpreter does not start."), tr("Choose another one to start from."), "environment"))

    def _ended_step(self, status: int, how: QProcess.ExitStatus) -> None:
        self._read()
        self._process = None
        if self._stopped():
            return
        if status != 0 or how != QProcess.ExitStatus.NormalExit:
            self._give_up(explain("\n".join(self._last)))
        else:
            self._next()

    def _finish(self) -> None:
        self.stepped.emit(tr("Trying the new environment…"))
        look(lambda: backend.probe(backend.Candidate(backend.python_in(self._plan.folder), tr("new"))), self._tried)

    def _tried(self, verdict: Any) -> None:
        """The new environment was asked for its packages."""
        if self._over:
            return
        if not getattr(verdict, "usable", False):
            self._give_up(BackendError(
                tr("The new environment does not work: {}.").format(getattr(verdict, "reason", verdict)), "",
                "environment"))
            return
        old = settings.environment_folder()
        settings.set_environment_folder(self._plan.folder)
        backend.forget()
        if old != self._plan.folder:
            remove(old)
        self.ended.emit(None)

    def _give_up(self, fault: BackendError) -> None:
        if self._over:
            return
        self._over = True
        self._process = None
        remove(self._plan.folder)
        self.ended.emit(fault)


def explain(log: str) -> BackendError:
    """What pip's last lines mean for people."""
    known = (
        ("ensurepip is not available", tr("This Python cannot make environments."),
         tr("On Debian and Ubuntu install python3-venv, or choose another interpreter.")),
        ("407", tr("The proxy asks for a user and a password."),
         tr("Enter them under Settings › Options › Network.")),
        ("CERTIFICATE_VERIFY_FAILED", tr("The network replaces certificates, and pip does not trust the new ones."),
         tr("Name your organisation’s certificate file under Network, or in the options of this plugin.")),
        ("No space left", tr("The disk is full."), tr("Make room and try again.")),
        ("No matching distribution", tr("A package was not found."),
         tr("Check the network or, for a wheelhouse, that it has the packages for this Python version.")),
        ("Temporary failure in name resolution", tr("There is no connection to the package index."),
         tr("Check the network, or use a folder of wheels.")),
        ("Failed to establish a new connection", tr("There is no connection to the package index."),
         tr("Check the network, or use a folder of wheels.")),
        ("Access is denied", tr("A file cannot be written."), tr("Your antivirus may block it; see the log.")),
    )
    for sign, message, remedy in known:
        if sign in log:
            return BackendError(message, remedy, "environment", log)
    return BackendError(tr("The environment could not be made."), tr("The log says why."), "environment", log)


def remove(folder: str) -> None:
    """Take an environment of ours away, in the background; a folder that is not one is left alone."""
    if os.path.isfile(os.path.join(folder, "pyvenv.cfg")):
        Call(lambda: shutil.rmtree(folder, ignore_errors=True)).start()
