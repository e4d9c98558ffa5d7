from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.evaluate.pixels import Counts, ScorePool, resize_labels, upsample


def test_counts_pool_all_pixels_of_the_set() -> None:
    counts = Counts()
    counts.add(np.array([[1, 1, 0]], bool), np.array([[1, 0, 1]], bool))      # tp 1 fp 1 fn 1
    counts.add(np.array([[1, 1, 1]], bool), np.array([[1, 1, 1]], bool))      # tp 3
    counts.add(np.array([[0]], bool), np.array([[0]], bool))                  # nothing there, nothing said
    found = counts.report()
    assert found["iou"] == pytest.approx(4 / 6) and found["precision"] == found["recall"] == pytest.approx(4 / 5)
    assert found["f1"] == pytest.approx(0.8) and found["mean_image_iou"] == pytest.approx((1 / 3 + 1) / 2)
    assert Counts().report()["iou"] == 0.0 and not Counts().present


def test_average_precision_by_hand() -> None:
    pool = ScorePool()
    pool.add(np.array([0.9, 0.8]), np.array([True, False]))
    pool.add(np.array([0.7, 0.6, 0.5]), np.array([True, False, True]))
    # positives at ranks 1, 3, 5
    assert pool.average_precision() == pytest.approx((1 / 1 + 2 / 3 + 3 / 5) / 3)
    assert pool.oracle_iou() == pytest.approx(2 / 4 if 2 / 4 > 3 / 5 else 3 / 5)


def test_constant_scores_have_the_prevalence_as_average_precision() -> None:
    pool = ScorePool()
    pool.add(np.full(8, 0.25), np.arange(8) < 2)
    assert pool.average_precision() == pytest.approx(0.25) and pool.oracle_iou() == pytest.approx(0.25)
    assert ScorePool().average_precision() == 0.0 == ScorePool().oracle_iou()


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 40), levels=st.integers(1, 50))
def test_average_precision_equals_its_definition(seed: int, n: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    scores, truth = rng.integers(levels, size=n) / 50 - 0.5, rng.random(n) < 0.4
    pool = ScorePool()
    pool.add(scores, truth)
    expected, previous = 0.0, 0.0
    for t in sorted(set(scores), reverse=True):
        chosen = scores >= t
        recall = (chosen & truth).sum() / max(1, truth.sum())
        expected += (recall - previous) * (chosen & truth).sum() / chosen.sum()
        previous = recall
    assert pool.average_precision() == pytest.approx(expected)


def test_upsampling_is_bilinear_between_cell_centres() -> None:
    grid = np.array([[0.0, 1.0]], dtype=np.float32)
    assert upsample(grid, 1, 4)[0].tolist() == pytest.approx([0.0, 0.25, 0.75, 1.0])
    assert upsample(np.ones((2, 3, 5), np.float32), 4, 7).shape == (4, 7, 5)


def test_labels_are_resized_without_new_values() -> None:
    assert resize_labels(np.array([[1, 2]], np.uint8), 2, 4).tolist() == [[1, 1, 2, 2]] * 2
