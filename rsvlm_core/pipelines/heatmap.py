"""How well a text fits, everywhere: a georeferenced raster of cosines."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.windows import Window as PixelWindow

from rsvlm_core.errors import OutputError, UsageError
from rsvlm_core.imagery.projecting import LONLAT, project
from rsvlm_core.imagery.raster import Extent
from rsvlm_core.index.places import corners_of
from rsvlm_core.model.encoder import Encoder
from rsvlm_core.pipelines.corpus import Corpus, first_crs, open_corpus
from rsvlm_core.pipelines.query import clean_texts
from rsvlm_core.pipelines.regions import region_of
from rsvlm_core.progress import Progress, ShouldStop, check, never, silent
from rsvlm_core.scratch import beside, publish_raster

# Cells along a side of the finest tiles: enough for a smooth picture, few enough to stay small.
CELLS_PER_TILE = 8
_STRIP_ROWS = 256
_MOST_CELLS = 400_000_000
# Keeps the rim of a tile in where no neighbour covers it.
_LEAST_WEIGHT = 1e-3

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class HeatmapResult:
    """A written heat map.

    Attributes:
        path: The GeoTIFF.
        width: Columns.
        height: Rows.
        low: Lowest cosine.
        high: Highest cosine.
        seconds: Duration.
        failed: `tile id: reason` of tiles that could not be read.
    """

    path: Path
    width: int
    height: int
    low: float
    high: float
    seconds: float
    failed: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Level:
    """Tiles of one scale: [N, 2, 3] affine maps from the CRS to 0..1 across a tile, [N, 4] bounds, [N] cosines."""

    to_tile: Floats
    bounds: Floats
    scores: NDArray[np.float32]
    side: float


def heatmap(
    sources: Sequence[str],
    text: str,
    out: str | Path,
    encoder: Encoder,
    *,
    extent: Extent | None = None,
    gsds: Sequence[float] | None = None,
    bands: Sequence[int] | None = None,
    progress: Progress = silent,
    should_stop: ShouldStop = never,
) -> HeatmapResult:
    """Write a float32 GeoTIFF of cosines with a text, in the CRS of the first raster; nodata is NaN.

    A cell's value is the mean over scales of the tiles around it, each the more the nearer its middle.

    Args:
        sources: Rasters, or one index folder.
        text: What to look for.
        out: Ends in .tif or .tiff; appears in one step.
        encoder: The model.
        extent: In the CRS of the first raster; None is everything.
        gsds: Levels for rasters; None chooses.
        bands: Bands of rasters; None chooses.
        progress: Told of tiles, then of rows.
        should_stop: Polled.

    Raises:
        UsageError: Empty text, wrong file name, nothing valid in the extent, or rasters too far apart.
        OutputError: The file cannot be written; what was there is unchanged.
        RasterError, SearchIndexError: A source cannot be used.
        Stopped: should_stop said so.
    """
    started = time.monotonic()
    path = Path(out)
    _check_out(path)
    texts = clean_texts([text])
    region = region_of(extent, None, first_crs(sources))
    corpus = open_corpus(
        sources, encoder, region=region, gsds=gsds, bands=bands, progress=progress, should_stop=should_stop
    )
    levels = _levels(corpus, encoder.encode_texts(texts)[0], region)
    transform, width, height = _layout(levels, region)
    low, high = np.inf, -np.inf
    try:
        with beside(path) as folder:
            part = folder / "heat.tif"
            with _geotiff(part, corpus, transform, width, height) as target:
                for top, rows in _strips(levels, transform, width, height):
                    check(should_stop)
                    target.write(rows, 1, window=PixelWindow(0, top, width, len(rows)))
                    if np.isfinite(rows).any():
                        low, high = min(low, float(np.nanmin(rows))), max(high, float(np.nanmax(rows)))
                    progress(min(height, top + _STRIP_ROWS), height, "rows")
                failed = "; ".join(corpus.failed[:20])
                target.update_tags(TILES=len(corpus), TILES_FAILED=len(corpus.failed), FAILED=failed)
                _describe(target, texts[0], encoder.info.id, low, high)
            publish_raster(part, path)
    except (OSError, RasterioError) as error:
        raise OutputError(
            f"{path} cannot be written: {getattr(error, 'strerror', None) or error}.",
            "Check the free space, and close the file where it is open.",
        ) from error
    return HeatmapResult(path, width, height, low, high, time.monotonic() - started, corpus.failed)


def _check_out(path: Path) -> None:
    if path.suffix.lower() not in (".tif", ".tiff"):
        raise UsageError(f"{path} does not end in .tif.", "A heat map is a GeoTIFF; give its name that ending.")
    if path.is_dir() or not path.parent.is_dir():
        what = "is a folder" if path.is_dir() else f"cannot be written: there is no folder {path.parent}"
        raise OutputError(f"{path} {what}.", "Choose another place.")


def _levels(corpus: Corpus, query: NDArray[np.float32], region: shapely.Geometry | None) -> list[_Level]:
    """Tiles by scale, of all indexes, as far as they touch the region."""
    to_tile, bounds, scores, gsds = [], [], [], []
    for index in corpus.indexes:
        if not len(index):
            continue
        outlines = project(index.table.geometry.to_numpy(), LONLAT, corpus.crs)
        kept = ~shapely.is_empty(outlines)
        if region is not None:
            kept &= shapely.intersects(shapely.box(*region.bounds), outlines)
        rows = np.flatnonzero(kept)
        rings = corners_of(outlines[rows])
        wide = _areas(rings) > 0  # an index that others made may hold outlines without any width
        rows, rings = rows[wide], rings[wide]
        to_tile.append(_maps(rings))
        bounds.append(shapely.bounds(outlines[rows]).reshape(-1, 4))
        scores.append((np.asarray(index.vectors) @ query)[rows].astype(np.float32))
        gsds.append(index.table["gsd_m"].to_numpy(dtype=np.float64)[rows])
    if not sum(len(s) for s in scores):
        raise UsageError("There is no valid imagery in the extent.", "Choose another extent, or check nodata.")
    all_maps, all_bounds = np.concatenate(to_tile), np.concatenate(bounds)
    all_scores, all_gsds = np.concatenate(scores), np.concatenate(gsds)
    levels = []
    for gsd in np.unique(all_gsds):
        of = all_gsds == gsd
        spans = all_bounds[of, 2:] - all_bounds[of, :2]
        levels.append(_Level(all_maps[of], all_bounds[of], all_scores[of], float(np.median(spans.min(axis=1)))))
    return levels


def _areas(ring: Floats) -> Floats:
    """[N, 4, 2] corners -> [N] areas of the parallelograms that three of them span."""
    along, down = ring[:, 1] - ring[:, 0], ring[:, 3] - ring[:, 0]
    return np.asarray(np.abs(along[:, 0] * down[:, 1] - along[:, 1] * down[:, 0]))


def _maps(ring: Floats) -> Floats:
    """[N, 4, 2] corners -> [N, 2, 3] affine maps of CRS coordinates to (u, v) in 0..1, from three corners each."""
    if not len(ring):
        return np.zeros((0, 2, 3))
    origin, along, down = ring[:, 0], ring[:, 1] - ring[:, 0], ring[:, 3] - ring[:, 0]
    inverse = np.linalg.inv(np.stack([along, down], axis=-1))
    return np.concatenate([inverse, -(inverse @ origin[..., None])], axis=-1)


def _layout(levels: Sequence[_Level], region: shapely.Geometry | None) -> tuple[Affine, int, int]:
    """Transform, width and height of a north-up grid over all tiles, or over their part in the region."""
    bounds = np.concatenate([level.bounds for level in levels])
    xmin, ymin = bounds[:, :2].min(axis=0)
    xmax, ymax = bounds[:, 2:].max(axis=0)
    if region is not None:
        left, bottom, right, top = region.bounds
        xmin, ymin, xmax, ymax = max(xmin, left), max(ymin, bottom), min(xmax, right), min(ymax, top)
    cell = min(level.side for level in levels) / CELLS_PER_TILE
    # a hundredth of a cell is rounding, and would be an empty row
    width = max(1, int(np.ceil((xmax - xmin) / cell - 0.01)))
    height = max(1, int(np.ceil((ymax - ymin) / cell - 0.01)))
    if width * height > _MOST_CELLS:
        raise UsageError(
            f"The heat map would have {width} x {height} cells.",
            "The rasters lie far apart, or the area is very large: make one map for each, or give an extent.",
        )
    return Affine(cell, 0, xmin, 0, -cell, ymax), width, height


def _strips(
    levels: Sequence[_Level], transform: Affine, width: int, height: int
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """(first row, [rows, width] float32 cosines) from top to bottom."""
    x = transform.c + transform.a * (np.arange(width) + 0.5)
    for top in range(0, height, _STRIP_ROWS):
        y = transform.f + transform.e * (np.arange(top, min(height, top + _STRIP_ROWS)) + 0.5)
        total, count = np.zeros((len(y), width)), np.zeros((len(y), width))
        for level in levels:
            value = _blend(level, x, y)
            known = np.isfinite(value)
            total[known] += value[known]
            count += known
        with np.errstate(invalid="ignore"):
            yield top, (total / np.where(count > 0, count, np.nan)).astype(np.float32)


def _blend(level: _Level, x: Floats, y: Floats) -> Floats:
    """[len(y), len(x)] weighted mean of the tiles of one level; NaN where there is none. x grows, y falls."""
    total, weights = np.zeros((len(y), len(x))), np.zeros((len(y), len(x)))
    near = np.flatnonzero((level.bounds[:, 1] <= y[0]) & (level.bounds[:, 3] >= y[-1]))
    for tile in near:
        left, bottom, right, top = level.bounds[tile]
        c0, c1 = np.searchsorted(x, left), np.searchsorted(x, right, side="right")
        r0, r1 = np.searchsorted(-y, -top), np.searchsorted(-y, -bottom, side="right")
        if c1 <= c0 or r1 <= r0:
            continue
        (a, b, c), (d, e, f) = level.to_tile[tile]
        xs, ys = x[None, c0:c1], y[r0:r1, None]
        # 1 in the middle of the tile, 0 on its border, below outside (a rotated tile does not fill its bounds)
        across = 1 - np.abs(2 * (a * xs + b * ys + c) - 1)
        down = 1 - np.abs(2 * (d * xs + e * ys + f) - 1)
        weight = np.where((across >= 0) & (down >= 0), across * down + _LEAST_WEIGHT, 0.0)
        total[r0:r1, c0:c1] += weight * level.scores[tile]
        weights[r0:r1, c0:c1] += weight
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(weights > 0, total / weights, np.nan)


def _geotiff(path: Path, corpus: Corpus, transform: Affine, width: int, height: int) -> Any:  # noqa: ANN401
    return rasterio.open(
        path, "w", driver="GTiff", width=width, height=height, count=1, dtype="float32",
        crs=rasterio.CRS.from_wkt(corpus.crs.to_wkt()), transform=transform, nodata=float("nan"), tiled=True,
        blockxsize=256, blockysize=256, compress="deflate", predictor=3, BIGTIFF="IF_SAFER",
    )


def _describe(target: Any, text: str, model: str, low: float, high: float) -> None:  # noqa: ANN401
    """What a GIS shows about the raster, and smaller versions for looking at it from far away."""
    target.update_tags(TEXT=text, MODEL=model, SOFTWARE="rsvlm")
    target.set_band_description(1, f"cosine with: {text}")
    if np.isfinite(low):
        target.update_tags(1, STATISTICS_MINIMUM=low, STATISTICS_MAXIMUM=high)
    longest = max(target.width, target.height)
    factors = [f for f in (2, 4, 8, 16, 32) if longest / f >= 128]
    if factors:
        target.build_overviews(factors, Resampling.average)
