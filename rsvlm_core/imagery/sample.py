"""A bounded look at a raster: enough for its stretch and to see whether it holds anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsvlm_core.errors import RasterError
from rsvlm_core.imagery.reader import BandReader

# The most pixels that one look may touch in the file, and hold.
_TOUCH_PIXELS = 16_000_000
_SIDE = 1024
_SPOTS, _SPOT_SIDE = 8, 128
_SEARCH_SPOTS, _SEARCH_SIDE = 64, 64


@dataclass(frozen=True)
class Sample:
    """Valid pixels from all over a raster.

    Attributes:
        values: [3, n] in the file's type; n is 0 where nothing valid was found.
        poisoned: Some value is NaN or infinite without being declared as nodata.
    """

    values: NDArray[Any]
    poisoned: bool


def take_sample(reader: BandReader) -> Sample:
    """Look at a raster through its overviews, else at spots spread evenly over it.

    Raises:
        RasterError: No part of it can be read.
    """
    dataset = reader.dataset
    height, width = dataset.height, dataset.width
    factor = max(1.0, max(height, width) / _SIDE)
    fitting = [f for f in dataset.overviews(reader.bands[0]) if f <= factor]
    found: Sample | None = None
    if height * width / max(fitting, default=1) ** 2 <= _TOUCH_PIXELS:
        shape = (max(1, round(height / factor)), max(1, round(width / factor)))
        try:
            found = _of([reader.read((0, height), (0, width), shape, nearest=True)])
        except RasterError:
            pass  # damaged somewhere; the spots tell whether anything can be read
    if found is None:
        found = _at_spots(reader, _SPOTS, _SPOT_SIDE, enough=False)
    return found if found.values.shape[1] else _search(reader)


def _search(reader: BandReader) -> Sample:
    """Look harder where a first look found nothing: everywhere in a small raster, at many spots in a large one."""
    dataset = reader.dataset
    if dataset.height * dataset.width <= _TOUCH_PIXELS:
        rows = max(1, 1_000_000 // dataset.width)
        for start in range(0, dataset.height, rows):
            stop = min(dataset.height, start + rows)
            sample = _of([reader.read((start, stop), (0, dataset.width), (stop - start, dataset.width))])
            if sample.values.shape[1]:
                return sample
    return _at_spots(reader, _SEARCH_SPOTS, _SEARCH_SIDE, enough=True)


def _at_spots(reader: BandReader, spots: int, side: int, *, enough: bool) -> Sample:
    """Full-size squares on an even grid; stops at the first valid one if that is enough."""
    dataset = reader.dataset
    parts: list[tuple[NDArray[Any], NDArray[np.bool_]]] = []
    failure: RasterError | None = None
    for row in _starts(dataset.height, spots, side):
        for col in _starts(dataset.width, spots, side):
            rows, cols = (row, min(dataset.height, row + side)), (col, min(dataset.width, col + side))
            if reader.absent(rows, cols):
                continue
            try:
                part = reader.read(rows, cols, (rows[1] - rows[0], cols[1] - cols[0]))
            except RasterError as error:
                failure = error
                continue
            if enough and part[1].any():
                return _of([part])
            if not enough:
                parts.append(part)
    if failure is not None and not parts:
        raise failure
    return _of(parts)


def _starts(length: int, spots: int, side: int) -> list[int]:
    return sorted({int(x) for x in np.linspace(0, max(0, length - side), spots)})


def _of(parts: list[tuple[NDArray[Any], NDArray[np.bool_]]]) -> Sample:
    if not parts:
        return Sample(np.zeros((3, 0), dtype=np.uint8), False)
    values = np.concatenate([v[:, m] for v, m in parts], axis=1)
    poisoned = any(v.dtype.kind == "f" and not np.isfinite(v).all() for v, _ in parts)
    return Sample(values, poisoned)
