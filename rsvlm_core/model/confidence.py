"""What a cosine is worth: confidence against neutral prompts.

A raw cosine ranks tiles within one text; its zero point and spread differ from text to text. The confidence
is the share of a softmax in which the text competes against prompts that say nothing in particular, so
that one threshold serves all texts.
"""

from __future__ import annotations

import numpy as np

from rsvlm_core.model.encoder import Encoder, Float32

# What a view from above is when it is nothing in particular, and the commonest things it can be instead.
# Fixed beforehand on training data, never tuned on an evaluation set.
NEUTRAL_PROMPTS: tuple[str, ...] = (
    "an aerial image",
    "a satellite image of the ground",
    "bare land",
    "grass",
    "trees",
    "water",
    "farmland",
    "buildings",
    "a road",
    "some objects on the ground",
)


def neutral_embeddings(encoder: Encoder) -> Float32:
    """[K, D] float32 unit-norm embeddings of `NEUTRAL_PROMPTS`."""
    return encoder.encode_texts(NEUTRAL_PROMPTS)


def confidence(scores: Float32, neutral: Float32, scale: float) -> Float32:
    """Confidence in 0..1 that the text fits better than anything neutral.

    Args:
        scores: [..., T] cosines of T texts.
        neutral: [..., K] cosines of the neutral prompts at the same places.
        scale: The model's logit scale s.

    Returns:
        [..., T] float32: `sigmoid(s * (score - m))` with m the soft maximum of the neutral cosines
        (log-mean-exp at scale s), so that K does not matter and a text that is itself neutral gets about one half.
    """
    z = neutral.astype(np.float64) * scale
    top = z.max(axis=-1, keepdims=True)
    soft_max = top + np.log(np.exp(z - top).mean(axis=-1, keepdims=True))
    out: Float32 = (1.0 / (1.0 + np.exp(-(scores.astype(np.float64) * scale - soft_max)))).astype(np.float32)
    return out
