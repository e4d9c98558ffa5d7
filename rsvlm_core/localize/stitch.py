"""Overlapping windows blended into one score raster without seams, in bounded memory.

Scores live on cells of the model's patch grid, laid over the source from its upper left corner: every window covers
whole cells, so blending needs no resampling, and a cell's score is the weighted mean over the windows that saw it.
Several scales have a raster each; they are averaged where they are read.
"""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsvlm_core.errors import OutputError, UsageError
from rsvlm_core.imagery.patch import Patch, Window
from rsvlm_core.localize.source import PatchSource
from rsvlm_core.model.encoder import Float32, UInt8
from rsvlm_core.scratch import reserve

# Between the centre of a window and its border the weight falls to this, never to zero: at the border of the imagery
# there is no second window.
_EDGE_WEIGHT = 0.001
# More windows than this would fill the memory before the first one is seen.
MOST_WINDOWS = 5_000_000


@dataclass(frozen=True)
class Span:
    """A rectangle of cells.

    Attributes:
        row: First row.
        col: First column.
        rows: Rows.
        cols: Columns.
    """

    row: int
    col: int
    rows: int
    cols: int


@dataclass(frozen=True)
class CellGrid:
    """The patch grid of one scale over a source.

    Attributes:
        gsd_m: Metres per pixel that the model sees.
        cell: (width, height) of a cell in pixels of the source; not whole numbers in general.
        origin: (column, row) of the first cell, in cells from the source's corner.
        rows: Rows of cells.
        cols: Columns of cells.
        stride: Pixels per cell that the model sees.
    """

    gsd_m: float
    cell: tuple[float, float]
    origin: tuple[int, int]
    rows: int
    cols: int
    stride: int

    @classmethod
    def over(
        cls, source: PatchSource, gsd_m: tuple[float, float], model_gsd_m: float, stride: int, margin: int = 0
    ) -> CellGrid:
        """Lay a grid over a source.

        Args:
            source: Gives width and height.
            gsd_m: Metres per pixel of the source along columns and rows.
            model_gsd_m: Metres per pixel that the model shall see.
            stride: Pixels per cell that the model sees.
            margin: Cells around the source, where it is mirrored: what a model says close to the border of its window
                is unreliable, and at the border of the imagery there is no second window.
        """
        cell = (stride * model_gsd_m / gsd_m[0], stride * model_gsd_m / gsd_m[1])
        rows, cols = (math.ceil(n / c - 1e-6) for n, c in ((source.height, cell[1]), (source.width, cell[0])))
        rows, cols = max(1, rows) + 2 * margin, max(1, cols) + 2 * margin
        return cls(model_gsd_m, cell, (-margin, -margin), rows, cols, stride)

    def touching(self, spans: Sequence[Span], area: Window, margin: int) -> list[Span]:
        """Those spans that reach within `margin` cells of an area given in pixels of the source."""
        left, top = area.col / self.cell[0] - self.origin[0], area.row / self.cell[1] - self.origin[1]
        right, bottom = left + area.width / self.cell[0] + margin, top + area.height / self.cell[1] + margin
        left, top = left - margin, top - margin
        return [
            s for s in spans if s.col < right and s.col + s.cols > left and s.row < bottom and s.row + s.rows > top
        ]

    def crop(self, spans: Sequence[Span]) -> tuple[CellGrid, list[Span]]:
        """The part of this grid that spans need, and the same spans in it."""
        row, col = min(s.row for s in spans), min(s.col for s in spans)
        rows, cols = max(s.row + s.rows for s in spans) - row, max(s.col + s.cols for s in spans) - col
        origin = (self.origin[0] + col, self.origin[1] + row)
        part = CellGrid(self.gsd_m, self.cell, origin, rows, cols, self.stride)
        return part, [Span(s.row - row, s.col - col, s.rows, s.cols) for s in spans]

    def window(self, span: Span) -> Window:
        """A span of this grid in pixels of the source."""
        return Window(
            (self.origin[0] + span.col) * self.cell[0], (self.origin[1] + span.row) * self.cell[1],
            span.cols * self.cell[0], span.rows * self.cell[1],
        )  # fmt: skip

    def inside(self, span: Span, source: PatchSource) -> NDArray[np.float64]:
        """[rows, cols] share of each cell that lies inside the source: 1 but at its border and beyond."""
        first_row, first_col = self.origin[1] + span.row, self.origin[0] + span.col
        rows = _share_inside(first_row, span.rows, source.height / self.cell[1])
        cols = _share_inside(first_col, span.cols, source.width / self.cell[0])
        return np.maximum(rows[:, None] * cols[None, :], 1e-6)

    def spans(self, side: int, overlap: int) -> list[Span]:
        """Overlapping windows of `side` x `side` cells that cover the grid, evenly spread, in reading order.

        Args:
            side: Cells of a window's side; smaller where the grid is.
            overlap: Least number of cells that neighbours share.

        Raises:
            UsageError: There would be more windows than anyone means.
        """
        rows, cols = min(side, self.rows), min(side, self.cols)
        step = max(1, side - overlap)
        if (self.rows / step) * (self.cols / step) > MOST_WINDOWS:
            raise UsageError(
                f"The raster has {self.rows * self.cols:.2g} places at {self.gsd_m:g} m per pixel, more than fit.",
                "Give a coarser ground size with --gsd, or cut the raster into pieces.",
            )
        return [
            Span(r, c, rows, cols)
            for r in _starts(self.rows, rows, min(overlap, rows - 1))
            for c in _starts(self.cols, cols, min(overlap, cols - 1))
        ]


