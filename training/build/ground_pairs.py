"""Ground-remote pairs in the manner of GRAFT: imagery tiles with the photographs that were taken in them.

A sample is a tile (`KEY.webp`), its photographs (`KEY.photo0.webp`, ...), and in `KEY.json` for each the place in the
tile and, where a frozen ground encoder is given, its vector: what `training.align_ground` reads. Tiles are a grid on
the ground, so that a photograph lies in exactly one, anywhere in it. Train and test are split by place. Tiles are made
in parts of 64; a part that is done is not made again.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pyproj import Transformer

from rsvlm_core.errors import DataError, RsvlmError
from rsvlm_core.imagery.patch import Window
from rsvlm_core.imagery.raster import Raster
from rsvlm_core.model.encoder import Encoder
from rsvlm_core.progress import Progress, ShouldStop, check, never, silent
from training.build.card import Tally, write_card
from training.build.hashing import HashIndex, perceptual_hash
from training.build.parts import PartWriter, begin_parts, part_name, read_part
from training.build.photos import Photo, Unplaced, read_photos
from training.build.quality import load_safety
from training.build.rs_landmarks import imagery
from training.build.shardout import ShardWriter, to_json, webp
from training.data.places import side
from training.data.shards import decode_image
from training.evaluate.images import square

NOTES = (
    "Photographs belong to those who took them and may show people: do not republish; check the licence of each.",
    "Positions from cameras are wrong by 5 to 20 m: average patch features over that radius when training.",
)


_TILES = 64  # that are one part of the work


@dataclass(frozen=True)
class Pairing:
    """How photographs and imagery are joined.

    Attributes:
        gsd_m: Metres per pixel of tiles; 0 takes the raster's own.
        size_px: Side of a tile.
        most: Photographs of one tile at most: the first ones that are no near-duplicates.
        photo_px: Longer sides of photographs are shrunk to this.
        valid: Least share of valid pixels in a tile.
        test_fold: Fold of places (of `folds`) that goes to the test shards.
        folds: Number of folds of places.
        safety: `MODULE:FUNCTION` that gets a photograph and an empty text and returns True to keep it; for people
            and for indoor photographs.
    """

    gsd_m: float = 0.0
    size_px: int = 224
    most: int = 25
    photo_px: int = 384
    valid: float = 0.9
    test_fold: int = 0
    folds: int = 10
    safety: str = ""


@dataclass(frozen=True)
class _Placed:
    photo: Photo
    x: float
    y: float


def build(
    sources: Sequence[str | Path], photos: Sequence[Path], out: Path, *, folder: Path | None = None,
    pairing: Pairing | None = None, encoder: Encoder | None = None, per_shard: int = 500, progress: Progress = silent,
    should_stop: ShouldStop = never,
) -> dict[str, Any]:
    """Join photographs to imagery and write shards; run again after a stop to go on. Returns the data card.

    Args:
        sources: Rasters, folders of them, STAC items; a photograph goes to the first that shows its place.
        photos: Folders with EXIF positions, or CSV tables.
        out: Folder for `train-*.tar`, `test-*.tar` and the card.
        folder: Where the tables' files lie.
        pairing: How.
        encoder: Frozen; sees the photographs and gives the vectors to align with.
        per_shard: Samples in a shard.
        progress: Called after every tile.
        should_stop: Asked before every tile; finished parts stay, and the same call goes on behind them.

    Raises:
        DataError: No photograph lies in the imagery; says why.
    """
    pairing, tally = pairing or Pairing(), Tally()
    safe = load_safety(pairing.safety) if pairing.safety else None
    left = list(_placed(photos, folder, tally))
    parts, done = out / "parts", list[str]()
    seen = hashlib.sha256(repr([(p.name, p.lon, p.lat) for p in left]).encode()).hexdigest()
    begin_parts(parts, {**asdict(pairing), "encoder": encoder.info.sha256 if encoder else "", "photos": seen})
    for source in imagery(sources):
        tally.steps["open imagery"] += 1
        try:
            raster = Raster.open(source)
        except RsvlmError as e:
            tally.drop("open imagery", "unusable raster", str(e))
            continue
        with raster:
            tiles, left = _join(raster, left, pairing)
            wanted = sorted(tiles.items())
            for first in range(0, len(wanted), _TILES):
                check(should_stop, "Finished parts are kept: run the same command again.")
                stem = f"{part_name(source)}-{first // _TILES:05}"
                if not (parts / f"{stem}.json").is_file():
                    with PartWriter(parts, stem) as part:
                        for (row, col), inside in wanted[first : first + _TILES]:
                            check(should_stop, "Finished parts are kept: run the same command again.")
                            made = _sample(raster, row, col, inside, pairing, safe, encoder, part.tally)
                            if made is not None:
                                with part.tally.step("write"):
                                    part.add({**made[1], "json": to_json(made[0])})
                done.append(stem)
                progress(min(first + _TILES, len(wanted)), len(wanted), "tiles")
    for photo in left:
        tally.drop("place photograph", "outside the imagery", photo.name)
    counts, per_tile = _merge(parts, done, out, pairing, per_shard, tally)
    if not per_tile:
        why = "; ".join(f"{reason}: {n}" for (_, reason), n in tally.dropped.items())
        raise DataError("No photograph could be paired with imagery.", f"What happened to them: {why}.")
    return write_card(
        out, "Ground-remote pairs", tally, record=("photographs", "place photograph"), notes=NOTES,
        settings={**asdict(pairing), "ground_encoder": encoder.info.id if encoder else ""},
        sources=[*(str(s).rpartition("/")[2] for s in sources), *(p.name for p in photos)],
        result={"train_tiles": counts["train"], "test_tiles": counts["test"], "photographs": sum(per_tile),
                "photographs_per_tile": round(float(np.mean(per_tile)), 2)},
    )


def _merge(
    parts: Path, stems: Sequence[str], out: Path, pairing: Pairing, per_shard: int, tally: Tally
) -> tuple[Counter[str], list[int]]:
    """Write the parts' tiles, in order, into train and test shards; tiles by side, and photographs of each kept one."""
    counts: Counter[str] = Counter()
    per_tile: list[int] = []
    with ShardWriter(out, "train", per_shard) as train, ShardWriter(out, "test", per_shard) as test:
        for stem in stems:
            for files in tally.each("read again", read_part(parts, stem, tally)):
                meta = json.loads(files["json"])
                where = side(meta, pairing.test_fold, pairing.folds)
                counts[where] += 1
                if where == "neither":
                    tally.drop("tile", "between train and test places")
                    tally.drop("photograph", "between train and test places", records=len(meta["photos"]))
                    continue
                per_tile.append(len(meta["photos"]))
                shards = train if where == "train" else test
                with tally.step("into shards"):
                    shards.add(f"{shards.samples:07}", files)
    return counts, per_tile


