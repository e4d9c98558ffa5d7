"""Attention pooling on the image side, whole or in sliding windows."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rsvlm_core.localize.smooth import smooth_attention


class AttentionPool(nn.Module):
    """Pools tokens with one learned query: `z = W concat_heads(sum_p softmax_p(<q, k_p> / sqrt(d)) v_p)`.

    The query starts at zero, so training starts from mean pooling.

    Args:
        width: Token width; must be a multiple of `heads`.
        out_dim: Width of the joint space.
        heads: Attention heads.
    """

    def __init__(self, width: int, out_dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Parameter(torch.zeros(width))
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, out_dim)

    def scores_and_values(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """[B, N, width] -> attention logits [B, heads, N] and values [B, heads, N, width/heads]."""
        b, n, c = tokens.shape
        k = self.key(tokens).view(b, n, self.heads, -1)
        v = self.value(tokens).view(b, n, self.heads, -1)
        q = self.query.view(self.heads, -1)
        scores = torch.einsum("bnhd,hd->bhn", k, q) * (c // self.heads) ** -0.5
        return scores, v.transpose(1, 2)

    def forward(self, tokens: Tensor) -> Tensor:
        """[B, N, width] -> [B, out_dim], not normalised."""
        scores, values = self.scores_and_values(tokens)
        pooled = (scores.float().softmax(-1).to(values.dtype).unsqueeze(-1) * values).sum(2)
        out: Tensor = self.out(pooled.flatten(1))
        return out

    def smooth(self, grid: Tensor, window: int) -> Tensor:
        """The same trained pooling inside a window around every token (Smooth-Attention, a reconstruction).

        Args:
            grid: [B, h, w, width] tokens.
            window: Side k of the window in tokens, odd; 1 gives the value map.

        Returns:
            [B, h, w, out_dim] float32, not normalised.
        """
        b, h, w, _ = grid.shape
        scores, values = self.scores_and_values(grid.flatten(1, 2))
        z = smooth_attention(
            scores.float().view(b, self.heads, h, w),
            values.float().transpose(2, 3).reshape(b, self.heads, -1, h, w),
            window,
        )
        out: Tensor = self.out(z.permute(0, 2, 3, 1).to(self.out.weight.dtype))
        return out.float()
