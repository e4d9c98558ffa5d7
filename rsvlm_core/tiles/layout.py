"""Full pieces along one axis."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def starts(length: float, piece: float, stride: float) -> NDArray[np.float64]:
    """Where pieces begin so that they cover [0, length) without leaving it.

    The last piece shifts inwards. A length shorter than one piece gets one piece, centred on it.

    Args:
        length: What to cover.
        piece: Length of a piece.
        stride: Distance between beginnings; not more than a piece.

    Returns:
        [n] increasing beginnings, n = ceil((length - piece) / stride) + 1.
    """
    spare = length - piece
    if spare <= 0:
        return np.array([spare / 2])
    # a billionth of a stride more or less is rounding, not a reason for another piece
    count = math.ceil(spare / stride - 1e-9) + 1
    first = np.arange(count, dtype=np.float64) * stride
    first[-1] = spare
    return first
