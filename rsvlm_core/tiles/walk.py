"""The order in which the tiles of all scales are visited, without holding the tiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rsvlm_core.tiles.levels import Level

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Tiles are walked through in squares of this many of the finest, and of at least two of the coarsest level, all levels
# of a square before the next: so blocks of the file are decoded about once, whether or not it has overviews.
_GROUP, _COARSE_GROUP, _MOST_GROUP = 8, 2, 64


@dataclass(frozen=True)
class Squares:
    """Some tiles, in order.

    Attributes:
        level: [n] 0 for the finest scale.
        row: [n] in the level's grid.
        col: [n] likewise.
        windows: [n, 4] column, row, width, height, in pixels of the raster.
    """

    level: Ints
    row: Ints
    col: Ints
    windows: Floats

    def __getitem__(self, chosen: slice | Ints) -> Squares:
        return Squares(self.level[chosen], self.row[chosen], self.col[chosen], self.windows[chosen])


class Walk:
    """Positions of tiles: by bands of squares from top to bottom, in each by squares, in each by scale.

    One band is laid out at a time; the last one is kept, as neighbours are asked for together.

    Args:
        levels: Finest first.
        overlap: Share of a side that neighbours share.
        striped: The raster is stored in whole rows: a band is walked through scale by scale.
    """

    def __init__(self, levels: Sequence[Level], overlap: float, striped: bool) -> None:
        self._levels, self._striped = levels, striped
        sides = [np.concatenate([getattr(level, name) for level in levels]) for name in ("widths", "heights")]
        self._square = [
            float(np.clip(side.max() * _COARSE_GROUP, _GROUP * stride, _MOST_GROUP * stride))
            for side, stride in ((side, side.min() * (1 - overlap)) for side in sides)
        ]
        bands = [np.floor((level.tops + level.heights / 2) / self._square[1]) for level in levels]
        names = np.unique(np.concatenate(bands))
        # for each band and level, the rows in it
        self._rows = [[np.flatnonzero(band == name) for band in bands] for name in names]
        sizes = [
            sum(int(level.counts[rows].sum()) for level, rows in zip(levels, there, strict=True))
            for there in self._rows
        ]
        self._ends = np.cumsum(sizes, dtype=np.int64)
        self._last: tuple[int, Squares] | None = None

    def __len__(self) -> int:
        return int(self._ends[-1])

    def at(self, positions: Ints) -> Squares:
        """Tiles at increasing positions."""
        number = np.searchsorted(self._ends, positions, side="right")
        found = []
        for band in np.unique(number):
            start = int(self._ends[band - 1]) if band else 0
            found.append(self._band(int(band))[positions[number == band] - start])
        return found[0] if len(found) == 1 else _joined(found)

    def _band(self, number: int) -> Squares:
        if self._last is None or self._last[0] != number:
            self._last = number, self._laid_out(number)
        return self._last[1]

    def _laid_out(self, number: int) -> Squares:
        made = []
        for name, (level, rows) in enumerate(zip(self._levels, self._rows[number], strict=True)):
            for row in rows:
                windows = level.windows(int(row))
                count = len(windows)
                made.append(Squares(np.full(count, name), np.full(count, row), np.arange(count), windows))
        band = _joined(made)
        across = np.floor((band.windows[:, 0] + band.windows[:, 2] / 2) / self._square[0])
        return band[np.lexsort((band.col, band.row, band.level, across * (not self._striped)))]


def _joined(parts: Sequence[Squares]) -> Squares:
    none = np.zeros(0, np.int64)
    return Squares(
        np.concatenate([none, *(p.level for p in parts)]), np.concatenate([none, *(p.row for p in parts)]),
        np.concatenate([none, *(p.col for p in parts)]),
        np.concatenate([np.zeros((0, 4)), *(p.windows for p in parts)]),
    )
