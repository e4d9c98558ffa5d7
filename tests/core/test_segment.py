import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyproj import Transformer

from rsvlm_core.errors import OutputError, RasterError, Stopped, UsageError
from rsvlm_core.imagery.raster import Raster
from rsvlm_core.pipelines.segment import segment, segment_array
from rsvlm_core.vectors import FIELDS, write_vector
from tests.fakes import COLOURS, FakeEncoder

GREY, RED, BLUE = COLOURS["grey"], COLOURS["red"], COLOURS["blue"]


def scene(h: int = 200, w: int = 240, ground: tuple[int, int, int] = COLOURS["green"]) -> np.ndarray:
    rgb = np.empty((h, w, 3), np.uint8)
    rgb[:] = ground
    return rgb


def paint(rgb: np.ndarray, box: tuple[int, int, int, int], colour: tuple[int, int, int]) -> np.ndarray:
    """x0, y0, x1, y1 in pixels."""
    x0, y0, x1, y1 = box
    rgb[y0:y1, x0:x1] = colour
    return rgb


@pytest.fixture
def encoder() -> FakeEncoder:
    return FakeEncoder(image_size=32, patch_stride=4)


def test_one_object_across_many_windows_and_blocks_comes_out_once_and_whole(
    make_raster: Callable[..., Path], encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rsvlm_core.pipelines.segment.BLOCK", 64)
    path = make_raster(paint(scene(), (20, 40, 212, 160), RED), gsd=0.5)
    result = segment([str(path)], ["red"], encoder)
    assert len(result.masks) == 1
    row = result.masks.iloc[0]
    want = shapely.box(500000 + 10, 5400000 - 80, 500000 + 106, 5400000 - 20)
    assert row.geometry.hausdorff_distance(want) <= 1.01  # rounded at the corners by less than a cell
    assert row.geometry.symmetric_difference(want).area < 0.04 * want.area
    assert row["area_m2"] == pytest.approx(want.area, rel=0.04)
    assert row["rank"] == 1 and row["text"] == "red" and row["source"] == str(path) and row["model"] == "fake"
    assert 0.5 < row["confidence"] <= 1 and row["mean_score"] <= row["score"] <= 1.0 + 1e-6
    assert list(result.masks.columns) == [*FIELDS["masks"], "geometry"]
    assert result.masks.crs.to_epsg() == 32633 and result.failed == []


PLACES = {
    "utm": ("EPSG:32633", Affine(0.5, 0, 500000, 0, -0.5, 5400000)),
    "mercator": ("EPSG:3857", Affine(0.8, 0, 1500000, 0, -0.8, 6500000)),
    "degrees": ("EPSG:4326", Affine(5e-6, 0, 15.2, 0, -5e-6, 48.7)),
    "feet": ("EPSG:2263", Affine(1.5, 0, 985000, 0, -1.5, 200000)),
    "rotated": ("EPSG:32633", Affine.translation(500000, 5400000) * Affine.rotation(30) * Affine.scale(0.5, -0.5)),
    "south-up": ("EPSG:32633", Affine(0.5, 0, 500000, 0, 0.5, 5400000)),
    "oblong": ("EPSG:32633", Affine(0.5, 0, 500000, 0, -0.8, 5400000)),
}


@pytest.mark.parametrize("place", PLACES)
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_masks_align_with_the_raster_to_half_a_pixel(
    make_raster: Callable[..., Path], place: str, data: st.DataObject
) -> None:
    """The four sides of a rectangle lie where they do in the image, measured in its pixels."""
    encoder = FakeEncoder(image_size=64, patch_stride=1)
    crs, transform = PLACES[place]
    x0, y0 = data.draw(st.integers(12, 60)), data.draw(st.integers(12, 60))
    x1, y1 = x0 + data.draw(st.integers(20, 50)), y0 + data.draw(st.integers(20, 50))
    rgb = paint(scene(130, 140), (x0, y0, x1, y1), RED)
    path = make_raster(rgb, crs=crs, transform=transform)
    with rasterio.open(path) as dataset:
        inverse = ~dataset.transform
    with Raster.open(str(path)) as raster:
        finest = min(raster.gsd_m) / 2  # cells of half a pixel at most: what is left is georeferencing
    result = segment([str(path)], ["red"], encoder, threshold=0.5, gsd=finest)
    assert len(result.masks) == 1
    pixels = shapely.transform(
        result.masks.geometry.iloc[0], lambda xy: np.stack(inverse * (xy[:, 0], xy[:, 1]), axis=1)
    )
    assert pixels.centroid.x == pytest.approx((x0 + x1) / 2, abs=0.5)
    assert pixels.centroid.y == pytest.approx((y0 + y1) / 2, abs=0.5)
    middle = shapely.LineString([(pixels.centroid.x, 0), (pixels.centroid.x, 130)]).intersection(pixels)
    across = shapely.LineString([(0, pixels.centroid.y), (140, pixels.centroid.y)]).intersection(pixels)
    np.testing.assert_allclose([middle.bounds[1], middle.bounds[3]], [y0, y1], atol=0.5)
    np.testing.assert_allclose([across.bounds[0], across.bounds[2]], [x0, x1], atol=0.5)


def test_edges_refinement_puts_sides_on_the_pixel(make_raster: Callable[..., Path], encoder: FakeEncoder) -> None:
    path = make_raster(paint(scene(), (33, 41, 151, 123), RED), gsd=0.5)
    result = segment([str(path)], ["red"], encoder, threshold=0.5, refine="edges")
    want = shapely.box(500000 + 16.5, 5400000 - 61.5, 500000 + 75.5, 5400000 - 20.5)
    got = result.masks.geometry.iloc[0]
    assert len(result.masks) == 1 and got.symmetric_difference(want).area < 0.003 * want.area


def test_each_pixel_takes_the_best_text_and_classes_are_disjoint(
    make_raster: Callable[..., Path], encoder: FakeEncoder, tmp_path: Path
) -> None:
    rgb = paint(paint(scene(), (20, 20, 120, 180), RED), (120, 20, 220, 180), BLUE)
    path = make_raster(rgb, gsd=0.5)
    mask, scores = tmp_path / "mask.tif", tmp_path / "scores.tif"
    result = segment([str(path)], ["blue", "red", "blue"], encoder, mask_raster=mask, scores=scores)
    assert set(result.threshold) == {"blue", "red"}
    masks = result.masks.set_index("text").geometry
    assert masks["red"].intersection(masks["blue"]).area < 1e-6
    assert masks["red"].distance(masks["blue"]) < 1.6
    with rasterio.open(path) as image, rasterio.open(mask) as labels, rasterio.open(scores) as bands:
        for out in (labels, bands):
            assert (out.width, out.height, out.crs) == (image.width, image.height, image.crs)
            assert out.transform.almost_equals(image.transform)
            assert out.profile["tiled"] and out.compression is not None
        assert labels.dtypes == ("uint8",) and labels.nodata == 255
        found = labels.read(1)
        assert found[100, 60] == 2 and found[100, 170] == 1 and found[5, 5] == 0
        assert labels.tags()["CLASS_1"] == "blue"
        assert bands.dtypes == ("float32", "float32") and bands.descriptions == ("blue", "red")
        values = bands.read()
        assert values[0, 100, 170] > 0.5 > values[0, 100, 60]
    burnt = np.zeros(found.shape, np.uint8)
    for text, label in (("blue", 1), ("red", 2)):
        one = rasterio.features.rasterize([masks[text]], found.shape, transform=image.transform, dtype="uint8")
        burnt += label * one
    assert (burnt != found).mean() < 0.003  # outlines are straightened, by less than a pixel


def test_an_absent_class_gives_a_valid_empty_layer(
    make_raster: Callable[..., Path], encoder: FakeEncoder, tmp_path: Path
) -> None:
    path = make_raster(scene())
    result = segment([str(path)], ["red"], encoder, mask_raster=tmp_path / "m.tif")
    assert len(result.masks) == 0 and list(result.masks.columns) == [*FIELDS["masks"], "geometry"]
    out = write_vector(result.masks, tmp_path / "masks.gpkg", "masks", {"texts": ["red"]})
    with sqlite3.connect(out) as db:
        assert db.execute("SELECT count(*) FROM masks").fetchone() == (0,)
    with rasterio.open(tmp_path / "m.tif") as labels:
        assert not labels.read(1).any()


def test_nodata_stays_nodata_and_is_never_found(
    make_raster: Callable[..., Path], encoder: FakeEncoder, tmp_path: Path
) -> None:
    rgb = paint(paint(scene(), (40, 40, 140, 160), RED), (90, 0, 240, 200), (0, 0, 0))
    path = make_raster(rgb, gsd=0.5, nodata=0)
    result = segment(
        [str(path)], ["red", "grey"], encoder, mask_raster=tmp_path / "m.tif", scores=tmp_path / "s.tif",
        threshold=0.5,
    )
    hole = shapely.box(500000 + 45, 5400000 - 100, 500000 + 120, 5400000)
    assert all(g.intersection(hole).area < 0.6 for g in result.masks.geometry)  # straightening may nick a corner
    assert (result.masks["text"] == "red").any()
    with rasterio.open(tmp_path / "m.tif") as labels, rasterio.open(tmp_path / "s.tif") as scores:
        assert (labels.read(1)[:, 90:] == 255).all() and (labels.read(1)[:, :90] != 255).all()
        assert (scores.read()[:, :, 90:] == scores.nodata).all() and scores.read()[:, :, :90].min() >= 0


def test_an_extent_limits_what_is_read_and_written(
    make_raster: Callable[..., Path], encoder: FakeEncoder, tmp_path: Path
) -> None:
    path = make_raster(paint(scene(400, 400), (50, 50, 350, 350), RED), gsd=1.0)
    whole = segment([str(path)], ["red"], encoder)
    everything = encoder.images_seen
    extent = (500100.5, 5400000 - 250.25, 500180.0, 5400000 - 100.0)
    part = segment([str(path)], ["red"], encoder, extent=extent, mask_raster=tmp_path / "m.tif", threshold=0.5)
    assert shapely.box(*extent).buffer(0.51).contains(part.masks.geometry.iloc[0])
    assert part.masks["area_m2"].sum() == pytest.approx(shapely.box(*extent).area, rel=0.02)
    assert whole.masks["area_m2"].sum() == pytest.approx(9e4, rel=0.04) and everything == encoder.images_seen
    with rasterio.open(tmp_path / "m.tif") as labels:
        assert (labels.width, labels.height) == (80, 151)
        assert labels.transform.c == 500100 and labels.transform.f == 5400000 - 100
    triangle = shapely.Polygon([(500100, 5399900), (500200, 5399900), (500100, 5399800)])
    inside = segment([str(path)], ["red"], encoder, extent=triangle, threshold=0.5).masks
    assert inside.geometry.union_all().symmetric_difference(triangle).area < 0.05 * triangle.area
    with pytest.raises(UsageError, match="outside"):
        segment([str(path)], ["red"], encoder, extent=(0, 0, 10, 10))


@pytest.mark.parametrize("refine", ["none", "edges"])
def test_a_place_gets_the_same_label_whatever_extent_is_asked_for(
    make_raster: Callable[..., Path], encoder: FakeEncoder, tmp_path: Path, refine: str
) -> None:
    rng = np.random.default_rng(0)
    blobs = np.kron(rng.integers(0, 2, (25, 25)), np.ones((16, 16))).astype(bool)
    rgb = np.where(blobs[..., None], RED, COLOURS["green"]) + rng.normal(0, 15, (400, 400, 3))
    path = make_raster(np.clip(rgb, 0, 255).astype(np.uint8), gsd=1.0)
    out = []
    for extent in (None, (500101, 5400000 - 287, 500203, 5400000 - 133)):
        segment([str(path)], ["red"], encoder, threshold=0.5, refine=refine, extent=extent, scores=tmp_path / "s.tif")
        with rasterio.open(tmp_path / "s.tif") as scores:
            out.append(scores.read(1))
    np.testing.assert_allclose(out[0][133:287, 101:203], out[1], atol=1e-4)


def test_several_rasters_share_one_layer_in_the_crs_of_the_first(
    make_raster: Callable[..., Path], encoder: FakeEncoder
) -> None:
    rgb = paint(scene(), (40, 40, 140, 160), RED)
    x, y = Transformer.from_crs("EPSG:32633", "EPSG:3857", always_xy=True).transform(500200, 5400000)
    one = make_raster(rgb, "one.tif", gsd=0.5)
    two = make_raster(rgb, "two.tif", crs="EPSG:3857", transform=Affine(0.75, 0, x, 0, -0.75, y))
    result = segment([str(one), str(two)], ["red"], encoder)
    assert result.masks.crs.to_epsg() == 32633 and sorted(result.masks["rank"]) == [1, 2]
    assert set(result.masks["source"]) == {str(one), str(two)}
    assert result.masks.geometry.iloc[0].distance(result.masks.geometry.iloc[1]) < 500
    with pytest.raises(UsageError, match="one raster at a time"):
        segment([str(one), str(two)], ["red"], encoder, mask_raster=Path("m.tif"))
    near_two = segment([str(one), str(two)], ["red"], encoder, extent=(500190, 5399900, 500400, 5400010))
    assert set(near_two.masks["source"]) == {str(two)}


def test_small_things_are_dropped_by_ground_area(make_raster: Callable[..., Path], encoder: FakeEncoder) -> None:
    rgb = paint(paint(scene(), (20, 20, 60, 60), RED), (100, 100, 180, 180), RED)
    path = make_raster(rgb, gsd=0.5)
    sizes = [len(segment([str(path)], ["red"], encoder, min_area_m2=m).masks) for m in (0, 500, 2000)]
    assert sizes == [2, 1, 0]


def test_holes_are_kept(make_raster: Callable[..., Path], encoder: FakeEncoder) -> None:
    rgb = paint(paint(scene(), (20, 20, 200, 180), RED), (70, 60, 150, 140), COLOURS["green"])
    masks = segment([str(make_raster(rgb, gsd=0.5))], ["red"], encoder).masks
    assert len(masks) == 1 and len(masks.geometry.iloc[0].interiors) == 1


def test_stopping_leaves_nothing_behind(
    make_raster: Callable[..., Path], encoder: FakeEncoder, tmp_path: Path
) -> None:
    path = make_raster(scene(600, 600))
    calls = 0

    def stop() -> bool:
        nonlocal calls
        calls += 1
        return calls > 3

    (tmp_path / "out").mkdir()
    with pytest.raises(Stopped):
        segment([str(path)], ["red"], encoder, mask_raster=tmp_path / "out" / "m.tif", should_stop=stop)
    assert list((tmp_path / "out").iterdir()) == []


def test_progress_rises_to_its_total(make_raster: Callable[..., Path], encoder: FakeEncoder) -> None:
    seen: list[tuple[int, int]] = []
    one, two = make_raster(scene(), "a.tif"), make_raster(scene(), "b.tif")
    segment([str(one), str(two)], ["red"], encoder, progress=lambda d, t, u: seen.append((d, t)))
    assert [d for d, _ in seen] == sorted(d for d, _ in seen) and seen[-1][0] == seen[-1][1]


def test_windows_that_cannot_be_read_are_listed_not_swallowed(
    make_raster: Callable[..., Path], encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_raster(paint(scene(300, 300), (20, 20, 120, 120), RED), gsd=0.5)
    read = Raster.read

    def broken(self: Raster, window, shape):  # noqa: ANN001, ANN202
        if window.col + window.width > 260:
            raise RasterError("tile is damaged")
        return read(self, window, shape)

    monkeypatch.setattr(Raster, "read", broken)
    monkeypatch.setattr("rsvlm_core.pipelines.segment.BLOCK", 128)
    result = segment([str(path)], ["red"], encoder, window_px=64)
    assert len(result.masks) == 1 and result.failed
    assert all("tile is damaged" in line and str(path) in line for line in result.failed)

    monkeypatch.setattr(Raster, "read", lambda *a: (_ for _ in ()).throw(RasterError("disk is gone")))
    with pytest.raises(RasterError, match="disk is gone"):
        segment([str(path)], ["red"], encoder)


@pytest.mark.parametrize("method", ["auto", "smooth", "attention", "dense", "tiles"])
def test_methods(make_raster: Callable[..., Path], encoder: FakeEncoder, method: str) -> None:
    path = make_raster(paint(scene(), (40, 40, 200, 160), RED), gsd=0.5)
    assert len(segment([str(path)], ["red"], encoder, method=method, threshold=0.5).masks) == 1


def test_bad_arguments_are_named(make_raster: Callable[..., Path], encoder: FakeEncoder, tmp_path: Path) -> None:
    path = str(make_raster(scene()))
    for wrong in (
        {"threshold": 1.5}, {"threshold": "high"}, {"refine": "magic"}, {"method": "magic"}, {"gsd": -1.0},
    ):  # fmt: skip
        with pytest.raises(UsageError):
            segment([path], ["red"], encoder, **wrong)
    for texts in ([], [" "], [f"t{i}" for i in range(300)]):
        with pytest.raises(UsageError):
            segment([path], texts, encoder)
    with pytest.raises(UsageError):
        segment([], ["red"], encoder)
    with pytest.raises(OutputError):
        segment([path], ["red"], encoder, mask_raster=tmp_path / "nowhere" / "m.tif")


@pytest.mark.parametrize("gsd", [0.5, 1.0, (0.5, 1.0), 0.8])
def test_scales_on_the_ground(make_raster: Callable[..., Path], encoder: FakeEncoder, gsd: object) -> None:
    path = make_raster(paint(scene(), (40, 40, 200, 160), RED), gsd=0.5)
    masks = segment([str(path)], ["red"], encoder, gsd=gsd, threshold=0.5).masks
    assert len(masks) == 1 and masks["area_m2"].iloc[0] == pytest.approx(4800, rel=0.08)
    assert masks["gsd_m"].iloc[0] == (gsd if isinstance(gsd, float) else 0.5)


def test_an_array_is_segmented_as_the_raster_is(
    make_raster: Callable[..., Path], encoder: FakeEncoder, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    rgb = paint(paint(scene(), (40, 40, 200, 160), RED), (10, 10, 60, 60), BLUE)
    rgb = np.clip(rgb + rng.normal(0, 12, rgb.shape), 0, 255).astype(np.uint8)
    for refine in ("none", "edges"):
        path = make_raster(rgb, gsd=0.5)
        mask, scores = tmp_path / "m.tif", tmp_path / "s.tif"
        with Raster.open(str(path)) as raster:
            gsd = (raster.gsd_m[0] * raster.gsd_m[1]) ** 0.5  # not quite half a metre: UTM has a scale
        segment([str(path)], ["red", "blue"], encoder, refine=refine, mask_raster=mask, scores=scores)
        got = segment_array(rgb, gsd, ["red", "blue"], encoder, refine=refine)
        with rasterio.open(mask) as labels, rasterio.open(scores) as bands:
            assert (got.labels != labels.read(1)).mean() < 3e-3
            # The coarser look shrinks by two: a raster through its overviews, an array by a filter.
            difference = np.abs(got.scores - bands.read())
            assert difference.max() < 0.1 and difference.mean() < 1e-3


def test_tiny_images(encoder: FakeEncoder) -> None:
    for shape in ((1, 1), (3, 50), (33, 2)):
        out = segment_array(paint(scene(*shape), (0, 0, 50, 50), RED), 0.5, ["red"], encoder)
        assert out.labels.shape == shape and (out.labels == 1).all() and out.scores.shape == (1, *shape)


def test_coarse_and_fine_imagery_is_seen_within_the_models_range(encoder: FakeEncoder) -> None:
    rgb = paint(scene(100, 100), (30, 30, 80, 80), RED)
    for gsd in (0.01, 30.0):
        labels = segment_array(rgb, gsd, ["red"], encoder, threshold=0.5).labels
        assert labels.shape == (100, 100)
    assert (segment_array(rgb, 30.0, ["red"], encoder).labels[35:75, 35:75] == 1).all()


def test_a_stop_is_noticed_between_batches(make_raster: Callable[..., Path]) -> None:
    class Slow(FakeEncoder):
        def encode_patches(self, images: np.ndarray, method: str = "smooth") -> np.ndarray:
            time.sleep(0.02)
            assert images.shape[0] * images.shape[1] * images.shape[2] <= 500_000
            return super().encode_patches(images, method)

    path = make_raster(scene(1500, 1500))
    started = time.monotonic()
    with pytest.raises(Stopped):
        segment([str(path)], ["red"], Slow(224, 8), should_stop=lambda: time.monotonic() - started > 0.1)
    assert time.monotonic() - started < 1.0
