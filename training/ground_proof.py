"""Show that ground alignment learns, from real imagery: `python -m training.ground_proof --out runs/ground_proof`.

There are no geotagged photographs here. In their place stand close-ups: crops of the same imagery around known points,
turned by any angle, tilted, with other colours and light, seen by a frozen encoder (`--ground-model`). The student is
a trunk with ImageNet weights whose heads start at random. It sees tiles from far above, no text and no label; what it
learns of words comes only through the encoder of the close-ups, whose text side it shares.

Everything is done with the commands of users: a mosaic and a table of positions go through `training.build
ground_pairs`, training is `training.align_ground` at both levels, at two resolutions, and what is measured is
retrieval across the bridge and localization of unseen close-ups against chance, then zero-shot classification,
retrieval, segmentation and question answering. Places of training and of testing come from different shards.

What this can show: that several photographs an image, positions, both losses and the text path work. What it cannot:
that views from the ground, of walls and shop fronts, teach as much as views from above. Results: docs/data.md.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import hashlib
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import torch
from affine import Affine
from PIL import Image
from pyproj import Transformer

from rsvlm_core.errors import RsvlmError
from rsvlm_core.model.checkpoint import load_mammut, save_mammut
from rsvlm_core.model.config import load_config
from rsvlm_core.model.encoder import Encoder, Float32, UInt8
from rsvlm_core.model.folder import Card
from rsvlm_core.model.mammut import Mammut
from rsvlm_core.model.registry import load_encoder
from rsvlm_core.settings import data_dir, weights_dir
from training import parts
from training.align_ground import AlignRecipe, align
from training.bank import centre_square
from training.build import ground_pairs
from training.build.shardout import webp
from training.data.shards import read_samples
from training.evaluate import classification, retrieval, segmentation, vqa
from training.evaluate.table import show, write_json
from training.export import load_run
from training.recipe import SetSpec

CRS, WEST, NORTH = "EPSG:32618", 500_000.0, 4_500_000.0  # where the mosaics are put; nobody's real place
CELL, GSD = 224, 1.2
TRAIN = ("rsicd/train-*.tar", "maps/train-*.tar")
TEST = ("rsicd/val-000.tar", "maps/dev.tar")


@dataclass(frozen=True)
class Size:
    """How much: training and testing cells of 224 pixels, close-ups of each, steps, images a step, trunk."""

    train: int = 900
    test: int = 324
    photos: int = 2
    steps: int = 300
    batch: int = 16
    trunk: str = "efficientnet-lite0"
    shown: int = 300


class Remembering:
    """An encoder that does not look at the same image twice; both resolutions have the same close-ups."""

    def __init__(self, inner: Encoder) -> None:
        self.info, self._inner = inner.info, inner
        self._seen: dict[bytes, Float32] = {}

    def encode_images(self, images: UInt8) -> Float32:
        """As of the encoder inside."""
        keys = [hashlib.sha256(i.tobytes()).digest() for i in images]
        new = [n for n, k in enumerate(keys) if k not in self._seen]
        if new:
            vectors = self._inner.encode_images(images[new])
            self._seen.update({keys[n]: v for n, v in zip(new, vectors, strict=True)})
        return np.stack([self._seen[k] for k in keys])

    def encode_texts(self, texts: Sequence[str]) -> Float32:
        """As of the encoder inside."""
        return self._inner.encode_texts(texts)

    def encode_patches(self, images: UInt8, method: str = "smooth") -> Float32:
        """As of the encoder inside."""
        return self._inner.encode_patches(images, method)

    def caption(self, images: UInt8, prompt: str = "") -> list[str]:
        """As of the encoder inside."""
        return self._inner.caption(images, prompt)


def cells_of(patterns: Sequence[str], count: int, rng: np.random.Generator) -> Iterator[UInt8]:
    """`count` squares of 224 pixels of the shards' images; large ones are cut up, all sets alike."""
    share = -(-count // len(patterns))
    found: list[UInt8] = []
    for pattern in patterns:
        mine: list[UInt8] = []
        samples = list(read_samples(SetSpec([pattern]).paths()))
        for k in rng.permutation(len(samples)):
            if len(mine) >= share:
                break
            image = samples[k].pil()
            side = max(1, min(image.size) // CELL)
            pixels = np.asarray(centre_square(image, side * CELL, Image.Resampling.BICUBIC))
            mine += [pixels[r * CELL : (r + 1) * CELL, c * CELL : (c + 1) * CELL]
                     for r in range(side) for c in range(side)]
        found += mine[:share]
    yield from (found[k] for k in rng.permutation(len(found))[:count])


def close_up(cell: UInt8, x: float, y: float, rng: np.random.Generator, size: int = 160) -> Image.Image:
    """What stands for a photograph: a crop of about 80 pixels around a point, turned, tilted, in another light."""
    reach = rng.uniform(32, 48)
    turn = rng.uniform(0, 2 * np.pi)
    base = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], float) * reach
    base += rng.uniform(-0.2, 0.2, base.shape) * reach  # no two corners of a camera's view are equally far away
    spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    padded = np.pad(cell, ((CELL, CELL), (CELL, CELL), (0, 0)), mode="reflect")
    corners = base @ spin.T + [x + CELL, y + CELL]
    ul, ur, lr, ll = corners
    quad = tuple(float(v) for corner in (ul, ll, lr, ur) for v in corner)
    image = Image.fromarray(padded).transform(
        (size, size), Image.Transform.QUAD, quad, Image.Resampling.BICUBIC)
    values = np.asarray(image, np.float32) / 255
    values = values ** rng.uniform(0.7, 1.4) * rng.uniform(0.8, 1.2, 3) + rng.uniform(-0.08, 0.08)
    values = values + rng.normal(0, 0.02, values.shape)
    return Image.fromarray((255 * values.clip(0, 1)).astype(np.uint8))


