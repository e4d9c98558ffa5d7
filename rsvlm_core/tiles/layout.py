"""Full pieces along one axis."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

# A remainder below this share of a stride is spread over all pieces rather than given a piece of its own: sizes in
# metres never fit to the last digit, and a raster of ten tiles should not get eleven.
_NEGLIGIBLE = 1e-3


def starts(length: float, piece: float, stride: float) -> NDArray[np.float64]:
    """Where pieces begin so that they cover [0, length) without leaving it.

    The last piece shifts inwards. A length shorter than one piece gets one piece, centred on it.

    Args:
        length: What to cover.
        piece: Length of a piece.
        stride: Distance between beginnings; not more than a piece.

    Returns:
        [n] increasing beginnings, n = ceil((length - piece) / stride) + 1, a remainder below a thousandth forgiven.
    """
    spare = length - piece
    if spare <= 0:
        return np.array([spare / 2])
    count = math.ceil(spare / stride - _NEGLIGIBLE) + 1
    if (count - 1) * stride < spare:
        return np.linspace(0.0, spare, count)
    first = np.arange(count, dtype=np.float64) * stride
    first[-1] = spare
    return first
