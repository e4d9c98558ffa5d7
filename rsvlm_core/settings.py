"""Where things lie: the shared data, the user's models and caches."""

from __future__ import annotations

import os
from pathlib import Path

from rsvlm_core.errors import OutputError


def data_dir() -> Path:
    """The folder with training data, rasters and golden files: `RSVLM_DATA`, else `shared` beside the repository."""
    named = os.environ.get("RSVLM_DATA")
    return Path(named) if named else Path(__file__).resolve().parents[2] / "shared"


def cache_dir() -> Path:
    """Private per-user cache (indexes of bare rasters, converted models): `RSVLM_CACHE`, else the platform's place.

    Raises:
        OutputError: Nothing names a place and there is no home folder, or its name is not valid Unicode.
    """
    folder = _cache()
    try:
        str(folder).encode("utf-8")
    except UnicodeEncodeError:
        raise OutputError("The cache folder's name is not valid Unicode.", "Set RSVLM_CACHE to another one.") from None
    return folder


def _cache() -> Path:
    named = os.environ.get("RSVLM_CACHE")
    if named:
        return Path(named)
    base = os.environ.get("LOCALAPPDATA") or os.environ.get("XDG_CACHE_HOME")
    if base:
        return Path(base) / "rsvlm"
    home = home_dir()
    if home is None:
        raise OutputError("There is no home folder to keep a cache in.", "Set RSVLM_CACHE to a folder of yours.")
    return home / ".cache" / "rsvlm"


def home_dir() -> Path | None:
    """The user's folder; None where there is none, as in containers that run under a number without a name."""
    try:
        return Path.home()
    except RuntimeError:
        return None


def weights_dir() -> Path:
    """The bundled model's folder."""
    return Path(__file__).resolve().parent / "weights"
