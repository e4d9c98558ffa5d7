"""Outlines made again from kept scores are those of a fresh run."""

from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio

from rsvlm_core import jobs
from rsvlm_core.errors import RasterError, UsageError
from rsvlm_core.pipelines.rethreshold import rethreshold
from rsvlm_core.pipelines.segment import segment
from tests.fakes import COLOURS, FakeEncoder


@pytest.fixture
def encoder() -> FakeEncoder:
    return FakeEncoder(image_size=32, patch_stride=4)


@pytest.fixture
def raster(make_raster: Callable[..., Path]) -> Path:
    rgb = np.empty((200, 240, 3), np.uint8)
    rgb[:] = COLOURS["green"]
    rgb[20:180, 20:100] = COLOURS["red"]
    rgb[20:180, 100:190] = COLOURS["blue"]
    rgb[60:70, 200:215] = COLOURS["red"]
    return make_raster(rgb, gsd=0.5)


@pytest.mark.parametrize("extent", [None, (500012.0, 5399930.0, 500080.0, 5399990.0)])
@pytest.mark.parametrize("threshold, least", [(0.3, None), (0.5, 0.0), (0.7, 500.0), (0.999, None)])
def test_another_threshold_gives_what_a_fresh_run_gives(
    raster: Path, encoder: FakeEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    threshold: float, least: float | None, extent: tuple[float, float, float, float] | None,
) -> None:
    monkeypatch.setattr("rsvlm_core.pipelines.rethreshold.BLOCK", 64)
    scores, cosines, texts = tmp_path / "s.tif", tmp_path / "c.tif", ["red", "blue"]
    segment([str(raster)], texts, encoder, scores=scores, cosines=cosines, extent=extent)
    want = segment([str(raster)], texts, encoder, threshold=threshold, min_area_m2=least, extent=extent).masks
    got = rethreshold(scores, cosines, threshold, min_area_m2=least)
    assert got.threshold == pytest.approx(dict.fromkeys(texts, threshold)) and got.source == str(raster)
    assert list(got.masks.columns) == list(want.columns) and got.masks.crs == want.crs
    assert len(got.masks) == len(want) > 0
    for one, other in zip(got.masks.itertuples(), want.itertuples(), strict=True):
        assert (one.rank, one.text, one.source, one.model) == (other.rank, other.text, other.source, other.model)
        assert one.geometry.symmetric_difference(other.geometry).area < 1e-6
        for field in ("score", "confidence", "mean_score", "area_m2", "gsd_m"):
            assert getattr(one, field) == pytest.approx(getattr(other, field), abs=1e-5)


def test_the_job_writes_the_file_without_a_model(raster: Path, encoder: FakeEncoder, tmp_path: Path) -> None:
    class NoModels:
        def get(self, *wanted: object) -> None:
            raise AssertionError(wanted)

    scores, cosines, out = tmp_path / "s.tif", tmp_path / "c.tif", tmp_path / "masks.gpkg"
    segment([str(raster)], ["red", "blue"], encoder, scores=scores, cosines=cosines)
    told: list[str] = []
    context = jobs.Context(encoders=NoModels(), finished=lambda kind, path: told.append(kind))  # type: ignore[arg-type]
    given = {"scores": str(scores), "cosines": str(cosines), "out": str(out), "threshold": 0.5}
    summary = jobs.job("polygons")(jobs.Params(given), context)
    written = gpd.read_file(out)
    assert summary["count"] == len(written) == len(summary["masks"]) > 1 and told == ["masks"]  # type: ignore[arg-type]
    assert set(written["text"]) == {"red", "blue"} and summary["outputs"] == {"masks": str(out)}


def test_each_text_may_have_its_own_threshold(raster: Path, encoder: FakeEncoder, tmp_path: Path) -> None:
    scores, cosines = tmp_path / "s.tif", tmp_path / "c.tif"
    segment([str(raster)], ["red", "blue"], encoder, scores=scores, cosines=cosines)
    both = rethreshold(scores, cosines, [0.5, 0.5])
    assert both.masks.equals(rethreshold(scores, cosines, 0.5).masks)
    only_blue = rethreshold(scores, cosines, [1.0, 0.5])
    assert only_blue.threshold == {"red": 1.0, "blue": 0.5} and set(only_blue.masks["text"]) == {"blue"}


def test_what_is_no_pair_of_scores_is_refused(raster: Path, encoder: FakeEncoder, tmp_path: Path) -> None:
    scores, cosines, other = tmp_path / "s.tif", tmp_path / "c.tif", tmp_path / "o.tif"
    segment([str(raster)], ["red", "blue"], encoder, scores=scores, cosines=cosines)
    segment([str(raster)], ["red"], encoder, cosines=other)
    for one, two in ((raster, cosines), (scores, scores), (scores, other), (scores, tmp_path / "gone.tif")):
        with pytest.raises(RasterError):
            rethreshold(one, two, 0.5)
    for threshold in (1.5, float("nan"), [0.5, 0.5, 0.5], []):
        with pytest.raises(UsageError):
            rethreshold(scores, cosines, threshold)
    with rasterio.open(cosines) as bands:
        assert bands.descriptions == ("red", "blue") and -1 <= bands.read(1).min() <= bands.read(1).max() <= 1
