"""The texts of a query beside the neutral prompts that they compete against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rsvlm_core.errors import UsageError
from rsvlm_core.model.confidence import neutral_embeddings
from rsvlm_core.model.encoder import Encoder, Float32

MAX_TEXTS = 254  # labels are uint8: 0 is background, 255 is nodata


@dataclass(frozen=True)
class Prompts:
    """Embedded texts.

    Attributes:
        texts: T distinct texts in the order given.
        embeddings: [T, D] float32 unit norm.
        neutral: [K, D] float32 unit norm, of `NEUTRAL_PROMPTS`.
        scale: The model's logit scale s.
    """

    texts: tuple[str, ...]
    embeddings: Float32
    neutral: Float32
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
        return cls(distinct, encoder.encode_texts(distinct), neutral_embeddings(encoder), encoder.info.logit_scale)

    def channels(self, features: Float32) -> Float32:
        """What is kept of unit features: T cosines and the level they compete against.

        Args:
            features: [..., D] float32 unit norm.

        Returns:
            [..., T + 1] float32: cosines of the texts, then the soft maximum of the neutral cosines (log-mean-exp at
            scale s, divided by s, so that it is a cosine too). Both may be averaged over windows and scales.
        """
        z = (features @ self.neutral.T).astype(np.float64) * self.scale
        top = z.max(axis=-1, keepdims=True)
        level = (top + np.log(np.exp(z - top).mean(axis=-1, keepdims=True))) / self.scale
        return np.concatenate([features @ self.embeddings.T, level.astype(np.float32)], axis=-1)

    def logits(self, channels: Float32) -> Float32:
        """[..., T + 1] as from `channels` -> [..., T] float32 logits of the confidence: s (cosine - neutral level)."""
        return (self.scale * (channels[..., :-1] - channels[..., -1:])).astype(np.float32)


def confidence_of(logits: Float32) -> Float32:
    """Logits -> confidence in 0..1, the same as `rsvlm_core.model.confidence.confidence` gives; NaN stays."""
    return (1.0 / (1.0 + np.exp(-np.clip(logits.astype(np.float64), -80, 80)))).astype(np.float32)


def logit_of(confidence: float) -> float:
    """The logit of a confidence; infinite at 0 and 1."""
    with np.errstate(divide="ignore"):
        return float(np.log(confidence) - np.log1p(-confidence))
