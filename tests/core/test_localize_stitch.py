import shutil
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rsvlm_core.errors import OutputError
from rsvlm_core.imagery.patch import Window
from rsvlm_core.localize.scoring import ScorePlan
from rsvlm_core.localize.source import ArrayImage
from rsvlm_core.localize.stitch import CellGrid, ScoreRaster, Span, fill, sample_all
from rsvlm_core.model.encoder import ModelInfo

sizes = st.tuples(st.integers(1, 90), st.integers(1, 90))


def image(h: int, w: int, seed: int = 0) -> ArrayImage:
    return ArrayImage(np.random.default_rng(seed).integers(0, 256, (h, w, 3), dtype=np.uint8))


def cell_means(images: np.ndarray, stride: int = 4) -> np.ndarray:
    b, h, w, _ = images.shape
    cells = images.reshape(b, h // stride, stride, w // stride, stride, 3).mean(axis=(2, 4)) / 255
    return cells.astype(np.float32)


@given(sizes, st.integers(1, 20), st.integers(0, 19), st.floats(0.3, 3.0))
def test_windows_cover_every_cell_and_keep_their_overlap(
    size: tuple[int, int], side: int, overlap: int, scale: float
) -> None:
    grid = CellGrid.over(image(*size), (1.0, 1.0), scale, 4)
    seen = np.zeros((grid.rows, grid.cols), int)
    spans = grid.spans(side, min(overlap, side - 1))
    for s in spans:
        assert 0 <= s.row and s.row + s.rows <= grid.rows and 0 <= s.col and s.col + s.cols <= grid.cols
        assert (s.rows, s.cols) == (min(side, grid.rows), min(side, grid.cols))
        seen[s.row : s.row + s.rows, s.col : s.col + s.cols] += 1
    assert seen.min() >= 1
    starts = sorted({s.row for s in spans})
    assert all(b - a <= max(1, side - min(overlap, side - 1)) for a, b in zip(starts, starts[1:], strict=False))
    assert grid.rows * grid.cell[1] >= size[0] - 1e-6 and (grid.rows - 1) * grid.cell[1] < size[0]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.randoms(), st.integers(3, 9), st.integers(1, 5))
