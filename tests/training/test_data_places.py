from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from training.data.places import CELL_DEG, GUARD_DEG, place_fold, side
from training.data.shards import read_samples


@given(lat=st.floats(-60, 60), lon=st.floats(-170, 170), bearing=st.floats(0, 2 * math.pi), step=st.floats(0, 1.99))
def test_neighbours_are_never_on_two_sides(lat: float, lon: float, bearing: float, step: float) -> None:
    # along an axis, less than twice the guard apart
    near = (lat + step * GUARD_DEG, lon) if bearing < math.pi else (lat, lon + step * GUARD_DEG)
    sides = {side({"lat": lat, "lon": lon}, 0, 2), side({"lat": near[0], "lon": near[1]}, 0, 2)}
    assert sides != {"train", "test"}


def test_folds_are_even_and_follow_the_seed() -> None:
    cells = [(i * CELL_DEG + CELL_DEG / 2, 10.0 + CELL_DEG / 2) for i in range(1000)]
    counts = Counter(place_fold(*c) for c in cells)
    assert set(counts) == {0, 1, 2, 3, 4} and min(counts.values()) > 150
    assert [place_fold(*c) for c in cells] != [place_fold(*c, seed=1) for c in cells]


def test_sides() -> None:
    fold = place_fold(0.025, 0.025)
    assert side({"lat": 0.025, "lon": 0.025}, fold) == "test"
    assert side({"lat": 0.025, "lon": 0.0001}, fold) in ("test", "neither")
    assert side({"class": "x"}, 0) == "train"


def test_real_sets_have_both_sides(shared_data: Path) -> None:
    for name in ("sentinel2", "harvey"):
        metas = [s.meta for s in read_samples([shared_data / "data" / name / "train-000.tar"])]
        counts = Counter(side(m, 0) for m in metas)
        assert counts["test"] > 0.05 * len(metas) and counts["train"] > 0.45 * len(metas)
