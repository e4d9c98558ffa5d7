"""Which tiles are for training and which for testing: whole places, so that no tile of one side shows the other."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Sequence

_BLOCK = 3.0  # sides of the largest tile that a place measures


def split_ground(bounds: Sequence[Sequence[float]], share: float, seed: int = 0) -> list[str]:
    """Split tiles by place, whatever rasters and scales they are of.

    The ground is cut into square blocks of three times the largest tile. Blocks are taken for testing, in an order that
    the seed fixes, until they hold `share` of the tiles. A tile that touches blocks of both sides belongs to neither.
    `training.data.places` splits sets that span many towns; this is for one town.

    Args:
        bounds: west, south, east, north of each tile in degrees.
        share: Of the tiles, 0 to 1, for testing.
        seed: Of the order.

    Returns:
        "train", "test" or "neither" for each tile.
    """
    if not bounds:
        return []
    narrow = math.cos(math.radians(sum(b[1] + b[3] for b in bounds) / 2 / len(bounds)))
    block = _BLOCK * max(max((b[2] - b[0]) * narrow, b[3] - b[1]) for b in bounds)
    # from the set's own corner, so that few blocks are cut by its rim
    west, south = min(b[0] for b in bounds), min(b[1] for b in bounds)
    hair = 1e-6 * block

    def blocks(b: Sequence[float]) -> set[tuple[int, int]]:
        columns = [math.floor((x - west) * narrow / block) for x in (b[0] + hair, b[2] - hair)]
        rows = [math.floor((y - south) / block) for y in (b[1] + hair, b[3] - hair)]
        return {(c, r) for c in range(columns[0], columns[1] + 1) for r in range(rows[0], rows[1] + 1)}

    touched = [blocks(b) for b in bounds]
    whole = Counter(next(iter(t)) for t in touched if len(t) == 1)
    order = sorted(whole, key=lambda at: hashlib.sha256(f"{seed}:{at[0]}:{at[1]}".encode()).digest())
    chosen: set[tuple[int, int]] = set()
    for at in order[:-1]:  # one at least is left to learn from
        if sum(whole[c] for c in chosen) >= share * len(bounds):
            break
        chosen.add(at)
    return ["test" if t <= chosen else "neither" if t & chosen else "train" for t in touched]
