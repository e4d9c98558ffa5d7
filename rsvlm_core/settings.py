"""Where things lie: the shared data, the user's models and caches."""

from __future__ import annotations

import os
from pathlib import Path


def data_dir() -> Path:
    """The folder with training data, rasters and golden files: `RSVLM_DATA`, else `shared` beside the repository."""
    named = os.environ.get("RSVLM_DATA")
    return Path(named) if named else Path(__file__).resolve().parents[2] / "shared"


def cache_dir() -> Path:
    """Private per-user cache (indexes of bare rasters, converted models): `RSVLM_CACHE`, else the platform's place."""
    named = os.environ.get("RSVLM_CACHE")
    if named:
        return Path(named)
    base = os.environ.get("LOCALAPPDATA") or os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "rsvlm"


def weights_dir() -> Path:
    """The bundled model's folder."""
    return Path(__file__).resolve().parent / "weights"
