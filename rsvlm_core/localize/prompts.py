"""The texts of a query beside the neutral prompts that they compete against.

A pixel is one thing, so at pixel level a text competes against all that the pixel could be instead: the confidence is
its share of a softmax over itself and the neutral prompts, those left out that mean the same (`model.confidence`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rsvlm_core.errors import UsageError
from rsvlm_core.model.confidence import neutral_embeddings, rivals
from rsvlm_core.model.encoder import Encoder, Float32

MAX_TEXTS = 254  # labels are uint8: 0 is background, 255 is nodata


@dataclass(frozen=True)
class Prompts:
    """Embedded texts.

    Attributes:
        texts: T distinct texts in the order given.
        embeddings: [T, D] float32 unit norm.
        neutral: [K, D] float32 unit norm, of `NEUTRAL_PROMPTS`.
        rivals: [T, K] float32 in 0..1: how much each neutral prompt competes against each text.
        scale: The model's logit scale s.
    """

    texts: tuple[str, ...]
    embeddings: Float32
    neutral: Float32
    rivals: Float32
    scale: float

    @classmethod
    def of(cls, texts: Sequence[str], encoder: Encoder) -> Prompts:
        """Embed texts; the same text twice counts once.

        Raises:
            UsageError: No text, an empty one, or more than a label raster can tell apart.
        """
        distinct = tuple(dict.fromkeys(t.strip() for t in texts))
        if not distinct or not all(distinct):
            raise UsageError("A text is empty.", "Say what to look for, for instance: building.")
        if len(distinct) > MAX_TEXTS:
            raise UsageError(f"{len(distinct)} texts at once are too many.", f"Give at most {MAX_TEXTS}.")
        embeddings, neutral = encoder.encode_texts(distinct), neutral_embeddings(encoder)
        return cls(distinct, embeddings, neutral, rivals(embeddings, neutral), encoder.info.logit_scale)

    def channels(self, features: Float32) -> Float32:
        """What is kept of unit features: each text's cosine and the level that it competes against.

        Args:
            features: [..., D] float32 unit norm.

        Returns:
            [..., 2 T] float32: cosines of the texts, then for each text the soft maximum of its rivals' cosines
            (log-sum-exp at scale s, divided by s, so that it is a cosine too). Both may be averaged over windows and
            scales.
        """
        return self.channels_of(features @ self.embeddings.T, features @ self.neutral.T)

    def channels_of(self, cosines: Float32, neutral: Float32) -> Float32:
        """The same from [..., T] scores of the texts and [..., K] scores of the neutral prompts."""
        z = neutral * np.float32(self.scale)
        top = z.max(axis=-1, keepdims=True)
        levels = (np.log(np.maximum(np.exp(z - top) @ self.rivals.T, 1e-30)) + top) / self.scale
        return np.concatenate([cosines, levels.astype(np.float32)], axis=-1)

    def cosines(self, channels: Float32) -> Float32:
        """[..., 2 T] as from `channels` -> [..., T] cosines."""
        cosines: Float32 = channels[..., : len(self.texts)]
        return cosines

    def logits(self, channels: Float32) -> Float32:
        """[..., 2 T] as from `channels` -> [..., T] float32 logits of the confidence: s (cosine - rivals' level)."""
        n = len(self.texts)
        return (self.scale * (channels[..., :n] - channels[..., n:])).astype(np.float32)


def confidence_of(logits: Float32) -> Float32:
    """Logits -> confidence in 0..1; NaN stays."""
    return (1.0 / (1.0 + np.exp(-np.clip(logits.astype(np.float64), -80, 80)))).astype(np.float32)


def logit_of(confidence: float) -> float:
    """The logit of a confidence; infinite at 0 and 1."""
    with np.errstate(divide="ignore"):
        return float(np.log(confidence) - np.log1p(-confidence))
