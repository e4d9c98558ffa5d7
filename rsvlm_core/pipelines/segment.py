"""Where it is: rasters and texts -> polygons, and on request a label raster and a score raster."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from rasterio.features import geometry_mask

from rsvlm_core.errors import Stopped, UsageError
from rsvlm_core.imagery.patch import Window
from rsvlm_core.imagery.raster import Extent, Raster, as_geometry, outside
from rsvlm_core.localize import polygons as outlines
from rsvlm_core.localize.methods import REFINEMENTS
from rsvlm_core.localize.prompts import Prompts
from rsvlm_core.localize.rasters import check_raster_out, cosine_raster, label_raster, score_raster
from rsvlm_core.localize.sam import Predictor, load_predictor, refine_blocks
from rsvlm_core.localize.scoring import NODATA, LabelledBlock, Scored, ScorePlan
from rsvlm_core.localize.source import ArrayImage
from rsvlm_core.localize.threshold import Threshold
from rsvlm_core.model.encoder import Encoder, Float32, UInt8
from rsvlm_core.pipelines.halted import Halted
from rsvlm_core.pipelines.masks import Ground, mask_frame, meeting, own_values, ranked
from rsvlm_core.pipelines.regions import region_of
from rsvlm_core.progress import Progress, ShouldStop, check, never, silent
from rsvlm_core.scratch import scratch

BLOCK = 1024  # pixels; two tiles of the written rasters


@dataclass(frozen=True)
class SegmentResult:
    """What was found.

    Attributes:
        masks: `rank, score, confidence, text, source, model, gsd_m, area_m2, mean_score, geometry`, best first, in the
            CRS of the first raster. `score` is the best cosine inside the polygon, `mean_score` the mean, `confidence`
            the mean confidence.
        threshold: The confidence above which a place took each text (of several rasters, the mean over those where the
            text was found).
        seconds: Wall time.
        failed: Places that could not be read, one line each.
        finished: Share of the area that they are of (of several rasters, the mean): 1, unless what a stopped run has
            finished was asked for.
    """

    masks: gpd.GeoDataFrame
    threshold: dict[str, float]
    seconds: float
    failed: list[str] = field(default_factory=list)
    finished: float = 1.0


class ArraySegmentation(NamedTuple):
    """What was found in an array.

    Attributes:
        labels: [H, W] uint8: 0 background, 1...T the texts in order, 255 where not valid.
        scores: [T, H, W] float32 confidence.
        thresholds: One decision for each text.
    """

    labels: UInt8
    scores: Float32
    thresholds: list[Threshold]


def segment_array(
    rgb: UInt8, gsd_m: float, texts: Sequence[str] | Prompts, encoder: Encoder, threshold: str | float = "auto",
    refine: str = "none", *, method: str = "auto", gsd: float | Sequence[float] | None = None,
    valid: NDArray[np.bool_] | None = None, window_px: int | None = None,
) -> ArraySegmentation:
    """Segment an array, exactly as `segment` does a raster.

    Args:
        rgb: [H, W, 3] uint8.
        gsd_m: Metres per pixel.
        texts: What to look for, or `Prompts` where the same texts are used again.
        encoder: The model.
        threshold: "auto", or a confidence in 0..1.
        refine: "none" or "edges".
        method: One of `localize.methods.METHODS`, or with "+bias".
        gsd: Metres per pixel at which the model looks, one or several; None for what suits the model.
        valid: [H, W] bool; None where all is.
        window_px: Side of a window in pixels that the model sees; None for what suits it.

    Raises:
        UsageError: Texts, threshold, method or refinement cannot be used.
    """
    if refine not in ("none", "edges"):
        raise UsageError(f"Arrays cannot be refined by {refine!r}.", "Choose none or edges.")
    prompts = texts if isinstance(texts, Prompts) else Prompts.of(texts, encoder)
    image = ArrayImage(rgb, valid)
    plan = ScorePlan.of(encoder.info, (gsd_m, gsd_m), method=method, gsds=_scales(gsd), window_px=window_px)
    with scratch() as folder:
        scored = Scored(image, (gsd_m, gsd_m), prompts, encoder, plan, folder)
        scored.run()
        thresholds = scored.thresholds(threshold)
        labels = np.empty(rgb.shape[:2], np.uint8)
        scores = np.empty((len(prompts.texts), *labels.shape), np.float32)
        for block in scored.blocks(thresholds, refine, BLOCK):
            h, w = block.labels.shape
            at = (slice(block.row, block.row + h), slice(block.col, block.col + w))
            labels[at] = block.labels
            scores[:, at[0], at[1]] = np.moveaxis(block.confidence, -1, 0)
    return ArraySegmentation(labels, scores, thresholds)


def segment(
    sources: Sequence[str], texts: Sequence[str], encoder: Encoder, *, threshold: str | float = "auto",
    refine: str = "none", extent: Extent | None = None, within: str | Path | None = None,
    min_area_m2: float | None = None, method: str = "auto", gsd: float | Sequence[float] | None = None,
    bands: Sequence[int] | None = None, mask_raster: Path | None = None,
    scores: Path | None = None, cosines: Path | None = None, simplify_m: float | None = None, orthogonal: bool = False,
    window_px: int | None = None, progress: Progress = silent, should_stop: ShouldStop = never,
    halted: Halted | None = None, only_finished: bool = False,
) -> SegmentResult:
    """Find what texts name, as polygons. Each pixel takes the text that fits best, or none.

    Args:
        sources: Rasters: paths or URLs.
        texts: What to look for.
        encoder: The model.
        threshold: "auto" (see `localize.threshold`), or a confidence in 0..1.
        refine: "none"; "edges" draws outlines to the edges of the image; "sam" prompts a Segment Anything model.
        extent: xmin, ymin, xmax, ymax or a geometry in the CRS of the first raster; pixels whose centre lies outside
            take no part.
        within: Vector file with polygons; outlines that meet none of them are left out.
        min_area_m2: Smaller polygons are left out; None for two cells of the model's patch grid.
        method: How patches are read from the model, one of `localize.methods.METHODS`.
        gsd: Metres per pixel at which the model looks, one or several (averaged); None for what suits raster and model.
        bands: 1-based bands seen as red, green, blue.
        mask_raster: A GeoTIFF to write: uint8, pixels as in the raster, 1...T the texts in order, 0 none, 255 nodata.
        scores: A GeoTIFF to write: float32 confidence, one band for each text, -9999 where there is no imagery.
        cosines: A GeoTIFF to write: float32 cosine, likewise; `pipelines.rethreshold` reads both.
        simplify_m: Ground tolerance of the outlines; None for one and a half pixels, 0 for every corner.
        orthogonal: Whether outlines get right angles where that changes them little; for buildings.
        window_px: Side of a window in pixels that the model sees; None for what suits it.
        progress: Told of windows and blocks done.
        should_stop: Polled between batches.
        halted: Keeps the scores when the run is stopped, and has those of a run that was; None keeps none.
        only_finished: Whether to score no more, but to outline what the stopped run in `halted` has finished: the
            upper part of the area. An automatic threshold is then that part's.

    Raises:
        UsageError: Nothing to look for, an extent that misses every raster, several rasters and one output raster; or
            nothing is finished.
        RasterError: A raster cannot be used.
        OutputError: An output raster cannot be written.
        Stopped: The user stopped; nothing is written. What `halted` has is told.
    """
    started = time.monotonic()
    if not sources:
        raise UsageError("No raster is given.", "Name at least one.")
    if refine not in REFINEMENTS:
        raise UsageError(f"There is no refinement {refine!r}.", f"Choose one of {', '.join(REFINEMENTS)}.")
    if len(sources) > 1 and (mask_raster or scores or cosines):
        raise UsageError(
            "A label or score raster is written for one raster at a time.", "Run them one by one, or a VRT of all."
        )
    mask_raster, scores, cosines = (None if out is None else Path(out) for out in (mask_raster, scores, cosines))
    for out in (mask_raster, scores, cosines):
        if out is not None:
            check_raster_out(out)
    predictor = load_predictor() if refine == "sam" else None  # before the work, not after it
    prompts = Prompts.of(texts, encoder)
    keeper = Halted() if halted is None else halted
    keeper.begin((
        tuple(sources), prompts.texts, encoder.info.id, encoder.info.sha256, str(extent),
        method, _scales(gsd), None if bands is None else tuple(bands), window_px))
    found: list[gpd.GeoDataFrame] = []
    decisions: list[list[Threshold]] = []
    failed: list[str] = []
    crs: CRS | None = None
    missed: tuple[str, str] | None = None
    region: shapely.Geometry | None = None
    try:
        for i, source in enumerate(sources):
            with Raster.open(source, bands=bands) as raster:
                first = crs is None
                crs = crs or raster.crs
                if first and within is not None:  # before the work, not after it
                    region = region_of(None, within, crs)
                geometry = None if extent is None else as_geometry(extent)
                if geometry is not None and not first:
                    geometry = _reproject(geometry, crs, raster.crs)
                if geometry is not None and geometry.intersection(raster.footprint).area == 0:
                    missed = outside(geometry, raster.footprint.bounds, raster.source)
                    continue
                keeper.meet(i, raster)
                if only_finished and not keeper.finished(i):
                    continue
                task = _Task(
                    i, keeper, raster, prompts, encoder, geometry, threshold, refine, min_area_m2, method,
                    _scales(gsd), mask_raster, scores, cosines, simplify_m, orthogonal, window_px,
                    _share(progress, i, len(sources)), should_stop, predictor, only_finished,
                )  # fmt: skip
                masks, thresholds, trouble = task.run()
                found.append(meeting(masks if first else masks.to_crs(crs), region))
                decisions.append(thresholds)
                failed += [f"{raster.source}: {line}" for line in trouble]
                if halted is None:
                    keeper.forget()
        if missed is not None and not decisions:
            raise UsageError(*missed)
        if only_finished and not decisions:
            raise UsageError("Nothing of it is finished.", "Segment it again.")
        assert crs is not None
    except Stopped as stop:
        if halted is not None:
            stop.finished = keeper.share(len(sources))
        else:
            keeper.forget()
        raise
    except BaseException:
        keeper.forget()
        raise
    share = keeper.share(len(sources)) if only_finished else 1.0
    if not only_finished:
        keeper.forget()
    masks = ranked(found, crs)
    masks.attrs["texts"] = list(prompts.texts)  # their order, which gives their colours
    return SegmentResult(masks, _mean_thresholds(prompts, decisions), time.monotonic() - started, failed, share)


@dataclass
class _Task:
    """One raster."""

    number: int
    keeper: Halted
    raster: Raster
    prompts: Prompts
    encoder: Encoder
    extent: Any
    threshold: str | float
    refine: str
    min_area_m2: float | None
    method: str
    gsds: tuple[float, ...] | None
    mask_raster: Path | None
    scores: Path | None
    cosines: Path | None
    simplify_m: float | None
    orthogonal: bool
    window_px: int | None
    progress: Progress
    should_stop: ShouldStop
    predictor: Predictor | None
    only_finished: bool

    def run(self) -> tuple[gpd.GeoDataFrame, list[Threshold], list[str]]:
        """Masks on the ground, not ranked yet, the decisions, and what could not be read."""
        with scratch() as folder:
            return self._run(folder)

    def _run(self, folder: Path) -> tuple[gpd.GeoDataFrame, list[Threshold], list[str]]:
        raster = self.raster
        plan = ScorePlan.of(
            self.encoder.info, raster.gsd_m, method=self.method, gsds=self.gsds, window_px=self.window_px
        )
        area = None if self.extent is None else raster.window(self.extent)
        try:
            scored = self.keeper.get(self.number, raster, lambda kept: Scored(
                raster, raster.gsd_m, self.prompts, self.encoder, plan, kept, area))
        except UsageError as error:
            raise UsageError(f"{raster.source}: {error.message}", error.remedy) from error
        if self.only_finished:
            scored = scored.upper()
        # Labelling a block costs about as much as a few windows.
        total, blocks = scored.windows + 4 * scored.count_blocks(BLOCK), 0

        def step(done: int) -> None:
            check(self.should_stop)
            self.progress(done, total, "windows")

        def labelled() -> Iterator[LabelledBlock]:
            edges = "none" if self.refine == "none" else "edges"
            return scored.blocks(thresholds, edges, BLOCK, None if self.extent is None else self._inside)

        if not self.only_finished:
            scored.run(step)
        thresholds = scored.thresholds(self.threshold)
        source = labelled()
        if self.predictor is not None:
            source = refine_blocks(
                source, labelled, scored, self.predictor, folder, lambda *_: check(self.should_stop)
            )
        collector = outlines.RegionCollector(scored.width, 2)
        with ExitStack() as stack:
            outs = [
                stack.enter_context(opened(out, raster, scored, self.encoder.info))
                for opened, out in (
                    (label_raster, self.mask_raster), (score_raster, self.scores), (cosine_raster, self.cosines))
                if out is not None
            ]
            for block in source:
                _collect(collector, block, scored)
                for write in outs:
                    write(block)
                blocks += 1
                step(scored.windows + 4 * blocks)
            masks = self._masks(collector, scored, plan)
        return masks, thresholds, list(dict.fromkeys(scored.failed))  # a block may have been read twice

    def _inside(self, window: Window) -> NDArray[np.bool_]:
        shape = (int(window.height), int(window.width))
        placed = self.raster.transform * Affine.translation(window.col, window.row)
        return np.asarray(geometry_mask([self.extent], shape, placed, invert=True))

    def _masks(self, collector: outlines.RegionCollector, scored: Scored, plan: ScorePlan) -> gpd.GeoDataFrame:
        """Polygons on the ground with their fields, not ranked yet."""
        raster = self.raster
        ground = Ground(
            texts=self.prompts.texts,
            transform=raster.transform * Affine.translation(scored.first_col, scored.first_row), crs=raster.crs,
            pixel_m2=raster.gsd_m[0] * raster.gsd_m[1], cell_m2=(plan.stride * plan.gsds[0]) ** 2,
            gsd_m=float(plan.gsds[0]), source=raster.source, model=self.encoder.info.id,
        )
        return mask_frame(
            collector, ground, min_area_m2=self.min_area_m2, simplify_m=self.simplify_m, orthogonal=self.orthogonal)


def _collect(collector: outlines.RegionCollector, block: LabelledBlock, scored: Scored) -> None:
    labels = np.where(block.labels == NODATA, 0, block.labels).astype(np.uint8)
    values = own_values(labels, block.confidence, block.cosine)
    collector.add(block.row - scored.first_row, block.col - scored.first_col, labels, values)


def _mean_thresholds(prompts: Prompts, decisions: Sequence[Sequence[Threshold]]) -> dict[str, float]:
    out = {}
    for t, text in enumerate(prompts.texts):
        own = [d[t] for d in decisions]
        out[text] = float(np.mean([d.confidence for d in own if d.present] or [d.confidence for d in own]))
    return out


def _scales(gsd: float | Sequence[float] | None) -> tuple[float, ...] | None:
    if gsd is None:
        return None
    return (float(gsd),) if isinstance(gsd, (int, float)) else tuple(float(g) for g in gsd)


def _share(progress: Progress, i: int, count: int) -> Progress:
    """Progress of the i-th of several rasters, on one scale."""

    def part(done: int, total: int, unit: str) -> None:
        progress(i * total + done, count * total, unit)

    return part


def _reproject(geometry: Any, source: CRS, target: CRS) -> Any:
    """A geometry in another CRS; long edges get points, so that they stay where they were."""
    forward: Callable[..., Any] = Transformer.from_crs(source, target, always_xy=True).transform
    xmin, ymin, xmax, ymax = geometry.bounds
    dense = shapely.segmentize(geometry, max(xmax - xmin, ymax - ymin) / 32)
    return shapely.transform(dense, lambda xy: np.stack(forward(xy[:, 0], xy[:, 1]), axis=1))
