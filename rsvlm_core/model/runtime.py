"""Which library computes: ONNX Runtime or torch."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from importlib.util import find_spec
from pathlib import Path

from rsvlm_core.errors import ModelError, UsageError
from rsvlm_core.model import graphs

AUTO, ONNX, TORCH = RUNTIMES = ("auto", "onnx", "torch")
VARIABLE = "RSVLM_RUNTIME"


def has_torch() -> bool:
    """Whether torch and what our models need beside it are installed; imports neither."""
    return all(find_spec(name) is not None for name in ("torch", "open_clip", "timm"))


def need_torch(what: str) -> None:
    """Say so where torch is needed and not there.

    Raises:
        ModelError: It is not installed.
    """
    if not has_torch():
        raise ModelError(
            f"{what} needs PyTorch, which this environment does not have.",
            "Install requirements.txt, in QGIS: Set up… with PyTorch.",
        )


def choose(folder: Path, device: str = "auto", wanted: str | None = None) -> str:
    """The runtime for one of our models.

    ONNX Runtime computes on the processor, several times as fast as torch there; torch knows graphics cards, and models
    that have no graphs.

    Args:
        folder: Of the model.
        device: As `--device` takes it.
        wanted: One of `RUNTIMES`; None asks the variable RSVLM_RUNTIME, else chooses.

    Returns:
        "onnx" or "torch".

    Raises:
        UsageError: There is no such runtime.
        ModelError: It cannot be used here.
    """
    wanted = wanted or os.environ.get(VARIABLE) or AUTO
    if wanted not in RUNTIMES:
        raise UsageError(f"There is no runtime {wanted!r}.", f"Use one of {', '.join(RUNTIMES)}.")
    if wanted == ONNX:
        if find_spec("onnxruntime") is None:
            raise ModelError("ONNX Runtime is not installed here.", "Install it, or use --runtime torch.")
        if not graphs.available(folder):
            raise ModelError(f"The model in {folder} has no ONNX graphs.", "Use --runtime torch.")
        if device not in ("auto", "cpu"):
            raise ModelError(
                f"The runtime onnx computes on the processor, not on {device}.", "Use --device cpu, or --runtime torch."
            )
        return ONNX
    if wanted == TORCH or not graphs.available(folder) or device not in ("auto", "cpu"):
        need_torch("The runtime torch" if wanted == TORCH else "This model, or this device,")
        return TORCH
    if device == "cpu" or not has_torch() or not graphics_card():
        return ONNX
    from rsvlm_core.model.device import choose_device

    return ONNX if choose_device(device).type == "cpu" else TORCH


def graphics_card() -> bool:
    """Whether there may be one that torch can compute on; torch itself, seconds to import, is asked only then."""
    if sys.platform == "darwin":
        return platform.machine() == "arm64"
    if os.path.exists("/dev/kfd"):  # AMD's
        return True
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        count = ctypes.c_int(0)
        return driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value > 0
    except (OSError, AttributeError):
        return False
