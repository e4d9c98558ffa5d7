"""A place as a handful of images at scales that the model knows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from pyproj import CRS

from rsvlm_core.errors import RasterError, UsageError
from rsvlm_core.imagery.patch import Window
from rsvlm_core.imagery.raster import Extent, Raster, as_geometry
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


@dataclass(frozen=True)
class Views:
    """What was looked at.

    Attributes:
        images: [N, S, S, 3] uint8.
        outlines: N squares on the ground.
        crs: Of the outlines: the raster's.
        gsd_m: Metres per pixel of the images.
        place: The ground that was asked about, within the raster.
        source: The raster.
    """

    images: UInt8
    outlines: list[shapely.Polygon]
    crs: CRS
    gsd_m: float
    place: shapely.Geometry
    source: str


def look(
    source: str,
    info: ModelInfo,
    extent: Extent | None = None,
    should_stop: ShouldStop = never,
    *,
    closely: bool = False,
) -> Views:
    """Images of a raster or a part of it, from 1 to `MOST_VIEWS`.

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
            windows, gsd = [_square(raster, area, side)], side / info.image_size
        else:
            gsd = min(coarsest, max(side / (4 * info.image_size), finest))
            tiles = list(TileGrid(raster, [gsd], info.image_size, 0.0, extent))
            spread = np.unique(np.linspace(0, len(tiles) - 1, min(MOST_VIEWS, len(tiles))).round().astype(int))
            windows = [tiles[i].window for i in spread]
        images, outlines, failure = [], [], None
        for window in windows:
            check(should_stop)
            try:
                patch = raster.read(window, shape)
            except RasterError as error:
                failure = error
                continue
            if patch.valid.any() and (len(windows) == 1 or patch.valid_fraction >= _LEAST_VALID):
                images.append(patch.filled())
                outlines.append(raster.polygon(window))
        place = raster.footprint if extent is None else as_geometry(extent).intersection(raster.footprint)
        crs = raster.crs
    if not images:
        if failure is not None:
            raise failure
        raise UsageError(f"There are no valid pixels of {source} in the extent.", "Choose another extent.")
    return Views(np.stack(images), outlines, crs, float(gsd), place, source)


def _square(raster: Raster, area: Window, side: float) -> Window:
    """A square on the ground around a window; what sticks out of the raster is not valid."""
    width, height = side / raster.gsd_m[0], side / raster.gsd_m[1]
    return Window(area.col + (area.width - width) / 2, area.row + (area.height - height) / 2, width, height)
