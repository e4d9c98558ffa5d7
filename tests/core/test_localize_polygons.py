import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pyproj import CRS, Geod, Transformer
from rasterio.features import rasterize

from rsvlm_core.localize.polygons import RegionCollector, clean, ellipsoidal_areas, place


def collect(labels: np.ndarray, rows: list[int], cols: list[int], values: np.ndarray | None = None) -> list:
    """Cut a label raster at the given rows and columns and collect the blocks."""
    h, w = labels.shape
    values = np.zeros((h, w, 1), np.float32) if values is None else values
    collector = RegionCollector(w, values.shape[2])
    ys, xs = sorted({0, h, *(r % h for r in rows)}), sorted({0, w, *(c % w for c in cols)})
    for y0, y1 in zip(ys, ys[1:], strict=False):
        for x0, x1 in zip(xs, xs[1:], strict=False):
            collector.add(y0, x0, labels[y0:y1, x0:x1], values[y0:y1, x0:x1])
    return collector.finish()


label_rasters = arrays(np.uint8, st.tuples(st.integers(1, 14), st.integers(1, 14)), elements=st.integers(0, 3))
cuts = st.lists(st.integers(0, 20), max_size=4)


def burn(pairs: list, shape: tuple[int, int]) -> np.ndarray:
    if not pairs:
        return np.zeros(shape, np.uint8)
    return rasterize(pairs, out_shape=shape, transform=Affine.identity(), dtype="uint8")


@settings(max_examples=150, deadline=None)
@given(label_rasters, cuts, cuts)
def test_blocks_give_the_same_objects_as_the_whole(labels: np.ndarray, rows: list[int], cols: list[int]) -> None:
    whole, cut = collect(labels, [], []), collect(labels, rows, cols)

    def key(r):  # noqa: ANN001, ANN202
        return (r.label, r.pixels, shapely.normalize(r.geometry.simplify(0)).wkt)

    assert sorted(map(key, whole)) == sorted(map(key, cut))
    assert all(r.geometry.geom_type == "Polygon" and r.geometry.area == r.pixels for r in cut)
    np.testing.assert_array_equal(burn([(r.geometry, r.label) for r in cut], labels.shape), labels)


@settings(max_examples=60, deadline=None)
@given(label_rasters, cuts, cuts, st.integers(0, 2**31))
def test_values_are_those_of_the_pixels(labels: np.ndarray, rows: list[int], cols: list[int], seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=(*labels.shape, 2)).astype(np.float32)
    for region in collect(labels, rows, cols, values):
        own = burn([(region.geometry, 1)], labels.shape) == 1
        np.testing.assert_allclose(region.means, values[own].mean(axis=0), atol=1e-5)
        np.testing.assert_allclose(region.peaks, values[own].max(axis=0), atol=1e-5)


def test_an_object_across_seams_comes_out_once_and_whole_with_its_courtyard() -> None:
    labels = np.zeros((60, 60), np.uint8)
    labels[10:50, 5:55] = 1
    labels[20:40, 15:45] = 0
    regions = collect(labels, [17, 30], [20, 31, 40])
    assert len(regions) == 1
    (polygon,) = clean([regions[0].geometry], tolerance=1.0)
    want = shapely.box(5, 10, 55, 50) - shapely.box(15, 20, 45, 40)
    assert polygon.equals(want)


def test_blocks_out_of_order_are_a_bug() -> None:
    collector = RegionCollector(10, 1)
    collector.add(0, 0, np.zeros((5, 5), np.uint8), np.zeros((5, 5, 1), np.float32))
    with pytest.raises(ValueError, match="expected the block at 0, 5"):
        collector.add(5, 0, np.zeros((5, 5), np.uint8), np.zeros((5, 5, 1), np.float32))