def lay_out(folder: Path, patterns: Sequence[str], count: int, photos: int, seed: int) -> tuple[Path, Path]:
    """Write a mosaic of real images and a table of close-ups with their positions; returns both paths."""
    rng = np.random.default_rng(seed)
    columns = int(np.sqrt(count)) // 2 * 2  # coarse tiles are 2 x 2 cells
    rows = columns
    mosaic = np.zeros((rows * CELL, columns * CELL, 3), np.uint8)
    to_degrees = Transformer.from_crs(CRS, "EPSG:4326", always_xy=True)
    (folder / "photos").mkdir(parents=True, exist_ok=True)
    table: list[tuple[str, float, float]] = []
    for n, cell in enumerate(cells_of(patterns, rows * columns, rng)):
        top, left = n // columns * CELL, n % columns * CELL
        mosaic[top : top + CELL, left : left + CELL] = cell
        for k in range(photos):
            x, y = rng.uniform(24, CELL - 24, 2)
            name = f"{n:05}-{k}.webp"
            (folder / "photos" / name).write_bytes(webp(close_up(cell, x, y, rng)))
            lon, lat = to_degrees.transform(WEST + (left + x) * GSD, NORTH - (top + y) * GSD)
            table.append((name, lat, lon))
    with rasterio.open(
        folder / "mosaic.tif", "w", driver="GTiff", width=mosaic.shape[1], height=mosaic.shape[0], count=3,
        dtype="uint8", crs=CRS, transform=Affine(GSD, 0, WEST, 0, -GSD, NORTH), tiled=True, compress="deflate",
    ) as out:
        out.write(np.moveaxis(mosaic, -1, 0))
    with open(folder / "photos.csv", "w", newline="", encoding="utf-8") as handle:
        csv.writer(handle).writerows([("filename", "lat", "lon"), *table])
    return folder / "mosaic.tif", folder / "photos.csv"


def student(folder: Path, trunk: str, teacher: Path) -> Path:
    """A model's folder: ImageNet trunk, heads at random, and the frozen text side of the ground encoder."""
    ground, _ = load_mammut(teacher)
    vision = dataclasses.replace(
        load_config("small").vision, timm_model_name="tf_" + trunk.replace("-", "_", 1).replace("-lite", "_lite"))
    torch.manual_seed(0)
    model = Mammut(dataclasses.replace(ground.cfg, vision=vision))
    getattr(model.visual.trunk, "net").load_state_dict(parts.trunk_weights(trunk))  # noqa: B009
    model.text.load_state_dict(ground.text.state_dict())
    with torch.no_grad():
        model.logit_scale.copy_(ground.logit_scale)
    save_mammut(model, folder, Card("student", "", "close-ups"), teacher / "tokenizer.json", int8=False)
    return folder


