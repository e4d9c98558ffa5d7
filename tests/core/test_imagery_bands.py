"""Which bands are seen, and how their values become 0..255."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp

from rsvlm_core.errors import RasterError, UsageError
from rsvlm_core.imagery.raster import Raster, Window
from rsvlm_core.imagery.stretch import Stretch

Make = Callable[..., Path]


def _bands(path: Path, *, colours: list[ColorInterp] | None = None, names: list[str] | None = None) -> tuple[int, ...]:
    with rasterio.open(path, "r+") as dataset:
        if colours:
            dataset.colorinterp = colours
        for i, name in enumerate(names or [], start=1):
            dataset.set_band_description(i, name)
    with Raster.open(str(path)) as raster:
        return raster.bands


def _noise(bands: int, dtype: str = "uint8", high: int = 255) -> np.ndarray:
    return np.random.default_rng(1).integers(1, high, (bands, 24, 20)).astype(dtype)


def test_declared_colours_win(make_raster: Make) -> None:
    colours = [ColorInterp.undefined, ColorInterp.blue, ColorInterp.green, ColorInterp.red]
    assert _bands(make_raster(_noise(4), photometric="MINISBLACK"), colours=colours) == (4, 3, 2)


def test_four_undeclared_bands_are_rgb_and_infrared(make_raster: Make) -> None:
    assert _bands(make_raster(_noise(4), photometric="MINISBLACK", alpha="NO")) == (1, 2, 3)


def test_one_band_is_repeated(make_raster: Make) -> None:
    path = make_raster(_noise(1))
    assert _bands(path) == (1, 1, 1)
    with Raster.open(str(path)) as raster:
        rgb = raster.read(Window(0, 0, 20, 24), (24, 20)).rgb
    assert (rgb[..., 0] == _noise(1)[0]).all() and (rgb[..., 0] == rgb[..., 2]).all()


def test_grey_with_alpha_is_grey(make_raster: Make) -> None:
    path = make_raster(_noise(2), photometric="MINISBLACK")
    assert _bands(path, colours=[ColorInterp.gray, ColorInterp.alpha]) == (1, 1, 1)


def test_band_names_tell(make_raster: Make) -> None:
    sentinel = ["B02", "B03", "B04", "B08", "B8A"]
    plain = _noise(5, "uint16", 4000)
    assert _bands(make_raster(plain, "a.tif", photometric="MINISBLACK"), names=sentinel) == (3, 2, 1)
    words = ["nir", "Red", "x", "green", "blue"]
    assert _bands(make_raster(plain, "b.tif", photometric="MINISBLACK"), names=words) == (2, 4, 5)


def test_landsat_names_are_not_taken_for_sentinels(make_raster: Make) -> None:
    path = make_raster(_noise(5, "uint16", 4000), photometric="MINISBLACK")
    assert _bands(path, names=["B1", "B2", "B3", "B4", "B5"]) == (1, 2, 3)


def test_wanted_bands(make_raster: Make) -> None:
    path = str(make_raster(_noise(4), photometric="MINISBLACK"))
    with Raster.open(path, bands=(4, 1, 2)) as raster:
        assert raster.bands == (4, 1, 2)
        rgb = raster.read(Window(0, 0, 20, 24), (24, 20)).rgb
    assert (rgb[..., 0] == _noise(4)[3]).all() and (rgb[..., 1] == _noise(4)[0]).all()
    with pytest.raises(UsageError, match="no band 5"):
        Raster.open(path, bands=(1, 2, 5))
    with pytest.raises(UsageError, match="2 bands"):
        Raster.open(path, bands=(1, 2))


def test_palette_is_expanded(make_raster: Make) -> None:
    index = np.zeros((1, 16, 16), np.uint8)
    index[:, :, 8:] = 7
    path = make_raster(index)
    with rasterio.open(path, "r+") as dataset:
        dataset.write_colormap(1, {0: (250, 10, 20, 255), 7: (5, 6, 200, 255)})
    with Raster.open(str(path)) as raster:
        patch = raster.read(Window(0, 0, 16, 16), (16, 16))
        small = raster.read(Window(0, 0, 16, 16), (2, 2))
    assert patch.rgb[0, 0].tolist() == [250, 10, 20] and patch.rgb[0, 15].tolist() == [5, 6, 200]
    assert small.rgb[0, 0].tolist() == [250, 10, 20], "indices must not be averaged"


def test_eight_bits_pass_through_even_when_dark(make_raster: Make) -> None:
    dark = _noise(3, high=30)
    with Raster.open(str(make_raster(dark))) as raster:
        assert raster.stretch.identity
        rgb = raster.read(Window(0, 0, 20, 24), (24, 20)).rgb
    assert (np.moveaxis(rgb, -1, 0) == dark).all()


@pytest.mark.parametrize("dtype", ["uint16", "int16", "uint32", "int32", "float32", "float64", "int8"])
def test_other_types_are_stretched_between_their_percentiles(make_raster: Make, dtype: str) -> None:
    top = 100 if dtype == "int8" else 3000
    values = np.linspace(0, top, 3 * 50 * 50).reshape(50, 50, 3).astype(dtype)
    with Raster.open(str(make_raster(np.moveaxis(values, 2, 0)))) as raster:
        assert not raster.stretch.identity
        assert raster.stretch.low[0] == pytest.approx(0.02 * top, abs=0.01 * top + 1)
        assert raster.stretch.high[0] == pytest.approx(0.98 * top, abs=0.01 * top + 1)
        rgb = raster.read(Window(0, 0, 50, 50), (50, 50)).rgb
    assert rgb[0, 0, 0] == 0 and rgb[-1, -1, 2] == 255 and 120 < rgb[25, 0, 0] < 136


def test_one_stretch_wherever_it_is_seen(make_raster: Make) -> None:
    values = np.zeros((1, 64, 64), np.uint16)
    values[:, :, 32:] = 1000
    values[:, 10, 10] = 500
    with Raster.open(str(make_raster(values))) as raster:
        alone = raster.read(Window(8, 8, 4, 4), (4, 4)).rgb[2, 2, 0]
        whole = raster.read(Window(0, 0, 64, 64), (64, 64)).rgb[10, 10, 0]
    assert alone == whole == 128


def test_constant_values_do_not_divide_by_zero(make_raster: Make) -> None:
    with Raster.open(str(make_raster(np.full((3, 8, 8), 700, np.uint16)))) as raster:
        assert (raster.read(Window(0, 0, 8, 8), (8, 8)).rgb == 0).all()


def test_stretch_survives_json() -> None:
    stretch = Stretch((1.0, 2.5, 3.0), (10.0, 20.0, 1e4), False)
    assert Stretch.from_json(stretch.to_json()) == stretch


def test_stretch_of_a_dataset_ignores_nodata(make_raster: Make) -> None:
    values = np.full((1, 40, 40), -9999, np.int16)
    values[:, :20] = np.linspace(100, 200, 40).astype(np.int16)
    with rasterio.open(make_raster(values, nodata=-9999)) as dataset:
        assert Stretch.of(dataset, (1, 1, 1)).low[0] >= 100


def test_complex_numbers_are_refused(make_raster: Make) -> None:
    path = make_raster(np.ones((1, 8, 8), np.complex64))
    with pytest.raises(RasterError, match="complex") as caught:
        Raster.open(str(path))
    assert "amplitude" in caught.value.remedy
