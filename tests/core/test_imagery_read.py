"""What is seen through a window, against what is known to be there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rasterio.enums import ColorInterp, Resampling
from rasterio.windows import Window as PixelWindow

from rsvlm_core.imagery.patch import Patch, resample
from rsvlm_core.imagery.raster import Raster, Window

Make = Callable[..., Path]
HEIGHT, WIDTH = 480, 640


def _scene(col: np.ndarray, row: np.ndarray) -> np.ndarray:
    """[..., 3] a smooth image whose value is known at any fractional place."""
    x, y = col[None, :] / WIDTH, row[:, None] / HEIGHT
    bands = [
        128 + 90 * np.sin(3 * x + 2 * y), 128 + 90 * np.cos(4 * x - 3 * y), 30 + 180 * (x + y) / 2 + 0 * x * y,
    ]  # fmt: skip
    return np.stack(bands, axis=-1)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The smooth image as a tiled file, and with overviews."""
    pixels = np.rint(_scene(np.arange(WIDTH) + 0.5, np.arange(HEIGHT) + 0.5)).astype(np.uint8)
    paths = []
    for name, factors in (("plain", []), ("overviews", [2, 4, 8])):
        path = tmp_path_factory.mktemp("scene") / f"{name}.tif"
        with rasterio.open(
            path, "w", driver="GTiff", width=WIDTH, height=HEIGHT, count=3, dtype="uint8", crs="EPSG:32633",
            transform=Affine(0.5, 0, 5e5, 0, -0.5, 5.4e6), tiled=True, blockxsize=128, blockysize=128,
        ) as dataset:  # fmt: skip
            dataset.write(np.moveaxis(pixels, 2, 0))
            if factors:
                dataset.build_overviews(factors, Resampling.average)
        paths.append(str(path))
    return paths


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    which=st.integers(0, 1),
    col=st.floats(-80, WIDTH - 20), row=st.floats(-80, HEIGHT - 20),
    zoom_x=st.floats(0.3, 12), zoom_y=st.floats(0.3, 12),
    height=st.integers(5, 50), width=st.integers(5, 50),
)  # fmt: skip
def test_reading_agrees_with_the_scene(
    scenes: list[str], which: int, col: float, row: float, zoom_x: float, zoom_y: float, height: int, width: int
) -> None:
    with Raster.open(scenes[which]) as raster:
        patch = raster.read(Window(col, row, width * zoom_x, height * zoom_y), (height, width))
    cols = col + (np.arange(width) + 0.5) * zoom_x
    rows = row + (np.arange(height) + 0.5) * zoom_y
    truth = _scene(cols, rows)
    # away from the border every output pixel averages whole surroundings
    reach_x, reach_y = 2 * max(zoom_x, 1) + 1, 2 * max(zoom_y, 1) + 1
    within = ((rows > reach_y) & (rows < HEIGHT - reach_y))[:, None] & ((cols > reach_x) & (cols < WIDTH - reach_x))
    assert patch.valid[within].all()
    assert np.abs(patch.rgb[within] - truth[within]).max(initial=0) <= 3.0
    outside = ((rows < -1) | (rows > HEIGHT + 1))[:, None] | ((cols < -1) | (cols > WIDTH + 1))
    far = ((rows < -reach_y) | (rows > HEIGHT + reach_y))[:, None] | ((cols < -reach_x) | (cols > WIDTH + reach_x))
    assert not patch.valid[outside & far].any()
    assert (patch.rgb[~patch.valid] == 0).all()


def test_whole_pixels_come_back_unchanged(make_raster: Make) -> None:
    noise = np.random.default_rng(3).integers(0, 255, (3, 60, 70)).astype(np.uint8)
    with Raster.open(str(make_raster(noise))) as raster:
        patch = raster.read(Window(11, 7, 20, 30), (30, 20))
        around = raster.read(Window(-5, -5, 80, 70), (70, 80))
    assert (np.moveaxis(patch.rgb, 2, 0) == noise[:, 7:37, 11:31]).all() and patch.valid.all()
    assert around.valid.sum() == 60 * 70 and (np.moveaxis(around.rgb, 2, 0)[:, 5:65, 5:75] == noise).all()