def bridge(model: Mammut, shards: Path, size: int) -> dict[str, float]:
    """Retrieval across the bridge and localization on unseen pairs, in percent, with what chance gives.

    Retrieval: the close-up's own tile among all by the pooled vector. Localization, within the close-up's tile: how
    often the best cell lies within an eighth of the side of its point, for the pixel head and for the image level
    (the pooled vector's own attention in windows, and token by token).
    """
    samples = list(read_samples(sorted(shards.glob("test-*.tar"))))
    vectors, owner, points = [], [], []
    pooled: list[Float32] = []
    maps: dict[str, list[Float32]] = {"pixel": [], "image_smooth": [], "image_tokens": []}
    with torch.no_grad():
        for n, sample in enumerate(samples):
            image = centre_square(sample.pil(), size, Image.Resampling.BICUBIC)
            x = model.visual.normalise(torch.from_numpy(np.array(image)).permute(2, 0, 1)[None])
            pooled.append(model.encode_image(x)[0].numpy())
            maps["pixel"].append(model.visual.pixels(x)[0].numpy())
            for name, window in (("image_smooth", 3), ("image_tokens", 1)):
                maps[name].append(model.visual.smooth(x, window)[0].numpy())
            for photo in sample.meta["photos"]:
                vectors.append(photo["vector"])
                points.append((photo["x"], photo["y"]))
                owner.append(n)
    z, of = np.asarray(vectors, np.float32), np.asarray(owner)
    scores = z @ np.stack(pooled).T
    ahead = (scores > scores[np.arange(len(z)), of][:, None]).sum(1)
    found = {
        "photos": float(len(z)), "tiles": float(len(samples)),
        **{f"retrieval_r{k}": 100 * float((ahead < k).mean()) for k in (1, 10)},
        **{f"retrieval_r{k}_chance": 100 * min(1.0, k / len(samples)) for k in (1, 10)},
    }
    for name, grids in maps.items():
        hits = []
        for vector, n, (px, py) in zip(z, of, points, strict=True):
            score = grids[n] @ vector
            row, col = np.unravel_index(int(score.argmax()), score.shape)
            at = (col + 0.5) / score.shape[1], (row + 0.5) / score.shape[0]
            hits.append(np.hypot(at[0] - px, at[1] - py) <= 0.125)
        found[f"pointing_{name}"] = 100 * float(np.mean(hits))
    inside = np.random.default_rng(0).random((4000, 2))
    found["pointing_chance"] = 100 * float(np.mean([
        (np.hypot(*(inside - p).T) <= 0.125).mean() for p in points[:200]]))
    return found


