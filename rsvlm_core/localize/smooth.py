"""The Smooth-Attention-Operation: the model's own attention pooling, inside a small window around every token.

This is a reconstruction. The paper's formula was not available; what stands here follows from its description: the
trained pooling that makes the image embedding, `z = sum_p softmax_p(s) v_p`, is applied to a k x k window around each
token, so that every output vector lies in the text-aligned image space while neighbouring windows overlap and smooth.

    z_ij = sum_{p in N_k(i,j)} exp(s_p) v_p / sum_{p in N_k(i,j)} exp(s_p)     per head, windows clipped at the border

Two limits hold exactly: k = 1 gives `v`, and k >= 2 max(h, w) - 1 gives the global pooling at every position.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

_FLOOR = -50.0  # nats below an image's maximum at which weights stop falling: prevents 0/0 in windows far below it


def _box(x: Tensor, window: int) -> Tensor:
    """[N, C, h, w] -> the same, zero-padded mean over window x window; separable, so the cost barely grows with it."""
    h, w = x.shape[-2:]
    kh, kw = min(window, 2 * h - 1), min(window, 2 * w - 1)  # a wider window sees nothing more
    x = F.avg_pool2d(x, (kh, 1), stride=1, padding=(kh // 2, 0))
    return F.avg_pool2d(x, (1, kw), stride=1, padding=(0, kw // 2))


def smooth_attention(scores: Tensor, values: Tensor, window: int, iterations: int = 1) -> Tensor:
    """Pool `values` with weights exp(`scores`) inside a window around every token.

    Computed as a ratio of two box filters, in which the zero padding cancels; float32 whatever comes in, also under
    autocast; differentiable.

    Args:
        scores: [B, heads, h, w] pooling logits s, already divided by sqrt(d_head).
        values: [B, heads, dh, h, w] value vectors v.
        window: Side k of the window in tokens; odd and at least 1.
        iterations: How often both filters are applied. n > 1 widens the window to n (k - 1) + 1 and tapers it, and
            is still a convex combination of values.

    Returns:
        [B, heads * dh, h, w] float32, heads concatenated: what the pooling's output projection takes.

    Raises:
        ValueError: Even window, no iteration, or shapes that do not fit each other.
    """
    if window < 1 or window % 2 == 0:
        raise ValueError(f"the window must be odd and at least 1, not {window}")
    if iterations < 1:
        raise ValueError(f"at least one iteration, not {iterations}")
    if scores.ndim != 4 or values.ndim != 5 or values.shape[:2] != scores.shape[:2]:
        raise ValueError(f"scores [B,heads,h,w] and values [B,heads,dh,h,w], not {scores.shape} and {values.shape}")
    if values.shape[-2:] != scores.shape[-2:]:
        raise ValueError(f"scores and values lie on different grids: {scores.shape[-2:]} and {values.shape[-2:]}")
    b, heads, dh, h, w = values.shape
    with torch.autocast(device_type=scores.device.type, enabled=False):
        s, v = scores.float(), values.float()
        if window == 1:
            return v.reshape(b, heads * dh, h, w)
        # The shift is one number per image and head, so it cancels exactly.
        e = torch.exp((s - s.amax(dim=(-2, -1), keepdim=True)).clamp(min=_FLOOR)).reshape(b * heads, 1, h, w)
        top, bottom = e * v.reshape(b * heads, dh, h, w), e
        for _ in range(iterations):
            top, bottom = _box(top, window), _box(bottom, window)
        return (top / bottom).reshape(b, heads * dh, h, w)


def smooth_attention_windows(
    scores: Tensor, values: Tensor, windows: Sequence[int], project: Callable[[Tensor], Tensor], iterations: int = 1
) -> Tensor:
    """Several windows, averaged at score level.

    The mean over windows of the cosines `<unit(W z_k), t>` equals `<mean_k unit(W z_k), t>` for every text t, so the
    mean of unit vectors is all that needs to be stored.

    Args:
        scores: [B, heads, h, w], as in `smooth_attention`.
        values: [B, heads, dh, h, w].
        windows: Odd sides, for instance (3, 5, 7).
        project: The pooling's output projection W: [N, heads * dh] -> [N, D].
        iterations: As in `smooth_attention`.

    Returns:
        [B, h, w, D] float32, the mean of unit vectors; its norm is at most one and below one where windows disagree.

    Raises:
        ValueError: There is no window.
    """
    if not windows:
        raise ValueError("at least one window")
    total: Tensor | None = None
    for window in windows:
        z = smooth_attention(scores, values, window, iterations).permute(0, 2, 3, 1)
        unit = F.normalize(project(z.reshape(-1, z.shape[-1])).float(), dim=-1).reshape(*z.shape[:3], -1)
        total = unit if total is None else total + unit
    assert total is not None
    return total / len(windows)
