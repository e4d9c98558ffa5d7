"""From a source and texts to labels: windows scored, thresholds chosen, blocks labelled.

Rasters and plain arrays go the same way, so what is evaluated is what users get.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from rsvlm_core.errors import ModelError, RasterError, UsageError
from rsvlm_core.imagery.patch import Window
from rsvlm_core.localize import refine as edges
from rsvlm_core.localize.methods import parse_method
from rsvlm_core.localize.prompts import Prompts, confidence_of
from rsvlm_core.localize.source import PatchSource
from rsvlm_core.localize.stitch import CellGrid, ScoreRaster, Span, fill, sample_all
from rsvlm_core.localize.threshold import Threshold, auto_threshold, fixed_threshold
from rsvlm_core.model.confidence import NEUTRAL_PROMPTS
from rsvlm_core.model.encoder import Encoder, Float32, ModelInfo, UInt8

NODATA = 255
_BATCH_PIXELS = 400_000  # per call of the model: small enough to stop within a second on two cores
_FINE_M = 0.75  # metres per pixel below which a second, coarser look pays
_MEDIUM_M = 1.5  # below this, a pixel-aligned head looks at `_LOOKS_M` (measured: docs/localization.md)
_LOOKS_M = (0.85, 1.2, 1.7)
_MIRROR_CELLS = 6  # beyond the imagery's border: as far as zero padding reaches into convolutional maps
_MARGIN_CELLS = 4  # around an area: what interpolation and the guided filter look at beyond its border
_TILE_CELLS = 8  # cells across one tile of the method "tiles"
GLOBAL_BIAS = 0.3  # SegEarth-OV's lambda


@runtime_checkable
class CrossAttends(Protocol):
    """An encoder whose decoder looks at images while it reads."""

    def cross_maps(self, images: UInt8, texts: Sequence[str]) -> Float32:
        """[B, H, W, 3] uint8 and T texts -> [B, H/stride, W/stride, T] scores, comparable with cosines."""
        ...


@dataclass(frozen=True)
class ScorePlan:
    """How a source is scored.

    Attributes:
        gsds: Metres per pixel that the model sees, finest first; scores of several are averaged.
        method: One of `localize.methods.METHODS`: those of `Encoder.encode_patches`, "tiles" (one embedding for each of
            many overlapping tiles), "cross" (the decoder's attention).
        stride: Pixels per cell.
        side: Cells of a window's side.
        overlap: Cells that neighbouring windows share.
        margin: Cells around the source where it is mirrored.
        bias: Share of a window's own score that is taken out of its places (lambda of SegEarth-OV).
        aligned: Whether places are scored by a pixel-aligned head.
    """

    gsds: tuple[float, ...]
    method: str
    stride: int
    side: int
    overlap: int
    margin: int = 0
    bias: float = 0.0
    aligned: bool = False

    @classmethod
    def of(
        cls, info: ModelInfo, gsd_m: tuple[float, float], *, method: str = "auto", gsds: Sequence[float] | None = None,
        window_px: int | None = None,
    ) -> ScorePlan:
        """Sensible values for a model and a source.

        Args:
            info: The model's.
            gsd_m: Metres per pixel of the source along columns and rows.
            method: One of `localize.methods.METHODS`; all but "tiles" and "cross" may end in "+bias".
            gsds: Metres per pixel to score at; None takes the source's own, or what of it the model was trained for,
                and further looks where they help (`_suitable`).
            window_px: Side of a window in pixels that the model sees; None takes one that suits the model.

        Raises:
            UsageError: Unknown method, or a ground resolution that is no positive number.
        """
        method, biased = parse_method(method)
        if gsds is not None and (not gsds or not all(math.isfinite(g) and g > 0 for g in gsds)):
            raise UsageError("A ground resolution must be a positive number of metres per pixel.")
        own = math.sqrt(gsd_m[0] * gsd_m[1])
        low, high = info.gsd_m
        convolutional = info.patch_stride < 14
        aligned = convolutional and method in ("auto", "dense") and not biased
        chosen = tuple(sorted(set(gsds))) if gsds is not None else _suitable(own, low, high, aligned)
        if method == "tiles":
            stride = max(1, info.image_size // _TILE_CELLS)
            return cls(chosen, method, stride, _TILE_CELLS, _TILE_CELLS * 3 // 4)
        if window_px is None:
            # Strides below a vision transformer's patch are those of convolutional maps, which take any size, and
            # better large ones: less overlap for the same context.
            window_px = info.image_size * (2 if convolutional else 1)
        side = max(1, window_px // info.patch_stride)
        margin = min(_MIRROR_CELLS, side // 8) if convolutional else 0
        overlap = max(1, side // 4) if side > 1 else 0
        return cls(chosen, method, info.patch_stride, side, overlap, margin, GLOBAL_BIAS if biased else 0.0, aligned)


@dataclass(frozen=True)
class LabelledBlock:
    """A rectangle of whole pixels of the source, decided.

    Attributes:
        row: First row in the source.
        col: First column.
        labels: [h, w] uint8: 0 background, 1...T the texts in order, 255 where there is no imagery.
        confidence: [h, w, T] float32 in 0..1, as the model gave it: refinement moves labels, not scores.
        cosine: [h, w, T] float32.
        valid: [h, w] bool.
    """

    row: int
    col: int
    labels: UInt8
    confidence: Float32
    cosine: Float32
    valid: NDArray[np.bool_]


class Scored:
    """A source whose scores are in temporary rasters.

    Args:
        source: Gives the pixels.
        gsd_m: Its metres per pixel along columns and rows.
        prompts: The texts.
        encoder: The model.
        plan: How to score.
        folder: A temporary folder, which must outlive this object.
        area: Part of the source that matters, in its pixels; None for all.
    """

    def __init__(
        self, source: PatchSource, gsd_m: tuple[float, float], prompts: Prompts, encoder: Encoder, plan: ScorePlan,
        folder: Path, area: Window | None = None,
    ) -> None:
        self.source, self.prompts, self.plan = source, prompts, plan
        self._encoder = encoder
        whole = area or Window(0, 0, source.width, source.height)
        self.first_col, self.first_row = int(math.floor(whole.col + 1e-6)), int(math.floor(whole.row + 1e-6))
        self.width = math.ceil(whole.col + whole.width - 1e-6) - self.first_col
        self.height = math.ceil(whole.row + whole.height - 1e-6) - self.first_row
        self._spans: list[list[Span]] = []
        self._rasters: list[ScoreRaster] = []
        for model_gsd_m in plan.gsds:
            grid = CellGrid.over(source, gsd_m, model_gsd_m, plan.stride, plan.margin)
            # The windows are those of the whole source, so a place gets the same scores whatever area is asked for.
            spans = grid.touching(grid.spans(plan.side, plan.overlap), whole, _MARGIN_CELLS)
            grid, spans = grid.crop(spans)
            self._spans.append(spans)
            self._rasters.append(ScoreRaster(grid, 2 * len(prompts.texts), folder))
        self._work, self._next, self._windows_done = self._in_order(), 0, 0
        self.failed: list[str] = []

    @property
    def windows(self) -> int:
        """How many windows `run` scores."""
        return sum(len(spans) for spans in self._spans)

    @property
    def cell(self) -> float:
        """Side of the finest cell in pixels of the source."""
        return math.sqrt(self._rasters[0].grid.cell[0] * self._rasters[0].grid.cell[1])

    def run(self, before_each: Callable[[int], None] = lambda done: None) -> None:
        """Score all windows that are not scored yet: after a stop the same again goes on from there.

        Args:
            before_each: Called with the number of windows done; may raise to stop.

        Raises:
            RasterError: No window at all could be read; single failures are listed in `failed`.
        """
        while self._next < len(self._work):
            level, spans = self._work[self._next]
            raster, failed = self._rasters[level], list[str]()

            def note(span: Span, error: Exception, grid: CellGrid = raster.grid, failed: list[str] = failed) -> None:
                if not isinstance(error, RasterError):
                    raise error
                at = grid.window(span)
                failed.append(f"column {at.col:.0f}, row {at.row:.0f}: {error.message}")

            def before(done: int, count: int = len(spans)) -> None:
                if done < count:  # once they are blended in, a stop must not make them be so again
                    before_each(self._windows_done + done)

            fill(raster, self.source, self._score, spans, len(spans), before, note)
            self.failed += failed
            self._next, self._windows_done = self._next + 1, self._windows_done + len(spans)
        before_each(self._windows_done)
        if self.failed and len(self.failed) == self.windows:
            raise RasterError(
                f"Nothing of the imagery could be read: {self.failed[0].rstrip('.')}.",
                "The file is damaged or not reachable; copy it again, or check it with gdalinfo -checksum.",
            )

    @property
    def finished(self) -> int:
        """Rows of the area, from its top, whose scores are final: all windows that have a say there are done."""
        waiting: dict[int, Span] = {}
        for level, spans in self._work[self._next :]:
            waiting.setdefault(level, spans[0])  # none after it begins further up
        rows = [self.height]
        for level, span in waiting.items():
            grid = self._rasters[level].grid
            rows.append(math.floor((grid.origin[1] + span.row - _MARGIN_CELLS) * grid.cell[1]) - self.first_row)
        return max(0, min(rows))

    def upper(self) -> Scored:
        """The part of the area that is finished, for thresholds and blocks; there must be some."""
        part = copy.copy(self)
        part.height, part.failed = self.finished, list(self.failed)
        return part

    def thresholds(self, threshold: str | float = "auto") -> list[Threshold]:
        """One decision for each text, from the cells of the area that matters.

        Args:
            threshold: "auto", or a confidence in 0..1 for all texts.

        Raises:
            UsageError: Neither.
        """
        if threshold != "auto":
            if isinstance(threshold, str) or not 0 <= threshold <= 1:
                raise UsageError(f"The threshold cannot be {threshold!r}.", "Give auto, or a confidence from 0 to 1.")
            return [fixed_threshold(float(threshold))] * len(self.prompts.texts)
        logits = np.concatenate(list(self._cell_logits()))
        return [auto_threshold(logits[:, t], self.plan.aligned) for t in range(logits.shape[1])]

    def blocks(
        self, thresholds: Sequence[Threshold], refine: str = "none", size: int = 1024,
        inside: Callable[[Window], NDArray[np.bool_]] | None = None,
    ) -> Iterator[LabelledBlock]:
        """Label the area, block by block, row by row.

        Args:
            thresholds: One for each text.
            refine: "none", or "edges" for the guided filter.
            size: Side of a block in pixels.
            inside: Which pixels of a window take part, for areas that are no rectangle.
        """
        for row in range(self.first_row, self.first_row + self.height, size):
            for col in range(self.first_col, self.first_col + self.width, size):
                h = min(size, self.first_row + self.height - row)
                w = min(size, self.first_col + self.width - col)
                yield self._block(row, col, h, w, thresholds, refine, inside)

    def count_blocks(self, size: int = 1024) -> int:
        """How many blocks `blocks` gives."""
        return math.ceil(self.height / size) * math.ceil(self.width / size)

    def _in_order(self) -> list[tuple[int, list[Span]]]:
        """What the model sees at once, and its scale: down the imagery at all scales, so that its top is done first."""
        work: list[tuple[float, int, list[Span]]] = []
        for level, (raster, spans) in enumerate(zip(self._rasters, self._spans, strict=True)):
            batch = max(1, _BATCH_PIXELS // (spans[0].rows * self.plan.stride * spans[0].cols * self.plan.stride))
            for first in range(0, len(spans), batch):
                part = spans[first : first + batch]
                bottom = (raster.grid.origin[1] + part[-1].row + part[-1].rows) * raster.grid.cell[1]
                work.append((bottom, level, part))
        return [(level, part) for _, level, part in sorted(work, key=lambda one: one[0])]

    def _score(self, images: UInt8) -> Float32:
        if self.plan.method == "cross":
            return self._cross(images)
        if self.plan.method != "tiles":
            features = self._encoder.encode_patches(images, self.plan.method)
            if self.plan.bias:
                features = features - np.float32(self.plan.bias) * self._whole(images)[:, None, None]
            return self.prompts.channels(features)
        rows, cols = images.shape[1] // self.plan.stride, images.shape[2] // self.plan.stride
        one = self.prompts.channels(self._whole(images))
        return np.broadcast_to(one[:, None, None], (len(one), rows, cols, one.shape[-1]))

    def _whole(self, images: UInt8) -> Float32:
        """[B, D] embeddings of windows; of another size at the border of small imagery, or where none divides."""
        size = self._encoder.info.image_size
        if images.shape[1:3] != (size, size):
            from PIL import Image

            images = np.stack([np.asarray(Image.fromarray(i).resize((size, size))) for i in images])
        return self._encoder.encode_images(images)

    def _cross(self, images: UInt8) -> Float32:
        if not isinstance(self._encoder, CrossAttends):
            raise ModelError(
                f"The model {self._encoder.info.id} has no decoder whose attention could be read.",
                "Choose another method; a model of ours needs RSVLM_RUNTIME=torch for this one.",
            )
        n = len(self.prompts.texts)
        scores = self._encoder.cross_maps(images, [*self.prompts.texts, *NEUTRAL_PROMPTS])
        return self.prompts.channels_of(scores[..., :n], scores[..., n:])

    def _cell_logits(self) -> Iterator[Float32]:
        """[n, T] logits at the centres of the finest cells inside the area."""
        grid = self._rasters[0].grid
        x = (grid.origin[0] + np.arange(grid.cols) + 0.5) * grid.cell[0]
        y = (grid.origin[1] + np.arange(grid.rows) + 0.5) * grid.cell[1]
        # At least one cell counts, also where the area is smaller than that.
        x = _within(x, self.first_col, self.first_col + self.width)
        y = _within(y, self.first_row, self.first_row + self.height)
        for first in range(0, len(y), 128):
            values, known = sample_all(self._rasters, x, y[first : first + 128])
            yield self.prompts.logits(values[known])

    def _block(
        self, row: int, col: int, h: int, w: int, thresholds: Sequence[Threshold], refine: str,
        inside: Callable[[Window], NDArray[np.bool_]] | None,
    ) -> LabelledBlock:
        radius = max(1, round(edges.RADIUS_CELLS * self.cell)) if refine == "edges" else 0
        margin = edges.reach(radius) if radius else 0
        top, left = min(margin, row), min(margin, col)
        r0, c0 = row - top, col - left
        r1, c1 = min(self.source.height, row + h + margin), min(self.source.width, col + w + margin)
        values, known = sample_all(self._rasters, np.arange(c0, c1) + 0.5, np.arange(r0, r1) + 0.5)
        core = (slice(top, top + h), slice(left, left + w))
        try:
            patch = self.source.read(Window(c0, r0, c1 - c0, r1 - r0), (r1 - r0, c1 - c0))
        except RasterError as error:
            self.failed.append(f"column {col}, row {row}: {error.message}")
            blank = np.zeros((h, w, len(thresholds)), np.float32)
            return LabelledBlock(row, col, np.full((h, w), NODATA, np.uint8), blank, blank, np.zeros((h, w), bool))
        logits = self.prompts.logits(values)
        limits = np.array([t.logit for t in thresholds], np.float32)
        margins = logits - limits
        if radius:
            margins = edges.guided(margins, patch.rgb, patch.valid & known, radius)
        logits, cosine, margins = logits[core], self.prompts.cosines(values[core]), margins[core]
        valid = (patch.valid & known)[core]
        if inside is not None:
            valid = valid & inside(Window(col, row, w, h))
        present = np.array([t.present for t in thresholds])
        best = np.where((margins > 0) & present, margins + limits, -np.inf)
        labels = np.where(np.isfinite(best).any(axis=-1), best.argmax(axis=-1) + 1, 0).astype(np.uint8)
        labels[~valid] = NODATA
        return LabelledBlock(row, col, labels, confidence_of(logits), np.ascontiguousarray(cosine), valid)


def _suitable(own: float, low: float, high: float, aligned: bool) -> tuple[float, ...]:
    """Ground resolutions to look at, for a source and a model's range.

    Patches need less context than tiles, so half the model's finest resolution still works, and keeps small things
    (measured: buildings at 0.16 m). Fine imagery is also looked at from twice as far, which finds what is large; what a
    pixel-aligned head says of medium imagery gains by being the mean of three looks.
    """
    best = min(max(own, low / 2), high)
    if best < _FINE_M and 2 * best <= high:
        return best, 2 * best
    if aligned and best < _MEDIUM_M and low <= _LOOKS_M[0] and _LOOKS_M[-1] <= high:
        return _LOOKS_M
    return (best,)


def _within(at: NDArray[np.floating[Any]], low: float, high: float) -> NDArray[np.floating[Any]]:
    inside = at[(at >= low) & (at < high)]
    return inside if len(inside) else np.array([(low + high) / 2])
