"""Full square tiles over a raster, in ground units, the same ones in every run and for every extent."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath

import numpy as np
import shapely
from numpy.typing import NDArray

from rsvlm_core.errors import UsageError
from rsvlm_core.imagery.patch import Window
from rsvlm_core.imagery.raster import Extent, Raster, as_geometry, outside
from rsvlm_core.model.encoder import ModelInfo
from rsvlm_core.tiles.layout import starts

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

OVERLAP = 0.25

# Tiles are walked through in squares of this many of the finest, and of at least two of the coarsest level, all levels
# of a square before the next: so blocks of the file are decoded about once, whether or not it has overviews.
_GROUP, _COARSE_GROUP, _MOST_GROUP = 8, 2, 64
# More tiles than this would fill the memory before the first one is seen: a header that lies, or a slip in a number.
MOST_TILES = 50_000_000
# Change of the ground size of a pixel over the raster from which rows of tiles get their own width.
_UNEVEN = 0.01


@dataclass(frozen=True)
class Tile:
    """A square of ground.

    Attributes:
        tile_id: The same in every run, for every extent.
        source: The raster it lies on.
        level: 0 for the finest scale, then upwards.
        row: Row in the level's grid.
        col: Column in the level's grid.
        gsd_m: Metres per pixel as the model sees it.
        window: In pixels of the raster; sticks out only where the raster is smaller than the tile.
        geometry: Outline in the raster's CRS, of the part inside the raster.
    """

    tile_id: str
    source: str
    level: int
    row: int
    col: int
    gsd_m: float
    window: Window
    geometry: shapely.Polygon


def default_gsds(raster: Raster, info: ModelInfo) -> tuple[float, ...]:
    """Ground sampling distances at which a raster is worth searching, finest first.

    The finest is the raster's own, or the finest that the model knows where the raster is sharper, unless the raster
    is then smaller than a tile; a raster coarser than anything that the model knows is seen as it is. Then twice and
    four times that, while the model knows them and a tile is not larger than the raster.
    """
    finest, coarsest = info.gsd_m
    side = min(raster.width * raster.gsd_m[0], raster.height * raster.gsd_m[1])
    base = max(*raster.gsd_m, min(finest, side / info.image_size))
    scales = [base]
    for factor in (2, 4):
        if base * factor <= coarsest * (1 + 1e-6) and base * factor * info.image_size <= side:
            scales.append(base * factor)
    return tuple(_rounded(s) for s in scales)


def checked_gsds(gsds: Sequence[float]) -> tuple[float, ...]:
    """Distinct ground sampling distances, finest first, to six digits.

    Raises:
        UsageError: None, or one that is not a positive number.
    """
    if not gsds or any(not math.isfinite(g) or g <= 0 for g in gsds):
        raise UsageError(
            f"Ground sampling distances must be positive numbers of metres, not {list(gsds)}.", "Give for example 0.5."
        )
    return tuple(sorted({_rounded(g) for g in gsds}))


class TileGrid:
    """The tiles of one raster at one or more scales.

    Every level covers the whole raster with squares of size_px * gsd metres that all lie inside it: the last row and
    column shift inwards. A raster smaller than a tile gets one, centred, whose rest is not valid. An extent selects
    tiles of this grid and never moves them.
    """

    def __init__(
        self,
        raster: Raster,
        gsds: Sequence[float],
        size_px: int,
        overlap: float = OVERLAP,
        extent: Extent | None = None,
    ) -> None:
        """Lay out the tiles.

        Args:
            raster: What to cover; only its geometry is used.
            gsds: Metres per pixel of the levels.
            size_px: Side of a tile in pixels as the model sees it.
            overlap: Share of a side that neighbours share, 0 up to below 1.
            extent: Keep the tiles that share ground with it; in the raster's CRS.

        Raises:
            UsageError: A number makes no sense, or the extent does not touch the raster.
        """
        if size_px < 1 or not 0 <= overlap < 1:
            raise UsageError(
                f"Tiles of {size_px} pixels with overlap {overlap} cannot be made.", "The overlap must be below 1."
            )
        self.gsds = checked_gsds(gsds)
        self.size_px, self.overlap = size_px, overlap
        self._source = raster.source
        self._key = _source_key(raster.source)
        _check_number(raster, self.gsds, size_px * (1 - overlap))
        levels = [_level(raster, gsd, size_px, overlap) for gsd in self.gsds]
        self._level = np.concatenate([np.full(len(part[0]), i, dtype=np.int64) for i, part in enumerate(levels)])
        self._row = np.concatenate([part[0] for part in levels])
        self._col = np.concatenate([part[1] for part in levels])
        self._windows = np.concatenate([part[2] for part in levels])
        self._select(self._walk(raster.striped))
        self._raster = raster
        if extent is not None:
            self._keep(self._touching(as_geometry(extent)), extent)

    def __len__(self) -> int:
        return len(self._row)

    def __iter__(self) -> Iterator[Tile]:
        for start in range(0, len(self), 1024):
            yield from self.tiles(start, start + 1024)

    def tiles(self, start: int, stop: int) -> list[Tile]:
        """The tiles from position `start` up to `stop` in the order of iteration.

        It goes by squares of ground; in each the finest level comes first.
        """
        part = slice(start, stop)
        made = []
        for level, row, col, window, outline in zip(
            self._level[part], self._row[part], self._col[part], self._windows[part], self._outlines(part), strict=True
        ):
            gsd = self.gsds[level]
            made.append(Tile(
                f"{self._key}/{gsd:.6g}m/r{row:05d}c{col:05d}", self._source, int(level), int(row), int(col), gsd,
                Window(*(float(v) for v in window)), outline,
            ))
        return made

    def without(self, extents: Sequence[Extent | None]) -> TileGrid:
        """The tiles that were not selected by any of these extents; None is everything."""
        left = np.ones(len(self), dtype=bool)
        for extent in extents:
            left &= False if extent is None else ~self._touching(as_geometry(extent))
        rest = TileGrid.__new__(TileGrid)
        rest.__dict__.update(self.__dict__)
        rest._select(left)
        return rest

    def _outlines(self, part: slice) -> NDArray[np.object_]:
        """Polygons of the tiles, cut to the raster, in its CRS."""
        windows = self._windows[part]
        low = np.maximum(windows[:, :2], 0.0)
        size = np.array([self._raster.width, self._raster.height], dtype=np.float64)
        high = np.minimum(windows[:, :2] + windows[:, 2:], size)
        outlines: NDArray[np.object_] = shapely.polygons(
            self._raster.corners(np.concatenate([low, high - low], axis=1))
        )
        return outlines

    def _touching(self, area: shapely.Geometry) -> NDArray[np.bool_]:
        """Which tiles share ground, not just a border, with an area."""
        touching = np.zeros(len(self), dtype=bool)
        shapely.prepare(area)
        for start in range(0, len(self), 65536):
            part = slice(start, start + 65536)
            outlines = self._outlines(part)
            near = np.flatnonzero(shapely.intersects(area, outlines))
            shared = shapely.area(shapely.intersection(area, outlines[near]))
            touching[start + near[shared > 1e-9 * shapely.area(outlines[near])]] = True
        return touching

    def _walk(self, striped: bool) -> Ints:
        """The order of iteration, as positions."""
        middle = self._windows[:, :2] + self._windows[:, 2:] / 2
        stride = self._windows[:, 2:].min(axis=0) * (1 - self.overlap)
        coarse = self._windows[:, 2:].max(axis=0) * _COARSE_GROUP
        square = np.clip(coarse, _GROUP * stride, _MOST_GROUP * stride)
        across, down = np.floor(middle / square).T
        return np.lexsort((self._col, self._row, self._level, across * (not striped), down))

    def _keep(self, kept: NDArray[np.bool_], extent: Extent) -> None:
        if not kept.any():
            raise UsageError(*outside(extent, self._raster.bounds, self._source))
        self._select(kept)

    def _select(self, kept: NDArray[np.bool_] | Ints) -> None:
        self._level, self._row, self._col = self._level[kept], self._row[kept], self._col[kept]
        self._windows = self._windows[kept]


def _check_number(raster: Raster, gsds: Sequence[float], stride_px: float) -> None:
    """Refuse a grid of more tiles than anyone means, before it is laid out."""
    across, down = (n * g / stride_px for n, g in zip((raster.width, raster.height), raster.gsd_m, strict=True))
    wanted = sum(max(1.0, across / gsd) * max(1.0, down / gsd) for gsd in gsds)
    if wanted > MOST_TILES:
        raise UsageError(
            f"{raster.source} has {raster.width} x {raster.height} pixels of {raster.gsd_m[0]:.3g} m: that is"
            f" {wanted:.2g} tiles at {gsds[0]:g} m per pixel, more than the {MOST_TILES:.2g} of one raster.",
            "Give coarser ground sizes with --gsd, or cut the raster into pieces.",
        )


def _level(raster: Raster, gsd: float, size_px: int, overlap: float) -> tuple[Ints, Ints, Floats]:
    """Row and column numbers [N] and windows [N, 4] of one level, row by row."""
    side = size_px * gsd
    ground = _Ground(raster)
    rows, cols, windows = [], [], []
    for number, (top, height) in enumerate(_row_spans(ground, raster.height, side, overlap)):
        width = side / ground.gsd(top + height / 2)[0]
        left = starts(raster.width, width, width * (1 - overlap))
        rows.append(np.full(len(left), number, dtype=np.int64))
        cols.append(np.arange(len(left), dtype=np.int64))
        windows.append(np.stack([left, *(np.full(len(left), v) for v in (top, width, height))], axis=1))
    return np.concatenate(rows), np.concatenate(cols), np.concatenate(windows)


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


def _rounded(gsd: float) -> float:
    return float(f"{gsd:.6g}")


def _source_key(source: str) -> str:
    """Short, readable, and different for different sources."""
    stem = re.sub(r"[^A-Za-z0-9]+", "-", PurePath(source).stem).strip("-")[:24] or "raster"
    return f"{stem}-{hashlib.sha256(source.encode()).hexdigest()[:8]}"