def test_neighbouring_windows_agree_at_their_seam(make_raster: Make) -> None:
    noise = np.random.default_rng(4).integers(0, 255, (3, 200, 200)).astype(np.uint8)
    with Raster.open(str(make_raster(noise))) as raster:
        left = raster.read(Window(0, 0, 96, 96), (32, 32)).rgb
        wide = raster.read(Window(0, 0, 192, 96), (32, 64)).rgb
    assert np.abs(left.astype(int) - wide[:, :32]).max() <= 1


def test_a_window_far_outside_is_empty(make_raster: Make) -> None:
    with Raster.open(str(make_raster(np.full((3, 20, 20), 50, np.uint8)))) as raster:
        patch = raster.read(Window(1000, 1000, 50, 50), (16, 16))
    assert not patch.valid.any() and patch.valid_fraction == 0 and (patch.rgb == 0).all()


def test_enlarging_a_tiny_raster(make_raster: Make) -> None:
    with Raster.open(str(make_raster(np.full((3, 2, 1), 50, np.uint8)))) as raster:
        patch = raster.read(Window(0, 0, 1, 2), (32, 16))
    assert patch.valid.all() and (patch.rgb == 50).all()


@pytest.mark.parametrize("size", [1, 2, 7])
def test_shrinking_averages(make_raster: Make, size: int) -> None:
    checks = np.indices((size * 32, size * 32)).sum(axis=0) % 2 * 200
    with Raster.open(str(make_raster(checks[None].astype(np.uint8)))) as raster:
        patch = raster.read(Window(0, 0, size * 32, size * 32), (4, 4))
    assert np.abs(patch.rgb.astype(int) - 100).max() <= 4


def _holes() -> np.ndarray:
    values = np.full((3, 64, 64), 120, np.uint8)
    values[:, :, :20] = 0
    return values


@pytest.mark.parametrize("zoom", [1.0, 2.0, 3.3, 8.0])
@pytest.mark.parametrize("kind", ["nodata", "alpha", "mask", "nan", "inf", "nodata+alpha", "float nodata"])
def test_holes_do_not_bleed(make_raster: Make, kind: str, zoom: float) -> None:
    values, hole = _holes(), np.zeros((64, 64), bool)
    hole[:, :20] = True
    if kind == "nodata":
        path = make_raster(values, nodata=0)
    elif kind in ("alpha", "nodata+alpha"):
        alpha = np.where(hole, 0, 255).astype(np.uint8)
        if kind == "nodata+alpha":
            alpha[:] = 255
            alpha[:, 50:] = 0
            hole[:, 50:] = True
        path = make_raster(np.concatenate([values, alpha[None]]), nodata=0 if "nodata" in kind else None,
                           photometric="RGB", alpha="YES")
    elif kind == "mask":
        values[:, :, :20] = 7
        path = make_raster(values)
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as dataset:
            dataset.write_mask(~hole)
    else:
        floats = np.linspace(0, 1, 64 * 64, dtype=np.float32).reshape(64, 64)[None].repeat(3, axis=0).copy()
        floats[:, hole] = {"nan": np.nan, "inf": np.inf, "float nodata": -3.4028235e38}[kind]
        path = make_raster(floats, nodata=-3.4028235e38 if kind == "float nodata" else None)
    with Raster.open(str(path)) as raster:
        side = int(64 / zoom)
        patch = raster.read(Window(0, 0, side * zoom, side * zoom), (side, side))
    middle = (np.arange(side) + 0.5) * zoom
    reach = 1.5 * zoom if zoom > 1 else 0
    limits = [20] + ([50] if kind == "nodata+alpha" else [])
    clear = np.all([np.abs(middle - limit) > reach for limit in limits], axis=0)
    truth = hole[0][np.minimum(middle.astype(int), 63)]
    assert (patch.valid[:, clear] == ~truth[clear]).all()
    if "float" not in kind and kind not in ("nan", "inf"):
        assert (patch.rgb[patch.valid] == 120).all(), "the hole's own value shows through"