class ScoreRaster:
    """A blended raster of C channels on a cell grid, kept in a temporary file.

    Args:
        grid: Its cells.
        channels: C.
        folder: Where the file goes; it is deleted with the folder.

    Raises:
        OutputError: The disk has no room for it.
    """

    def __init__(self, grid: CellGrid, channels: int, folder: Path) -> None:
        self.grid, self.channels = grid, channels
        needed = 4 * (channels + 1) * grid.rows * grid.cols
        if shutil.disk_usage(folder).free < needed + 64_000_000:  # a full disk would kill the process, not raise
            raise OutputError(
                f"The temporary folder {folder} has no room for a score raster of {needed / 1e9:.1f} GB.",
                "Free space, set TMPDIR to another disk, or give a smaller extent.",
            )
        handle = tempfile.NamedTemporaryFile(dir=folder, suffix=".scores", delete=False)  # noqa: SIM115
        handle.close()
        try:
            reserve(Path(handle.name), needed)
        except OSError as error:
            raise OutputError(
                f"The temporary folder {folder} has no room for a score raster of {needed / 1e9:.1f} GB"
                f" ({error.strerror}).", "Free space, set TMPDIR to another disk, or give a smaller extent.",
            ) from error
        shape = (grid.rows, grid.cols, channels + 1)
        self._sums: NDArray[np.float32] = np.memmap(handle.name, np.float32, "r+", shape=shape)

    def add(self, span: Span, values: Float32, seen: NDArray[np.bool_]) -> None:
        """Blend in a window.

        Args:
            span: Its cells.
            values: [rows, cols, C] float32.
            seen: [rows, cols] bool; cells that hold no imagery are left out.
        """
        weight = (_taper(span.rows)[:, None] * _taper(span.cols)[None, :] * seen).astype(np.float32)
        part = self._sums[span.row : span.row + span.rows, span.col : span.col + span.cols]
        part[..., :-1] += weight[..., None] * np.where(seen[..., None], values, 0)
        part[..., -1] += weight

    def sample(self, x: NDArray[np.floating[Any]], y: NDArray[np.floating[Any]]) -> tuple[Float32, Float32]:
        """Interpolate bilinearly between cell centres; cells without imagery take no part.

        Args:
            x: [w] columns in pixels of the source (0.5 is the centre of the first pixel), ascending.
            y: [h] rows.

        Returns:
            [h, w, C] float32 values, 0 where nothing is known, and [h, w] float32 how much of the neighbourhood is.
        """
        r0, r1, fr = self._neighbours(y / self.grid.cell[1] - self.grid.origin[1], self.grid.rows)
        c0, c1, fc = self._neighbours(x / self.grid.cell[0] - self.grid.origin[0], self.grid.cols)
        top, left = int(r0.min()), int(c0.min())
        part = np.array(self._sums[top : int(r1.max()) + 1, left : int(c1.max()) + 1])
        weight = part[..., -1:]
        known = (weight > 0).astype(np.float32)
        part = np.concatenate([part[..., :-1] / np.where(weight > 0, weight, 1), known], axis=-1)
        rows = part[r0 - top] * (1 - fr)[:, None, None] + part[r1 - top] * fr[:, None, None]
        out = rows[:, c0 - left] * (1 - fc)[None, :, None] + rows[:, c1 - left] * fc[None, :, None]
        share: Float32 = out[..., -1].astype(np.float32, copy=False)
        values: Float32 = (out[..., :-1] / np.maximum(share, 1e-6)[..., None]).astype(np.float32, copy=False)
        return values, share

    @staticmethod
    def _neighbours(at: NDArray[np.floating[Any]], count: int) -> tuple[NDArray[np.intp], NDArray[np.intp], Float32]:
        """Cells before and after positions in cells, and how far towards the second."""
        centre = np.clip(at - 0.5, 0, count - 1)
        first = np.floor(centre).astype(np.intp)
        return first, np.minimum(first + 1, count - 1), np.asarray(centre - first, np.float32)


