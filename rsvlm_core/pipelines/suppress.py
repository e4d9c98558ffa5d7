"""One hit for one place, where tiles overlap and scales lie over each other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import NDArray

# Neighbours of one scale share a quarter of their area by design and are different places; what shares more is the
# same place seen twice (the last row and column shift inwards).
SAME_SCALE_SHARE = 0.35
# A small tile that lies mostly in a large one shows part of what the large one shows.
OTHER_SCALE_SHARE = 0.5


def keep_best(
    outlines: NDArray[np.object_], sources: Sequence[str], gsds: NDArray[np.float64], limit: int
) -> NDArray[np.int64]:
    """Positions of hits to keep, out of hits that come best first.

    A hit is dropped when a better one of the same raster covers too much of the smaller of the two. Rasters do not
    suppress each other: the same place in another year is another hit.

    Args:
        outlines: [N] polygons in one CRS.
        sources: [N] their rasters.
        gsds: [N] their scales.
        limit: Stop when so many are kept.

    Returns:
        Increasing positions, at most `limit`.
    """
    kept: list[int] = []
    by_source: dict[str, list[int]] = defaultdict(list)
    bounds = shapely.bounds(outlines).reshape(-1, 4)
    areas = shapely.area(outlines)
    for i in range(len(outlines)):
        if len(kept) == limit:
            break
        rivals = np.array(by_source[sources[i]], dtype=np.int64)
        if len(rivals):
            low, high = bounds[rivals, :2], bounds[rivals, 2:]
            near = rivals[((low < bounds[i, 2:]) & (high > bounds[i, :2])).all(axis=1)]
            shared = shapely.area(shapely.intersection(outlines[near], outlines[i]))
            allowed = np.where(np.isclose(gsds[near], gsds[i], rtol=1e-3), SAME_SCALE_SHARE, OTHER_SCALE_SHARE)
            if (shared > allowed * np.minimum(areas[near], areas[i])).any():
                continue
        kept.append(i)
        by_source[sources[i]].append(i)
    return np.array(kept, dtype=np.int64)
