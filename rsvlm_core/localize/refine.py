"""Outlines that follow the image: decisions of a coarse grid, drawn to the edges of the imagery.

The guided filter (He, Sun, Tang 2013) fits, around every pixel, its input as a linear function of colour. Where the
image has an edge the output gets one too; where it has none it is smoothed. It is local, so blocks with a margin of
`reach` give exactly what the whole raster would.

What is filtered is how far a score lies above or below its threshold, cut to `LIMIT`: a vote of the neighbours of like
colour, in which the far background does not shout down a narrow road.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from rsvlm_core.model.encoder import Float32, UInt8

SMOOTHNESS = 0.03  # in units of full brightness: contrasts below it are not edges
LIMIT = 2.0  # logits above or below the threshold beyond which all votes weigh the same
RADIUS_CELLS = 1.0  # of the window, in cells of the score grid: as far as a score may be misplaced


def reach(radius: int) -> int:
    """Pixels beyond a block that `guided` must see for its result not to depend on the block."""
    return 2 * radius


def guided(
    margins: Float32, rgb: UInt8, valid: NDArray[np.bool_], radius: int, smoothness: float = SMOOTHNESS
) -> Float32:
    """Colour guided filter of margins.

    Args:
        margins: [H, W, T] float32, logits minus their threshold; what lies on invalid pixels is not looked at.
        rgb: [H, W, 3] uint8, the guide.
        valid: [H, W] bool.
        radius: Of the window in pixels.
        smoothness: Contrast in 0..1 below which colours count as equal.

    Returns:
        [H, W, T] float32, within plus and minus `LIMIT`: above 0 where the vote is for the text.
    """
    if radius < 1:
        return margins
    size = 2 * radius + 1
    weight = valid.astype(np.float32)

    def mean(x: NDArray[Any]) -> Float32:
        return uniform_filter(x, size=size, mode="constant", cval=0.0)  # type: ignore[no-any-return]

    norm = np.maximum(mean(weight), 1e-6)
    guide = [(rgb[..., c].astype(np.float32) / 255.0 - 0.5) * weight for c in range(3)]
    centre = [mean(g) / norm for g in guide]
    # Covariance of the colours, a symmetric 3 x 3 matrix at every pixel, and its inverse by cofactors.
    pairs = [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]
    cov = {p: mean(guide[p[0]] * guide[p[1]]) / norm - centre[p[0]] * centre[p[1]] for p in pairs}
    for c in range(3):
        cov[c, c] = cov[c, c] + np.float32(smoothness**2)
    rr, rg, rb, gg, gb, bb = (cov[p] for p in pairs)
    cofactors = [
        [gg * bb - gb * gb, gb * rb - rg * bb, rg * gb - gg * rb],
        [gb * rb - rg * bb, rr * bb - rb * rb, rb * rg - rr * gb],
        [rg * gb - gg * rb, rb * rg - rr * gb, rr * gg - rg * rg],
    ]
    determinant = np.maximum(rr * cofactors[0][0] + rg * cofactors[0][1] + rb * cofactors[0][2], 1e-12)
    out = np.empty_like(margins)
    for t in range(margins.shape[2]):
        z = np.where(valid, np.clip(margins[..., t], -LIMIT, LIMIT), 0).astype(np.float32)
        level = mean(z) / norm
        pull = [mean(guide[c] * z) / norm - centre[c] * level for c in range(3)]
        slopes = [sum(cofactors[i][j] * pull[j] for j in range(3)) / determinant for i in range(3)]
        offset = level - sum(slopes[c] * centre[c] for c in range(3))
        fitted = mean(offset * weight) / norm
        for c in range(3):
            fitted = fitted + mean(slopes[c] * weight) / norm * (rgb[..., c].astype(np.float32) / 255.0 - 0.5)
        out[..., t] = np.clip(fitted, -LIMIT, LIMIT)
    return out
