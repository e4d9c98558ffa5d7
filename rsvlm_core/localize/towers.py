"""Training-free maps of our own image towers, by name."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from rsvlm_core.errors import UsageError
from rsvlm_core.localize.attention_edits import affinity_step, edited_tokens
from rsvlm_core.localize.methods import EDITS
from rsvlm_core.localize.smooth import smooth_attention
from rsvlm_core.model.vision import VisionTower, VitTrunk

_OF_GRID = ("smooth", "pooling", "attention", "tokens", "affinity")


def tower_map(visual: VisionTower, images: Tensor, method: str, window: int) -> Tensor:
    """Features of the grid of tokens.

    Args:
        visual: The tower.
        images: [B, 3, H, W] normalised.
        method: "smooth", "attention" (window 1), "affinity", or one of `EDITS` for a vision transformer: the edit, then
            Smooth-Attention; "tokens" and "pooling" are the tower as trained, without and with a window.
        window: Side of the Smooth-Attention window in tokens, odd.

    Returns:
        [B, h, w, D] float32 unit norm.

    Raises:
        UsageError: The method does not suit the tower.
    """
    if method in _OF_GRID:
        return grid_map(visual, visual.grid(images)[0], method, window)
    if method not in EDITS:
        raise UsageError(f"There is no patch method '{method}'.", "Use smooth, attention or affinity.")
    if not isinstance(visual.trunk, VitTrunk):
        raise UsageError(
            f"The method {method} edits a transformer's attention; this model's trunk is convolutional.",
            "Use affinity, its analogue, or smooth.",
        )
    return grid_map(visual, visual.to_tokens(edited_tokens(visual.trunk.net, images, method)), "smooth", window)


def grid_map(visual: VisionTower, grid: Tensor, method: str, window: int) -> Tensor:
    """The same from tokens [B, h, w, token_width], for the methods that change nothing before them."""
    if method == "affinity":
        return _affine(visual, grid, window)
    return F.normalize(visual.pool.smooth(grid, 1 if method in ("attention", "tokens") else window), dim=-1)


def _affine(visual: VisionTower, grid: Tensor, window: int) -> Tensor:
    """One step of mixing the values of tokens that look alike and lie close, then Smooth-Attention."""
    b, h, w, _ = grid.shape
    pool = visual.pool
    scores, values = pool.scores_and_values(grid.flatten(1, 2))
    values = values.float().transpose(2, 3).reshape(b, pool.heads, -1, h, w)
    mixed = affinity_step(grid.permute(0, 3, 1, 2), values)
    z = smooth_attention(scores.float().view(b, pool.heads, h, w), mixed, window)
    out: Tensor = pool.out(z.permute(0, 2, 3, 1).to(pool.out.weight.dtype))
    return F.normalize(out.float(), dim=-1)


def upsampled(features: Tensor, rows: int, cols: int) -> Tensor:
    """[B, h, w, C] of coarse tokens -> [B, rows, cols, C], bilinear."""
    if features.shape[1:3] == (rows, cols):
        return features
    x = F.interpolate(features.permute(0, 3, 1, 2), size=(rows, cols), mode="bilinear", align_corners=False)
    return x.permute(0, 2, 3, 1)
