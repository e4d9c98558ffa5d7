"""What happened, for the message log of QGIS and for a file that outlives it. Any thread."""

from __future__ import annotations

import logging
import os
import threading
from logging.handlers import RotatingFileHandler

from qgis.core import Qgis, QgsMessageLog

from . import settings
from .redaction import redact

TAB = "Search imagery by text"
BYTES, KEPT = 1_000_000, 3  # of one file, and files of before
LEVELS = {
    "debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR,
}

_lock = threading.Lock()
_handler: RotatingFileHandler | None = None


def path() -> str:
    """The file; older ones lie beside it as `.1`, `.2`, `.3`."""
    return os.path.join(settings.data_folder(), "logs", "plugin.log")


def write(text: str, level: str = "info", show: bool = True) -> None:
    """Add lines, without home folder and user name in the file.

    Args:
        text: One line or several.
        level: One of `LEVELS`; others count as `info`.
        show: Whether they go to QGIS's message log too.
    """
    if show:
        shown = {"warning": Qgis.MessageLevel.Warning, "error": Qgis.MessageLevel.Critical}
        QgsMessageLog.logMessage(text, TAB, shown.get(level, Qgis.MessageLevel.Info), level == "error")
    record = logging.LogRecord(TAB, LEVELS.get(level, logging.INFO), "", 0, redact(text), None, None)
    with _lock:
        handler = _opened()
        if handler is not None:
            handler.handle(record)


def close() -> None:
    """Let the file go, so that it can be moved or deleted."""
    global _handler
    with _lock:
        if _handler is not None:
            _handler.close()
            _handler = None


def _opened() -> RotatingFileHandler | None:
    """The handler of `path`; None where no file can be written, which must never stop the work that is told of."""
    global _handler
    wanted = path()
    if _handler is not None and _handler.baseFilename != os.path.abspath(wanted):
        _handler.close()
        _handler = None
    if _handler is None:
        try:
            os.makedirs(os.path.dirname(wanted), exist_ok=True)
            _handler = RotatingFileHandler(wanted, maxBytes=BYTES, backupCount=KEPT, encoding="utf-8")
        except OSError:
            return None
        _handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    return _handler
