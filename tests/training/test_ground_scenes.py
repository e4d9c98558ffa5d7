"""What the proof of ground alignment is made from: scenes whose landmarks lie where the labels say."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from pyproj import Transformer

from tests.fakes import FakeEncoder
from tests.training.scenes import encode, write_tar
from training.build.photos import Photo, read_photos
from training.data.shards import read_samples
from training.ground_proof import _per_kind, looked_for
from training.ground_scenes import (
    CELL,
    KINDS,
    Scene,
    Spot,
    _drawn,
    close_up,
    kind_at,
    landmarks,
    lay_out,
    put_up_signs,
    truth_of,
)


def painted(at: tuple[int, int], colour: tuple[int, int, int]) -> Scene:
    """Grey ground with one square of colour, which is an airplane to those who know."""
    image, truth = np.full((CELL, CELL, 3), 120, np.uint8), np.zeros((CELL, CELL), np.uint8)
    x, y = at
    image[y - 12 : y + 12, x - 12 : x + 12] = colour
    truth[y - 12 : y + 12, x - 12 : x + 12] = KINDS.index("airplane")
    return Scene(image, [Spot(float(x), float(y), 12.0)], truth)


def test_photographs_stand_where_their_table_says(tmp_path: Path) -> None:
    scenes = [painted((40 + 30 * n, 180 - 30 * n), (250 - 60 * n, 20, 60 * n)) for n in range(4)]
    mosaic, table = lay_out(tmp_path, scenes, 0)
    placed = [p for p in read_photos(table, tmp_path / "photos") if isinstance(p, Photo)]
    assert len(placed) == 4
    with rasterio.open(mosaic) as source:
        to_metres = Transformer.from_crs("EPSG:4326", source.crs, always_xy=True)
        for n, photo in enumerate(placed):
            row, col = source.index(*to_metres.transform(photo.lon, photo.lat))
            assert source.read()[:, row, col].tolist() == [250 - 60 * n, 20, 60 * n]
            assert truth_of(tmp_path, photo.path.name)[row % CELL, col % CELL] == KINDS.index("airplane")


def test_a_close_up_shows_what_is_around_its_point_and_never_twice_the_same() -> None:
    scene = painted((60, 90), (230, 20, 20))
    rng = np.random.default_rng(0)
    here = [np.asarray(close_up(scene.image, scene.spots[0], rng), np.int16) for _ in range(4)]
    there = np.asarray(close_up(scene.image, Spot(180.0, 90.0, 12.0), rng), np.int16)
    assert all((h[60:100, 60:100, 0] - h[60:100, 60:100, 1]).mean() > 60 for h in here)
    assert abs((there[..., 0] - there[..., 1]).mean()) < 60
    assert all(np.abs(a - b).mean() > 4 for a, b in zip(here, here[1:], strict=False))


def test_standpoints_keep_apart_and_away_from_edges() -> None:
    where = np.zeros((CELL, CELL), bool)
    where[:60] = True
    spots = _drawn(where, 20.0, 5, np.random.default_rng(0))
    assert 2 <= len(spots) <= 5 and all(8 <= s.x < CELL - 8 and 8 <= s.y < 60 for s in spots)
    assert min(np.hypot(a.x - b.x, a.y - b.y) for a in spots for b in spots if a is not b) > 20
    assert _drawn(np.zeros_like(where), 20.0, 5, np.random.default_rng(0)) == []


def test_landmarks_of_real_imagery(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RSVLM_DATA", str(shared_data))
    learnt, tested = landmarks(False, 24, 2, 1), landmarks(True, 24, 2, 2)
    assert len(learnt) == len(tested) == 24
    for scenes in (learnt, tested):
        assert {KINDS[n] for s in scenes for n in np.unique(s.truth)} >= {"", "airplane", "road"}
        assert all((s.truth > 0).any() and s.spots for s in scenes)
        kinds = [s.truth[int(p.y), int(p.x)] for s in scenes for p in s.spots]
        assert 0.2 < np.mean(np.array(kinds) > 0) < 0.95, "at landmarks and away from them"
    seen = {s.image.tobytes() for s in learnt}
    assert not [s for s in tested if s.image.tobytes() in seen], "testing is on other images"


def test_signs_stand_at_the_first_of_each_kind(tmp_path: Path) -> None:
    scene = painted((100, 60), (250, 20, 60))
    lay_out(tmp_path, [scene] * 4, 0)
    photos = [{"x": x / CELL, "y": 60.5 / CELL, "file": "00000-0.webp", "vector": [0.0, 1.0]} for x in (100, 104, 20)]
    write_tar(tmp_path / "in.tar", {"a.png": encode(scene.image), "a.json": json.dumps({"photos": photos}).encode()})
    (tmp_path / "pairs").mkdir()
    (tmp_path / "in.tar").rename(tmp_path / "pairs" / "train-00000.tar")
    out = put_up_signs(tmp_path / "pairs", tmp_path, {"airplane": np.array([1, 0], np.float32)}, tmp_path / "out")
    (sample,) = read_samples(sorted(out.glob("train-*.tar")))
    told = [(p.get("sign"), p["vector"]) for p in sample.meta["photos"]]
    assert told == [("airplane", [1.0, 0.0]), (None, [0.0, 1.0]), (None, [0.0, 1.0])]
    assert [kind_at(scene.truth, p) for p in photos] == ["airplane", "airplane", ""]


def test_an_encoder_that_sees_colours_finds_where_a_close_up_was_taken() -> None:
    scene = painted((112, 48), (200, 30, 30))  # in the middle of one of the crops that are looked at
    (red,) = FakeEncoder().encode_texts(["red"])
    here, elsewhere = ({"x": 112 / CELL, "y": y / CELL, "vector": red.tolist()} for y in (48, 176))
    assert looked_for(FakeEncoder(), [(scene.image, [here])]) == 100.0
    assert looked_for(FakeEncoder(), [(scene.image, [here, elsewhere])]) == 50.0


def test_kinds_count_alike() -> None:
    assert _per_kind({"road": [1.0, 1.0, 1.0, 0.0], "park": [0.0]}) == {"road": 75.0, "park": 0.0, "mean": 37.5}