Score = Callable[[UInt8], Float32]


def fill(
    raster: ScoreRaster, source: PatchSource, score: Score, spans: Sequence[Span], batch: int,
    before_each: Callable[[int], None] = lambda done: None,
    on_error: Callable[[Span, Exception], None] | None = None,
) -> None:
    """Score windows and blend them in; the order of `spans` does not matter beyond float rounding.

    Args:
        raster: Takes the scores.
        source: Gives the pixels.
        score: [B, H, W, 3] uint8 -> [B, H/stride, W/stride, C] float32.
        spans: Windows of the raster's grid.
        batch: Windows scored at once, where they are of one size.
        before_each: Called with the number of windows done; may raise to stop.
        on_error: Called when a window cannot be read, instead of raising.
    """
    stride, waiting, done = raster.grid.stride, list[tuple[Span, Patch]](), 0

    def flush() -> None:
        nonlocal done
        if waiting:
            values = score(np.stack([_mirrored(raster.grid, span, patch, source) for span, patch in waiting]))
            for (span, patch), value in zip(waiting, values, strict=True):
                share = patch.valid.reshape(span.rows, stride, span.cols, stride).mean(axis=(1, 3))
                raster.add(span, value, share >= 0.5 * raster.grid.inside(span, source))
            done += len(waiting)
            waiting.clear()

    for span in spans:
        before_each(done)
        if waiting and (waiting[0][0].rows, waiting[0][0].cols) != (span.rows, span.cols):
            flush()
        try:
            patch = source.read(raster.grid.window(span), (span.rows * stride, span.cols * stride))
        except Exception as error:
            if on_error is None:
                raise
            on_error(span, error)
            done += 1
            continue
        if not patch.valid.any():
            done += 1
            continue
        waiting.append((span, patch))
        if len(waiting) >= batch:
            flush()
    flush()
    before_each(done)


def sample_all(
    rasters: Sequence[ScoreRaster], x: NDArray[np.floating[Any]], y: NDArray[np.floating[Any]]
) -> tuple[Float32, NDArray[np.bool_]]:
    """The mean over scales at places in pixels of the source.

    Returns:
        [h, w, C] float32 and [h, w] bool whether any scale knows the place.
    """
    total, share = rasters[0].sample(x, y)
    total *= share[..., None]
    for raster in rasters[1:]:
        values, known = raster.sample(x, y)
        total += values * known[..., None]
        share = share + known
    mean: Float32 = (total / np.maximum(share, 1e-6)[..., None]).astype(np.float32, copy=False)
    return mean, share > 1e-3


def _starts(total: int, side: int, overlap: int) -> list[int]:
    """First cells of windows: as few as keep the overlap, spread evenly, the last one flush with the end."""
    if total <= side:
        return [0]
    count = math.ceil((total - side) / max(1, side - overlap)) + 1
    return sorted({round(i * (total - side) / (count - 1)) for i in range(count)})


def _taper(n: int) -> NDArray[np.float64]:
    """[n] raised-cosine weights along a window: one in the middle, next to nothing at both ends."""
    weight: NDArray[np.float64] = np.maximum(np.sin(np.pi * (np.arange(n) + 0.5) / n) ** 2, _EDGE_WEIGHT)
    return weight


def _share_inside(first: int, count: int, length: float) -> NDArray[np.float64]:
    """[count] share of cells first, first + 1, ... that lies within 0..length."""
    at = first + np.arange(count)
    return np.asarray(np.clip(np.minimum(at + 1, length) - np.maximum(at, 0), 0, 1), np.float64)


def _mirrored(grid: CellGrid, span: Span, patch: Patch, source: PatchSource) -> UInt8:
    """A patch without holes: mirrored beyond the source's border, in the mean colour elsewhere."""
    rgb, window = patch.filled(), grid.window(span)
    zoom_x, zoom_y = patch.rgb.shape[1] / window.width, patch.rgb.shape[0] / window.height
    rows = _reflect(rgb.shape[0], -window.row * zoom_y, (source.height - window.row) * zoom_y)
    cols = _reflect(rgb.shape[1], -window.col * zoom_x, (source.width - window.col) * zoom_x)
    rgb = rgb if rows is None else rgb[rows]
    return rgb if cols is None else rgb[:, cols]


def _reflect(n: int, low: float, high: float) -> NDArray[np.intp] | None:
    """[n] indices that stay within low..high by going back and forth; None where they do anyway."""
    first, last = max(0, math.ceil(low - 1e-6)), min(n, math.floor(high + 1e-6)) - 1
    if (first == 0 and last == n - 1) or last < first:
        return None
    period = 2 * (last - first + 1)
    at = (np.arange(n) - first) % period
    return (first + np.minimum(at, period - 1 - at)).astype(np.intp)
