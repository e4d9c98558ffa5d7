"""Where a class ends, without a human: from the scores themselves and the neutral prompts.

Confidence one half means "fits as well as the average of what it could be instead"; it is right on average and wrong
by some offset for any one text and scene. The offset is read from the scores: Otsu's threshold of the logits, when
they fall into two groups, lies in the valley between them. It moves the threshold within a band around one half, and
only where the class is there at all; where nothing exceeds one half clearly, nothing is found.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rsvlm_core.localize.prompts import confidence_of
from rsvlm_core.model.encoder import Float32

BAND = 1.0  # logits by which the threshold may leave zero: confidences 0.27 to 0.73
PRESENT = 1.0  # logits that the best places must reach for a class to count as present at all
TOP_SHARE = 0.002  # of the cells: what "the best places" are, so that one odd cell does not decide
_MAX_SAMPLE = 2_000_000


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


def auto_threshold(logits: Float32) -> Threshold:
    """The automatic threshold of one text.

    Args:
        logits: [N] logits of its confidence at N places of equal size (cells of the score raster); NaN is left out.

    Returns:
        Otsu's threshold of the logits, clamped to `BAND` around confidence one half; or, when fewer than `TOP_SHARE`
        of the places reach `PRESENT`, an absent class at a threshold that no place exceeds.
    """
    z = np.asarray(logits, np.float64).ravel()
    z = z[np.isfinite(z)]
    if z.size > _MAX_SAMPLE:
        z = z[:: z.size // _MAX_SAMPLE + 1]
    if z.size == 0:
        return Threshold(0.0, 0.5, False)
    z = np.clip(z, -20.0, 20.0)
    best = np.quantile(z, 1 - TOP_SHARE, method="higher") if z.size * TOP_SHARE > 1 else z.max()
    if best < PRESENT:
        return _at(max(float(z.max()), BAND), False)
    return _at(float(np.clip(otsu(z), -BAND, BAND)), True)


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
