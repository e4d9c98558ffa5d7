"""Connected pieces of a label raster."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rsvlm_core.model.encoder import UInt8

Ids = NDArray[np.int64]


def connected(labels: UInt8) -> Ids:
    """Number the pieces of equal, non-zero labels that hang together over sides.

    Args:
        labels: [h, w]; 0 is background.

    Returns:
        [h, w] int64: 0 in the background, else 1...n, in the order of the pieces' first pixels.
    """
    if labels.size == 0:
        return np.zeros(labels.shape, np.int64)
    begins = np.ones(labels.shape, bool)
    begins[:, 1:] = labels[:, 1:] != labels[:, :-1]
    runs = np.cumsum(begins).reshape(labels.shape) - 1  # stretches of one label in a row
    touching = (labels[1:] == labels[:-1]) & (labels[1:] != 0)
    # one pair for each stretch that begins in either row is enough
    touching[:, 1:] &= begins[1:, 1:] | begins[:-1, 1:]
    first = _roots(int(runs[-1, -1]) + 1, runs[:-1][touching], runs[1:][touching])
    kept = labels[begins] != 0
    names = np.zeros(len(first), np.int64)
    names[kept] = np.unique(first[kept], return_inverse=True)[1].ravel() + 1
    return np.asarray(names[runs], np.int64)


def _roots(count: int, one: Ids, other: Ids) -> Ids:
    """[count] the least number that each number is joined with, over any steps, by pairs."""
    parent = np.arange(count)
    while True:
        a, b = parent[one], parent[other]
        apart = a != b
        if not apart.any():
            return parent
        one, other, a, b = one[apart], other[apart], a[apart], b[apart]
        np.minimum.at(parent, np.maximum(a, b), np.minimum(a, b))
        while True:
            further = parent[parent]
            if (further == parent).all():
                break
            parent = further
