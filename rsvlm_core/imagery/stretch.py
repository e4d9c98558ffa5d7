"""One contrast stretch a raster, so that the same object scores the same wherever it is seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsvlm_core.imagery.bands import Bands
from rsvlm_core.imagery.reader import BandReader
from rsvlm_core.imagery.sample import Sample, take_sample

LOW_PERCENT, HIGH_PERCENT = 2.0, 98.0


@dataclass(frozen=True)
class Stretch:
    """Linear map of three bands to 0..255; values outside are clipped.

    Attributes:
        low: Value of each band that becomes 0.
        high: Value of each band that becomes 255.
        identity: The values are 8-bit already and pass through.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]
    identity: bool

    @classmethod
    def of(cls, dataset: Any, bands: Bands) -> Stretch:
        """The stretch of an open rasterio dataset: 2 to 98 percent of a bounded sample; 8-bit passes through."""
        reader = BandReader(dataset, bands, str(dataset.name))
        return cls.of_sample(take_sample(reader), reader.dtype)

    @classmethod
    def of_sample(cls, sample: Sample, dtype: np.dtype[Any]) -> Stretch:
        """The stretch for values of which `sample` is typical."""
        if dtype == np.uint8 or sample.values.shape[1] == 0:
            return cls((0.0, 0.0, 0.0), (255.0, 255.0, 255.0), True)
        values = sample.values.astype(np.float64)
        low, high = np.percentile(values, (LOW_PERCENT, HIGH_PERCENT), axis=1)
        # a flat band (sea, or a band that is mostly one value) keeps its full range; a constant one becomes black
        flat = high <= low
        low, high = np.where(flat, values.min(axis=1), low), np.where(flat, values.max(axis=1), high)
        high = np.where(high > low, high, low + 1.0)
        return cls(tuple(float(x) for x in low), tuple(float(x) for x in high), False)

    def apply(self, values: NDArray[Any]) -> NDArray[np.uint8]:
        """[3, ...] values in the file's type -> [3, ...] uint8; non-finite values become 0."""
        if self.identity:
            return values if values.dtype == np.uint8 else np.clip(values, 0, 255).astype(np.uint8)
        column = (3,) + (1,) * (values.ndim - 1)
        low = np.asarray(self.low, dtype=np.float64).reshape(column)
        high = np.asarray(self.high, dtype=np.float64).reshape(column)
        finite = np.where(np.isfinite(values), values, low)
        scaled = (np.clip(finite, low, high) - low) * (255.0 / (high - low))
        return np.rint(scaled).astype(np.uint8)

    def to_json(self) -> dict[str, Any]:
        """As stored in an index."""
        return {"low": list(self.low), "high": list(self.high), "identity": self.identity}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Stretch:
        """From what `to_json` gave."""
        return cls(tuple(map(float, data["low"])), tuple(map(float, data["high"])), bool(data["identity"]))