def test_one_dark_band_is_no_hole(make_raster: Make) -> None:
    values = np.full((3, 16, 16), 60, np.uint8)
    values[0] = 0
    with Raster.open(str(make_raster(values, nodata=0))) as raster:
        assert raster.read(Window(0, 0, 16, 16), (16, 16)).valid.all()


def test_holes_are_filled_with_the_mean() -> None:
    rgb = np.zeros((4, 4, 3), np.uint8)
    rgb[:, 2:] = (10, 20, 30)
    valid = np.zeros((4, 4), bool)
    valid[:, 2:] = True
    assert (Patch(rgb, valid).filled() == (10, 20, 30)).all()
    assert Patch(rgb, valid).valid_fraction == 0.5
    nothing = Patch(rgb, np.zeros((4, 4), bool))
    assert nothing.filled() is rgb


@settings(max_examples=60, deadline=None)
@given(
    left=st.floats(-6, 6), top=st.floats(-6, 6), width=st.floats(2, 30), height=st.floats(2, 30),
    h=st.integers(1, 24), w=st.integers(1, 24),
)  # fmt: skip
def test_resampling_one_colour_gives_that_colour(
    left: float, top: float, width: float, height: float, h: int, w: int
) -> None:
    rgb = np.full((16, 20, 3), (9, 99, 199), np.uint8)
    patch = resample(rgb, np.ones((16, 20), bool), (left, top, left + width, top + height), (h, w))
    assert patch.rgb.shape == (h, w, 3) and patch.valid.shape == (h, w)
    assert np.abs(patch.rgb[patch.valid].astype(int) - (9, 99, 199)).max(initial=0) <= 1


def test_memory_does_not_grow_with_the_window(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    path = tmp_path / "huge.tif"
    side = 60_000  # 10.8 GB of pixels
    with rasterio.open(
        path, "w", driver="GTiff", width=side, height=side, count=3, dtype="uint8", crs="EPSG:32633", tiled=True,
        transform=Affine(0.5, 0, 5e5, 0, -0.5, 5.4e6), SPARSE_OK=True, blockxsize=4096, blockysize=4096,
    ) as dataset:  # fmt: skip
        dataset.write(np.full((3, 64, 64), 77, np.uint8), window=PixelWindow(0, 0, 64, 64))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with rasterio.Env(GDAL_CACHEMAX=64), Raster.open(str(path)) as raster:
        assert raster.read(Window(0, 0, 12_000, 12_000), (64, 64)).valid.all()
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown_mb < 250, "432 MB were under the window"


def test_colour_interpretation_survives_alpha_in_front(make_raster: Make) -> None:
    values = np.stack([np.full((8, 8), v, np.uint8) for v in (255, 10, 20, 30)])
    path = make_raster(values, photometric="MINISBLACK")
    with rasterio.open(path, "r+") as dataset:
        dataset.colorinterp = [ColorInterp.alpha, ColorInterp.red, ColorInterp.green, ColorInterp.blue]
    with Raster.open(str(path)) as raster:
        assert raster.bands == (2, 3, 4)
        assert raster.read(Window(0, 0, 8, 8), (8, 8)).rgb[0, 0].tolist() == [10, 20, 30]


def test_real_rasters_make_sense(shared_data: Path) -> None:
    for name, holes in (("colorado_15cm.tif", False), ("colorado_15cm_nodata.tif", True), ("koeln_50cm.tif", False)):
        with Raster.open(str(shared_data / "rasters" / name)) as raster:
            patch = raster.read(Window(0, 0, raster.width, raster.height), (100, 150))
        assert patch.valid.all() != holes and 40 < patch.rgb[patch.valid].mean() < 200
    with Raster.open(str(shared_data / "rasters" / "naip_dakota_4band_5m.tif")) as raster:
        assert raster.bands == (1, 2, 3) and raster.gsd_m[0] == pytest.approx(5.0, rel=1e-3)
