"""Which tiles are for training and which for testing: whole places, so that no ground is on both sides."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

_BLOCK = 3.0  # sides of the largest tile that a block measures
_FEW = 60  # blocks: fewer are cut in two by one line, which loses least


def split_ground(bounds: Sequence[Sequence[float]], share: float, seed: int = 0) -> list[str]:
    """Split tiles by place, whatever rasters and scales they are of.

    A small area is cut in two by a line across its longer side. A large one is cut into square blocks of three times
    the largest tile, of which some are for testing, in an order that the seed fixes. A tile that reaches across belongs
    to neither side. (`training.data.places` splits sets that span many towns.)

    Args:
        bounds: west, south, east, north of each tile in degrees.
        share: Of the tiles, 0 to 1, for testing.
        seed: Of the choice of blocks; odd ones test the other end of a small area.

    Returns:
        "train", "test" or "neither" for each tile.
    """
    if not bounds:
        return []
    edges = np.asarray(bounds, dtype=np.float64)
    edges[:, [0, 2]] *= math.cos(math.radians(float(edges[:, [1, 3]].mean())))  # degrees of equal length
    edges -= [edges[:, 0].min(), edges[:, 1].min()] * 2
    block = _BLOCK * float((edges[:, 2:] - edges[:, :2]).max())
    if math.prod(np.ceil(edges[:, 2:].max(axis=0) / block)) < _FEW:
        return _cut_by_line(edges, share, seed)
    return _cut_into_blocks(edges, share, seed, block)


def _cut_by_line(edges: np.ndarray, share: float, seed: int) -> list[str]:
    axis = int(edges[:, 3].max() > edges[:, 2].max())
    low, high = edges[:, axis], edges[:, axis + 2]
    if seed % 2:
        low, high = high.max() - high, high.max() - low
    line = float(np.quantile(low, 1 - share, method="higher"))
    hair = 1e-6 * float((high - low).max())
    # a line at the far end of everything leaves something to learn from
    test = (low >= line - hair) & bool((high <= line + hair).any())
    train = (high <= line + hair) | (not test.any())
    return ["test" if t else "train" if r else "neither" for t, r in zip(test, train, strict=True)]


def _cut_into_blocks(edges: np.ndarray, share: float, seed: int, block: float) -> list[str]:
    hair = 1e-6 * block
    first = np.floor((edges[:, :2] + hair) / block).astype(int)
    last = np.floor((edges[:, 2:] - hair) / block).astype(int)
    touched = [
        frozenset((c, r) for c in range(a[0], b[0] + 1) for r in range(a[1], b[1] + 1))
        for a, b in zip(first, last, strict=True)
    ]
    order = sorted(
        {at for blocks in touched for at in blocks},
        key=lambda at: hashlib.sha256(f"{seed}:{at[0]}:{at[1]}".encode()).digest())
    chosen: set[tuple[int, int]] = set()
    sides: list[str] = []
    for at in order:
        chosen.add(at)
        sides = ["test" if t <= chosen else "neither" if t & chosen else "train" for t in touched]
        counts = Counter(sides)
        if counts["test"] >= share * (counts["test"] + counts["train"]):
            break
    return sides
