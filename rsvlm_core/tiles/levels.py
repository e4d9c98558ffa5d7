"""One scale over a raster: rows of square tiles, known by their beginnings, laid out row by row when asked for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rsvlm_core.imagery.raster import Raster
from rsvlm_core.tiles.layout import starts

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Change of the ground size of a pixel over the raster from which rows of tiles get their own width.
_UNEVEN = 0.01


class Level:
    """The tiles of one scale; what is held grows with its rows, not with its tiles.

    Args:
        raster: What to cover.
        gsd: Metres per pixel as the model sees it.
        size_px: Side of a tile in those pixels.
        overlap: Share of a side that neighbours share.

    Attributes:
        tops: [R] where rows begin, in pixels of the raster.
        heights: [R] of their tiles.
        widths: [R] of their tiles.
        counts: [R] tiles in them.
    """

    def __init__(self, raster: Raster, gsd: float, size_px: int, overlap: float) -> None:
        side, ground = size_px * gsd, _Ground(raster)
        spans = _row_spans(ground, raster.height, side, overlap)
        self._length, self._overlap = raster.width, overlap
        self._known: tuple[float, Floats] | None = None
        self.tops = np.array([top for top, _ in spans])
        self.heights = np.array([height for _, height in spans])
        self.widths = np.array([side / ground.gsd(top + height / 2)[0] for top, height in spans])
        self.counts: Ints = np.array([len(self.lefts(row)) for row in range(len(spans))], dtype=np.int64)

    def lefts(self, row: int) -> Floats:
        """[n] where the tiles of a row begin."""
        width = float(self.widths[row])
        if self._known is None or self._known[0] != width:  # most often all rows are alike
            self._known = width, starts(self._length, width, width * (1 - self._overlap))
        return self._known[1]

    def windows(self, row: int) -> Floats:
        """[n, 4] column, row, width and height of the tiles of a row, in pixels of the raster."""
        left = self.lefts(row)
        rest = (self.tops[row], self.widths[row], self.heights[row])
        return np.stack([left, *(np.full(len(left), v) for v in rest)], axis=1)


class _Ground:
    """Metres per pixel along a raster's rows.

    They change from top to bottom where a raster in degrees or Mercator spans many latitudes; elsewhere one size
    serves, and tiles stay exactly alike.
    """

    def __init__(self, raster: Raster) -> None:
        self._raster = raster
        ends = [raster.gsd_at(raster.width / 2, row) for row in (0.5, raster.height - 0.5)]
        self.uneven = any(abs(end[axis] / raster.gsd_m[axis] - 1) > _UNEVEN for end in ends for axis in (0, 1))

    def gsd(self, row: float) -> tuple[float, float]:
        """Along the column and the row axis, in the middle of a row."""
        if not self.uneven:
            return self._raster.gsd_m
        return self._raster.gsd_at(self._raster.width / 2, min(max(row, 0.5), self._raster.height - 0.5))


def _row_spans(ground: _Ground, length: int, side: float, overlap: float) -> list[tuple[float, float]]:
    """(top, height) in pixels of the rows of tiles."""
    middle = side / ground.gsd(length / 2)[1]
    if not ground.uneven or middle >= length:
        return [(float(top), middle) for top in starts(length, middle, middle * (1 - overlap))]
    last = side / ground.gsd(length - 0.5 * side / ground.gsd(length)[1])[1]
    spans: list[tuple[float, float]] = []
    top, bottom = 0.0, float(length)
    while True:
        height = side / ground.gsd(top + 0.5 * side / ground.gsd(top)[1])[1]
        if top + height >= length * (1 - 1e-9):
            # not further down than where the row above ends: its tiles may have another height
            top = max(0.0, min(length - last, bottom))
            return [*spans, (top, length - top)]
        spans.append((top, height))
        bottom = top + height
        top += height * (1 - overlap)
