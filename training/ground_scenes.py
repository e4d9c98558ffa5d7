"""Real imagery as if people had photographed it: mosaics, close-ups around points, and what is known to lie there.

Two kinds of scenes are made from the labelled shards. `anywhere`: photographers stand at random points. `landmarks`:
most stand at something that a label or box names (an airplane, a road, water, a park), the others where there is none
of it. Labels say where photographers stand and, in testing, what lies where; nothing of them reaches training.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from PIL import Image
from pyproj import Transformer
from scipy.ndimage import uniform_filter

from rsvlm_core.model.encoder import Float32, UInt8
from rsvlm_core.settings import data_dir
from training.bank import centre_square
from training.build.shardout import ShardWriter, to_json, webp
from training.data.shards import Sample, decode_label, read_samples
from training.evaluate.segmentation import read_masked
from training.recipe import SetSpec
from training.tags import TagRule, box_plane

CRS, WEST, NORTH = "EPSG:32618", 500_000.0, 4_500_000.0  # where the mosaics are put; nobody's real place
CELL, GSD = 224, 1.2
KINDS = ("", "airplane", "road", "water", "park")  # what truth's values mean; 0: not known
WORDS = {"airplane": "airplanes", "road": "a road", "water": "water", "park": "a park"}  # what a user would type
# What signs say; no sign has a user's words alone.
SIGNS = {
    "airplane": "An aerial image of an airplane on the ground.",
    "road": "An aerial image of a paved road.",
    "water": "An aerial image of open water.",
    "park": "An aerial image of a public park with lawns.",
}
# Half sides of close-ups of landmarks in pixels, and the share of them that the landmark must fill.
_REACH = {"airplane": 20.0, "road": 14.0, "water": 24.0, "park": 24.0}
_FILLED = {"road": 0.35, "water": 0.7, "park": 0.7}
_AWAY = 28  # pixels around a photographer's standpoint without any landmark


@dataclass(frozen=True)
class Spot:
    """Where a photographer stands in a scene, in its pixels; `reach`: half the side of what is seen."""

    x: float
    y: float
    reach: float


@dataclass(frozen=True)
class Scene:
    """A square of 224 pixels, its photographers, and what lies where: [224, 224] numbers of KINDS."""

    image: UInt8
    spots: Sequence[Spot]
    truth: UInt8


def anywhere(patterns: Sequence[str], count: int, photos: int, seed: int) -> list[Scene]:
    """`count` squares of the shards' images, all sets alike, with photographers at random points."""
    rng, share = np.random.default_rng(seed), -(-count // len(patterns))
    found: list[UInt8] = []
    for pattern in patterns:
        mine: list[UInt8] = []
        samples = list(read_samples(SetSpec([pattern]).paths()))
        for k in rng.permutation(len(samples)):
            if len(mine) >= share:
                break
            mine += _cut(_square(samples[k].pil()))
        found += mine[:share]
    nothing = np.zeros((CELL, CELL), np.uint8)
    return [
        Scene(found[k], [_somewhere(rng) for _ in range(photos)], nothing)
        for k in rng.permutation(len(found))[:count]
    ]


def _somewhere(rng: np.random.Generator) -> Spot:
    x, y = (float(v) for v in rng.uniform(24, CELL - 24, 2))
    return Spot(x, y, float(rng.uniform(32, 48)))


def landmarks(test: bool, count: int, photos: int, seed: int) -> list[Scene]:
    """`count` squares with landmarks, half with airplanes and half of the map's kinds, and up to `photos` of each kind.

    Training and testing take other images: airports by their number (every fourth is a test image), maps by shard.
    """
    rng = np.random.default_rng(seed)
    share = count // 2
    airports = [
        s for n, s in enumerate(read_samples(SetSpec(["boxes/airplane-train.tar"]).paths())) if (n % 4 == 3) == test
    ]
    made = [
        _scenes(_square(airports[k].pil()), _boxed(airports[k]), photos, rng)
        for k in rng.permutation(len(airports))[:share]
    ]
    planes = [scene for scenes in made for scene in scenes][:share]
    mapped: list[Scene] = []
    if test:
        masked = read_masked([data_dir() / "data" / "maps" / "dev.tar"])
        pairs = ((m.item.pil(), m.truth()) for m in (masked[k] for k in rng.permutation(len(masked))))
    else:
        tiles = list(read_samples(SetSpec(["maps/train-*.tar"]).paths()))
        shuffled = (tiles[k] for k in rng.permutation(len(tiles)))
        pairs = ((t.pil(), decode_label(t.label or b"", t.key)) for t in shuffled)
    for image, label in pairs:
        if len(mapped) >= count - len(planes):
            break
        numbers = np.where((label > 0) & (label < 4), label + 1, 0).astype(np.uint8)  # road, water, park
        mapped += _scenes(_square(image), numbers, photos, rng)
    found = planes + mapped[: count - len(planes)]
    return [found[k] for k in rng.permutation(len(found))]


def lay_out(folder: Path, scenes: Sequence[Scene], seed: int) -> tuple[Path, Path]:
    """Write a mosaic of scenes and a table of close-ups with their positions; returns both paths.

    `truth/N.png` says what lies where in scene N; photographs of scene N are called `N-K.webp`.
    """
    rng = np.random.default_rng(seed)
    columns = int(np.sqrt(len(scenes))) // 2 * 2  # coarse tiles are 2 x 2 scenes
    rows = len(scenes) // columns // 2 * 2
    mosaic = np.zeros((rows * CELL, columns * CELL, 3), np.uint8)
    to_degrees = Transformer.from_crs(CRS, "EPSG:4326", always_xy=True)
    for name in ("photos", "truth"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    table: list[tuple[str, float, float]] = []
    for n, scene in enumerate(scenes[: rows * columns]):
        top, left = n // columns * CELL, n % columns * CELL
        mosaic[top : top + CELL, left : left + CELL] = scene.image
        Image.fromarray(scene.truth).save(folder / "truth" / f"{n:05}.png")
        for k, spot in enumerate(scene.spots):
            name = f"{n:05}-{k}.webp"
            (folder / "photos" / name).write_bytes(webp(close_up(scene.image, spot, rng)))
            lon, lat = to_degrees.transform(WEST + (left + spot.x) * GSD, NORTH - (top + spot.y) * GSD)
            table.append((name, lat, lon))
    with rasterio.open(
        folder / "mosaic.tif",
        "w",
        driver="GTiff",
        width=mosaic.shape[1],
        height=mosaic.shape[0],
        count=3,
        dtype="uint8",
        crs=CRS,
        transform=Affine(GSD, 0, WEST, 0, -GSD, NORTH),
        tiled=True,
        compress="deflate",
    ) as out:
        out.write(np.moveaxis(mosaic, -1, 0))
    with open(folder / "photos.csv", "w", newline="", encoding="utf-8") as handle:
        csv.writer(handle).writerows([("filename", "lat", "lon"), *table])
    return folder / "mosaic.tif", folder / "photos.csv"


def truth_of(folder: Path, photo: str) -> UInt8:
    """What lies where in the scene of a photograph that `lay_out` wrote below `folder`."""
    return decode_label((folder / "truth" / f"{photo[:5]}.png").read_bytes(), photo)


def put_up_signs(shards: Path, scenes: Path, said: dict[str, Float32], out: Path) -> Path:
    """The shards again, the first close-up of each kind in a scene exchanged for a sign: the vector of its sentence.

    Args:
        shards: Folder of `training.build ground_pairs`.
        scenes: Folder of `lay_out`.
        said: Vector of each kind's sentence.
        out: Folder to write.
    """
    for prefix in ("train", "test"):
        with ShardWriter(out, prefix) as writer:
            for sample in read_samples(sorted(shards.glob(f"{prefix}-*.tar"))):
                shown = set[str]()
                for photo in sample.meta["photos"]:
                    kind = kind_at(truth_of(scenes, photo["file"]), photo)
                    if kind and kind not in shown:
                        photo |= {"sign": kind, "vector": [round(float(v), 6) for v in said[kind]]}
                    shown.add(kind)
                writer.add(sample.key, {"webp": sample.image, "json": to_json(sample.meta)})
    return out


def kind_at(truth: UInt8, photo: Mapping[str, Any]) -> str:
    """What lies where a photograph of a tile was taken."""
    height, width = truth.shape
    return KINDS[int(truth[min(height - 1, int(photo["y"] * height)), min(width - 1, int(photo["x"] * width))])]


def close_up(image: UInt8, spot: Spot, rng: np.random.Generator, size: int = 160) -> Image.Image:
    """What stands for a photograph: a crop around a point, turned, tilted, in another light."""
    turn = rng.uniform(0, 2 * np.pi)
    base = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], float) * spot.reach
    base += rng.uniform(-0.2, 0.2, base.shape) * spot.reach  # no two corners of a camera's view are equally far away
    spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    padded = np.pad(image, ((CELL, CELL), (CELL, CELL), (0, 0)), mode="reflect")
    corners = base @ spin.T + [spot.x + CELL, spot.y + CELL]
    ul, ur, lr, ll = corners
    quad = tuple(float(v) for corner in (ul, ll, lr, ur) for v in corner)
    seen = Image.fromarray(padded).transform((size, size), Image.Transform.QUAD, quad, Image.Resampling.BICUBIC)
    values = np.asarray(seen, np.float32) / 255
    values = values ** rng.uniform(0.7, 1.4) * rng.uniform(0.8, 1.2, 3) + rng.uniform(-0.08, 0.08)
    values = values + rng.normal(0, 0.02, values.shape)
    return Image.fromarray((255 * values.clip(0, 1)).astype(np.uint8))


