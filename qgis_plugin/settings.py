"""What the user has chosen, and where the plugin keeps its files."""

from __future__ import annotations

import os
from typing import Any

from qgis.core import QgsProcessingUtils, QgsSettings
from qgis.PyQt.QtCore import QStandardPaths

PREFIX = "rsvlm/"
HISTORY = 30


def _get(name: str, default: Any, kind: type) -> Any:
    return QgsSettings().value(PREFIX + name, default, type=kind)


def _set(name: str, value: Any) -> None:
    QgsSettings().setValue(PREFIX + name, value)


def interpreter() -> str:
    """The Python that the user named for the backend, or an empty string."""
    return str(_get("python", "", str)).strip()


def set_interpreter(path: str) -> None:
    """Remember the Python for the backend; empty forgets it."""
    _set("python", path.strip())


def model() -> str:
    """The model to use where none is named: empty is the bundled one."""
    return str(_get("model", "", str)).strip()


def set_model(name: str) -> None:
    """Remember the model."""
    _set("model", name.strip())


def device() -> str:
    """`auto`, `cpu`, `cuda` and so on."""
    return str(_get("device", "auto", str)) or "auto"


def set_device(name: str) -> None:
    """Remember the device."""
    _set("device", name)


def index_folder() -> str:
    """Where the backend keeps the indexes it builds by itself; empty is its own cache."""
    return str(_get("indexFolder", "", str)).strip()


def set_index_folder(path: str) -> None:
    """Remember the folder for indexes."""
    _set("indexFolder", path.strip())


def history() -> list[str]:
    """Texts searched before, the latest first."""
    value = QgsSettings().value(PREFIX + "history", [])
    return [value] if isinstance(value, str) else list(value or [])


def remember(text: str) -> None:
    """Put `text` first in the history."""
    _set("history", [text, *(old for old in history() if old != text)][:HISTORY])


def clear_history() -> None:
    """Forget all texts."""
    QgsSettings().remove(PREFIX + "history")


def data_folder() -> str:
    """The user's folder for the environment and results: outside the plugin, which an upgrade replaces."""
    base = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.GenericDataLocation)
    return os.path.join(base or os.path.expanduser("~"), "rsvlm")


def environment_folder() -> str:
    """The plugin's own Python environment: the one that Set up made last."""
    return str(_get("environment", "", str)) or os.path.join(data_folder(), "env")


def set_environment_folder(path: str) -> None:
    """Use another environment of the plugin's own."""
    _set("environment", path)


def certificates() -> str:
    """A file with certificates for networks that replace them, or empty."""
    return str(_get("certificates", "", str)).strip()


def set_certificates(path: str) -> None:
    """Remember the certificate file."""
    _set("certificates", path.strip())


def chosen_results_folder() -> str:
    """The folder for results that the user named, or an empty string."""
    return str(_get("resultsFolder", "", str)).strip()


def results_folder() -> str:
    """Where the panel puts result layers; made when missing."""
    folder = chosen_results_folder() or os.path.join(data_folder(), "results")
    os.makedirs(folder, exist_ok=True)
    return folder


def set_results_folder(path: str) -> None:
    """Remember the folder for results."""
    _set("resultsFolder", path.strip())


def scratch_folder() -> str:
    """A folder for files that live as long as QGIS does; made when missing."""
    folder = os.path.join(QgsProcessingUtils.tempFolder(), "rsvlm")
    os.makedirs(folder, exist_ok=True)
    return folder
