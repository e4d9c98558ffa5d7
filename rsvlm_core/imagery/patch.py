"""A float window of pixels, and what is seen through it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

UInt8 = NDArray[np.uint8]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Window:
    """A rectangle in (fractional) pixels of the source raster; may stick out of it.

    Attributes:
        col: Left edge; 0 is the left edge of the first column.
        row: Top edge.
        width: Columns spanned.
        height: Rows spanned.
    """

    col: float
    row: float
    width: float
    height: float


@dataclass(frozen=True)
class Patch:
    """Pixels for a model.

    Attributes:
        rgb: [h, w, 3] uint8, black where not valid.
        valid: [h, w] bool.
    """

    rgb: UInt8
    valid: Mask

    @property
    def valid_fraction(self) -> float:
        """Share of valid pixels, 0..1."""
        return float(self.valid.mean()) if self.valid.size else 0.0

    def filled(self) -> UInt8:
        """[h, w, 3] uint8 with holes in the mean colour of the rest: a black edge would look like something."""
        if self.valid.all() or not self.valid.any():
            return self.rgb
        mean = np.rint(self.rgb[self.valid].mean(axis=0)).astype(np.uint8)
        return np.where(self.valid[..., None], self.rgb, mean)


def empty_patch(shape: tuple[int, int]) -> Patch:
    """A patch without a valid pixel."""
    return Patch(np.zeros((*shape, 3), np.uint8), np.zeros(shape, bool))


def resample(
    rgb: UInt8, valid: Mask, box: tuple[float, float, float, float], shape: tuple[int, int]
) -> Patch:
    """Resample a rectangle of an image, with anti-aliasing, ignoring invalid pixels.

    Args:
        rgb: [H, W, 3] uint8; quickest where each band lies by itself, as GDAL gives them.
        valid: [H, W] bool.
        box: left, top, right, bottom in pixels of `rgb`; may be fractional and stick out (outside is invalid).
        shape: (h, w) of the result.

    Returns:
        A patch; a pixel is valid where at least half of the weight that went into it is.
    """
    left, top, right, bottom = box
    before = (max(0, math.ceil(-top)), max(0, math.ceil(-left)))
    after = (max(0, math.ceil(bottom - rgb.shape[0])), max(0, math.ceil(right - rgb.shape[1])))
    if any(before) or any(after):
        pads = ((before[0], after[0]), (before[1], after[1]))
        rgb, valid = np.pad(rgb, (*pads, (0, 0))), np.pad(valid, pads)
        left, right, top, bottom = left + before[1], right + before[1], top + before[0], bottom + before[0]
    h, w = shape
    if (right - left, bottom - top) == (w, h) and left == int(left) and top == int(top):
        inside = (slice(int(top), int(top) + h), slice(int(left), int(left) + w))
        seen = valid[inside]
        return Patch(np.ascontiguousarray(np.where(seen[..., None], rgb[inside], 0), np.uint8), seen.copy())
    # the box is built by adding and subtracting, so it may pass the border by a rounding error
    frame = (max(0.0, left), max(0.0, top), min(float(rgb.shape[1]), right), min(float(rgb.shape[0]), bottom))

    def shrink(channel: NDArray[np.float32]) -> NDArray[np.float32]:
        image = Image.fromarray(channel).resize((w, h), Image.Resampling.BILINEAR, box=frame)
        return np.asarray(image, dtype=np.float32)

    if valid.all():
        image = _image(rgb).resize((w, h), Image.Resampling.BILINEAR, box=frame)
        return Patch(np.asarray(image), np.ones(shape, dtype=bool))
    weight = shrink(valid.astype(np.float32))
    channels = [shrink(np.where(valid, rgb[..., c], 0).astype(np.float32)) for c in range(3)]
    # half a thousandth forgives float32 sums that should be exactly one half
    good = weight >= 0.4995
    mean = np.stack(channels, axis=-1) / np.maximum(weight, 1e-6)[..., None]
    return Patch(np.where(good[..., None], np.clip(np.rint(mean), 0, 255), 0).astype(np.uint8), good)


def _image(rgb: UInt8) -> Image.Image:
    """[H, W, 3] as Pillow keeps it; bands that lie one after the other need not be turned into an array of pixels."""
    bands = np.moveaxis(rgb, -1, 0)
    if bands.flags.c_contiguous:
        return Image.merge("RGB", [Image.fromarray(band) for band in bands])
    return Image.fromarray(rgb)