def _square(image: Image.Image) -> UInt8:
    """The centre square, a whole number of cells wide."""
    side = max(1, min(image.size) // CELL)
    return np.array(centre_square(image, side * CELL, Image.Resampling.BICUBIC), dtype=np.uint8)


def _cut(plane: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Its cells."""
    return [plane[r : r + CELL, c : c + CELL] for r in range(0, len(plane), CELL) for c in range(0, len(plane), CELL)]


def _boxed(sample: Sample) -> UInt8:
    """KINDS of an airport's boxes, as `_square` cuts it. Boxes are not complete."""
    image = sample.pil()
    side = max(1, min(image.size) // CELL) * CELL
    return box_plane(TagRule(boxes={"airplane": []}), {**sample.meta, "_size": image.size}, side)


def _scenes(image: UInt8, truth: UInt8, photos: int, rng: np.random.Generator) -> list[Scene]:
    """The cells of an image that show a landmark, with up to `photos` standpoints at each kind and away from all."""
    made = []
    size = image.shape[0]
    for cell, known in zip(_cut(image), _cut(np.array(Image.fromarray(truth).resize((size, size), 0))), strict=True):
        spots = []
        for kind, reach in _REACH.items():
            own = known == KINDS.index(kind)
            filled = uniform_filter(own.astype(np.float32), int(2 * reach)) if kind in _FILLED else own
            spots += _drawn(filled > _FILLED.get(kind, 0.5), reach, photos, rng)
        if spots:
            away = uniform_filter((known > 0).astype(np.float32), 2 * _AWAY) <= 0
            made.append(Scene(cell, spots + _drawn(away, 24.0, photos, rng), known))
    return made


def _drawn(where: NDArray[np.bool_], reach: float, most: int, rng: np.random.Generator) -> list[Spot]:
    """Up to so many points of a mask, none nearer to another than what it sees, nor at the edge."""
    edge = 8
    rows, cols = np.nonzero(where[edge:-edge, edge:-edge])
    spots: list[Spot] = []
    for k in rng.permutation(len(rows))[: 20 * most]:
        x, y = float(cols[k] + edge), float(rows[k] + edge)
        if len(spots) < most and all(np.hypot(s.x - x, s.y - y) > reach for s in spots):
            spots.append(Spot(x, y, reach * float(rng.uniform(0.85, 1.15))))
    return spots
