"""Finding a Python that can run the backend, and starting it in an environment free of QGIS's own libraries."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from qgis.core import QgsApplication
from qgis.PyQt.QtCore import QProcess, QProcessEnvironment, QStandardPaths

from . import settings
from .protocol import BackendError
from .translate import tr

HERE = os.path.dirname(os.path.abspath(__file__))
OLDEST = (3, 10)
LIGHT, FULL = "light", "full"
PATIENCE_MS = 60_000  # an antivirus program may look at a Python for long before it lets it start
# QGIS sets these for its own Python, GDAL, PROJ and Qt; another Python that sees them loads the wrong files
REMOVED = (
    "PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "PYTHONUSERBASE", "GDAL_DATA", "GDAL_DRIVER_PATH", "PROJ_LIB",
    "PROJ_DATA", "QT_PLUGIN_PATH", "QT_QPA_PLATFORM", "QT_QPA_PLATFORM_PLUGIN_PATH", "QML2_IMPORT_PATH",
    "GDAL_PAM_ENABLED", "SSL_CERT_DIR_QGIS", "__PYVENV_LAUNCHER__",
)
SEARCHED = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH", "PATH")
PROBE = (
    "import json, sys\n"
    "from importlib.metadata import version, PackageNotFoundError\n"
    "found, missing = {}, []\n"
    "for name in sys.argv[1:]:\n"
    "    try:\n"
    "        found[name] = version(name)\n"
    "    except PackageNotFoundError:\n"
    "        missing.append(name)\n"
    "print(json.dumps({'python': list(sys.version_info[:3]), 'found': found, 'missing': missing}))\n"
)


@dataclass(frozen=True)
class Candidate:
    """A Python that may do, and how it was found."""

    path: str
    origin: str


@dataclass(frozen=True)
class Verdict:
    """What a short run of a candidate said."""

    candidate: Candidate
    usable: bool
    reason: str
    versions: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Launch:
    """How to start a child: absolute program, arguments, working folder, and the whole of its environment."""

    program: str
    arguments: tuple[str, ...]
    folder: str
    environment: dict[str, str]

    def process(self) -> QProcess:
        """A `QProcess` set up like this and not yet started; it belongs to the calling thread."""
        process = QProcess()
        environment = QProcessEnvironment()
        for name, value in self.environment.items():
            environment.insert(name, value)
        process.setProcessEnvironment(environment)
        process.setWorkingDirectory(self.folder)
        process.setProgram(self.program)
        process.setArguments(list(self.arguments))
        return process


def folder() -> str:
    """The folder that holds `rsvlm_core`: `backend` in an installed plugin, the repository in a checkout.

    Raises:
        BackendError: There is neither.
    """
    for place in (os.path.join(HERE, "backend"), os.path.dirname(HERE), os.path.dirname(os.path.realpath(HERE))):
        if os.path.isfile(os.path.join(place, "rsvlm_core", "__init__.py")):
            return place
    raise BackendError(tr("The backend is missing from the plugin’s folder."), tr("Install the plugin again."), "start")


def requirement_files() -> dict[str, str]:
    """Kind (`LIGHT`, `FULL`) to the list of packages with which the backend runs, the lightest first; existing ones."""
    files = {}
    for kind, name in ((LIGHT, "requirements-light.txt"), (FULL, "requirements.txt")):
        for place in (HERE, folder()):
            if kind not in files and os.path.isfile(os.path.join(place, name)):
                files[kind] = os.path.join(place, name)
    return files


def requirements() -> list[list[str]]:
    """Names of the distributions with which the backend runs: any one of the lists will do."""
    return [_distributions(path) for path in requirement_files().values()]


def _distributions(path: str) -> list[str]:
    """Names that a list of packages holds, those of lists that it takes in (`-r`) included."""
    found: list[str] = []
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            other = re.match(r"\s*(?:-r|--requirement)[\s=]*(\S+)", line)
            name = re.match(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)", line)
            if other:
                found += _distributions(os.path.join(os.path.dirname(path), other.group(1)))
            elif name:
                found.append(name.group(1))
    return found


def scrubbed(environ: Mapping[str, str], prefix: str) -> dict[str, str]:
    """A copy of `environ` without QGIS's own search paths.

    Args:
        environ: Environment of the QGIS process.
        prefix: Folder of the QGIS program; entries of library paths under it are dropped, unless it is the system's.
    """
    clean = {name: value for name, value in environ.items() if name.upper() not in REMOVED}
    own = os.path.normcase(os.path.abspath(prefix)) if prefix else ""
    if own in ("", os.sep, os.path.normcase("/usr"), os.path.normcase("/usr/local")):
        return clean
    for name in SEARCHED:
        if name in clean:
            entries = [entry for entry in clean[name].split(os.pathsep) if entry]
            kept = [entry for entry in entries
                    if not (os.path.normcase(os.path.abspath(entry)) + os.sep).startswith(own + os.sep)]
            clean[name] = os.pathsep.join(kept)
            if not kept and name != "PATH":
                del clean[name]
    return clean


def environment() -> dict[str, str]:
    """The environment for any child of ours."""
    clean = scrubbed(os.environ, QgsApplication.prefixPath())
    if settings.index_folder():
        clean["RSVLM_CACHE"] = settings.index_folder()
    return clean


def python_in(environment_folder: str) -> str:
    """The interpreter of a virtual or conda environment, whether or not it exists."""
    if os.name == "nt":
        script = os.path.join(environment_folder, "Scripts", "python.exe")
        return script if os.path.exists(script) else os.path.join(environment_folder, "python.exe")
    return os.path.join(environment_folder, "bin", "python")


def candidates() -> list[Candidate]:
    """Every interpreter worth trying, the user's choice first; only files that exist."""
    named = [
        Candidate(settings.interpreter(), tr("set in the options")),
        Candidate(os.environ.get("RSVLM_PYTHON", ""), tr("environment variable RSVLM_PYTHON")),
        Candidate(python_in(settings.environment_folder()), tr("the plugin’s own environment")),
    ]
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        if os.environ.get(variable):
            named.append(Candidate(python_in(os.environ[variable]), variable))
    if os.path.dirname(os.path.realpath(HERE)) == _checkout():  # running from a checkout: its own environment
        named.append(Candidate(python_in(os.path.join(_checkout(), ".venv")), tr("the checkout’s environment")))
    for name in ("python3.13", "python3.12", "python3.11", "python3.10", "python3", "python"):
        named.append(Candidate(QStandardPaths.findExecutable(name), tr("found on the path")))
    seen = set()
    kept = []
    for candidate in named:
        if candidate.path and candidate.path not in seen and os.path.isfile(candidate.path):
            seen.add(candidate.path)
            kept.append(candidate)
    return kept


