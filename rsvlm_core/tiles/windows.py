"""Overlapping windows at one ground sampling distance, for results that are themselves rasters."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray

from rsvlm_core.errors import UsageError
from rsvlm_core.imagery.patch import Window
from rsvlm_core.imagery.raster import Extent, Raster, as_geometry
from rsvlm_core.tiles.layout import starts


@dataclass(frozen=True)
class LocalWindow:
    """One window and its place in the output.

    Attributes:
        window: What to read, in pixels of the raster; may stick out of it.
        row: Output row of the window's top edge; may be negative, and the window may end past the output.
        col: Output column of its left edge.
    """

    window: Window
    row: int
    col: int


class WindowGrid:
    """Square windows that cover a raster, or an extent of it, on an output grid at a given GSD.

    The grid is anchored at the raster's corner, and windows are those of the whole raster that touch the extent:
    a place gets the same windows, and so the same result, whatever extent is asked for.

    Attributes:
        gsd_m: Metres per output pixel at the raster's centre.
        size_px: Side of a window in output pixels.
        height: Rows of the output.
        width: Columns of the output.
        transform: Output pixel to the raster's CRS (rotation and shear are kept).
        weights: [size_px, size_px] float32, positive, highest in the middle: how much a window counts where
            several overlap. Divide by the sum of weights.
    """

    def __init__(
        self, raster: Raster, gsd_m: float, size_px: int, *, overlap: float = 0.5, extent: Extent | None = None
    ) -> None:
        """Lay out the windows.

        Args:
            raster: What to cover.
            gsd_m: Metres per output pixel.
            size_px: Side of a window in output pixels.
            overlap: Share of a window's side that neighbours share, 0 up to below 1.
            extent: In the raster's CRS; None is all of it.

        Raises:
            UsageError: The extent does not touch the raster, or a number makes no sense.
        """
        if not (math.isfinite(gsd_m) and gsd_m > 0 and size_px > 0 and 0 <= overlap < 1):
            raise UsageError(
                f"Windows of {size_px} pixels at {gsd_m} m with overlap {overlap} cannot be made.",
                "Give a positive ground sampling distance and an overlap below 1.",
            )
        self.gsd_m, self.size_px = gsd_m, size_px
        self._zoom_x, self._zoom_y = gsd_m / raster.gsd_m[0], gsd_m / raster.gsd_m[1]
        full_w = max(1, math.ceil(raster.width / self._zoom_x - 1e-6))
        full_h = max(1, math.ceil(raster.height / self._zoom_y - 1e-6))
        left, top, right, bottom = 0, 0, full_w, full_h
        if extent is not None:
            inside = raster.window(extent)
            left = min(full_w - 1, math.floor(inside.col / self._zoom_x + 1e-6))
            top = min(full_h - 1, math.floor(inside.row / self._zoom_y + 1e-6))
            right = max(left + 1, min(full_w, math.ceil((inside.col + inside.width) / self._zoom_x - 1e-6)))
            bottom = max(top + 1, min(full_h, math.ceil((inside.row + inside.height) / self._zoom_y - 1e-6)))
        self._left, self._top = left, top
        self.width, self.height = right - left, bottom - top
        self.transform: Affine = (
            raster.transform * Affine.scale(self._zoom_x, self._zoom_y) * Affine.translation(left, top)
        )
        stride = max(1, round(size_px * (1 - overlap)))
        cols = [math.floor(c) for c in starts(full_w, size_px, stride)]
        rows = [math.floor(r) for r in starts(full_h, size_px, stride)]
        self._cols = [c for c in cols if c < right and c + size_px > left]
        self._rows = [r for r in rows if r < bottom and r + size_px > top]
        self._places = [(r, c) for r in self._rows for c in self._cols]
        if extent is not None:
            self._places = self._touching(raster, extent)
        self.weights = blend_weights(size_px)

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[LocalWindow]:
        for row, col in self._places:
            yield LocalWindow(self._window(row, col), row - self._top, col - self._left)

    def slices(self, place: LocalWindow) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        """Where a window's result goes: slices (rows, columns) of the output, and the same of the window."""
        r0, c0 = max(0, place.row), max(0, place.col)
        r1, c1 = min(self.height, place.row + self.size_px), min(self.width, place.col + self.size_px)
        output = (slice(r0, r1), slice(c0, c1))
        return output, (slice(r0 - place.row, r1 - place.row), slice(c0 - place.col, c1 - place.col))

    def _window(self, row: int, col: int) -> Window:
        zx, zy = self._zoom_x, self._zoom_y
        return Window(col * zx, row * zy, self.size_px * zx, self.size_px * zy)

    def _touching(self, raster: Raster, extent: Extent) -> list[tuple[int, int]]:
        """Windows that meet the extent itself, not just its bounding rectangle."""
        area = as_geometry(extent)
        shapely.prepare(area)
        kept = [p for p in self._places if area.intersects(raster.polygon(self._window(*p)))]
        return kept or self._places


def blend_weights(size_px: int) -> NDArray[np.float32]:
    """[size_px, size_px] raised-cosine weights: about 1 in the middle, small but never zero at the rim."""
    middle = (np.arange(size_px) + 0.5) / size_px
    edge = np.maximum(np.sin(np.pi * middle) ** 2, 0.01)
    return np.outer(edge, edge).astype(np.float32)
