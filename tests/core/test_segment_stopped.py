"""A stopped segmentation: what is kept of it, going on, and outlines of what is finished."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from geopandas.testing import assert_geodataframe_equal

from rsvlm_core.errors import Stopped, UsageError
from rsvlm_core.pipelines.halted import Halted
from rsvlm_core.pipelines.segment import segment
from tests.fakes import COLOURS, FakeEncoder

GSDS = (0.5, 1.0)  # two looks: a place is finished when both are done


class Counting(FakeEncoder):
    """Counts what it is shown."""

    seen = 0

    def encode_patches(self, images: np.ndarray, method: str = "smooth") -> np.ndarray:
        """As it would be."""
        self.seen += len(images)
        return super().encode_patches(images, method)


@pytest.fixture
def encoder(monkeypatch: pytest.MonkeyPatch) -> Counting:
    monkeypatch.setattr("rsvlm_core.localize.scoring._BATCH_PIXELS", 4096)
    return Counting(image_size=32, patch_stride=4)


@pytest.fixture
def path(make_raster: Callable[..., Path]) -> Path:
    rgb = np.empty((400, 240, 3), np.uint8)
    rgb[:] = COLOURS["green"]
    for row in range(20, 380, 60):
        rgb[row : row + 30, 40:120] = COLOURS["red"]
    return make_raster(rgb, gsd=0.5)


def stop_after(calls: int) -> Callable[[], bool]:
    """True from the given call on."""
    asked = 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        return asked > calls

    return stop


def run(path: Path, encoder: Counting, **options: object):  # noqa: ANN201
    return segment([str(path)], ["red"], encoder, gsd=GSDS, **options)  # type: ignore[arg-type]


def test_the_same_again_goes_on_where_it_was_stopped_and_ends_alike(path: Path, encoder: Counting) -> None:
    whole = run(path, encoder)
    looked, encoder.seen, halted = encoder.seen, 0, Halted()
    for calls in (7, 11, 3):
        with pytest.raises(Stopped):
            run(path, encoder, halted=halted, should_stop=stop_after(calls))
    assert 0 < encoder.seen < looked
    again = run(path, encoder, halted=halted)
    assert encoder.seen == looked, "nothing is looked at twice"
    assert again.finished == 1 and again.threshold == whole.threshold
    assert_geodataframe_equal(again.masks, whole.masks)


def test_what_is_finished_is_outlined_by_itself_as_in_the_whole(path: Path, encoder: Counting, tmp_path: Path) -> None:
    """Its scores are those of the whole run; with the same threshold so are all outlines above its lower border."""
    files = {name: tmp_path / f"{name}.tif" for name in ("scores", "part")}
    whole, halted = run(path, encoder, threshold=0.5, scores=files["scores"]), Halted()
    with pytest.raises(Stopped) as stopped:
        run(path, encoder, threshold=0.5, halted=halted, should_stop=stop_after(60))
    assert stopped.value.finished is not None and 0.2 < stopped.value.finished < 0.8
    encoder.seen = 0
    part = run(path, encoder, threshold=0.5, halted=halted, only_finished=True, scores=files["part"])
    assert encoder.seen == 0 and part.finished == stopped.value.finished
    with rasterio.open(files["scores"]) as all_of_it, rasterio.open(files["part"]) as upper:
        assert upper.height == round(part.finished * all_of_it.height)
        np.testing.assert_array_equal(upper.read(1), all_of_it.read(1)[: upper.height])
        border = upper.bounds.bottom
    clear = whole.masks[whole.masks.bounds["miny"] > border + 2]
    found = part.masks[part.masks.bounds["miny"] > border + 2]
    assert 0 < len(clear) < len(whole.masks)
    np.testing.assert_allclose(sorted(found.area), sorted(clear.area))
    encoder.seen = 0
    assert run(path, encoder, threshold=0.5, halted=halted).finished == 1, "it can still go on"
    assert encoder.seen > 0


def test_an_automatic_threshold_is_that_of_the_finished_part(path: Path, encoder: Counting) -> None:
    halted = Halted()
    with pytest.raises(Stopped):
        run(path, encoder, halted=halted, should_stop=stop_after(60))
    part = run(path, encoder, halted=halted, only_finished=True)
    assert len(part.masks) and 0 < part.threshold["red"] < 1


def test_other_questions_and_changed_files_begin_afresh(
    path: Path, encoder: Counting, make_raster: Callable[..., Path]
) -> None:
    halted = Halted()
    with pytest.raises(Stopped):
        run(path, encoder, halted=halted, should_stop=stop_after(60))
    with pytest.raises(UsageError, match="Nothing of it is finished"):
        segment([str(path)], ["blue"], encoder, gsd=GSDS, halted=halted, only_finished=True)
    with pytest.raises(UsageError, match="Nothing of it is finished"):
        run(path, encoder, halted=halted, only_finished=True)  # it made way for the other
    with pytest.raises(Stopped):
        run(path, encoder, halted=halted, should_stop=stop_after(60))
    with rasterio.open(path, "r+") as file:
        file.write(np.zeros((3, 400, 240), np.uint8))
    with pytest.raises(UsageError, match="Nothing of it is finished"):
        run(path, encoder, halted=halted, only_finished=True)


def test_before_the_first_rows_are_finished_and_without_a_keeper_there_is_nothing(
    path: Path, encoder: Counting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    halted = Halted()
    with pytest.raises(Stopped) as stopped:
        run(path, encoder, halted=halted, should_stop=stop_after(1))
    assert stopped.value.finished == 0 and list(tmp_path.glob("rsvlm-*"))
    halted.forget()
    with pytest.raises(Stopped) as stopped:
        run(path, encoder, should_stop=stop_after(60))
    assert stopped.value.finished is None and not list(tmp_path.glob("rsvlm-*"))
    assert run(path, encoder, halted=halted).finished == 1 and not list(tmp_path.glob("rsvlm-*"))


def test_of_several_rasters_the_finished_ones_count(path: Path, encoder: Counting) -> None:
    halted, both = Halted(), [str(path), str(path)]
    whole = run(path, encoder)
    with pytest.raises(Stopped) as stopped:
        segment(both, ["red"], encoder, gsd=GSDS, halted=halted, should_stop=stop_after(encoder.seen + 4))
    assert stopped.value.finished == pytest.approx(0.5, abs=0.1)
    part = segment(both, ["red"], encoder, gsd=GSDS, halted=halted, only_finished=True)
    assert len(part.masks) == len(whole.masks)


def test_a_mosaic_whose_file_changed_begins_afresh(path: Path, encoder: Counting, tmp_path: Path) -> None:
    mosaic, kept = tmp_path / "m.vrt", Halted()
    with rasterio.open(path) as found:
        west, north, kind = found.transform.c, found.transform.f, found.crs.to_wkt().replace('"', "&quot;")
    bands = "".join(
        f'<VRTRasterBand dataType="Byte" band="{n}"><SimpleSource><SourceFilename relativeToVRT="1">{path.name}'
        f"</SourceFilename><SourceBand>{n}</SourceBand></SimpleSource></VRTRasterBand>" for n in (1, 2, 3)
    )
    mosaic.write_text(
        f'<VRTDataset rasterXSize="240" rasterYSize="400"><SRS>{kind}</SRS><GeoTransform>{west},0.5,0,{north},0,-0.5'
        f"</GeoTransform>{bands}</VRTDataset>"
    )
    with pytest.raises(Stopped) as stop:
        run(mosaic, encoder, halted=kept, should_stop=stop_after(20))
    assert stop.value.finished
    with rasterio.open(path, "r+") as found:
        found.write(np.moveaxis(np.full((400, 240, 3), COLOURS["green"], np.uint8), 2, 0))
    os.utime(path, (1, 1))
    with pytest.raises(UsageError, match="Nothing of it is finished"):
        run(mosaic, encoder, halted=kept, only_finished=True)
    assert len(run(mosaic, encoder, halted=kept).masks) == 0
