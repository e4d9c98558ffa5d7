"""Fixtures of the engine's tests."""

from __future__ import annotations

import numpy as np
import pytest

from rsvlm_core.index import plan
from tests.core.indexes import Make


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of 16 tiles, so that a small raster has several."""
    monkeypatch.setattr(plan, "PART_TILES", 16)


@pytest.fixture
def scene(make_raster: Make) -> str:
    """Noise with a hole: TILES tiles at 0.5, 1 and 2 m, the first ones in the hole."""
    noise = np.random.default_rng(7).integers(1, 255, (3, 160, 200)).astype(np.uint8)
    noise[:, :70, :70] = 0
    return str(make_raster(noise, "scene.tif", nodata=0))
