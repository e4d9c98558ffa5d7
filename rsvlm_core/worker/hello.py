"""What the worker says of itself, without importing anything heavy: the client waits for this."""

from __future__ import annotations

import os
import platform
from importlib import metadata

from rsvlm_core import __version__, jobs
from rsvlm_core.worker.protocol import PROTOCOL

# Those whose versions decide whether things work.
_TORCH = ("torch", "torchvision", "open_clip_torch", "timm")
PACKAGES = (
    "onnxruntime", *_TORCH, "tokenizers", "numpy", "rasterio", "geopandas", "shapely",
    "pyproj", "pyarrow", "pyogrio",
)


def package_versions() -> dict[str, str | None]:
    """Version by package, None where it is not installed. Reads metadata; imports nothing."""
    found: dict[str, str | None] = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
    return found


def _missing(versions: dict[str, str | None]) -> list[str]:
    """Packages that have to be installed for the bundled model to work; ONNX Runtime or torch computes it."""
    without = {name for name, version in versions.items() if version is None}
    if "onnxruntime" not in without:
        without -= set(_TORCH)
    elif not without.intersection(_TORCH):
        without.discard("onnxruntime")
    return [name for name in versions if name in without]


def greeting() -> dict[str, object]:
    """The content of `hello`."""
    versions = package_versions()
    return {
        "protocol": PROTOCOL, "rsvlm": __version__, "python": platform.python_version(), "pid": os.getpid(),
        "packages": versions, "missing": _missing(versions),
        "ops": ["hello", *jobs.OPERATIONS, "cancel", "shutdown"],
    }
