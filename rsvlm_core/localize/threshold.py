"""Where a class ends, without a human: from the scores themselves and the neutral prompts.

Confidence one half means "as likely as all that it could be instead together". In imagery like the training data that
is about where a class ends; elsewhere the confidences of a text sink or rise together, and one half finds too little or
too much. The order of places is right all the same, so the scores themselves say how far to go from there:

1. The best places (the upper hundredth) say whether the text is there at all. Where they do not reach `PRESENT`,
   nothing is found; a text in a thousandth of the places only counts when it is clear there (`CLEAR`).
2. Logits more than `REACH` below the best are equally far away: their long tail says nothing about the class.
3. Otsu's threshold of what remains parts the text's places from the rest; it may leave one half by `BAND`. Scores of a
   pixel-aligned head lie on one scale in all imagery, on which a text needs more than one half; their threshold stays
   within `ALIGNED`, chosen once on the development sets (docs/localization.md).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rsvlm_core.localize.prompts import confidence_of
from rsvlm_core.model.encoder import Float32

PRESENT = -0.5  # logit that the upper hundredth must reach for a text to count as there
CLEAR = 2.0  # logit that the upper thousandth must reach instead, for rare things
REACH = 5.0  # logits: what lies further below the best places is background, however far
BAND = 3.0  # logits by which the threshold may leave confidence one half: confidences 0.05 to 0.95
ALIGNED = (1.0, 2.0)  # logits between which the threshold of a pixel-aligned head lies: confidences 0.73 to 0.88
_MAX_SAMPLE = 2_000_000
_LIMIT = 20.0  # logits beyond this are certainty


@dataclass(frozen=True)
class Threshold:
    """A decision about one text.

    Attributes:
        logit: Places whose logit exceeds it belong to the text.
        confidence: The same as a confidence.
        present: Whether the text was found at all; where not, `logit` is above every place.
    """

    logit: float
    confidence: float
    present: bool


def auto_threshold(logits: Float32, aligned: bool = False) -> Threshold:
    """The automatic threshold of one text.

    Args:
        logits: [N] logits of its confidence at N places of equal size (cells of the score raster); NaN is left out.
        aligned: They are a pixel-aligned head's.

    Returns:
        A threshold within `BAND` of confidence one half, or within `ALIGNED`; or an absent text at a threshold that no
        place exceeds.
    """
    z = np.asarray(logits, np.float64).ravel()
    z = z[np.isfinite(z)]
    if z.size > _MAX_SAMPLE:
        z = z[:: z.size // _MAX_SAMPLE + 1]
    if z.size == 0:
        return Threshold(0.0, 0.5, False)
    z = np.clip(z, -_LIMIT, _LIMIT)
    best = float(np.quantile(z, 0.99))
    if best < PRESENT:
        best = float(np.quantile(z, 0.999, method="lower"))
        if best < CLEAR:
            return _at(max(float(z.max()), 0.0), False)
    low, high = ALIGNED if aligned else (-BAND, BAND)
    return _at(float(np.clip(otsu(np.maximum(z, best - REACH)), low, high)), True)


def fixed_threshold(confidence: float) -> Threshold:
    """The threshold that a user gave, a confidence in 0..1."""
    inside = min(max(confidence, 1e-9), 1 - 1e-9)
    return Threshold(float(np.log(inside / (1 - inside))), confidence, True)


def otsu(values: np.ndarray[tuple[int], np.dtype[np.float64]], bins: int = 256) -> float:
    """The value that splits a sample into two groups of the greatest variance between them."""
    low, high = float(values.min()), float(values.max())
    if not high > low:
        return low
    counts, edges = np.histogram(values, bins=bins, range=(low, high))
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    mass = np.cumsum(counts * centres)
    with np.errstate(invalid="ignore", divide="ignore"):
        between = below * above * (mass / below - (mass[-1] - mass) / above) ** 2
    between[~np.isfinite(between)] = -1
    best = np.flatnonzero(between >= between.max() * (1 - 1e-12))  # an empty valley is a plateau: take its middle
    return float(edges[1:][best].mean())


def _at(logit: float, present: bool) -> Threshold:
    return Threshold(logit, float(confidence_of(np.array([logit], np.float32))[0]), present)
