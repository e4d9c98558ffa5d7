"""What can be scored: a raster on the ground, or an array that stands for one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rsvlm_core.imagery.patch import Patch, Window, resample
from rsvlm_core.model.encoder import UInt8


class PatchSource(Protocol):
    """Pixels that are read by float windows; `imagery.Raster` is one."""

    @property
    def width(self) -> int:
        """Columns."""
        ...

    @property
    def height(self) -> int:
        """Rows."""
        ...

    def read(self, window: Window, shape: tuple[int, int]) -> Patch:
        """See a window at a size; outside of the source nothing is valid."""
        ...


@dataclass(frozen=True)
class ArrayImage:
    """An array read like a raster.

    Attributes:
        rgb: [H, W, 3] uint8.
        valid: [H, W] bool, or None where all is valid.
    """

    rgb: UInt8
    valid: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        if self.rgb.ndim != 3 or self.rgb.shape[2] != 3 or self.rgb.dtype != np.uint8 or self.rgb.size == 0:
            raise ValueError(f"an image is [H, W, 3] uint8, not {self.rgb.shape} {self.rgb.dtype}")
        if self.valid is not None and self.valid.shape != self.rgb.shape[:2]:
            raise ValueError(f"validity {self.valid.shape} does not fit the image {self.rgb.shape}")

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.rgb.shape[1])

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.rgb.shape[0])

    def read(self, window: Window, shape: tuple[int, int]) -> Patch:
        """See a window at a size; outside of the array nothing is valid."""
        margin = 2 + int(max(window.width / shape[1], window.height / shape[0]))  # what the resampling filter reaches
        c0, r0 = max(0, int(window.col) - margin), max(0, int(window.row) - margin)
        c1 = min(self.width, int(window.col + window.width) + margin + 1)
        r1 = min(self.height, int(window.row + window.height) + margin + 1)
        if c1 <= c0 or r1 <= r0:
            return Patch(np.zeros((*shape, 3), np.uint8), np.zeros(shape, bool))
        rgb = np.ascontiguousarray(self.rgb[r0:r1, c0:c1])
        valid = np.ones(rgb.shape[:2], bool) if self.valid is None else self.valid[r0:r1, c0:c1]
        box = (
            window.col - c0, window.row - r0, window.col + window.width - c0, window.row + window.height - r0,
        )  # fmt: skip
        return resample(rgb, valid, box, shape)
