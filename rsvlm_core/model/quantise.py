"""Weights at a byte each or less, with one scale a row, for files; computing is in float.

Matrices and kernels are int8. The token embedding, many rows of which a sentence sees few, is 6 bits, four codes in
three bytes. Small kernels are float16, vectors (norms, biases) float32. NumPy only, so that runtimes without torch
read the same files.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.generic]
SCALE = "::scale"
PACKED = "::6bit"
_SIX_BIT = ("token.weight",)
_SMALL = 8192  # elements; first layers are small, and their errors reach everything behind them: float16
_SHRINKS = np.linspace(0.75, 1.0, 11)  # clipping a row's outliers can cost less than a coarser step for all of it


def _rows(value: NDArray[np.float32], levels: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """[N, M] -> codes and [N, 1] scales of least squared error among a few clippings."""
    top = np.maximum(np.abs(value).max(1, keepdims=True), 1e-12)
    best_scale, best_error = top / levels, np.full_like(top, np.inf)
    for shrink in _SHRINKS:
        scale = (top * shrink / levels).astype(np.float32)
        error = np.square(np.clip(np.rint(value / scale), -levels, levels) * scale - value).sum(1, keepdims=True)
        best_scale = np.where(error < best_error, scale, best_scale)
        best_error = np.minimum(error, best_error)
    return np.clip(np.rint(value / best_scale), -levels, levels).astype(np.int8), best_scale.astype(np.float32)


def pack6(codes: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Codes in -31..31, [N, M] with M a multiple of 4 -> [N, 3 M / 4] uint8."""
    u = (codes.astype(np.int16) + 32).astype(np.uint32).reshape(len(codes), -1, 4)
    word = u[..., 0] | u[..., 1] << 6 | u[..., 2] << 12 | u[..., 3] << 18
    return np.stack([word & 255, word >> 8 & 255, word >> 16 & 255], axis=-1).astype(np.uint8).reshape(len(codes), -1)


def unpack6(packed: NDArray[np.uint8]) -> NDArray[np.int8]:
    """Inverse of `pack6`."""
    b = packed.astype(np.uint32).reshape(len(packed), -1, 3)
    word = b[..., 0] | b[..., 1] << 8 | b[..., 2] << 16
    codes = np.stack([word >> shift & 63 for shift in (0, 6, 12, 18)], axis=-1).astype(np.int16) - 32
    return codes.astype(np.int8).reshape(len(packed), -1)


def quantise(state: Mapping[str, Array]) -> dict[str, Array]:
    """Float weights -> codes under the same name (`NAME::6bit` where packed), row scales under `NAME::scale`."""
    out: dict[str, Array] = {}
    for name, value in state.items():
        if not np.issubdtype(value.dtype, np.floating):
            out[name] = value
        elif value.ndim < 2:
            out[name] = value.astype(np.float32)
        elif value.size < _SMALL:
            out[name] = value.astype(np.float16)
        else:
            six = name.endswith(_SIX_BIT) and value.shape[1] % 4 == 0
            codes, scale = _rows(value.astype(np.float32).reshape(len(value), -1), 31 if six else 127)
            out[name + PACKED if six else name] = pack6(codes) if six else codes.reshape(value.shape)
            out[name + SCALE] = scale[:, 0]
    return out


def dequantise(state: Mapping[str, Array]) -> dict[str, Array]:
    """Inverse of `quantise`: float32 for every weight; also takes states that were never quantised.

    Raises:
        ValueError: Codes and scales do not fit each other.
    """
    out: dict[str, Array] = {}
    for key, value in state.items():
        if key.endswith(SCALE):
            continue
        name = key.removesuffix(PACKED)
        scale = state.get(name + SCALE)
        if scale is not None:
            codes = unpack6(value.astype(np.uint8)) if key.endswith(PACKED) else value
            if scale.shape != codes.shape[:1]:
                raise ValueError(f"{name} has {codes.shape} codes and {scale.shape} scales")
            out[name] = codes.astype(np.float32) * scale.astype(np.float32).reshape(-1, *[1] * (codes.ndim - 1))
        else:
            out[name] = value.astype(np.float32) if np.issubdtype(value.dtype, np.floating) else value
    return out
