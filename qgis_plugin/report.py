"""The report that people paste into an issue: what runs here, and what is wrong. No private data."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from typing import Any, Callable

from qgis.core import Qgis
from qgis.PyQt.QtCore import PYQT_VERSION_STR, QT_VERSION_STR

from . import backend, jobs, worker_client
from .protocol import BackendError
from .redaction import redact
from .translate import tr


def _section(title: str, facts: Mapping[str, Any]) -> list[str]:
    lines = ["", "## " + title, ""]
    for key, value in facts.items():
        if isinstance(value, (dict, list)):
            value = json.dumps(value, ensure_ascii=False)
        lines.append(f"- {key}: {value}")
    return lines


def window() -> Mapping[str, str]:
    """Versions of this side of the boundary."""
    return {
        "QGIS": Qgis.QGIS_VERSION, "Qt": QT_VERSION_STR, "PyQt": PYQT_VERSION_STR,
        "Python": platform.python_version(), "System": platform.platform(),
    }


def make(
    progress: Callable[[int, int, str], None], log: Callable[[str, str], None], should_stop: Callable[[], bool]
) -> tuple[str, str]:
    """Probe every interpreter, start the engine, and put together what they say; any thread.

    Returns:
        `ok` or the first fault, and the report in Markdown.
    """
    status, lines = "ok", ["# " + tr("Search imagery by text: environment")]
    lines += _section("QGIS", window())
    tried = {}
    for candidate in backend.candidates():
        verdict = backend.probe(candidate)
        tried[candidate.path] = "{} – {}{}".format(
            candidate.origin, verdict.reason, "" if verdict.usable else " (" + tr("not usable") + ")")
        if verdict.usable or should_stop():
            break
    lines += _section(tr("Interpreters"), tried)
    try:
        backend.find(fresh=True)
        said = worker_client.run(jobs.check(), progress, log, should_stop)
        markdown = said.get("markdown") or said.get("report")
        if isinstance(markdown, str):
            lines += ["", "## " + tr("Search engine"), "", markdown]
        else:
            lines += _section(tr("Search engine"), {k: v for k, v in said.items() if k not in ("id", "type")})
        problems = said.get("problems")
        if problems:
            status = "; ".join(str(p) for p in problems) if isinstance(problems, list) else str(problems)
        elif said.get("ok") is False:
            status = str(said.get("status") or tr("The search engine reports a problem."))
    except BackendError as error:
        status = str(error)
        lines += ["", "## " + tr("Fault"), "", str(error), "", "```", error.details[-4000:], "```"]
    return redact(status), redact("\n".join(lines))
