"""A place as a handful of images at scales that the model knows."""

from __future__ import annotations

import numpy as np

from rsvlm_core.errors import RasterError, UsageError
from rsvlm_core.imagery.patch import Window
from rsvlm_core.imagery.raster import Extent, Raster
from rsvlm_core.model.encoder import ModelInfo, UInt8
from rsvlm_core.pipelines.corpus import is_index
from rsvlm_core.progress import ShouldStop, check, never
from rsvlm_core.tiles.grid import TileGrid

# A large place is seen through so many images at most, spread over it.
MOST_VIEWS = 16
# How far beyond the coarsest ground sampling distance of its training a model is trusted with one image.
_STRETCHED = 2.0
# Up to so many times a tile's side there is no point in cutting a place up.
_CLOSE = 1.5
_LEAST_VALID = 0.25


def look(
    source: str,
    info: ModelInfo,
    extent: Extent | None = None,
    should_stop: ShouldStop = never,
    *,
    closely: bool = False,
) -> UInt8:
    """[N, S, S, 3] uint8 images of a raster or a part of it, N from 1 to `MOST_VIEWS`.

    A place small enough for the model is one image; a larger one is up to 16 tiles spread evenly over it. To look
    closely is to take tiles wherever the raster shows more than one image can.

    Raises:
        RasterError: It cannot be read.
        UsageError: An index folder, an extent outside, or nothing valid in it.
    """
    if is_index(source):
        raise UsageError(f"{source} is an index, which holds no pixels.", "Name a raster.")
    with Raster.open(source) as raster:
        area = Window(0, 0, raster.width, raster.height) if extent is None else raster.window(extent)
        shape = (info.image_size, info.image_size)
        side = max(area.width * raster.gsd_m[0], area.height * raster.gsd_m[1])
        finest, coarsest = max(info.gsd_m[0], *raster.gsd_m), max(info.gsd_m[1], *raster.gsd_m)
        if side <= info.image_size * (finest * _CLOSE if closely else coarsest * _STRETCHED):
            windows = [_square(raster, area, side)]
        else:
            gsd = min(coarsest, max(side / (4 * info.image_size), finest))
            tiles = list(TileGrid(raster, [gsd], info.image_size, 0.0, extent))
            spread = np.unique(np.linspace(0, len(tiles) - 1, min(MOST_VIEWS, len(tiles))).round().astype(int))
            windows = [tiles[i].window for i in spread]
        images, failure = [], None
        for window in windows:
            check(should_stop)
            try:
                patch = raster.read(window, shape)
            except RasterError as error:
                failure = error
                continue
            if patch.valid.any() and (len(windows) == 1 or patch.valid_fraction >= _LEAST_VALID):
                images.append(patch.filled())
    if not images:
        if failure is not None:
            raise failure
        raise UsageError(f"There are no valid pixels of {source} in the extent.", "Choose another extent.")
    return np.stack(images)


def _square(raster: Raster, area: Window, side: float) -> Window:
    """A square on the ground around a window; what sticks out of the raster is not valid."""
    width, height = side / raster.gsd_m[0], side / raster.gsd_m[1]
    return Window(area.col + (area.width - width) / 2, area.row + (area.height - height) / 2, width, height)
