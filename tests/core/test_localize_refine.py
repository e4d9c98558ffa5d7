import numpy as np
import pytest
import shapely
from shapely import affinity

from rsvlm_core.localize.orthogonal import orthogonalise
from rsvlm_core.localize.refine import LIMIT, guided, reach


def scene() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A house on a lawn with some noise, and coarse scores of it: blurred, and shifted a little."""
    rng = np.random.default_rng(0)
    truth = np.zeros((120, 140), bool)
    truth[37:81, 43:97] = True
    rgb = np.where(truth[..., None], [170, 90, 80], [80, 120, 70]) + rng.normal(0, 6, (120, 140, 3))
    coarse = np.repeat(np.repeat(truth.reshape(15, 8, 14, 10).mean(axis=(1, 3)), 8, 0), 10, 1)
    return np.clip(rgb, 0, 255).astype(np.uint8), (6 * coarse - 3).astype(np.float32)[..., None], truth


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


def test_scores_follow_the_edges_of_the_image() -> None:
    rgb, z, truth = scene()
    before = iou(z[..., 0] > 0, truth)
    after = iou(guided(z, rgb, np.ones(truth.shape, bool), 8)[..., 0] > 0, truth)
    assert after > 0.97 > before


def test_blocks_with_their_margin_give_what_the_whole_gives() -> None:
    rgb, z, truth = scene()
    valid = np.random.default_rng(1).random(truth.shape) > 0.1
    whole = guided(z, rgb, valid, 5)
    m = reach(5)
    part = guided(z[40 - m : 70 + m, 50 - m : 90 + m], rgb[40 - m : 70 + m, 50 - m : 90 + m],
                  valid[40 - m : 70 + m, 50 - m : 90 + m], 5)  # fmt: skip
    np.testing.assert_allclose(part[m:-m, m:-m], whole[40:70, 50:90], atol=2e-3)


def test_constant_scores_stay_and_channels_do_not_mix() -> None:
    rgb, z, truth = scene()
    valid = np.ones(truth.shape, bool)
    valid[:, 100:] = False
    both = np.concatenate([z, np.full_like(z, -2.0)], axis=-1)
    out = guided(both, rgb, valid, 6)
    np.testing.assert_allclose(out[:, :90, 1], -2.0, atol=1e-2)
    np.testing.assert_allclose(out[..., :1], guided(z, rgb, valid, 6), atol=1e-4)
    assert np.isfinite(out).all()


def test_invalid_pixels_have_no_say() -> None:
    rgb, z, truth = scene()
    valid = np.ones(truth.shape, bool)
    valid[:, 60:] = False
    other_rgb, other_z = rgb.copy(), z.copy()
    other_rgb[:, 60:], other_z[:, 60:] = 255, 50.0
    np.testing.assert_allclose(
        guided(z, rgb, valid, 6)[:, :60], guided(other_z, other_rgb, valid, 6)[:, :60], atol=1e-4
    )


def test_the_far_background_does_not_shout_down_a_narrow_road() -> None:
    rgb = np.full((60, 60, 3), (80, 120, 70), np.uint8)
    rgb[28:33] = (150, 150, 150)
    truth = (rgb == 150).all(axis=-1)
    z = np.where(truth, 1.0, -30.0).astype(np.float32)[..., None]
    out = guided(z, rgb, np.ones(truth.shape, bool), 8)[..., 0]
    assert iou(out > 0, truth) > 0.95 and np.abs(out).max() <= LIMIT


def test_radius_nought_is_nothing() -> None:
    rgb, z, truth = scene()
    assert guided(z, rgb, np.ones(truth.shape, bool), 0) is z


@pytest.mark.parametrize("angle", [0, 17, 45, 80])
def test_a_building_with_wobbly_walls_gets_right_angles(angle: float) -> None:
    plan = shapely.Polygon([(0, 0), (60, 0), (60, 25), (30, 25), (30, 45), (0, 45)])
    rng = np.random.default_rng(3)
    xy = shapely.get_coordinates(shapely.segmentize(plan, 8.0))[:-1]
    wobbly = affinity.rotate(shapely.Polygon(xy + rng.uniform(-0.9, 0.9, xy.shape)), angle, origin=(0, 0))
    (done,) = orthogonalise([wobbly])
    edges = np.diff(shapely.get_coordinates(done.exterior), axis=0)
    angles = np.degrees(np.arctan2(edges[:, 1], edges[:, 0])) % 90
    assert len(edges) == 6
    assert np.ptp((angles - angles[0] + 45) % 90) < 0.01
    off = (angles[0] - angle) % 90
    assert min(off, 90 - off) < 3
    want = affinity.rotate(plan, angle, origin=(0, 0))
    assert done.intersection(want).area / done.union(want).area > 0.93


def test_round_things_stay_round_and_none_stays_none() -> None:
    disc, thin = shapely.Point(50, 50).buffer(30), shapely.Polygon([(0, 0), (40, 1), (0, 2)])
    assert orthogonalise([disc, None, thin], min_overlap=0.95) == [disc, None, thin]
    assert orthogonalise([]) == []


def test_courtyards_stay_and_neighbours_stay_apart() -> None:
    yard = shapely.box(0, 0, 60, 60) - shapely.box(20, 20, 40, 40)
    left = affinity.rotate(shapely.box(100, 0, 140, 40), 3)
    right = affinity.rotate(shapely.box(139, 0, 180, 40), -2).difference(left)
    done = orthogonalise([yard, left, right])
    assert len(done[0].interiors) == 1 and done[0].area == pytest.approx(3200, rel=0.02)
    assert done[1].intersection(done[2]).area < 1e-6
    assert all(g.is_valid for g in done)
