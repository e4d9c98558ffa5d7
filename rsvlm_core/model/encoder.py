"""What the rest of the engine knows of a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
UInt8 = NDArray[np.uint8]

SMOOTH_WINDOW = 3  # tokens; at a token of 32 pixels this is about one object and its surroundings


@dataclass(frozen=True)
class ModelInfo:
    """Identity and limits of a model.

    Attributes:
        id: Name as given to `--model`; "bundled" for the model that ships.
        sha256: Hash of the weights; indexes and results carry it.
        embed_dim: Width D of the joint space.
        image_size: Side in pixels of the square that one embedding sees.
        patch_stride: Pixels per cell of `encode_patches`' grid.
        gsd_m: Ground sampling distances (metres per pixel, lowest and highest) that the model was trained for.
        logit_scale: s of METHODS section 2: softmax over prompts uses s * cosine.
        can_caption: Whether `caption` works.
        licence: Terms of the weights, one line.
        trained_on: Training sets, one line.
        parameters: Number of weights.
    """

    id: str
    sha256: str
    embed_dim: int
    image_size: int
    patch_stride: int
    gsd_m: tuple[float, float]
    logit_scale: float
    can_caption: bool = False
    licence: str = ""
    trained_on: str = ""
    parameters: int = 0


class Encoder(Protocol):
    """A loaded model. All outputs are float32 and unit-norm along the last axis; inputs are uint8 RGB."""

    info: ModelInfo

    def encode_images(self, images: UInt8) -> Float32:
        """[B, S, S, 3] uint8 with S = info.image_size -> [B, D]."""
        ...

    def encode_texts(self, texts: Sequence[str]) -> Float32:
        """T texts -> [T, D]. Texts longer than the context are cut, empty ones refused with UsageError."""
        ...

    def encode_patches(self, images: UInt8, method: str = "smooth") -> Float32:
        """[B, H, W, 3] uint8, H and W multiples of info.patch_stride -> [B, H/stride, W/stride, D].

        Cell (i, j) covers pixels [i*stride, (i+1)*stride) x [j*stride, (j+1)*stride).
        `method`: "smooth" (Smooth-Attention pooling), "attention" (its window 1: the raw value map),
        "dense" (the pixel-aligned head, where the model has one), "auto" (the model's best).
        """
        ...

    def caption(self, images: UInt8, prompt: str = "") -> list[str]:
        """[B, S, S, 3] uint8 -> B sentences. ModelError where info.can_caption is false."""
        ...