def words(encoder: Encoder, size: Size, folder: Path) -> dict[str, Any]:
    """What text can do with a model: zero-shot classification, retrieval, segmentation, question answering."""
    data = data_dir() / "data"
    scenes = classification.read_labelled([data / "rsicd" / "val-000.tar"])
    picked = np.random.default_rng(0).permutation(len(scenes.items))[: size.shown]
    chosen = dataclasses.replace(scenes, items=[scenes.items[k] for k in picked], truth=scenes.truth[picked])
    named = classification.classify(encoder, chosen)
    items, texts, owner = list[Any](), list[str](), list[int]()
    for item in chosen.items:
        sentence = str(item.meta()["captions"][0])
        owner.append(len(items))
        items.append(item)
        texts.append(sentence)
    captioned = retrieval.CaptionedSet(items, texts, np.array(owner, dtype=np.int64))
    recalls = retrieval.outcome(encoder, captioned).recalls()
    chance = 100.0 * float(np.mean([k / len(items) for k in retrieval.KS]))
    masked = segmentation.read_masked([data / "maps" / "dev.tar"])[: max(4, size.shown // 15)]
    classes = ["road", "water", "park"]
    outlined = {}
    for level, method in (("pixel", "dense"), ("image", "smooth")):
        predict = segmentation.product(encoder, classes, method=method)
        outlined[level] = segmentation.segment(encoder, masked, classes, predict, gsd_m=GSD)
    asked = vqa.questions([item.meta() for item in chosen.items], 0, max(20, size.shown // 3))
    with tempfile.TemporaryDirectory(prefix="rsvlm-vqa-") as temporary:
        answers = vqa.evaluate(chosen.items, asked, vqa.ProductAnswerer(encoder, 1.0, Path(temporary)))
    return {
        "classification_top1": named["top1"], "classification_chance": named["baselines"]["chance"],
        "retrieval_mean_recall": recalls["mean_recall"], "retrieval_chance": chance,
        "segmentation": {level: _areas(found) for level, found in outlined.items()},
        "questions": answers["accuracy"], "questions_majority": answers["baselines"]["majority"],
    }


def _areas(found: dict[str, Any]) -> dict[str, float]:
    precisions = [100 * float(t["average_precision"]) for t in found["per_text"].values()]
    return {"miou": 100 * float(found["miou"]), "mean_average_precision": float(np.mean(precisions)),
            **{f"iou_{text}": 100 * float(v) for text, v in found["iou_per_text"].items()}}


def prove(out: Path, size: Size, ground_model: str | None = None) -> dict[str, Any]:
    """Build, train at both levels and both resolutions, measure; returns and writes `proof.json`."""
    begun = time.monotonic()
    teacher = Path(ground_model) if ground_model else weights_dir()
    ground = Remembering(load_encoder(str(teacher), "cpu"))
    sides = {name: lay_out(out / name, patterns, count, size.photos, seed) for name, patterns, count, seed in (
        ("train", TRAIN, size.train, 1), ("test", TEST, size.test, 2))}
    start = student(out / "start", size.trunk, teacher)
    document: dict[str, Any] = {"settings": dataclasses.asdict(size), "ground_encoder": ground.info.id}
    for name, gsd, px in (("fine", GSD, CELL), ("coarse", 4 * GSD, CELL // 2)):
        pairs = out / name
        for fold, side in ((1, "train"), (0, "test")):  # one fold: all places are on the side that is wanted
            mosaic, table = sides[side]
            ground_pairs.build(
                [mosaic], [table], pairs / side, folder=mosaic.parent / "photos", encoder=ground,
                pairing=ground_pairs.Pairing(gsd_m=gsd, size_px=px, folds=1, test_fold=fold))
        recipe = AlignRecipe(
            name=name, run=str(start), steps=size.steps, level="both", size=px, lr=2e-3, temperature=0.07,
            sets={"pairs": SetSpec([f"{(pairs / 'train').resolve()}/train-*.tar"], px)}, mixture={"pairs": size.batch},
            learn=("visual.dense.", "visual.pool.", "visual.to_tokens."), jitter_m=gsd)
        trained = time.monotonic()
        align(recipe, out / f"run-{name}")
        trained = time.monotonic() - trained
        model, _ = load_run(out / f"run-{name}")
        untrained, _ = load_mammut(start)
        document[name] = {
            "gsd_m": gsd, "training_seconds": round(trained, 1), "pairs": bridge(model, pairs / "test", px),
            "before_training": bridge(untrained, pairs / "test", px),
        }
        exported = out / f"model-{name}"
        save_mammut(model, exported, Card(f"ground-{name}", "", "close-ups"), teacher / "tokenizer.json", int8=False)
        if name == "fine":
            document[name]["words"] = words(load_encoder(str(exported), "cpu"), size, out)
    document["ground_encoder_itself"] = words(ground, size, out)
    document["seconds"] = round(time.monotonic() - begun, 1)
    write_json(document, out / "proof.json")
    return document


def main(argv: list[str] | None = None) -> int:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(
        prog="python -m training.ground_proof", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--ground-model", metavar="DIR", help="a model's folder (default: the bundled one)")
    for name, value in dataclasses.asdict(Size()).items():
        parser.add_argument(f"--{name}", type=type(value), default=value)
    args = parser.parse_args(argv)
    size = Size(**{f.name: getattr(args, f.name) for f in dataclasses.fields(Size)})
    try:
        show(prove(args.out, size, args.ground_model))
    except RsvlmError as error:
        print(f"training.ground_proof: {error}", file=sys.stderr)
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main())
