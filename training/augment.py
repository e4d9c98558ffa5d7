"""Image augmentation for overhead views: one resampling for rotation, flip, crop and scale, then colour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from rsvlm_core.model.encoder import UInt8

# Least side of a crop as a share of the image's: half its area. Closer ones lose what the caption says.
CLOSEST = 0.7


@dataclass(frozen=True)
class View:
    """Where an output image looks in its source: `source = centre + half * D4(output)`, both in -1..1.

    Attributes:
        centre: (x, y).
        half: (x, y) half-extent; 1 is the whole image, above 1 pads by reflection.
        quarter_turns: 0 to 3.
        flip: Mirror the output's x axis before turning.
    """

    centre: tuple[float, float] = (0.0, 0.0)
    half: tuple[float, float] = (1.0, 1.0)
    quarter_turns: int = 0
    flip: bool = False

    def matrix(self) -> np.ndarray:
        """[2, 3] float64 affine matrix from output to source coordinates, as `affine_grid` takes it."""
        c, s = [(1, 0), (0, 1), (-1, 0), (0, -1)][self.quarter_turns]
        turn = np.array([[c, -s], [s, c]], float) @ np.diag([-1.0 if self.flip else 1.0, 1.0])
        return np.concatenate([np.diag(self.half) @ turn, np.array(self.centre, float)[:, None]], axis=1)


def random_view(
    rng: np.random.Generator, strength: float, turn: bool = True, low: float = CLOSEST, high: float = 1.2
) -> View:
    """A random crop and scale, any of the eight rotations and flips.

    Args:
        rng: Source of randomness.
        strength: 0 gives the whole image, 1 the full range.
        turn: Whether rotating and flipping is allowed (not when the text says left or north).
        low: Least side of the crop as a fraction of the image's; log-uniform between.
        high: Greatest side.
    """
    side = float(np.exp(rng.uniform(np.log(low), np.log(high)) * strength))
    aspect = float(np.exp(rng.uniform(-0.14, 0.14) * strength))
    half = (side * aspect, side / aspect)
    centre = tuple(float(rng.uniform(-1, 1) * max(0.0, 1 - h)) for h in half)
    turns, flip = (int(rng.integers(4)), bool(rng.integers(2))) if turn and strength > 0 else (0, False)
    return View((centre[0], centre[1]), half, turns, flip)


def take_views(images: UInt8, views: list[View], size: int, nearest: bool = False) -> Tensor:
    """Resample images to their views.

    Args:
        images: [B, S, S, C] uint8, all of one size.
        views: B views.
        size: Side of the output.
        nearest: For labels.

    Returns:
        [B, C, size, size] float32 in 0..1 (0..255 for labels).
    """
    x = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float()
    theta = torch.from_numpy(np.stack([v.matrix() for v in views])).float()
    # Shrinking by more than about 1.5 aliases: average first.
    factor = int(images.shape[1] * float(np.median([max(v.half) for v in views])) / size + 0.25)
    if factor > 1 and not nearest:
        x = F.avg_pool2d(x, factor)
    grid = F.affine_grid(theta, [len(views), x.shape[1], size, size], align_corners=False)
    out = F.grid_sample(
        x, grid, mode="nearest" if nearest else "bilinear", padding_mode="reflection", align_corners=False
    )
    return out if nearest else out / 255.0


def colour(images: Tensor, rng: np.random.Generator, strength: float) -> Tensor:
    """Brightness, contrast, saturation, colour cast, haze, grey, blur, erasing; each image its own.

    Args:
        images: [B, 3, H, W] float32 in 0..1.
        rng: Source of randomness.
        strength: 0 returns the images as they are.
    """
    if strength <= 0:
        return images
    b, _, h, w = images.shape

    def uniform(low: float, high: float, channels: int = 1) -> Tensor:
        return torch.from_numpy(rng.uniform(low, high, (b, channels, 1, 1)).astype(np.float32))

    def chosen(share: float) -> Tensor:
        return (uniform(0, 1) < share * strength).float()

    d = 0.3 * strength
    x = images * uniform(1 - d, 1 + d) * uniform(1 - d / 5, 1 + d / 5, 3)
    mean = x.mean((1, 2, 3), keepdim=True)
    x = (x - mean) * uniform(1 - d, 1 + d) + mean
    grey = x.mean(1, keepdim=True)
    saturation = uniform(1 - d, 1 + d) * (1 - chosen(0.05))
    x = (x - grey) * saturation + grey
    haze = uniform(0.0, 0.35) * chosen(0.15)
    x = x * (1 - haze) + haze * 0.85
    blur = np.flatnonzero(rng.random(b) < 0.1 * strength)
    if len(blur):
        x[blur] = F.avg_pool2d(F.pad(x[blur], (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    for i in np.flatnonzero(rng.random(b) < 0.1 * strength):
        eh, ew = (int(s * rng.uniform(0.1, 0.3)) for s in (h, w))
        top, left = int(rng.integers(h - eh)), int(rng.integers(w - ew))
        x[i, :, top : top + eh, left : left + ew] = 0.5
    return x.clamp_(0, 1)
