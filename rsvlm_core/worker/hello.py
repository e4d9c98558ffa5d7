"""What the worker says of itself, without importing anything heavy: the client waits for this."""

from __future__ import annotations

import os
import platform
from importlib import metadata

from rsvlm_core import __version__, jobs
from rsvlm_core.worker.protocol import PROTOCOL

# Those whose versions decide whether things work.
PACKAGES = (
    "torch", "torchvision", "open_clip_torch", "timm", "tokenizers", "numpy", "rasterio", "geopandas", "shapely",
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


def greeting() -> dict[str, object]:
    """The content of `hello`."""
    return {
        "protocol": PROTOCOL, "rsvlm": __version__, "python": platform.python_version(), "pid": os.getpid(),
        "packages": package_versions(), "missing": [n for n, v in package_versions().items() if v is None],
        "ops": ["hello", *jobs.OPERATIONS, "cancel", "shutdown"],
    }
