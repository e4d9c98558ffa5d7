from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pyproj import Transformer

from rsvlm_core.errors import DataError, Stopped, UsageError
from tests.fakes import FakeEncoder
from training.build import ground_pairs
from training.build.commands import main
from training.build.ground_pairs import Pairing, build
from training.build.photos import Photo, Unplaced, read_photos
from training.build.shardout import webp
from training.data.shards import index_shard, read_samples

TO_DEGREES = Transformer.from_crs("EPSG:32633", "EPSG:4326", always_xy=True)
WEST, NORTH = 500000.0, 5400000.0  # of make_raster


def place(x: float, y: float) -> tuple[float, float]:
    """Longitude and latitude of metres right of and below the raster's corner."""
    lon, lat = TO_DEGREES.transform(WEST + x, NORTH - y)
    return float(lon), float(lat)


def photograph(path: Path, seed: int, position: tuple[float, float] | None = None) -> Path:
    """A JPEG of a made-up picture."""
    coarse = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    return placed(path, Image.fromarray(coarse).resize((80, 60), Image.Resampling.BICUBIC), position)


def placed(path: Path, image: Image.Image, position: tuple[float, float] | None = None) -> Path:
    """A JPEG, with its position in EXIF where there is one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    if position is not None:
        lon, lat = position
        gps = exif.get_ifd(0x8825)
        for number, value in ((1, lat), (3, lon)):
            gps[number] = ("N" if value >= 0 else "S") if number == 1 else ("E" if value >= 0 else "W")
            value = abs(value)
            minutes = value % 1 * 60
            gps[number + 1] = (float(int(value)), float(int(minutes)), minutes % 1 * 60)
    image.save(path, exif=exif)
    return path


def test_positions_from_exif(tmp_path: Path) -> None:
    photograph(tmp_path / "a.jpg", 0, (15.25, 48.5))
    photograph(tmp_path / "in" / "south.jpg", 1, (-70.125, -33.75))
    photograph(tmp_path / "none.jpg", 2)
    photograph(tmp_path / "zero.jpg", 3, (0.0, 0.0))
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    found = {p.name: p for p in read_photos(tmp_path)}
    a, south = found["a.jpg"], found["in/south.jpg"]
    assert isinstance(a, Photo) and isinstance(south, Photo)
    assert (a.lon, a.lat) == pytest.approx((15.25, 48.5), abs=1e-6)
    assert (south.lon, south.lat) == pytest.approx((-70.125, -33.75), abs=1e-6)
    assert {n: p.reason for n, p in found.items() if isinstance(p, Unplaced)} == {
        "none.jpg": "no position", "zero.jpg": "no position", "broken.jpg": "broken image"}


def test_positions_from_tables(tmp_path: Path) -> None:
    photograph(tmp_path / "p" / "1.jpg", 0)
    table = tmp_path / "t.csv"
    table.write_text("id,Latitude,Longitude\n1,48.5,15\n2,1,1\n1,95,0\n1,,3\n", "utf-8")
    found = list(read_photos(table, tmp_path / "p"))
    assert isinstance(found[0], Photo) and found[0].path == tmp_path / "p" / "1.jpg"
    reasons = [p.reason for p in found[1:] if isinstance(p, Unplaced)]
    assert reasons == ["no such file", "not a place on Earth", "no position"]
    table.write_text("file,x1\n")
    with pytest.raises(DataError, match="lat and lon"):
        list(read_photos(table))
    with pytest.raises(DataError, match="no folder"):
        list(read_photos(tmp_path / "gone"))


@pytest.fixture
def scene(tmp_path: Path, make_raster: Callable[..., Path]) -> tuple[Path, Path]:
    """A raster of 2 x 2 tiles of 64 pixels at 1 m, the lower right one nodata, and photographs."""
    image = np.random.default_rng(1).integers(1, 255, (3, 128, 128), dtype=np.uint8)
    image[:, 64:, 64:] = 0
    raster = make_raster(image, "r.tif", gsd=1.0, nodata=0)
    photos = tmp_path / "photos"
    photograph(photos / "a.jpg", 0, place(10.5, 20.5))
    photograph(photos / "b.jpg", 1, place(50.0, 60.0))
    photograph(photos / "twin.jpg", 1, place(30.0, 30.0))
    photograph(photos / "right.jpg", 2, place(100.0, 5.0))
    photograph(photos / "nodata.jpg", 3, place(100.0, 100.0))
    photograph(photos / "far.jpg", 4, place(4000.0, 0.0))
    photograph(photos / "lost.jpg", 5)
    return raster, photos


def test_photographs_meet_their_pixels(tmp_path: Path, scene: tuple[Path, Path]) -> None:
    raster, photos = scene
    out, result = tmp_path / "o", tmp_path / "r.json"
    # a fold that this place is not in
    options = ["--imagery", str(raster), "--photos", str(photos), "--out", str(out), "--size", "64", "--folds", "1",
               "--test-fold", "1"]
    assert main(["ground_pairs", *options, "--json", str(result)]) == 0
    card = json.loads(result.read_text())
    samples = list(read_samples([out / "train-00000.tar"]))
    assert card["result"] == {"train_tiles": 2, "test_tiles": 0, "photographs": 3, "photographs_per_tile": 1.5}
    left, right = samples
    assert [p["file"] for p in left.meta["photos"]] == ["a.jpg", "b.jpg"]
    assert left.meta["photos"][0]["pixel"] == pytest.approx([10.5, 20.5], abs=0.05)
    assert right.meta["photos"][0]["pixel"] == pytest.approx([100.0 - 64, 5.0], abs=0.05)
    assert left.array().shape == (64, 64, 3) and left.meta["gsd_m"] == pytest.approx(1.0, rel=1e-3)
    members = index_shard(out / "train-00000.tar")[0].members
    assert {"webp", "json", "photo0.webp", "photo1.webp"} == set(members)
    flow = {row["step"]: row["dropped"] for row in card["flow"]}
    assert flow["place photograph"] == {"no position": 1, "outside the imagery": 1}
    assert flow["photograph"] == {"near-duplicate in its tile": 1, "in a tile of nodata or at the edge": 1}
    assert flow["tile"] == {"nodata or edge": 1}


def test_a_frozen_encoder_gives_vectors(tmp_path: Path, scene: tuple[Path, Path]) -> None:
    raster, photos = scene
    pairing = Pairing(size_px=64, folds=1, test_fold=1)
    card = build([raster], [photos], tmp_path / "o", pairing=pairing, encoder=FakeEncoder(name="frozen"))
    first = next(iter(read_samples([tmp_path / "o" / "train-00000.tar"]))).meta["photos"][0]
    assert np.linalg.norm(first["vector"]) == pytest.approx(1, abs=1e-4) and len(first["vector"]) == 4
    assert (first["x"], first["y"]) == pytest.approx((10.5 / 64, 20.5 / 64), abs=1e-3)
    assert card["settings"]["ground_encoder"] == "frozen"


def test_places_are_split_as_a_whole(tmp_path: Path, scene: tuple[Path, Path]) -> None:
    raster, photos = scene
    card = build([raster], [photos], tmp_path / "o", pairing=Pairing(size_px=64, folds=1, test_fold=0))
    assert card["result"]["test_tiles"] == 2 and card["result"]["train_tiles"] == 0
    assert (tmp_path / "o" / "test-00000.tar").is_file() and not (tmp_path / "o" / "train-00000.tar").exists()


def test_limits_and_filters(tmp_path: Path, scene: tuple[Path, Path], make_raster: Callable[..., Path]) -> None:
    raster, photos = scene
    base = {"size_px": 64, "folds": 1, "test_fold": 1}
    card = build([raster], [photos], tmp_path / "o", pairing=Pairing(**base, most=1))
    dropped = {r["step"]: r["dropped"] for r in card["flow"]}["photograph"]
    assert dropped == {"tile is full": 2, "in a tile of nodata or at the edge": 1}
    assert card["result"]["photographs"] == 2
    lost = make_raster(np.ones((8, 8, 3), np.uint8), "lost.tif", crs=None)
    strict = Pairing(**base, safety="tests.training.scenes:landscape")
    card = build([lost, raster], [photos], tmp_path / "o2", pairing=strict)
    assert card["flow"][1]["dropped"] == {"unusable raster": 1} and card["result"]["photographs"] == 3
    portrait = photograph(tmp_path / "more" / "p.jpg", 9, place(12, 12))
    Image.open(portrait).rotate(90, expand=True).save(portrait, exif=Image.open(portrait).getexif())
    card = build([raster], [photos, tmp_path / "more"], tmp_path / "o3", pairing=strict)
    assert {r["step"]: r["dropped"] for r in card["flow"]}["photograph"]["refused by the safety filter"] == 1


def test_a_stopped_build_goes_on_and_does_nothing_twice(
    tmp_path: Path, scene: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch,
) -> None:
    raster, photos = scene
    monkeypatch.setattr(ground_pairs, "_TILES", 1)
    made: list[tuple[int, int]] = []
    real = ground_pairs._sample
    monkeypatch.setattr(
        ground_pairs, "_sample", lambda r, row, col, *a: (made.append((row, col)), real(r, row, col, *a))[1])
    pairing = Pairing(size_px=64, folds=1, test_fold=1)
    with pytest.raises(Stopped):
        build([raster], [photos], tmp_path / "o", pairing=pairing, should_stop=lambda: len(made) == 1)
    assert made == [(0, 0)]
    broken = RuntimeError("killed")

    def killed(*_: object) -> None:
        raise broken

    monkeypatch.setattr(ground_pairs, "webp", killed)
    with pytest.raises(RuntimeError):
        build([raster], [photos], tmp_path / "o", pairing=pairing)
    assert len(list((tmp_path / "o" / "parts").glob("*.tar"))) == 1 and not (tmp_path / "o" / "card.json").exists()
    monkeypatch.setattr(ground_pairs, "webp", webp)
    made.clear()
    card = build([raster], [photos], tmp_path / "o", pairing=pairing)
    assert made == [(0, 1), (1, 1)], "the first tile was not made again"
    whole = build([raster], [photos], tmp_path / "whole", pairing=pairing)
    assert card["result"] == whole["result"] and card["flow"][2]["dropped"] == whole["flow"][2]["dropped"]
    shards = [(tmp_path / n / "train-00000.tar").read_bytes() for n in ("o", "whole")]
    assert shards[0] == shards[1]
    photograph(photos / "later.jpg", 77, place(20, 20))
    with pytest.raises(UsageError, match="other settings"):
        build([raster], [photos], tmp_path / "o", pairing=pairing)


def test_nothing_to_pair_says_why(tmp_path: Path, scene: tuple[Path, Path]) -> None:
    raster, _ = scene
    photograph(tmp_path / "p" / "x.jpg", 0)
    with pytest.raises(DataError, match="no position: 1"):
        build([raster], [tmp_path / "p"], tmp_path / "o")


def test_real_raster(shared_data: Path, tmp_path: Path) -> None:
    """Real imagery, and as photographs real crops of it, turned and in JPEG, seen by the bundled model: end to end."""
    import rasterio

    raster = shared_data / "rasters" / "koeln_50cm.tif"
    rng, pixels = np.random.default_rng(0), {}
    with rasterio.open(raster) as d:
        degrees = Transformer.from_crs(d.crs, "EPSG:4326", always_xy=True)
        whole = d.read()[:3].transpose(1, 2, 0)
        for k in range(20):
            col, row = rng.uniform(64, d.width - 64), rng.uniform(64, d.height - 64)
            lon, lat = degrees.transform(*(d.transform * (col, row)))
            left, top = int(col) - 48, int(row) - 48
            seen = Image.fromarray(whole[top : top + 96, left : left + 96]).rotate(float(rng.uniform(0, 360)))
            placed(tmp_path / "p" / f"{k:02}.jpg", seen, (float(lon), float(lat)))
            pixels[f"{k:02}.jpg"] = (col, row)
    (tmp_path / "p" / "broken.jpg").write_bytes(b"\xff\xd8 cut off")
    photograph(tmp_path / "p" / "nowhere.jpg", 90)
    photograph(tmp_path / "p" / "elsewhere.jpg", 91, (10.0, 10.0))
    out, result = tmp_path / "o", tmp_path / "r.json"
    assert main(["ground_pairs", "--imagery", str(raster), "--photos", str(tmp_path / "p"), "--out", str(out),
                 "--size", "128", "--folds", "1", "--test-fold", "1", "--valid", "0.5", "--ground-model", "bundled",
                 "--json", str(result)]) == 0
    card = json.loads(result.read_text())
    found = [p for s in read_samples([out / "train-00000.tar"]) for p in s.meta["photos"]]
    assert card["result"]["photographs"] == len(found) >= 12
    for p in found:
        col, row = pixels[p["file"]]
        assert p["pixel"] == pytest.approx([col % 128, row % 128], abs=0.2)
    vectors = np.array([p["vector"] for p in found])
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-3) and vectors.std(axis=0).max() > 0.01
    flow = {row["step"]: row for row in card["flow"]}
    assert flow["place photograph"]["dropped"] == {"broken image": 1, "no position": 1, "outside the imagery": 1}
    lost = sum(n for step in ("place photograph", "photograph") for n in flow[step]["dropped"].values())
    assert flow["place photograph"]["in"] == 23 == lost + len(found), "every photograph is accounted for"
    assert card["records"] == "photographs" and card["records_per_second_and_core"] > 0 and card["slowest_step"] in flow
    timed = {row["step"] for row in card["flow"] if row["core_seconds"] > 0}
    assert {"place photograph", "tile", "compress tile", "photograph", "encode photographs"} <= timed
