"""Full square tiles over a raster, in ground units, the same ones in every run and for every extent."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import PurePath

import numpy as np
import shapely
from numpy.typing import NDArray

from rsvlm_core.errors import UsageError
from rsvlm_core.imagery.patch import Window
from rsvlm_core.imagery.raster import Extent, Raster, as_geometry, outside
from rsvlm_core.model.encoder import ModelInfo
from rsvlm_core.tiles.levels import Level
from rsvlm_core.tiles.walk import Squares, Walk

Floats = NDArray[np.float64]

OVERLAP = 0.25

# More tiles than this nobody means: a header that lies, or a slip in a number.
MOST_TILES = 50_000_000
# Outlines at once.
_BLOCK = 8192


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
    tiles of this grid and never moves them. Tiles are laid out when they are asked for: what is held grows with the
    rows of the grid, and by four bytes for each tile that an extent selected.
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
        levels = [Level(raster, gsd, size_px, overlap) for gsd in self.gsds]
        self._walk = Walk(levels, overlap, raster.striped)
        self._raster = raster
        # Positions of the tiles that were selected; all of them need not be written down.
        self._chosen: NDArray[np.uint32] | None = None
        if extent is not None:
            self._chosen = self._selected(as_geometry(extent), inside=True)
            if not len(self):
                raise UsageError(*outside(extent, raster.bounds, self._source))

    def __len__(self) -> int:
        return len(self._walk) if self._chosen is None else len(self._chosen)

    def __iter__(self) -> Iterator[Tile]:
        for start in range(0, len(self), 1024):
            yield from self.tiles(start, start + 1024)

    def tiles(self, start: int, stop: int) -> list[Tile]:
        """The tiles from position `start` up to `stop` in the order of iteration.

        It goes by squares of ground; in each the finest level comes first.
        """
        found = self._at(start, stop)
        made = []
        for level, row, col, window, outline in zip(
            found.level, found.row, found.col, found.windows, shapely.polygons(self._corners(found)), strict=True
        ):
            gsd = self.gsds[level]
            made.append(Tile(
                f"{self._key}/{gsd:.6g}m/r{row:05d}c{col:05d}", self._source, int(level), int(row), int(col), gsd,
                Window(*(float(v) for v in window)), outline,
            ))
        return made

    def without(self, extents: Sequence[Extent | None]) -> TileGrid:
        """The tiles that were not selected by any of these extents; None is everything."""
        rest = copy(self)
        for extent in extents:
            none = np.zeros(0, np.uint32)
            rest._chosen = none if extent is None else rest._selected(as_geometry(extent), inside=False)
        return rest

    def _at(self, start: int, stop: int) -> Squares:
        start, stop = max(0, start), min(stop, len(self))
        if self._chosen is None:
            return self._walk.at(np.arange(start, stop))
        return self._walk.at(self._chosen[start:stop].astype(np.int64))

    def _corners(self, tiles: Squares) -> Floats:
        """[n, 4, 2] corners of tiles, cut to the raster, in its CRS."""
        windows = tiles.windows
        low = np.maximum(windows[:, :2], 0.0)
        size = np.array([self._raster.width, self._raster.height], dtype=np.float64)
        high = np.minimum(windows[:, :2] + windows[:, 2:], size)
        return self._raster.corners(np.concatenate([low, high - low], axis=1))

    def _selected(self, area: shapely.Geometry, inside: bool) -> NDArray[np.uint32]:
        """Positions in the walk of our tiles that share ground, not just a border, with an area; or of the others."""
        west, south, east, north = area.bounds
        shapely.prepare(area)
        found = [np.zeros(0, np.uint32)]
        for start in range(0, len(self), _BLOCK):
            tiles = self._at(start, start + _BLOCK)
            corners = self._corners(tiles)
            low, high = corners.min(axis=1), corners.max(axis=1)
            near = np.flatnonzero(
                (low[:, 0] <= east) & (high[:, 0] >= west) & (low[:, 1] <= north) & (high[:, 1] >= south)
            )
            outlines = shapely.polygons(corners[near])
            crossed = shapely.intersects(area, outlines)
            near, outlines = near[crossed], outlines[crossed]
            shared = shapely.area(shapely.intersection(area, outlines))
            touching = np.zeros(len(corners), dtype=bool)
            touching[near[shared > 1e-9 * shapely.area(outlines)]] = True
            positions = np.arange(start, start + len(corners), dtype=np.uint32)
            if self._chosen is not None:
                positions = self._chosen[start : start + len(corners)]
            found.append(positions[touching == inside])
        return np.concatenate(found)


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


def _rounded(gsd: float) -> float:
    return float(f"{gsd:.6g}")


def _source_key(source: str) -> str:
    """Short, readable, and different for different sources."""
    stem = re.sub(r"[^A-Za-z0-9]+", "-", PurePath(source).stem).strip("-")[:24] or "raster"
    return f"{stem}-{hashlib.sha256(source.encode()).hexdigest()[:8]}"