@settings(max_examples=60, deadline=None)
@given(label_rasters, st.sampled_from([0.0, 0.8, 1.5, 3.0]), st.booleans())
def test_cleaned_classes_stay_valid_and_disjoint(labels: np.ndarray, tolerance: float, several: bool) -> None:
    labels = labels if several else np.minimum(labels, 1)
    shapes = [r.geometry for r in collect(labels, [], [])]
    done = [g for g in clean(shapes, tolerance, neighbours=several) if g is not None]
    assert all(g.is_valid and g.area > 0 for g in done)
    for i, one in enumerate(done):
        for other in done[i + 1 :]:
            assert one.intersection(other).area < 1e-9


def test_neighbours_keep_their_common_edge_when_straightened() -> None:
    y, x = np.mgrid[:80, :80]
    labels = np.where(x + 0.6 * y + 3 * np.sin(y / 5) < 60, 1, 2).astype(np.uint8)
    labels[60:, :] = 3
    done = clean([r.geometry for r in collect(labels, [33], [41])], 1.5)
    assert shapely.union_all(done).area == pytest.approx(6400, abs=1e-6)
    assert sum(g.area for g in done) == pytest.approx(6400, abs=1e-6)
    assert sum(shapely.get_num_coordinates(done)) < 80


def test_slivers_go_small_holes_are_filled_and_inhabited_holes_stay() -> None:
    labels = np.zeros((30, 30), np.uint8)
    labels[2:14, 2:14] = 1
    labels[5, 5] = 0  # a speck
    labels[9:11, 9:11] = 2  # another class in a hole, small but not background
    labels[20, 2:25] = 1  # one pixel wide
    regions = collect(labels, [], [])
    done = dict(zip([(r.label, r.pixels) for r in regions], clean([r.geometry for r in regions], 0.0, 5), strict=True))
    assert done[(1, 23)] is None
    assert done[(2, 4)].equals(shapely.box(9, 9, 11, 11))
    assert done[(1, 139)].equals(shapely.box(2, 2, 14, 14) - shapely.box(9, 9, 11, 11))


def test_nothing_gives_nothing() -> None:
    assert collect(np.zeros((4, 4), np.uint8), [], []) == []
    assert clean([], 1.0) == [] and place([], Affine.identity()) == []
    assert ellipsoidal_areas([], CRS(4326)).shape == (0,)


def test_pixel_corners_go_through_the_whole_geotransform() -> None:
    transform = Affine.translation(1000, 2000) * Affine.rotation(30) * Affine.scale(0.5, -0.25)
    (square,) = place([shapely.box(3, 4, 5, 8)], transform)
    for corner in [(3, 4), (5, 4), (5, 8), (3, 8)]:
        assert square.distance(shapely.Point(transform * corner)) < 1e-9
    assert square.area == pytest.approx(8 * 0.125)


@pytest.mark.parametrize("crs", ["EPSG:32633", "EPSG:3857", "EPSG:4326", "EPSG:2263", "EPSG:27571", "EPSG:4807"])
def test_areas_are_on_the_ground_in_every_unit(crs: str) -> None:
    """Metres, degrees, US feet, a Paris meridian, and a geographic CRS that counts in grads."""
    target = CRS(crs)
    french = crs in ("EPSG:27571", "EPSG:4807")
    lon, lat = (-73.95, 40.75) if crs == "EPSG:2263" else (2.5, 48.8) if french else (15.2, 50)
    geod = Geod(ellps="WGS84")
    east, _, _ = geod.fwd(lon, lat, 90, 100)
    _, north, _ = geod.fwd(lon, lat, 0, 60)
    back = Transformer.from_crs("EPSG:4326", target, always_xy=True)
    ring = shapely.Polygon([(lon, lat), (east, lat), (east, north), (lon, north)])
    dx, dy = east - lon, north - lat
    hole = shapely.box(lon + dx * 0.25, lat + dy * 0.25, lon + dx * 0.75, lat + dy * 0.5)
    local = shapely.transform(ring - hole, lambda xy: np.stack(back.transform(xy[:, 0], xy[:, 1]), 1))
    (area,) = ellipsoidal_areas([local], target)
    assert area == pytest.approx(6000 * (1 - 0.125), rel=2e-3)