def _checkout() -> str | None:
    above = os.path.dirname(os.path.realpath(HERE))
    return above if os.path.isfile(os.path.join(above, "rsvlm_core", "__init__.py")) else None


def probe(candidate: Candidate) -> Verdict:
    """Ask a candidate for its version and packages; a tenth of a second, nothing heavy is imported. Any thread."""
    lists = requirements()
    names = list(dict.fromkeys(name for names in lists for name in names))
    launch = Launch(candidate.path, ("-E", "-s", "-c", PROBE, *names), os.path.dirname(HERE), environment())
    process = launch.process()
    process.start()
    if not process.waitForFinished(PATIENCE_MS):
        process.kill()
        process.waitForFinished(1000)
        return Verdict(candidate, False, tr("does not start"))
    try:
        said = json.loads(bytes(process.readAllStandardOutput()).decode("utf-8"))
        python, missing, found = tuple(said["python"]), list(said["missing"]), dict(said["found"])
    except (ValueError, KeyError, TypeError):
        return Verdict(candidate, False, tr("is no Python that works"))
    spoken = ".".join(str(part) for part in python)
    if python[:2] < OLDEST:
        return Verdict(candidate, False, tr("is Python {}; 3.10 or newer is needed").format(spoken))
    lacking = [[name for name in names if name in missing] for names in lists]
    if lacking and all(lacking):
        least = min(lacking, key=len)
        return Verdict(candidate, False, tr("Python {}, lacks {}").format(spoken, ", ".join(least)))
    return Verdict(candidate, True, f"Python {spoken}", found)


_found: dict[tuple[str, ...], Verdict] = {}


def find(fresh: bool = False) -> Verdict:
    """The first candidate that can run the backend; remembered until the candidates change.

    Args:
        fresh: Probe again, also what was found before.

    Raises:
        BackendError: None can; the message names each and its fault.
    """
    tried = candidates()
    key = tuple(candidate.path for candidate in tried)
    if not fresh and key in _found:
        return _found[key]
    verdicts = []
    for candidate in tried:
        verdict = probe(candidate)
        verdicts.append(verdict)
        if verdict.usable:
            _found.clear()
            _found[key] = verdict
            return verdict
    listed = "\n".join(f"  {v.candidate.path} ({v.candidate.origin}): {v.reason}" for v in verdicts)
    raise BackendError(
        tr("No Python was found that can run the search engine."),
        tr("Choose Set up in the panel Search imagery by text, or name an interpreter under Settings › Options."),
        "environment",
        listed,
    )


def forget() -> None:
    """Look for an interpreter afresh next time."""
    _found.clear()


def version_of(path: str) -> tuple[int, int] | None:
    """Major and minor version of an interpreter; None when it is none. Any thread."""
    launch = Launch(path, ("-E", "-s", "-c", "import sys; print(*sys.version_info[:2])"), HERE, environment())
    process = launch.process()
    process.start()
    if not process.waitForFinished(PATIENCE_MS):
        process.kill()
        process.waitForFinished(1000)
        return None
    try:
        major, minor = bytes(process.readAllStandardOutput()).decode("utf-8").split()
        return int(major), int(minor)
    except ValueError:
        return None


def worker_launch() -> Launch:
    """How to start the worker with the interpreter that `find` names. Any thread.

    Raises:
        BackendError: There is no interpreter, or no backend.
    """
    python = find().candidate.path
    return Launch(python, ("-E", "-s", "-u", "-X", "utf8", "-m", "rsvlm_core.worker"), folder(), environment())


def base_python() -> str:
    """A Python to make an environment with; inside QGIS `sys.executable` may be the QGIS program."""
    names = ["python.exe", "python3.exe"] if os.name == "nt" else ["bin/python3", "bin/python"]
    for place in (sys.base_prefix, sys.prefix):
        for name in names:
            path = os.path.join(place, *name.split("/"))
            if os.path.isfile(path):
                return path
    return QStandardPaths.findExecutable("python3") or QStandardPaths.findExecutable("python")
