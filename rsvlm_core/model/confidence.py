"""What a cosine is worth: confidence against neutral prompts.

A raw cosine ranks tiles within one text; its zero point and spread differ from text to text. The confidence
is the share of a softmax in which the text competes against prompts that say nothing in particular, so
that one threshold serves all texts.

A neutral prompt that means the same as the text ("water" beside "lake") is no competitor; left in, it would cap the
confidence of every place of the class at the same value and take the order of the best places away. Sameness is
measured between text embeddings after their common part is taken out, since in many models all texts are close to each
other. Hits and masks leave out the same prompts.
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

_OTHER, _SAME = 0.4, 0.6  # cosines of centred text embeddings between which two texts begin to mean the same


def neutral_embeddings(encoder: Encoder) -> Float32:
    """[K, D] float32 unit-norm embeddings of `NEUTRAL_PROMPTS`."""
    return encoder.encode_texts(NEUTRAL_PROMPTS)


def rivals(embeddings: Float32, neutral: Float32) -> Float32:
    """[T, K] float32: 1 where a neutral prompt means something else than a text, 0 where it means the same.

    Args:
        embeddings: [T, D] of the texts.
        neutral: [K, D] of the neutral prompts.
    """
    common = neutral.mean(axis=0)

    def centred(x: Float32) -> Float32:
        off: Float32 = x - common
        length: Float32 = np.maximum(np.linalg.norm(off, axis=-1, keepdims=True), 1e-6).astype(np.float32)
        return off / length

    alike = centred(embeddings) @ centred(neutral).T
    weights: Float32 = np.clip((_SAME - alike) / (_SAME - _OTHER), 0, 1).astype(np.float32)
    weights[~weights.any(axis=1)] = 1.0  # a text without any rival would be found everywhere
    return weights


def confidence(scores: Float32, neutral: Float32, scale: float, weights: Float32 | None = None) -> Float32:
    """Confidence in 0..1 that the text fits better than anything neutral.

    Args:
        scores: [..., T] cosines of T texts.
        neutral: [..., K] cosines of the neutral prompts at the same places.
        scale: The model's logit scale s.
        weights: [T, K] from `rivals`, how much each neutral prompt competes against each text; None for all alike.

    Returns:
        [..., T] float32: `sigmoid(s * (score - m))` with m the soft maximum of the neutral cosines
        (weighted log-mean-exp at scale s), so that K does not matter and a text that is itself neutral gets about one
        half.
    """
    z = neutral.astype(np.float64) * scale
    top = z.max(axis=-1, keepdims=True)
    if weights is None:
        weights = np.ones((1, neutral.shape[-1]), np.float32)
    share = weights.T.astype(np.float64) / weights.sum(axis=1)
    soft_max = top + np.log(np.maximum(np.exp(z - top) @ share, 1e-300))
    out: Float32 = (1.0 / (1.0 + np.exp(-(scores.astype(np.float64) * scale - soft_max)))).astype(np.float32)
    return out
