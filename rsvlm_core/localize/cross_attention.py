"""Where the decoder looks while it reads a text: its cross-attention as a map (a reconstruction).

In the captioning pass every word attends over the image's tokens. The mean over words, heads and cross-attention layers
(each weighted by how much its gate lets through) is a distribution over places. It says where a text's evidence lies,
not whether it is there at all; the image-level cosine says that. Together, as a product of the two:

    score(i, j) = <z_image, t> + log(N a_ij) / s        a_ij attention to place (i, j) of N, s the logit scale

so that even attention gives the image's own score everywhere.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from rsvlm_core.errors import ModelError
from rsvlm_core.model.mammut import Mammut

_FLOOR = 1e-4  # of N a: a place that no word looks at is no worse than this
_TEXTS = 8  # at once, times the images


def cross_attention(model: Mammut, grid: Tensor, ids: Tensor, valid: Tensor) -> Tensor:
    """Mean cross-attention of texts over an image's tokens.

    Args:
        model: In eval mode.
        grid: [B, h, w, token_width] tokens of images.
        ids: [T, L] int64 texts, start and end included.
        valid: [T, L] bool.

    Returns:
        [B, h, w, T] float32, over places summing to one. Start and end of a text do not count as its words.

    Raises:
        ModelError: The decoder has no open cross-attention.
    """
    blocks: list[Any] = [b for b in model.text.blocks if b.cross is not None]
    strengths = torch.stack([b.gate.detach().abs().float().reshape(()) for b in blocks])
    if not bool((strengths > 0).any()):
        raise ModelError("This model's decoder does not look at the image.", "Choose another method than cross.")
    b, h, w, _ = grid.shape
    context = model.text.image_context(grid)
    seen: list[Tensor] = []

    def note(module: Any, inputs: tuple[Any, ...]) -> None:
        x, image, _ = inputs

        def split(t: Tensor) -> Tensor:
            return t.float().reshape(*t.shape[:2], module.heads, -1).transpose(1, 2)

        q, k = split(module.q(x)), split(module.k(image))
        seen.append((q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5).softmax(-1).mean(1))

    handles = [block.cross.register_forward_pre_hook(note) for block in blocks]
    out = []
    try:
        for first in range(0, len(ids), _TEXTS):
            part, mask = ids[first : first + _TEXTS], valid[first : first + _TEXTS]
            t = len(part)
            seen.clear()
            model.text.next_tokens(
                part.repeat(b, 1), mask.repeat(b, 1), context.repeat_interleave(t, dim=0)
            )
            weights = torch.stack([s * a for s, a in zip(strengths, seen, strict=True)]).sum(0) / strengths.sum()
            words = _words(mask).repeat(b, 1).to(weights.dtype)
            maps = (weights * words[..., None]).sum(1) / words.sum(1, keepdim=True)
            out.append(maps.view(b, t, h, w))
    finally:
        for handle in handles:
            handle.remove()
    return torch.cat(out, dim=1).permute(0, 2, 3, 1)


def cross_scores(model: Mammut, grid: Tensor, ids: Tensor, valid: Tensor, texts: Tensor, scale: float) -> Tensor:
    """Scores of places, comparable with cosines: see the module's docstring.

    Args:
        model: In eval mode.
        grid: [B, h, w, token_width] tokens.
        ids: [T, L] int64.
        valid: [T, L] bool.
        texts: [T, D] the same texts' unit-norm vectors.
        scale: The model's logit scale s.

    Returns:
        [B, h, w, T] float32.
    """
    attention = cross_attention(model, grid, ids, valid)
    ratio = (attention * grid.shape[1] * grid.shape[2]).clamp(min=_FLOOR)
    whole = F.normalize(model.visual.pool(grid.flatten(1, 2)).float(), dim=-1) @ texts.t()
    return whole[:, None, None] + ratio.log() / scale


def _words(valid: Tensor) -> Tensor:
    """[T, L] bool: without the first and the last valid position; a text of nothing else keeps all."""
    inner = valid.clone()
    inner[:, 0] = False
    last = valid.long().sum(1) - 1
    inner[torch.arange(len(valid)), last] = False
    return torch.where(inner.any(1, keepdim=True), inner, valid)