def test_the_result_does_not_depend_on_the_order_of_windows(
    tmp_path: Path, rng, side: int, batch: int  # noqa: ANN001
) -> None:
    source = image(70, 50)
    grid = CellGrid.over(source, (1.0, 1.0), 1.0, 4)
    spans = grid.spans(side, side // 2)

    def noisy(images: np.ndarray) -> np.ndarray:  # scores that depend on the window, as those of a model do
        return cell_means(images) + images.mean(axis=(1, 2, 3), keepdims=True).astype(np.float32) / 255

    out = []
    for order in (spans, rng.sample(spans, len(spans))):
        raster = ScoreRaster(grid, 3, tmp_path)
        fill(raster, source, noisy, order, batch)
        out.append(raster.sample(np.arange(50) + 0.5, np.arange(70) + 0.5)[0])
    np.testing.assert_allclose(out[0], out[1], atol=2e-6)


def test_blending_leaves_no_seam(tmp_path: Path) -> None:
    """Windows that disagree by a constant blend into a surface without steps."""
    source = image(64, 256)
    grid = CellGrid.over(source, (1.0, 1.0), 1.0, 4)
    raster = ScoreRaster(grid, 1, tmp_path)
    spans = grid.spans(16, 8)
    for i, span in enumerate(spans):
        raster.add(span, np.full((16, 16, 1), float(i % 2), np.float32), np.ones((16, 16), bool))
    values, _ = raster.sample(np.arange(256) + 0.5, np.array([32.0]))
    steps = np.abs(np.diff(values[0, :, 0]))
    assert steps.max() < 0.08 and values.max() - values.min() > 0.8


def test_what_the_windows_agree_on_is_kept_exactly(tmp_path: Path) -> None:
    source = image(61, 83)
    grid = CellGrid.over(source, (1.0, 1.0), 1.0, 4)
    raster = ScoreRaster(grid, 3, tmp_path)
    fill(raster, source, cell_means, grid.spans(7, 3), 4)
    centres_x, centres_y = np.arange(20) * 4 + 2.0, np.arange(15) * 4 + 2.0
    values, known = raster.sample(centres_x, centres_y)
    want = cell_means(source.rgb[None, :60, :80])[0]
    np.testing.assert_allclose(values, want, atol=1e-6)
    assert known.all()


def test_invalid_cells_are_unknown_and_do_not_bleed(tmp_path: Path) -> None:
    rgb = np.full((40, 80, 3), 200, np.uint8)
    rgb[:, 40:] = 0
    valid = np.zeros((40, 80), bool)
    valid[:, :40] = True
    source = ArrayImage(rgb, valid)
    grid = CellGrid.over(source, (1.0, 1.0), 1.0, 4)
    raster = ScoreRaster(grid, 3, tmp_path)
    fill(raster, source, cell_means, grid.spans(6, 3), 2)
    values, known = sample_all([raster], np.arange(80) + 0.5, np.arange(40) + 0.5)
    assert known[:, :42].all() and not known[:, 43:].any()
    np.testing.assert_allclose(values[:, :40], 200 / 255, atol=1e-5)


@pytest.mark.parametrize("size", [(64, 64), (61, 83), (5, 3), (1, 1)])
def test_beyond_the_border_the_imagery_is_mirrored_and_nothing_is_known(tmp_path: Path, size: tuple[int, int]) -> None:
    source = image(*size)
    grid = CellGrid.over(source, (1.0, 1.0), 1.0, 4, margin=3)
    assert grid.origin == (-3, -3)
    raster, seen = ScoreRaster(grid, 3, tmp_path), []

    def score(images: np.ndarray) -> np.ndarray:
        seen.append(images)
        return cell_means(images)

    fill(raster, source, score, grid.spans(100, 0), 1)
    h, w = grid.rows * 4, grid.cols * 4
    pad = ((12, h - 12 - size[0]), (12, w - 12 - size[1]), (0, 0))
    np.testing.assert_array_equal(seen[0][0], np.pad(source.rgb, pad, mode="symmetric"))
    share = raster.sample(np.arange(size[1]) + 0.5, np.arange(size[0]) + 0.5)[1]
    assert (share > 0).all()
    assert raster.sample(np.array([-6.0]), np.array([-6.0]))[1].item() == 0


@pytest.mark.parametrize(
    ("own", "method", "stride", "looks"),
    [
        (0.16, "auto", 8, (0.16, 0.32)), (0.1, "smooth", 8, (0.15, 0.3)), (1.2, "auto", 8, (0.85, 1.2, 1.7)),
        (1.2, "smooth", 8, (1.2,)), (1.2, "auto", 16, (1.2,)), (1.6, "dense", 8, (1.6,)), (40.0, "auto", 8, (10.0,)),
    ],
)
def test_looks_suit_imagery_and_scorer(own: float, method: str, stride: int, looks: tuple[float, ...]) -> None:
    info = ModelInfo("m", "", 8, 224, stride, (0.3, 10.0), 20.0)
    plan = ScorePlan.of(info, (own, own), method=method)
    assert plan.gsds == pytest.approx(looks) and plan.aligned == (stride == 8 and method != "smooth")


def test_scales_are_averaged_where_known(tmp_path: Path) -> None:
    source = image(40, 40)
    rasters = []
    for scale, value in ((1.0, 0.0), (2.0, 1.0)):
        grid = CellGrid.over(source, (1.0, 1.0), scale, 4)
        raster = ScoreRaster(grid, 1, tmp_path)
        seen = np.ones((grid.rows, grid.cols), bool)
        if scale == 2.0:
            seen[:, 3:] = False
        raster.add(Span(0, 0, grid.rows, grid.cols), np.full((*seen.shape, 1), value, np.float32), seen)
        rasters.append(raster)
    values, known = sample_all(rasters, np.array([5.0, 38.0]), np.array([20.0]))
    np.testing.assert_allclose(values[0, :, 0], [0.5, 0.0], atol=1e-6)
    assert known.all()


def test_an_area_takes_the_windows_of_the_whole_that_touch_it() -> None:
    grid = CellGrid.over(image(400, 400), (1.0, 1.0), 1.0, 4)
    spans = grid.spans(16, 4)
    some = grid.touching(spans, Window(201, 303, 10, 10), 4)
    assert 1 <= len(some) < len(spans) and set(some) <= set(spans)
    part, moved = grid.crop(some)
    assert part.cell == grid.cell and part.rows <= 32 and part.cols <= 32
    assert [part.window(s) for s in moved] == [grid.window(s) for s in some]
    frame = part.window(Span(0, 0, part.rows, part.cols))
    assert frame.col <= 201 - 16 and frame.col + frame.width >= 211 + 16
    assert frame.row <= 303 - 16 and frame.row + frame.height >= 313 + 16
    assert grid.touching(spans, Window(0, 0, 400, 400), 0) == spans


def test_a_full_disk_is_an_error_before_it_is_a_crash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(1, 1, 0))
    with pytest.raises(OutputError, match="TMPDIR"):
        ScoreRaster(CellGrid.over(image(40, 40), (1.0, 1.0), 1.0, 4), 2, tmp_path)


def test_array_images_read_as_rasters_do() -> None:
    source = image(30, 40)
    np.testing.assert_array_equal(source.read(Window(5, 6, 10, 8), (8, 10)).rgb, source.rgb[6:14, 5:15])
    out = source.read(Window(-5, -5, 10, 10), (10, 10))
    assert out.valid[5:, 5:].all() and out.valid.sum() == 25
    assert not source.read(Window(100, 100, 5, 5), (5, 5)).valid.any()
    half = source.read(Window(0, 0, 40, 30), (15, 20)).rgb.astype(float)
    box = source.rgb.reshape(15, 2, 20, 2, 3).mean(axis=(1, 3))
    assert np.abs(half - box).mean() < 25
    with pytest.raises(ValueError):
        ArrayImage(np.zeros((4, 4), np.uint8))
    with pytest.raises(ValueError):
        ArrayImage(np.zeros((4, 4, 3), np.uint8), np.ones((3, 4), bool))