def _placed(sources: Sequence[Path], folder: Path | None, tally: Tally) -> list[Photo]:
    """All photographs with a position."""
    kept = []
    for source in sources:
        for found in tally.each("place photograph", read_photos(source, folder)):
            if isinstance(found, Unplaced):
                tally.drop("place photograph", found.reason, found.name)
            else:
                kept.append(found)
    return kept


def tile_window(raster: Raster, row: int, col: int, gsd_m: float, size_px: int) -> Window:
    """The tile of a grid that starts at the raster's upper left corner, in pixels of the raster."""
    width, height = size_px * gsd_m / raster.gsd_m[0], size_px * gsd_m / raster.gsd_m[1]
    return Window(col * width, row * height, width, height)


def _join(
    raster: Raster, photos: Sequence[Photo], pairing: Pairing
) -> tuple[dict[tuple[int, int], list[_Placed]], list[Photo]]:
    """Photographs by tile, with their place in it (0..1 from the upper left), and those that lie elsewhere."""
    forward = Transformer.from_crs("EPSG:4326", raster.crs, always_xy=True)
    gsd = pairing.gsd_m or max(raster.gsd_m)
    first = tile_window(raster, 0, 0, gsd, pairing.size_px)
    tiles: dict[tuple[int, int], list[_Placed]] = defaultdict(list)
    left = []
    for photo in photos:
        x, y = forward.transform(photo.lon, photo.lat)
        if not (np.isfinite(x) and np.isfinite(y)):
            left.append(photo)
            continue
        col, row = ~raster.transform * (x, y)
        if not (0 <= col < raster.width and 0 <= row < raster.height):
            left.append(photo)
            continue
        at = int(row // first.height), int(col // first.width)
        tiles[at].append(_Placed(photo, col / first.width - at[1], row / first.height - at[0]))
    return tiles, left


def _sample(
    raster: Raster, row: int, col: int, inside: Sequence[_Placed], pairing: Pairing, safe: Any,
    encoder: Encoder | None, tally: Tally,
) -> tuple[dict[str, Any], dict[str, bytes]] | None:
    """One tile with its photographs, or None where the imagery or all photographs are unusable."""
    gsd = pairing.gsd_m or max(raster.gsd_m)
    window = tile_window(raster, row, col, gsd, pairing.size_px)
    with tally.step("tile"):
        patch = raster.read(window, (pairing.size_px, pairing.size_px))
    if patch.valid_fraction < pairing.valid:
        tally.drop("tile", "nodata or edge", f"row {row} column {col}: {len(inside)} photographs")
        tally.steps["photograph"] += len(inside)
        tally.drop("photograph", "in a tile of nodata or at the edge", inside[0].photo.name, len(inside))
        return None
    with tally.step("compress tile"):
        files = {"webp": webp(Image.fromarray(patch.filled()))}
    told: list[dict[str, Any]] = []
    kept: list[Image.Image] = []
    seen = HashIndex()
    for placed in inside:
        with tally.step("photograph"):
            px, py = placed.x * pairing.size_px, placed.y * pairing.size_px
            if not patch.valid[int(py), int(px)]:
                tally.drop("photograph", "on nodata", placed.photo.name)
                continue
            try:
                image = decode_image(placed.photo.path.read_bytes(), placed.photo.name)
            except (DataError, OSError):
                tally.drop("photograph", "broken image", placed.photo.name)
                continue
            image.thumbnail((pairing.photo_px, pairing.photo_px), reducing_gap=2.0)
            if safe is not None and not safe(image, ""):
                tally.drop("photograph", "refused by the safety filter", placed.photo.name)
                continue
            value = perceptual_hash(image)
            if seen.find([value]) is not None:
                tally.drop("photograph", "near-duplicate in its tile", placed.photo.name)
                continue
            if len(told) == pairing.most:
                tally.drop("photograph", "tile is full", placed.photo.name)
                continue
            seen.add(value, placed.photo.name)
            files[f"photo{len(told)}.webp"] = webp(image)
            kept.append(image)
            told.append({"x": round(placed.x, 5), "y": round(placed.y, 5), "pixel": [round(px, 2), round(py, 2)],
                         "lat": placed.photo.lat, "lon": placed.photo.lon, "file": placed.photo.name})
    if not told:
        tally.drop("tile", "no usable photograph")
        return None
    if encoder is not None:
        with tally.step("encode photographs", len(kept)):
            vectors = encoder.encode_images(np.stack([square(image, encoder.info.image_size) for image in kept]))
        for photo, vector in zip(told, vectors, strict=True):
            photo["vector"] = [round(float(v), 6) for v in vector]
    centre = raster.polygon(window).centroid
    lon, lat = Transformer.from_crs(raster.crs, "EPSG:4326", always_xy=True).transform(centre.x, centre.y)
    meta = {"photos": told, "gsd_m": gsd, "lat": round(lat, 6), "lon": round(lon, 6), "source": "ground_pairs",
            "captions": []}
    return meta, files
