"""Search: known colours at known places."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
from affine import Affine

from rsvlm_core.errors import OutputError, RasterError, SearchIndexError, Stopped, UsageError
from rsvlm_core.imagery.raster import Raster
from rsvlm_core.index.builder import build_index
from rsvlm_core.pipelines import corpus
from rsvlm_core.pipelines.search import HIT_COLUMNS, SearchResult, search
from rsvlm_core.pipelines.suppress import keep_best
from tests.fakes import COLOURS, FakeEncoder

Make = Callable[..., Path]
# (colour, row, col, side) in pixels of 0.5 m; the map is 256 x 320 pixels, grey
PLACES = (("red", 20, 30, 40), ("red", 180, 250, 40), ("green", 100, 150, 70), ("blue", 200, 40, 36))


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RSVLM_CACHE", str(tmp_path / "cache"))


def _picture() -> np.ndarray:
    picture = np.full((256, 320, 3), 128, np.uint8)
    for colour, row, col, side in PLACES:
        picture[row : row + side, col : col + side] = COLOURS[colour]
    return np.moveaxis(picture, 2, 0)


@pytest.fixture
def scene(make_raster: Make) -> str:
    return str(make_raster(_picture(), "scene.tif"))


def _place(number: int) -> shapely.Polygon:
    _, row, col, side = PLACES[number]
    x, y = 500000 + col / 2, 5400000 - row / 2
    return shapely.box(x, y - side / 2, x + side / 2, y)


def _find(source: str | list[str], texts: list[str], **options: object) -> SearchResult:
    named = [source] if isinstance(source, str) else source
    return search(named, texts, FakeEncoder(), **options)  # type: ignore[arg-type]


def test_colours_are_found_where_they_are(scene: str) -> None:
    result = _find(scene, ["red", "blue"], top=3)
    hits = result.hits
    assert tuple(hits.columns) == HIT_COLUMNS and hits.crs.to_epsg() == 32633
    assert hits["rank"].tolist() == [1, 2, 3, 1, 2, 3] and hits["text"].tolist() == ["red"] * 3 + ["blue"] * 3
    red, blue = hits[hits["text"] == "red"], hits[hits["text"] == "blue"]
    assert {i for i in (0, 1) for g in red.geometry[:2] if g.intersection(_place(i)).area > 0.5 * g.area} == {0, 1}
    assert blue.geometry.iloc[0].intersection(_place(3)).area > 0.5 * blue.geometry.iloc[0].area
    assert (red["score"].diff().dropna() <= 0).all() and red["score"].iloc[0] > 0.9
    every = _find(scene, ["red"], top=999).hits["confidence"]
    assert every.iloc[0] > 0.9 > 0.5 > every.iloc[-1] and every.between(0, 1).all()
    assert set(hits["source"]) == {scene} and set(hits["model"]) == {"fake"} and (hits["gsd_m"] > 0.49).all()
    assert result.tiles_searched > 50 and result.seconds_query > 0 and not result.failed


def test_an_index_and_its_raster_give_the_same(scene: str, tmp_path: Path) -> None:
    build_index([scene], tmp_path / "x.rsindex", FakeEncoder())
    by_raster, by_index = _find(scene, ["green"]), _find(str(tmp_path / "x.rsindex"), ["green"])
    assert by_raster.hits.equals(by_index.hits)


def test_the_cache_is_used_and_follows_changes(scene: str, make_raster: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = FakeEncoder()
    first = search([scene], ["red"], encoder).hits
    seen = encoder.images_seen
    assert search([scene], ["red"], encoder).hits.equals(first) and encoder.images_seen == seen
    search([scene], ["red"], encoder, gsds=[2.0])
    assert encoder.images_seen > seen
    make_raster(np.full((3, 256, 320), 128, np.uint8), "scene.tif")
    assert search([scene], ["red"], encoder).hits["score"].max() < first["score"].max() - 0.2, "the red is gone"


def test_only_the_extent_is_embedded_and_searched(scene: str) -> None:
    encoder = FakeEncoder()
    box = _place(1).buffer(5).bounds
    result = search([scene], ["red"], encoder, extent=box)
    assert 0 < encoder.images_seen < 30 and result.tiles_searched <= encoder.images_seen
    assert (result.hits.intersection(shapely.box(*box)).area > 0).all()
    seen = encoder.images_seen
    whole = search([scene], ["red"], encoder)
    assert whole.hits.equals(_find(scene, ["red"]).hits) and encoder.images_seen > seen
    again = search([scene], ["red"], encoder, extent=box)
    assert again.hits.equals(result.hits), "the same whatever else is in the cache"


def test_a_small_extent_finds_the_tiles_around_it(scene: str) -> None:
    middle = _place(0).centroid
    result = _find(scene, ["red"], extent=middle.buffer(1).bounds, top=1)
    assert result.hits.geometry.iloc[0].contains(middle)


def test_filters_come_before_ranking(scene: str, tmp_path: Path) -> None:
    everywhere = _find(scene, ["red"], top=1).hits
    areas = gpd.GeoDataFrame(geometry=[_place(3).buffer(3), _place(2)], crs="EPSG:32633").to_crs("EPSG:3857")
    areas.to_file(tmp_path / "areas.gpkg")
    result = _find(scene, ["red"], top=1, within=tmp_path / "areas.gpkg")
    assert len(result.hits) == 1 and not result.hits.geometry.iloc[0].intersects(everywhere.geometry.iloc[0])
    both = _find(scene, ["green"], within=tmp_path / "areas.gpkg", extent=_place(2).bounds)
    assert (both.hits.intersection(_place(2)).area >= 0.49 * both.hits.area).any()
    assert (both.hits.intersection(_place(3)).area == 0).all()


def test_min_score_and_top(scene: str) -> None:
    assert len(_find(scene, ["red"], top=2).hits) == 2
    best = _find(scene, ["red"], top=1).hits["score"].iloc[0]
    assert (_find(scene, ["red"], min_score=best - 0.01).hits["score"] >= best - 0.01).all()
    nothing = _find(scene, ["red", "blue"], min_score=1.0)
    assert len(nothing.hits) == 0 and tuple(nothing.hits.columns) == HIT_COLUMNS
    assert nothing.hits.crs.to_epsg() == 32633 and nothing.hits["rank"].dtype.kind == "i"
    with pytest.raises(UsageError, match="top is 0"):
        _find(scene, ["red"], top=0)


def test_overlapping_hits_are_merged_across_scales(scene: str) -> None:
    hits = _find(scene, ["green"], top=500).hits
    shapes = hits.geometry.to_numpy()
    for i, one in enumerate(shapes):
        for j in range(i):
            two = shapes[j]
            share = one.intersection(two).area / min(one.area, two.area)
            same = np.isclose(hits["gsd_m"].iloc[i], hits["gsd_m"].iloc[j])
            assert share <= (0.351 if same else 0.501)
    assert len(set(hits["gsd_m"])) > 1, "several scales take part"


def test_every_tile_is_shown_or_covered_by_a_better_one(scene: str, tmp_path: Path) -> None:
    build_index([scene], tmp_path / "x.rsindex", FakeEncoder())
    result = _find(str(tmp_path / "x.rsindex"), ["green"], top=10_000)
    assert len(result.hits) < result.tiles_searched
    tiles = gpd.read_parquet(tmp_path / "x.rsindex" / "parts" / "part-00000.parquet").to_crs(32633)
    shown = shapely.union_all(result.hits.geometry.to_numpy())
    assert (tiles.intersection(shown).area > 0.3 * tiles.area).all()


def test_two_runs_are_equal_and_ties_are_in_order(make_raster: Make) -> None:
    flat = str(make_raster(np.full((3, 200, 200), 77, np.uint8), "flat.tif"))
    one, two = _find(flat, ["grey"], top=7).hits, _find(flat, ["grey"], top=7).hits
    assert one.equals(two) and one["score"].nunique() == 1
    places = [(round(-g.bounds[3]), round(g.bounds[0])) for g in one.geometry]
    assert places == sorted(places), "equal ones as they lie in the grid"


def test_several_rasters_in_the_first_ones_crs(scene: str, make_raster: Make) -> None:
    with Raster.open(scene) as raster:
        assert raster.crs.to_epsg() == 32633
    degrees = Affine(5e-6, 0, 15.002, 0, -5e-6, 48.7)
    red = np.empty((3, 100, 100), np.uint8)
    red[:] = np.array(COLOURS["red"])[:, None, None]
    other = str(make_raster(red, "degrees.tif", crs="EPSG:4326", transform=degrees))
    hits = _find([scene, other], ["red"], top=30).hits
    assert hits.crs.to_epsg() == 32633 and set(hits["source"]) == {scene, other}
    there = shapely.union_all(hits[hits["source"] == other].geometry.to_numpy()).centroid
    assert gpd.GeoSeries([there], crs=32633).to_crs(4326).iloc[0].distance(shapely.Point(15.00225, 48.69975)) < 2e-4
    turned = _find([other, scene], ["red"], top=30).hits
    assert turned.crs.to_epsg() == 4326 and len(turned) == len(hits)
    best = hits[hits["source"] == other]["score"].max()
    assert hits["score"].iloc[0] == pytest.approx(best), "one ranking over all rasters"


def test_the_same_place_in_two_rasters_is_two_hits(scene: str, make_raster: Make) -> None:
    later = str(make_raster(_picture(), "later.tif"))
    hits = _find([scene, later], ["green"], top=2).hits
    assert set(hits["source"]) == {scene, later}


def test_like_and_unlike_examples(scene: str, tmp_path: Path) -> None:
    def example(name: str, *places: int) -> Path:
        gpd.GeoDataFrame(geometry=[_place(i) for i in places], crs=32633).to_crs(4326).to_file(tmp_path / name)
        return tmp_path / name

    blue = example("blue.geojson", 3)
    alike = _find(scene, [], like=blue, top=1).hits
    assert alike.geometry.iloc[0].intersects(_place(3)) and alike["text"].iloc[0] == "like blue.geojson"
    assert alike["score"].iloc[0] == pytest.approx(1, abs=1e-4) and alike["confidence"].iloc[0] > 0.5
    both = _find(scene, ["grey"], like=blue, top=1).hits
    assert both.geometry.iloc[0].intersects(_place(3)), "the example pulls the text its way"
    pale = _find(scene, ["yellow"], top=1).hits.geometry.iloc[0]
    assert pale.intersects(_place(2)) or pale.intersects(_place(0))
    first, second = _find(scene, ["red"], top=2).hits.geometry
    gpd.GeoDataFrame(geometry=[first.centroid], crs=32633).to_file(tmp_path / "point.gpkg")
    without = _find(scene, ["green"], unlike=example("green.gpkg", 2), top=1).hits
    assert without["score"].iloc[0] < _find(scene, ["green"], top=1).hits["score"].iloc[0]
    near = _find(scene, [], like=tmp_path / "point.gpkg", top=2).hits
    assert all(any(g.intersection(p).area > 0.3 * g.area for p in (first, second)) for g in near.geometry)


def test_an_example_outside_is_refused(scene: str, tmp_path: Path) -> None:
    gpd.GeoDataFrame(geometry=[shapely.Point(0, 0)], crs=4326).to_file(tmp_path / "far.gpkg")
    with pytest.raises(UsageError, match="None of the features"):
        _find(scene, [], like=tmp_path / "far.gpkg")
    with pytest.raises(UsageError, match="nothing to search for"):
        _find(scene, [], unlike=tmp_path / "far.gpkg")
    with pytest.raises(UsageError, match="no such file"):
        _find(scene, ["red"], like=tmp_path / "gone.gpkg")
    (tmp_path / "text.gpkg").write_text("no map")
    with pytest.raises(UsageError, match="not a vector file"):
        _find(scene, ["red"], within=tmp_path / "text.gpkg")
    with pytest.raises(UsageError, match="no polygons"):
        _find(scene, ["red"], within=tmp_path / "far.gpkg")
    gpd.GeoDataFrame(geometry=gpd.GeoSeries([], crs=4326)).to_parquet(tmp_path / "empty.parquet")
    with pytest.raises(UsageError, match="no features"):
        _find(scene, ["red"], within=tmp_path / "empty.parquet")


def test_what_cannot_be_searched(scene: str, tmp_path: Path) -> None:
    for texts in ([""], ["red", "  "]):
        with pytest.raises(UsageError, match="text is empty"):
            _find(scene, texts)
    with pytest.raises(UsageError, match="0,0,10,10 lies outside .*scene.tif, which covers 500000"):
        _find(scene, ["red"], extent=(0, 0, 10, 10))
    with pytest.raises(UsageError, match="No raster"):
        _find([], ["red"])
    with pytest.raises(RasterError, match="no such file"):
        _find(str(tmp_path / "gone.tif"), ["red"])
    with pytest.raises(SearchIndexError, match="no such folder"):
        _find(str(tmp_path / "gone.rsindex"), ["red"])
    build_index([scene], tmp_path / "x.rsindex", FakeEncoder())
    index = str(tmp_path / "x.rsindex")
    with pytest.raises(UsageError, match="searched alone"):
        _find([index, scene], ["red"])
    with pytest.raises(UsageError, match="fixed"):
        _find(index, ["red"], bands=(1, 2, 3))
    with pytest.raises(UsageError, match="lies outside"):
        _find(index, ["red"], extent=(0, 0, 10, 10))
    with pytest.raises(Stopped):
        _find(scene, ["red"], should_stop=lambda: True)


def test_an_unwritable_cache_says_what_to_set(scene: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("RSVLM_CACHE", str(tmp_path / "file"))
    with pytest.raises(OutputError) as caught:
        _find(scene, ["red"])
    assert "RSVLM_CACHE" in caught.value.remedy


def test_an_unfinished_index_is_searched_as_far_as_it_is(scene: str, tmp_path: Path) -> None:
    out = tmp_path / "x.rsindex"
    build_index([scene], out, FakeEncoder())
    whole = _find(str(out), ["red"]).tiles_searched
    (out / "parts" / "part-00000.parquet").unlink()
    part = _find(str(out), ["red"])
    assert part.tiles_searched < whole and tuple(part.hits.columns) == HIT_COLUMNS


def test_the_cache_forgets_what_was_not_used(
    scene: str, make_raster: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = str(make_raster(_picture(), "other.tif"))
    _find(scene, ["red"])
    monkeypatch.setattr(corpus, "CACHE_BYTES", 1000)
    _find(other, ["red"])
    left = [p.name for p in (tmp_path / "cache" / "indexes").iterdir()]
    assert len(left) == 1 and left[0].startswith("other-")


def test_texts_are_searched_once_and_trimmed(scene: str) -> None:
    hits = _find(scene, [" red ", "red", "a  red   roof"], top=1).hits
    assert hits["text"].tolist() == ["red", "a red roof"]


def test_suppression_by_hand() -> None:
    boxes = [(0, 0, 10, 10), (7.5, 0, 17.5, 10), (6, 0, 16, 10), (2, 2, 7, 7), (30, 0, 40, 10), (0, 0, 10, 10)]
    outlines = np.array([shapely.box(*b) for b in boxes], dtype=object)
    gsds = np.array([1, 1, 1, 0.5, 1, 1.0])
    sources = ["a"] * 5 + ["b"]
    assert keep_best(outlines, sources, gsds, 10).tolist() == [0, 1, 4, 5]
    assert keep_best(outlines, sources, gsds, 2).tolist() == [0, 1]
    assert keep_best(outlines[:0], [], gsds[:0], 2).tolist() == []
