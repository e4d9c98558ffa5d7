from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
from PIL import Image

from rsvlm_core import style
from rsvlm_core.errors import OutputError
from rsvlm_core.overview import draw_overview
from rsvlm_core.vectors import FIELDS, empty_frame


@pytest.fixture
def raster(make_raster: Callable[..., Path]) -> Path:
    rgb = np.full((300, 400, 3), (60, 90, 60), np.uint8)
    rgb[100:200, 150:250] = (200, 30, 30)
    return make_raster(rgb, gsd=0.5)


def frame(raster: Path, layer: str, boxes: list[tuple[float, ...]], texts: list[str]) -> gpd.GeoDataFrame:
    n = len(boxes)
    columns = {
        "rank": range(1, n + 1), "score": np.linspace(0.4, 0.2, n), "confidence": np.linspace(0.9, 0.5, n),
        "text": texts, "source": str(raster), "model": "fake", "gsd_m": 0.5, "area_m2": 2500.0, "mean_score": 0.2,
    }  # fmt: skip
    shapes = [shapely.box(500000 + a, 5400000 - d, 500000 + c, 5400000 - b) for a, b, c, d in boxes]
    return gpd.GeoDataFrame({k: columns[k] for k in FIELDS[layer]}, geometry=shapes, crs="EPSG:32633")


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB")).astype(int)


def near(picture: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    return np.abs(picture - np.array(colour)).max(axis=-1) < 12


def test_hits_are_outlined_where_they_are_with_chips_beside(raster: Path, tmp_path: Path) -> None:
    hits = frame(raster, "hits", [(75, 50, 125, 100), (10, 10, 40, 40)], ["red"] * 2)
    picture = pixels(draw_overview(str(raster), tmp_path / "o.png", hits=hits, title="a red field"))
    scale = 1080 / 400
    drawn = near(picture, style.SCORE_RAMP[-1])
    rows, cols = np.nonzero(drawn[:, : 22 + 1080])
    # The red field itself has another red: what is drawn spans exactly the hit.
    assert abs(cols.min() - (22 + 150 * scale)) < 4 and abs(cols.max() - (22 + 250 * scale)) < 4
    assert abs(rows.min() - (70 + 100 * scale)) < 4 and abs(rows.max() - (70 + 200 * scale)) < 4
    assert picture.shape[1] > 22 + 1080 + 22 + 200
    assert near(picture[:, 22 + 1080 + 22 :], (200, 30, 30)).sum() > 10_000  # its chip


def test_masks_are_translucent_with_a_legend_in_the_order_asked(raster: Path, tmp_path: Path) -> None:
    masks = frame(raster, "masks", [(75, 50, 125, 100), (10, 100, 60, 140)], ["field", "lawn"])
    masks.attrs["texts"] = ["lawn", "field", "lake"]
    holed = masks.geometry.iloc[1].difference(masks.geometry.iloc[1].buffer(-15))
    masks.loc[1, "geometry"] = holed
    picture = pixels(draw_overview(str(raster), tmp_path / "o.png", masks=masks))
    lawn, field = style.category_colour(0), style.category_colour(1)
    scale = 1080 / 400
    inside = picture[70 + round(150 * scale), 22 + round(200 * scale)]
    want = np.array((200, 30, 30)) * (1 - 105 / 255) + np.array(field) * 105 / 255
    assert np.abs(inside - want).max() < 8
    courtyard = picture[70 + round(240 * scale), 22 + round(70 * scale)]
    assert np.abs(courtyard - (60, 90, 60)).max() < 8
    assert near(picture[:, 1124:], lawn).sum() > 100 and near(picture[:, 1124:], field).sum() > 100


def test_nothing_found_is_a_picture_too(raster: Path, tmp_path: Path) -> None:
    for layer, argument in (("hits", "hits"), ("masks", "masks")):
        out = draw_overview(str(raster), tmp_path / f"{layer}.png", **{argument: empty_frame(layer, "EPSG:32633")})
        assert pixels(out).std() > 5
    assert pixels(draw_overview(str(raster), tmp_path / "bare.png")).shape[0] > 600


def test_other_crs_many_hits_and_long_titles(raster: Path, tmp_path: Path) -> None:
    boxes = [(x, y, x + 20, y + 20) for x in range(0, 180, 20) for y in range(0, 140, 20)]
    hits = frame(raster, "hits", boxes, ["屋根 " * 60] * len(boxes)).to_crs("EPSG:3857")
    picture = pixels(draw_overview(str(raster), tmp_path / "o.png", hits=hits, title="very " * 200))
    assert picture.shape[1] < 2000 and picture.shape[0] < 1300


def test_a_raster_of_one_pixel_and_one_of_one_row(make_raster: Callable[..., Path], tmp_path: Path) -> None:
    for shape in ((1, 1, 3), (2, 500, 3)):
        path = make_raster(np.full(shape, 99, np.uint8).transpose(2, 0, 1), f"{shape[1]}.tif")
        assert draw_overview(str(path), tmp_path / "o.png", title="x").is_file()


def test_a_place_that_cannot_be_written_is_named(raster: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="nowhere"):
        draw_overview(str(raster), tmp_path / "nowhere" / "o.png")
    assert not [p for p in tmp_path.iterdir() if p.suffix == ".png"]
