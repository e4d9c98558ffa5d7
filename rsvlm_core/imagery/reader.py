"""Pixels as they lie in the file, with their validity: nodata, mask band, alpha and non-finite values joined."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, MaskFlags, Resampling
from rasterio.errors import RasterioError
from rasterio.windows import Window as PixelWindow

from rsvlm_core.errors import RasterError
from rsvlm_core.imagery.bands import Bands
from rsvlm_core.imagery.opening import environment

Values = NDArray[Any]
Mask = NDArray[np.bool_]

# Pixels that are read at full size at once where averaging must be done here (see `BandReader.poisoned`).
_STRIP_PIXELS = 4_000_000
_OWN_AVERAGE_LIMIT = 64_000_000
_NOT_ASKED = 2


class BandReader:
    """Reads whole-pixel windows of three bands, decimated through overviews, with validity.

    Attributes:
        poisoned: Set where values are NaN or infinite without being declared as nodata: GDAL's averages would
            spread them, so decimated reads average the finite values here instead.
    """

    def __init__(self, dataset: Any, bands: Bands, source: str) -> None:
        self.dataset, self.bands, self.source = dataset, bands, source
        self._unique = sorted(set(bands))
        self._order = [self._unique.index(b) for b in bands]
        self._nodata = [dataset.nodatavals[b - 1] for b in self._unique]
        colours = list(dataset.colorinterp)
        alphas = [i for i, colour in enumerate(colours, start=1) if colour == ColorInterp.alpha]
        self._alpha = alphas[0] if alphas and alphas[0] not in bands else None
        flags = dataset.mask_flag_enums[self._unique[0] - 1]
        self._masked = MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags
        self._palette = _palette(dataset, bands[0]) if len(self._unique) == 1 else None
        self.poisoned = False
        # A block that is missing reads as nodata, as transparent, or else as black, which is a colour.
        nodata = all(n is not None for n in self._nodata)
        self._holes = dataset.driver == "GTiff" and (nodata or self._alpha is not None)
        self._blocks: dict[int, NDArray[np.uint8]] = {}

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the values that `read` returns; uint8 where a palette is expanded."""
        if self._palette is not None:
            return np.dtype(np.uint8)
        return np.result_type(*(self.dataset.dtypes[b - 1] for b in self._unique))

    @property
    def can_be_invalid(self) -> bool:
        """False where the file declares nothing that could make a pixel invalid and its type is whole numbers."""
        return (
            self._alpha is not None
            or self._masked
            or self._palette is not None
            or any(n is not None for n in self._nodata)
            or self.dtype.kind == "f"
        )

    def absent(self, rows: tuple[int, int], cols: tuple[int, int]) -> bool:
        """Whether the file never got the blocks of a window, and says that such blocks are not valid."""
        if not self._holes:
            return False
        bands = [self._alpha] if self._alpha is not None else self._unique
        height, width = self.dataset.block_shapes[bands[0] - 1]
        return not any(
            self._has_block(band, row, col)
            for row in range(rows[0] // height, -(-rows[1] // height))
            for col in range(cols[0] // width, -(-cols[1] // width))
            for band in bands
        )

    def _has_block(self, band: int, row: int, col: int) -> bool:
        """Whether the file has a block; each is asked for once, and takes a byte: a large file has many."""
        if band not in self._blocks:
            height, width = self.dataset.block_shapes[band - 1]
            shape = (-(-self.dataset.height // height), -(-self.dataset.width // width))
            self._blocks[band] = np.full(shape, _NOT_ASKED, np.uint8)
        known = self._blocks[band]
        if known[row, col] == _NOT_ASKED:
            offset = self.dataset.get_tag_item(f"BLOCK_OFFSET_{col}_{row}", "TIFF", bidx=band)
            known[row, col] = offset not in (None, "", "0")
        return bool(known[row, col])

    def read(
        self, rows: tuple[int, int], cols: tuple[int, int], shape: tuple[int, int], *, nearest: bool = False
    ) -> tuple[Values, Mask]:
        """Read pixels [rows) x [cols), all inside the raster, shrunk to `shape`.

        Args:
            rows: First row and the row after the last.
            cols: First column and the column after the last.
            shape: (h, w) of the result, not larger than the window; shrinking averages valid pixels and uses overviews.
            nearest: Pick pixels instead of averaging.

        Returns:
            values [3, h, w] in `dtype`, and valid [h, w]: False where every contributing pixel is invalid.

        Raises:
            RasterError: The file cannot be read there.
        """
        full = (rows[1] - rows[0], cols[1] - cols[0])
        if self.poisoned and not nearest and shape != full and full[0] * full[1] <= _OWN_AVERAGE_LIMIT:
            return self._average(rows, cols, shape)
        resampling = Resampling.nearest
        if not nearest and shape != full and self._palette is None:
            resampling = Resampling.average
        return self._read(rows, cols, shape, resampling)

    def _read(
        self, rows: tuple[int, int], cols: tuple[int, int], shape: tuple[int, int], resampling: Resampling
    ) -> tuple[Values, Mask]:
        window = PixelWindow(cols[0], rows[0], cols[1] - cols[0], rows[1] - rows[0])
        wanted = [*self._unique, self._alpha] if self._alpha is not None else self._unique
        valid: Mask = np.ones(shape, dtype=bool)
        try:
            with environment(self.source):
                data = self.dataset.read(wanted, window=window, out_shape=(len(wanted), *shape), resampling=resampling)
                if self._masked:
                    mask = self.dataset.read_masks(
                        self._unique[0], window=window, out_shape=shape, resampling=resampling
                    )
                    valid &= mask > 0
        except (RasterioError, OSError, ValueError) as error:
            raise RasterError(
                f"{self.source} cannot be read at rows {rows[0]}-{rows[1]}, columns {cols[0]}-{cols[1]}: "
                f"{_reason(error)}.",
                "The file is damaged or not reachable; copy it again, or check it with gdalinfo -checksum.",
            ) from error
        if self._alpha is not None:
            valid &= data[-1] > 0
            data = data[:-1]
        if self._palette is not None:
            index = np.clip(data[0].astype(np.int64), 0, len(self._palette) - 1)
            colours = self._palette[index]
            valid &= self._not_nodata(data) & (colours[..., 3] > 0)
            return np.moveaxis(colours[..., :3], -1, 0), valid
        valid &= self._not_nodata(data)
        if data.dtype.kind == "f":
            valid &= np.isfinite(data).all(axis=0)
        return (data if self._order == [0, 1, 2] else data[self._order]), valid

    def _not_nodata(self, data: Values) -> Mask:
        """True where any band differs from its nodata value: one dark band alone does not make a hole."""
        if all(n is None for n in self._nodata):
            return np.ones(data.shape[1:], dtype=bool)
        good = np.zeros(data.shape[1:], dtype=bool)
        for band, nodata in zip(data, self._nodata, strict=True):
            if nodata is None or np.isnan(nodata):
                return np.ones(data.shape[1:], dtype=bool)  # NaN is found by the test for finite values
            if band.dtype.kind == "f":
                good |= np.abs(band - nodata) > abs(nodata) * 1e-6
            else:
                good |= band != nodata
        return good

    def _average(
        self, rows: tuple[int, int], cols: tuple[int, int], shape: tuple[int, int]
    ) -> tuple[Values, Mask]:
        """Average the valid pixels of each cell, strip by strip, at full size."""
        h, w = shape
        width = cols[1] - cols[0]
        edges_r = np.linspace(rows[0], rows[1], h + 1).astype(np.int64)
        edges_c = np.linspace(0, width, w + 1).astype(np.int64)[:-1]
        total = np.zeros((3, h, w), dtype=np.float64)
        count = np.zeros((h, w), dtype=np.int64)
        step = max(1, _STRIP_PIXELS // max(1, width * max(1, (rows[1] - rows[0]) // h)))
        for start in range(0, h, step):
            stop = min(h, start + step)
            r0, r1 = int(edges_r[start]), int(edges_r[stop])
            values, valid = self._read((r0, r1), cols, (r1 - r0, width), Resampling.nearest)
            kept = np.where(valid, values.astype(np.float64), 0.0)
            inner = edges_r[start:stop] - r0
            total[:, start:stop] = np.add.reduceat(np.add.reduceat(kept, inner, axis=1), edges_c, axis=2)
            counted = np.add.reduceat(valid.astype(np.int64), inner, axis=0)
            count[start:stop] = np.add.reduceat(counted, edges_c, axis=1)
        return (total / np.maximum(count, 1)).astype(self.dtype), count > 0


def _palette(dataset: Any, band: int) -> NDArray[np.uint8] | None:
    """[N, 4] uint8 RGBA of a paletted band."""
    if dataset.colorinterp[band - 1] != ColorInterp.palette:
        return None
    try:
        colours = dataset.colormap(band)
    except ValueError:
        return None
    table = np.zeros((max(colours) + 1, 4), dtype=np.uint8)
    for index, rgba in colours.items():
        table[index] = rgba
    return table


def _reason(error: BaseException) -> str:
    """GDAL's own words, which rasterio keeps in the cause."""
    text = str(error.__cause__ or error).strip() or type(error).__name__
    return text.splitlines()[0].rstrip(".")
